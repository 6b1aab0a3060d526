"""Which pixels of a score map may teach, by plain thresholds."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import with_background
from wsss_lib.core import IGNORE, InputError


def trusted_labels(scores: Tensor, foreground: float, background: float) -> Tensor:
    """The strongest class above one threshold, background below another, 255 between them.

    Source: IRNet (Ahn, Cho and Kwak, CVPR 2019), section 4.1: 0.30 and 0.05.

    Args:
        scores: (B, C, h, w) in [0, 1].
        foreground: scores above it are trusted to be foreground.
        background: where all scores are at or below it, background is trusted.

    Returns:
        (B, h, w) class indices, 255 where neither is trusted.

    Raises:
        InputError: the thresholds are in the wrong order, which would trust what is doubtful.
    """
    if foreground < background:
        raise InputError(
            f"trusted_labels: foreground={foreground} must not be below background={background}."
        )
    strict, generous = (
        with_background(scores, constant=bound).argmax(dim=1) for bound in (foreground, background)
    )
    return torch.where(strict == generous, strict, IGNORE)


def refined_labels(
    scores: Tensor,
    tags: Tensor,
    foreground: float,
    background: float,
    refine: Callable[[Tensor], Tensor],
) -> Tensor:
    """Labels on which a high and a low background agree after each has been refined.

    Present classes and a constant background are rivals in a softmax; what it answers is refined,
    and the strongest wins. A class that wins against the high background is trusted, and so is a
    background that wins although it is low.

    Source: ToCo (Ru et al., CVPR 2023), section 3.4 and its released code.

    Args:
        scores: (B, C, h, w) in [0, 1].
        tags: (B, C), 1 where the class is present.
        foreground: the high background.
        background: the low background.
        refine: (B, 2 K, h, w) probabilities -> the same, such as a local refinement by colours that
            treats each map by itself.

    Returns:
        (B, h, w) class indices, 255 where neither is trusted.
    """
    absent = F.pad(tags <= 0, (1, 0))[:, :, None, None]
    odds = [
        with_background(scores, constant=bound).masked_fill(absent, -torch.inf).softmax(dim=1)
        for bound in (foreground, background)
    ]
    # One call for both: what refines has to look at the image only once.
    strict, generous = (
        part.argmax(dim=1) for part in refine(torch.cat(odds, dim=1)).chunk(2, dim=1)
    )
    return torch.where((strict > 0) | (generous == 0), strict, IGNORE)


def surest_pixels(scores: Tensor, labels: Tensor, threshold: float, share: float = 0.5) -> Tensor:
    """The share of each label's pixels that beat their strongest rival by most.

    A pixel's margin is the distance of its largest score from the second, the background's, which
    is the threshold, among them. Each image and label has a bar of its own, so that labels of faint
    scores are not left without a trusted pixel. Pixels as sure as the last one are trusted too.

    Source: BECO (Rong et al., CVPR 2023), its confidence masks, as in the released code.

    Args:
        scores: (B, C, H, W) in [0, 1].
        labels: (B, H, W) that they give at the threshold; 255 is never trusted.
        threshold: score of the background.
        share: of the pixels of each label, rounded down; 1 trusts all that have a label.

    Returns:
        (B, H, W) bool.
    """
    best, second = with_background(scores, constant=threshold).topk(2, dim=1).values.unbind(dim=1)
    margin, sure = best - second, torch.zeros_like(labels, dtype=torch.bool)
    for image, kinds in enumerate(labels):
        for kind in kinds[kinds != IGNORE].unique():
            here = kinds == kind
            values = margin[image][here].sort(descending=True).values
            if count := int(share * len(values)):
                sure[image] |= here & (margin[image] >= values[count - 1])
    return sure


def known_cells(scores: Tensor, drawn: Tensor, size: tuple[int, int], sure: float) -> Tensor:
    """What is known of each cell of a coarse grid: what was drawn in it, else a sure answer.

    A stroke is thin, so that one pixel of it speaks for its cell; where two classes are drawn in a
    cell, the larger index does. An answer has to be sure on average over the cell.

    Args:
        scores: (B, K, H, W), each pixel summing to one.
        drawn: (B, H, W) class indices, 255 where nobody drew.
        size: (h, w), rows and columns of the grid.
        sure: a mean score above it is trusted.

    Returns:
        (B, h, w) class indices, 255 where nothing is known.
    """
    strokes = drawn.masked_fill(drawn == IGNORE, -1)[:, None].float()
    strokes = F.adaptive_max_pool2d(strokes, size)[:, 0].long()
    peak, answer = F.adaptive_avg_pool2d(scores, size).max(dim=1)
    return torch.where(strokes >= 0, strokes, torch.where(peak > sure, answer, IGNORE))
