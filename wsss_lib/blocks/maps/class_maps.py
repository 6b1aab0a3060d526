"""Class maps: resizing, normalising, adding a background, turning scores into labels."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.core import IGNORE, InputError


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resizing, anti-aliased when it shrinks.

    Args:
        maps: (B, C, h, w); those in half precision become float32, whatever their size.
        size: (H, W) in pixels.

    Returns:
        (B, C, H, W).
    """
    if maps.dtype in (torch.float16, torch.bfloat16):  # not every kernel exists for them
        maps = maps.float()
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    shrinks = size[0] < maps.shape[-2] or size[1] < maps.shape[-1]
    return F.interpolate(maps, size, mode="bilinear", align_corners=False, antialias=shrinks)


def rescale(maps: Tensor, factor: float) -> Tensor:
    """``maps`` (B, C, h, w) with both sides multiplied by a factor and rounded, at least 1 long."""
    height, width = (max(1, round(factor * side)) for side in maps.shape[-2:])
    return resize(maps, (height, width))


def resize_like(maps: Tensor, other: Tensor) -> Tensor:
    """``maps`` (B, C, h, w) at the height and width of ``other`` (B, D, H, W)."""
    return resize(maps, (other.shape[-2], other.shape[-1]))


def normalize(maps: Tensor, tags: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """Rectify, then divide each map by its own maximum; maps of absent classes become 0.

    Args:
        maps: (B, C, h, w), any real values.
        tags: (B, C), 1 where the class is present; None keeps every class.
        eps: maxima below it count as an empty map, which stays 0.

    Returns:
        (B, C, h, w) in [0, 1]; the maximum of a present, non-empty map is exactly 1.
    """
    maps = maps.relu()
    peak = maps.amax(dim=(2, 3), keepdim=True)
    maps = torch.where(peak > eps, maps / peak.clamp(min=eps), torch.zeros_like(maps))
    return keep_present(maps, tags)


def min_max(maps: Tensor, tags: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """Min-max normalisation: subtract each map's own minimum, then divide by what is its maximum.

    A map that is nowhere near 0, such as one that a random walk has spread, keeps its contrast.

    Args:
        maps: (B, C, h, w), any real values.
        tags: (B, C), 1 where the class is present; None keeps every class.
        eps: a map that varies less is constant, and becomes 0.

    Returns:
        (B, C, h, w) in [0, 1]; a present map that is not constant has a 0 and a 1.
    """
    return normalize(maps - maps.amin(dim=(2, 3), keepdim=True), tags, eps)


def keep_present(maps: Tensor, tags: Tensor | None) -> Tensor:
    """Zero the maps (B, C, h, w) of the classes that ``tags`` (B, C) says are absent."""
    return maps if tags is None else maps * tags[:, :, None, None].to(maps)


def with_background(
    scores: Tensor, constant: float | None = None, power: float | None = None
) -> Tensor:
    """Put a background map in front of foreground scores.

    Two rules are in use: a constant score ``M_0 = constant`` (IRNet), or what the strongest class
    leaves over, ``M_0 = (1 - max_c M_c) ** power`` (AffinityNet). A larger power makes the
    background smaller.

    Args:
        scores: (B, C, h, w) in [0, 1].
        constant: background score of the constant rule.
        power: exponent of the power rule.

    Returns:
        (B, K, h, w) in [0, 1], background first. The channels do not sum to one.

    Raises:
        InputError: not exactly one rule was given.
    """
    if (constant is None) == (power is None):
        raise InputError("with_background takes one rule: either constant=... or power=...")
    if power is None:
        background = torch.full_like(scores[:, :1], float(constant or 0.0))
    else:
        background = (1 - scores.amax(dim=1, keepdim=True)).clamp(min=0) ** power
    return torch.cat([background, scores], dim=1)


def power_at(threshold: float) -> float:
    """The power of the power rule whose background equals a lone score exactly at ``threshold``.

    Solves ``threshold = (1 - threshold) ** power`` for a threshold inside (0, 1).
    """
    return math.log(threshold) / math.log(1 - threshold)


def foreground_scores(maps: Tensor, power: float = 1.0, eps: float = 1e-8) -> Tensor:
    """Each class against the background: ``p_c / (p_c + p_0 ** power)``.

    The order among the classes is kept, and a class beats the background exactly where its score
    exceeds 0.5.

    Args:
        maps: (B, K, h, w), non-negative, background first.
        power: of the background; of probabilities, a large one makes it smaller.
        eps: keeps 0 / 0 at 0.

    Returns:
        (B, C, h, w) in [0, 1].
    """
    background, foreground = maps[:, :1] ** power, maps[:, 1:]
    return foreground / (foreground + background).clamp(min=eps)


def to_labels(scores: Tensor, threshold: float) -> Tensor:
    """The strongest class where it exceeds the threshold, background elsewhere.

    Args:
        scores: (B, C, H, W) in [0, 1].
        threshold: in [0, 1]. A pixel whose strongest score equals it exactly is undecided.

    Returns:
        (B, H, W) class indices: 0 background, 1..C classes, 255 undecided.

    Raises:
        InputError: more than 254 classes.
    """
    _check_count(scores)
    peak, winner = scores.max(dim=1)
    labels = torch.where(peak > threshold, winner + 1, 0)
    return labels.masked_fill(peak == threshold, IGNORE)


def from_labels(labels: Tensor, num_classes: int) -> Tensor:
    """Scores that give labels back at the threshold 0.5: the inverse of ``to_labels``.

    Args:
        labels: (B, H, W) class indices, 255 = undecided.
        num_classes: C.

    Returns:
        (B, C, H, W): 1 in the class, 0 elsewhere, 0.5 where nothing is known.
    """
    classes = torch.arange(1, num_classes + 1, device=labels.device).view(1, -1, 1, 1)
    labels = labels[:, None]
    return torch.where(labels == IGNORE, 0.5, (labels == classes).float())


def confident_labels(scores: Tensor, trust_foreground: float, trust_background: float) -> Tensor:
    """Labels on which a generous and a strict background agree; 255 where they do not.

    Source: AffinityNet (Ahn and Kwak, CVPR 2018), section 3.2: what stays foreground against a
    large background is trusted, and so is what stays background when the background is small.

    Args:
        scores: (B, C, h, w) in [0, 1].
        trust_foreground: small power, hence a large background (4 in the paper).
        trust_background: large power, hence a small background (32 in the paper).

    Returns:
        (B, h, w) class indices, 255 where the two backgrounds disagree.

    Raises:
        InputError: the powers are in the wrong order, which would trust what is least certain, or
            there are more than 254 classes.
    """
    _check_count(scores)
    if trust_foreground > trust_background:
        raise InputError(
            f"confident_labels: trust_foreground={trust_foreground} must not exceed "
            f"trust_background={trust_background}; a small power makes the background large."
        )
    strict = with_background(scores, power=trust_foreground).argmax(dim=1)
    generous = with_background(scores, power=trust_background).argmax(dim=1)
    return torch.where(strict == generous, strict, IGNORE)


def _check_count(scores: Tensor) -> None:
    if scores.shape[1] >= IGNORE:
        raise InputError(
            f"{scores.shape[1]} classes do not fit into label images, where {IGNORE} means "
            f"undecided: use at most {IGNORE - 1}."
        )
