"""Labels that two looks at an image agree on, and labels that are judged anew by their features."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import with_background
from wsss_lib.blocks.maps.prototypes import region_means
from wsss_lib.core import IGNORE, InputError

FAINT = 1e-5
"""The least probability of a class that is there, before colours decide."""


def reliable_labels(
    scores: Tensor,
    tags: Tensor,
    refine: Callable[[Tensor], Tensor],
    powers: tuple[float, float] = (4.0, 32.0),
    sure: float = 0.8,
    least: float = 0.1,
    share: float = 0.6,
) -> tuple[Tensor, Tensor]:
    """Labels of which both the colours and the class maps are sure.

    Two backgrounds, ``(1 - max_c M_c) ** power`` with a small and a large power, are refined. Where
    a class wins although the background is large it is the label, and where the background wins
    although it is small it is background. Of these labels a pixel keeps its own if the larger of
    both refined answers, the small background's and the large background's classes, reaches
    ``sure``, and if the class maps are sure there: of some class, because its score is above all
    but the strongest scores that it wins with, or of the background, because that exceeds ``sure``.

    Source: RRM (Zhang et al., AAAI 2020), section 3.2 and its released code. There, as here, the
    class that the maps are sure of need not be the label; a class that no refined pixel has makes
    nothing sure.

    Args:
        scores: (B, C, H, W) in [0, 1], absent classes 0.
        tags: (B, C), 1 where the class is present.
        refine: (B, K, H, W) probabilities, which need not sum to one, -> (B, K, H, W) that do.
        powers: of the large background and of the small one.
        sure: least refined probability of a label, and least background of the class maps.
        least: scores above it are ranked.
        share: of the ranked scores of a class that are not trusted, the lowest.

    Returns:
        labels: (B, H, W) class indices, 255 where nothing is sure.
        confidence: (B, H, W) in [0, 1], the larger of both refined answers, labelled or not.

    Raises:
        InputError: the powers are in the wrong order, which would trust what is doubtful.
    """
    if powers[0] > powers[1]:
        raise InputError(
            f"reliable_labels: powers={powers} are in the wrong order; the first one makes the "
            "large background, so it must be the smaller."
        )
    there = F.pad(tags, (1, 0), value=1.0)[:, :, None, None].to(scores)
    large, small = (
        refine(with_background(scores, power=power).clamp(min=FAINT) * there) for power in powers
    )
    winner = large.argmax(dim=1)
    labels = torch.where(winner > 0, winner, IGNORE).masked_fill(small.argmax(dim=1) == 0, 0)
    confidence = torch.cat([small[:, :1], large[:, 1:]], dim=1).amax(dim=1)
    trusted = (confidence >= sure) & _certain(scores, winner, powers[1], sure, least, share)
    return labels.masked_fill(~trusted, IGNORE), confidence


def _certain(
    scores: Tensor, refined: Tensor, power: float, sure: float, least: float, share: float
) -> Tensor:
    """(B, H, W): where class maps (B, C, H, W) are sure of a class that refined labels have."""
    whole = with_background(scores, power=power)
    kinds = torch.arange(whole.shape[1], device=whole.device).view(1, -1, 1, 1)
    occurs = (refined[:, None] == kinds).flatten(2).any(dim=2)[:, :, None, None]
    mine = whole * (whole.argmax(dim=1, keepdim=True) == kinds)
    ranked = mine[:, 1:].flatten(2)
    counted = ranked > least
    order = ranked.masked_fill(~counted, torch.inf).sort(dim=2).values
    place = (share * counted.sum(dim=2, keepdim=True)).long().clamp(max=order.shape[2] - 1)
    bars = F.pad(order.gather(2, place), (0, 0, 1, 0), value=sure)
    return ((mine > bars[..., None]) & occurs).any(dim=1)


@torch.no_grad()
def reassigned_labels(
    features: Tensor, labels: Tensor, tags: Tensor, temperature: float = 0.1
) -> Tensor:
    """How much each pixel is like what bears each label, whatever its own label says.

    The prototype z_c of a class is the mean of the batch's features labelled so. Of an image's own
    classes and the background, ``r_c = softmax_c(cos(e, z_c) / temperature)``.

    Args:
        features: (B, D, h, w), any real values; e. They are given no gradient.
        labels: (B, h, w) class indices, 255 where there is none.
        tags: (B, C), 1 where the class is present.
        temperature: of the softmax; a low one decides.

    Returns:
        (B, K, h, w), each pixel summing to one. A class without a labelled pixel has no part in it.
    """
    kinds = torch.arange(tags.shape[1] + 1, device=labels.device)
    marked = labels[:, None] == kinds.view(1, -1, 1, 1)
    # Side by side, the images are one, and its regions are those of the batch.
    prototypes = region_means(*(torch.cat([*maps], dim=1)[None] for maps in (features, marked)))[0]
    found = torch.einsum(
        "bdhw,kd->bkhw", F.normalize(features, dim=1), F.normalize(prototypes, dim=1)
    )
    candidate = (F.pad(tags, (1, 0), value=1.0) > 0) & marked.flatten(2).any(dim=2).any(dim=0)
    lowest = torch.finfo(found.dtype).min
    found = (found / temperature).masked_fill(~candidate[:, :, None, None], lowest)
    return found.softmax(dim=1)
