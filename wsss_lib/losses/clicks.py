"""Losses of networks that are told what is there, and one point or a few on each of it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.core import IGNORE


def image_level_loss(logits: Tensor, tags: Tensor) -> Tensor:
    """A class that is there has one pixel at least, and a class that is not has none.

    ``-1/|L| sum_{c in L} log max_i S_ic - 1/|L'| sum_{c not in L} log(1 - max_i S_ic)``, with S the
    softmax of the logits and background always in L. Only the strongest pixel of each class learns.

    Source: Bearman et al., What's the Point (ECCV 2016), equation 2.

    Args:
        logits: (B, K, H, W).
        tags: (B, C), 1 where the class is present.

    Returns:
        A scalar, the mean over the images.
    """
    best = logits.log_softmax(dim=1).amax(dim=(2, 3))
    present = F.pad(tags.to(best), (1, 0), value=1.0)
    absent = 1 - present
    found = (present * best).sum(dim=1) / present.sum(dim=1)
    quiet = torch.log1p(-best.exp().clamp(max=1 - 1e-6))
    empty = (absent * quiet).sum(dim=1) / absent.sum(dim=1).clamp(min=1)
    return -(found + empty).mean()


def point_loss(logits: Tensor, clicks: Tensor) -> Tensor:
    """``-sum_i log S_{i, y_i}`` over the clicked pixels.

    Source: Bearman et al., What's the Point (ECCV 2016), equation 3 with alpha = 1.

    Args:
        logits: (B, K, H, W).
        clicks: (B, H, W) class indices, 255 where nobody clicked.

    Returns:
        A scalar, the mean over the images of the sum over an image's clicks.
    """
    return F.cross_entropy(logits, clicks, ignore_index=IGNORE, reduction="sum") / len(logits)


def objectness_loss(logits: Tensor, prior: Tensor) -> Tensor:
    """Cross-entropy of "some object" against the prior; which object is left open.

    ``-1/|I| sum_i [P_i log sum_{c > 0} S_ic + (1 - P_i) log S_i0]``.

    Source: Bearman et al., What's the Point (ECCV 2016), equation 4.

    Args:
        logits: (B, K, H, W).
        prior: (B, 1, H, W), chance in [0, 1] that a pixel lies on an object.

    Returns:
        A scalar, the mean over all pixels.
    """
    total = logits.logsumexp(dim=1, keepdim=True)
    objects = logits[:, 1:].logsumexp(dim=1, keepdim=True) - total
    background = logits[:, :1] - total
    return -(prior * objects + (1 - prior) * background).mean()


def clicked_map_loss(values: Tensor, kinds: Tensor) -> Tensor:
    """Two-way cross-entropy of class maps at the clicked pixels: the clicked class and no other.

    What ``tag_loss`` asks of the mean over an image, this asks of one pixel of it. A click on the
    background asks for no class.

    Args:
        values: (n, C), class maps where somebody clicked, any real values.
        kinds: (n,) what was clicked, in 0..C.

    Returns:
        A scalar, the mean over clicks and classes; 0 (with a gradient of 0) without a click.
    """
    target = F.one_hot(kinds, values.shape[1] + 1)[:, 1:].to(values)
    total = F.binary_cross_entropy_with_logits(values, target, reduction="sum")
    return total / max(1, values.numel())


def triplet_loss(vectors: Tensor, kinds: Tensor, margin: float) -> Tensor:
    """Clicks of one class nearer to each other than to those of another, by a margin.

    ``max(0, margin + d_ij - d_ik)``, with i and j two clicks of one class, k one of another, and d
    the squared distance of vectors of length one: 0 if they point the same way, 4 if they point
    away from each other.

    Source: the triplets of Weinberger and Saul (JMLR 2009), between clicks as in PDML (Qian et al.,
    AAAI 2019).

    Args:
        vectors: (n, D), one for each click, any real values; normalised here.
        kinds: (n,) what was clicked.
        margin: in [0, 4].

    Returns:
        A scalar, the mean over all triplets; 0 (with a gradient of 0) if there is none.
    """
    directions = F.normalize(vectors, dim=1)
    apart = 2 - 2 * directions @ directions.T
    same = kinds[:, None] == kinds
    itself = torch.eye(len(kinds), dtype=torch.bool, device=kinds.device)
    triplets = (same & ~itself)[:, :, None] & ~same[:, None, :]
    owed = (margin + apart[:, :, None] - apart[:, None, :]).relu()
    return (owed * triplets).sum() / triplets.sum().clamp(min=1)


def focal_loss(logits: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Two-way cross-entropy in which what is answered well hardly counts.

    ``a (1 - p_t)^gamma l`` with the cross-entropy l, ``p_t = p y + (1 - p)(1 - y)`` and
    ``a = alpha y + (1 - alpha)(1 - y)``. Source: Lin et al., Focal Loss (ICCV 2017), with targets
    between 0 and 1 as Panoptic FCN (Li et al., CVPR 2021) has them.

    Args:
        logits: (n, h, w), or of any other shape, such as (n,).
        targets: in [0, 1], of the same shape.
        alpha: weight of ones beside zeros, in [0, 1].
        gamma: 0 gives back the cross-entropy.

    Returns:
        A scalar, the sum over all places.
    """
    p = logits.sigmoid()
    sure = p * targets + (1 - p) * (1 - targets)
    weights = (alpha * targets + (1 - alpha) * (1 - targets)) * (1 - sure) ** gamma
    losses = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (weights * losses).sum()


def dice_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """``1 - 2 sum p y / (sum p^2 + sum y^2)`` of each mask, at the places where it is known.

    Source: Milletari et al., V-Net (3DV 2016), as Panoptic FCN (Li et al., CVPR 2021) has it.

    Args:
        logits: (m, n), m masks at n places.
        targets: (n,) or (m, n) of 0 and 1.

    Returns:
        (m,) in [0, 1].
    """
    p = logits.sigmoid()
    total = (p**2).sum(dim=1) + (targets**2).expand_as(p).sum(dim=1)
    return 1 - 2 * (p * targets).sum(dim=1) / total.clamp(min=1e-8)


def thing_mask_loss(
    chance: Tensor, kernels: Tensor, encoded: Tensor, own: Tensor, positions: int
) -> Tensor:
    """The mask of a thing, made by the kernel at each of its likeliest clicks.

    Each kernel is asked for the thing at all clicks of the image, of which its own are 1; what
    they owe is averaged by how likely each position is to be the middle.

    Source: Panoptic FCN (Li et al., CVPR 2021), its weighted dice loss, with clicks for masks.

    Args:
        chance: (n,) in [0, 1] of being the middle of such a thing, at n clicks.
        kernels: (D, n), the kernels there.
        encoded: (D, n), the encoded image there.
        own: (n,) bool, which clicks lie on the thing; at least one does.
        positions: so many kernels at most.

    Returns:
        A scalar.
    """
    best = chance[own].topk(min(positions, int(own.sum())))
    losses = dice_loss(kernels[:, own][:, best.indices].T @ encoded, own.to(encoded))
    return (losses * best.values).sum() / best.values.sum()


def stuff_mask_loss(kernels: Tensor, encoded: Tensor, own: Tensor) -> Tensor:
    """The mask of a kind of stuff, made by the mean of the kernels at its clicks.

    Args:
        kernels: (D, n), the kernels at n clicks.
        encoded: (D, n), the encoded image there.
        own: (n,) bool, which clicks lie on the stuff; at least one does.

    Returns:
        A scalar.
    """
    kernel = kernels[:, own].mean(dim=1, keepdim=True)
    return dice_loss(kernel.T @ encoded, own.to(encoded))[0]
