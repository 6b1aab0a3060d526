"""Perturbation: the smallest part of an image that keeps an answer as it was."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from wsss_lib.blocks.maps.class_maps import foreground_scores, resize
from wsss_lib.blocks.refine.dense_crf import CRF, PRESETS, dense_crf


def total_variation(mask: Tensor, power: float = 3.0) -> Tensor:
    """Sum of ``|m_u - m_v|^power`` over neighbours; those across a corner count twice.

    Source: BBAM (Lee et al., CVPR 2021), with the neighbours of the released code.

    Args:
        mask: (h, w).
        power: above 1, one large step is dearer than many small ones.
    """
    ways = (
        (mask[:-1] - mask[1:], 1),
        (mask[:, :-1] - mask[:, 1:], 1),
        (mask[:-1, :-1] - mask[1:, 1:], 2),
        (mask[1:, :-1] - mask[:-1, 1:], 2),
    )
    return torch.stack([count * (step.abs() ** power).sum() for step, count in ways]).sum()


@dataclass(frozen=True)
class Perturbation:
    """How masks shrink, and what becomes of them. The defaults are BBAM's.

    Attributes:
        step: rate of Adam.
        sparse: weight of a mask's size, in units of change for one cell.
        smooth: weight of its total variation.
        share: of a box that is the object for certain, before a CRF.
        certain: probability from which on the CRF's answer counts as the object.
        crf: of the object against everything else.
    """

    step: float = 0.02
    sparse: float = 0.007
    smooth: float = 1e-4
    share: float = 0.15
    certain: float = 0.9
    crf: CRF = PRESETS["bbam"]


PUBLISHED = Perturbation()
"""The settings of BBAM."""


def cell_of(box: Tensor, size: tuple[int, int]) -> float:
    """Side in pixels of a cell of a mask for a box: 2 % of the image's shorter side, and more.

    The other 6 % are for a box that fills the image of ``size`` (H, W), and shrink with its
    diagonal. Source: BBAM, 16 to 64 pixels of an image of 800.
    """
    area = float((box[2] - box[0]) * (box[3] - box[1])) / (size[0] * size[1])
    return min(size) * (0.02 + 0.06 * area**0.5)


def first_mask(boxes: Tensor, size: tuple[int, int], cell: float) -> Tensor:
    """Where a mask begins: 1 in boxes, 0 elsewhere.

    Args:
        boxes: (n, 4) in pixels, not rounded; they may leave the image.
        size: (H, W) of the image.
        cell: side of a cell in pixels.

    Returns:
        (h, w) cells, at least one.
    """
    h, w = (max(1, int(side / cell)) for side in size)
    mask = torch.zeros(h, w, device=boxes.device)
    for x0, y0, x1, y1 in (boxes.clamp(min=0) / cell).long().tolist():
        mask[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = 1
    return mask


def smallest_masks(
    change: Callable[[list[Tensor]], Tensor],
    masks: Sequence[Tensor],
    turns: int,
    settings: Perturbation,
) -> list[Tensor]:
    """Take away of masks what is not needed: minimise change, size and roughness together.

    ``change(m) + sparse * sum |m| + smooth * TV(m)``, by Adam, each value kept in [0, 1]. The slope
    of the weights behind ``change`` is not asked for.

    Source: BBAM, after extremal perturbations (Fong et al., ICCV 2019).

    Args:
        change: masks, one for each object -> a scalar, the sum over the objects of how much an
            answer has changed; objects must not see each other.
        masks: (h, w) each, of any sizes, in [0, 1]; where to begin.
        turns: steps of Adam.
        settings: rate and weights.

    Returns:
        As many masks of the same sizes, in [0, 1].
    """
    if not masks:
        return []
    # Methods predict in inference mode, whose tensors have no gradients; copies made outside have.
    with torch.inference_mode(False), torch.enable_grad():
        own = [mask.clone().detach().requires_grad_() for mask in masks]
        optimizer = torch.optim.Adam(own, settings.step)
        for _ in range(turns):
            loss = change(own)
            for mask in own:
                rough = settings.smooth * total_variation(mask)
                loss = loss + settings.sparse * mask.abs().sum() + rough
            for mask, slope in zip(own, torch.autograd.grad(loss, own), strict=True):
                mask.grad = slope
            optimizer.step()
            with torch.no_grad():
                for mask in own:
                    mask.clamp_(0, 1)
    return [mask.detach() for mask in own]


def stretched(mask: Tensor, box: Sequence[int], share: float, blur: float) -> Tensor:
    """A mask as probabilities within its box: its best part saturates, and is blurred.

    Source: BBAM, as its released code makes labels of maps.

    Args:
        mask: (H, W), not negative.
        box: x0, y0, x1, y1, half-open, pixels, not empty.
        share: of the box whose values become 1, those of the largest.
        blur: standard deviation in pixels; the kernel ends there.

    Returns:
        (H, W) in [0, 1], 0 outside the box; an empty mask makes the box 1 everywhere.
    """
    x0, y0, x1, y1 = (int(side) for side in box[:4])
    part = mask[y0:y1, x0:x1]
    found = torch.zeros_like(mask)
    if part.max() <= 0:
        found[y0:y1, x0:x1] = 1
        return found
    rank = min(int(part.numel() * share), part.numel() - 1)
    least = part.flatten().sort(descending=True).values[rank].clamp(min=1e-8)
    found[y0:y1, x0:x1] = (part / least).clamp(max=1)
    radius = min(max(1, round(blur)), min(mask.shape) - 1)
    if radius > 0:
        found = gaussian_blur(found[None], [2 * radius + 1] * 2, [blur] * 2)[0]
    inside = torch.zeros_like(mask)
    inside[y0:y1, x0:x1] = 1
    return F.relu(found * inside) / (found * inside).max()


def cut_out(
    image: Tensor,
    masks: Sequence[Tensor],
    boxes: Tensor,
    num_classes: int,
    settings: Perturbation,
) -> Tensor:
    """Scores of an image from the mask of each object: stretched in its box, cut by the colours.

    Args:
        image: (3, H, W) RGB in [0, 1].
        masks: one (h, w) for each box.
        boxes: (n, 5): x0, y0, x1, y1 (half-open, pixels), class in 1..C.
        num_classes: C.
        settings: what is certain before the CRF and after it, and the CRF.

    Returns:
        (C, H, W) in [0, 1]; 0.5 is where the CRF gives the object ``settings.certain``. Of the
        objects of a class the larger score stays; 0 outside their boxes.
    """
    size = (image.shape[-2], image.shape[-1])
    scores = image.new_zeros(num_classes, *size)
    bar = settings.certain / (1 - settings.certain)
    for mask, box in zip(masks, boxes, strict=True):
        x0, y0, x1, y1, kind = box.tolist()
        wide = resize(mask[None, None], size)[0, 0]
        chance = stretched(wide, box.tolist(), settings.share, cell_of(box, size))
        odds = torch.stack([1 - chance, chance])[None]
        ground, thing = dense_crf(image[None], odds, settings.crf)[0]
        found = foreground_scores(torch.stack([bar * ground, thing])[None])[0, 0]
        window = (kind - 1, slice(y0, y1), slice(x0, x1))
        scores[window] = scores[window].maximum(found[y0:y1, x0:x1])
    return scores
