"""Erasing: hide what a classifier has found already, so that it must look elsewhere."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize, resize_like
from wsss_lib.core import IGNORE, InputError

MEAN_COLOUR = (0.485, 0.456, 0.406)
"""Mean colour of ImageNet: after a network's normalisation it is zero, evidence for nothing."""


def erase(image: Tensor, mask: Tensor, colour: Sequence[float] = MEAN_COLOUR) -> Tensor:
    """Paint over an image, ``x + m (colour - x)``.

    A binary mask replaces pixels; a soft one fades them, and lets gradients through to itself.

    Source: hard, Wei et al. (CVPR 2017), section 3.1; soft, Kweon et al. (ICCV 2021), equation 3,
    where the network's input is normalised and ``colour`` is therefore zero.

    Args:
        image: (B, 3, H, W) in [0, 1].
        mask: (B, 1, H, W) in [0, 1], 1 where nothing may be left.
        colour: what is painted; the mean colour of the training images says nothing of a class.

    Returns:
        (B, 3, H, W) in [0, 1].
    """
    return torch.lerp(image, image.new_tensor(colour).view(1, 3, 1, 1).expand_as(image), mask)


def hot_mask(scores: Tensor, border: float) -> Tensor:
    """Where some class is hot: a hard mask, to erase from an image or to take from features.

    ``erase(image, hot_mask(...))`` hides what is hot; ``features * (1 - hot_mask(...))`` silences
    it in features. The highest score, ``scores.amax(dim=1, keepdim=True)``, is the soft mask.

    Source: Kim et al. (ICCV 2017).

    Args:
        scores: (B, C, h, w) in [0, 1]; absent classes score 0.
        border: scores above it are hot.

    Returns:
        (B, 1, h, w) of zeros and ones.

    Raises:
        InputError: the border does not lie inside (0, 1).
    """
    _check_border("hot_mask", border)
    return (scores.amax(dim=1, keepdim=True) > border).to(scores)


def ternary_mask(scores: Tensor, high: float, low: float) -> Tensor:
    """What silences the hot, turns the sign of the cold, and keeps what lies between.

    Source: Hou et al. (NeurIPS 2018), where it multiplies rectified features.

    Args:
        scores: (B, C, h, w) in [0, 1]; absent classes score 0.
        high: the mask is 0 where the highest score reaches it.
        low: the mask is -1 where the highest score stays below it.

    Returns:
        (B, 1, h, w) of -1, 0 and 1.

    Raises:
        InputError: not ``0 < low < high < 1``.
    """
    _check_border("ternary_mask", low)
    _check_border("ternary_mask", high)
    if low >= high:
        raise InputError(f"ternary_mask: low={low} must lie below high={high}.")
    heat = scores.amax(dim=1, keepdim=True)
    kept = torch.where(heat < low, -torch.ones_like(heat), torch.ones_like(heat))
    return kept * (heat < high)


def hot_regions(scores: Tensor, erased: Tensor, border: float) -> Tensor:
    """The hottest region of each class among the pixels that have not been erased yet.

    A pixel belongs to one class at most, the one whose score is highest there.

    Source: Wei et al. (CVPR 2017), section 3.1.

    Args:
        scores: (B, C, H, W) in [0, 1].
        erased: (B, 1, H, W), 1 where an earlier round has been.
        border: scores above it are hot.

    Returns:
        (B, C, H, W) of zeros and ones.

    Raises:
        InputError: the border does not lie inside (0, 1).
    """
    _check_border("hot_regions", border)
    best = torch.zeros_like(scores).scatter(1, scores.argmax(dim=1, keepdim=True), 1.0)
    return best * (scores > border) * (1 - erased)


def mined_labels(found: Tensor, heat: Tensor, cold: float) -> Tensor:
    """Labels from the regions that the rounds of erasing have found together.

    Args:
        found: (B, C, H, W), above 0 where a round found the class.
        heat: (B, 1, H, W) in [0, 1], the highest score that any round gave any class.
        cold: what never got hotter is background.

    Returns:
        (B, H, W) class indices, 0 background, 255 for pixels neither found nor cold.
    """
    claim, winner = found.max(dim=1)
    return torch.where(claim > 0, winner + 1, torch.where(heat[:, 0] > cold, IGNORE, 0))


def look_again(
    classifiers: Iterable[Callable[[Tensor], Tensor]],
    image: Tensor,
    tags: Tensor,
    hot: float,
    colour: Sequence[float] = MEAN_COLOUR,
) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Look at an image once with each classifier, erasing what it found before the next one looks.

    Source: Wei et al. (CVPR 2017), algorithm 1.

    Args:
        classifiers: (B, 3, H, W) images -> (B, C, h, w) raw maps, one of each round.
        image: (B, 3, H, W) in [0, 1].
        tags: (B, C), 1 where the class is present.
        hot: normalised scores above it are found.
        colour: what is painted over them.

    Returns:
        maps: (B, C, h, w) a round, raw, with the gradient of their classifier.
        regions: (B, C, H, W) a round, zeros and ones that never overlap.
        heat: (B, 1, H, W) in [0, 1], the highest score that any round gave any class.
    """
    erased, heat = torch.zeros_like(image[:, :1]), torch.zeros_like(image[:, :1])
    maps, regions = [], []
    for classifier in classifiers:
        maps.append(classifier(erase(image, erased, colour)))
        scores = resize_like(normalize(maps[-1].detach(), tags), image)
        regions.append(hot_regions(scores, erased, hot))
        # What is painted over may still look warm from outside; its own round has judged it.
        heat = torch.maximum(heat, scores.amax(dim=1, keepdim=True) * (1 - erased))
        erased = erased + regions[-1].sum(dim=1, keepdim=True)
    return maps, regions, heat


def joined_looks(
    looks: Callable[[Tensor, Tensor | None], Tensor],
    image: Tensor,
    tags: Tensor | None,
    num_classes: int,
    scales: Sequence[float] = (1.0,),
) -> Tensor:
    """The largest of several looks, each divided by its own maximum: what any of them found.

    A look adds up its rectified maps over sizes and mirror images before it is divided.

    Args:
        looks: images (2B, 3, H', W') and tags (2B, C) -> raw maps (2B, L * C, h, w), the C of one
            look after those of another.
        image: (B, 3, H, W) in [0, 1].
        tags: (B, C), 1 where the class is present; None keeps every class.
        num_classes: C.
        scales: factors by which the image is resized.

    Returns:
        (B, C, H, W) in [0, 1], nowhere below any look.
    """
    both = None if tags is None else tags.repeat(2, 1)  # an image and its mirror image
    maps = multi_scale_flip(lambda views: looks(views, both), image, scales)
    return torch.stack([normalize(one, tags) for one in maps.split(num_classes, dim=1)]).amax(dim=0)


def _check_border(who: str, border: float) -> None:
    if not 0 < border < 1:
        raise InputError(f"{who}: border={border} must lie between 0 and 1.")
