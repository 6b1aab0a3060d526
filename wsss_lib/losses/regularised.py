"""Losses on pixels that nobody labelled: those that are near and alike should share a class.

Each is a quadratic form in the scores, with the kernel W of a ``Lattice``. One filtering gives the
form and one more its gradient, at full resolution, where W itself would hold N * N numbers.

Scores are S in (B, K, H, W), each pixel summing to one (a softmax). Sums over pixels are divided by
the sum of W, so that the losses lie in [0, 1] (normalised cut: [0, K]) at any size of image, and
weights around one are a sensible start. Papers that sum instead weigh with numbers like 2e-9.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.labels.paint import present_in
from wsss_lib.blocks.maps.class_maps import keep_present, rescale, resize
from wsss_lib.blocks.refine.lattice import Lattice, bilateral_features


def small_kernel(
    image: Tensor, sxy: float, srgb: float, scale: float, deep: Tensor | None = None
) -> Lattice:
    """How alike all pixels of a smaller picture are, by place, colour and, if given, deep features.

    ``W_ij = exp(-|x_i - x_j|^2 / 2 sxy^2 - |I_i - I_j|^2 / 2 srgb^2 - |f_i - f_j|^2 / 2)``; no
    gradient reaches the features.

    Args:
        image: (B, 3, H, W) RGB in [0, 1].
        sxy: standard deviation in pixels of the image as it is.
        srgb: standard deviation in levels of 0..255.
        scale: factor by which the picture is made smaller.
        deep: (B, D, H, W), in units of standard deviations; D is small, or the lattice is not.
    """
    small = rescale(image, scale).clamp(0, 1)
    features = bilateral_features(small, sxy * scale, srgb)
    if deep is not None:
        features = torch.cat([features, resize(deep, (small.shape[-2], small.shape[-1]))], dim=1)
    return Lattice(features)


def on_kernel(kernel: Lattice, logits: Tensor) -> Tensor:
    """(B, K, H, W) logits -> probabilities (B, K, h, w) at the size of a kernel."""
    return resize(logits.softmax(dim=1), kernel.shape[1:])


def only_drawn(scores: Tensor, scribble: Tensor) -> Tensor:
    """Zero the scores of classes that nobody drew in an image; the background stays.

    Args:
        scores: (B, K, h, w), background first.
        scribble: (B, H, W) class indices, 255 where nobody drew.
    """
    drawn = F.pad(present_in(tuple(scribble), scores.shape[1] - 1), (1, 0), value=1.0)
    return keep_present(scores, drawn)


def gated_crf_loss(kernel: Lattice, scores: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Share of W between gated pixels that is cut: ``sum_ij g_i W_ij h_j (1 - S_i . S_j) / sum``.

    Source: Obukhov et al., Gated CRF Loss, 2019 (there with a small window instead of a lattice).

    Args:
        kernel: similarity of all pixels.
        scores: (B, K, H, W), each pixel summing to one.
        source: (B, 1, H, W) in [0, 1], pixels to learn from.
        target: (B, 1, H, W) in [0, 1], pixels that learn.

    Returns:
        A scalar in [0, 1]; 0 where the gates leave no pair.
    """
    pairs = (target * kernel.filter(source)).sum()
    agreeing = (target * scores * kernel.filter(source * scores)).sum()
    return (pairs - agreeing) / pairs.clamp(min=torch.finfo(pairs.dtype).tiny)


def dense_energy_loss(kernel: Lattice, scores: Tensor, gate: Tensor) -> Tensor:
    """What open pixels owe their surroundings: ``sum_ij g_i W_ij (1 - S_i . S_j) / sum W``.

    Each pixel is pulled to what its surroundings say, which are given no gradient: a pixel that is
    closed, since it has a label, is not pulled by those that have none. The sum of all weights
    divides, not that of the open pixels, so that the loss fades as pixels get their labels.

    Source: RRM (Zhang et al., AAAI 2020), section 3.3. The released code sums, and its slope is
    twice that of its value, which is as if the kernel's other half had been counted too.

    Args:
        kernel: similarity of all pixels.
        scores: (B, K, H, W), each pixel summing to one.
        gate: (B, 1, H, W) in [0, 1], how open each pixel is; given no gradient.

    Returns:
        A scalar in [0, 1]; 0 for a constant segmentation, so labels must anchor it.
    """
    degree = kernel.filter(torch.ones_like(gate))
    around = kernel.filter(scores.detach())
    astray = degree - (scores * around).sum(dim=1, keepdim=True)
    return (gate.detach() * astray).sum() / degree.sum()


def crf_loss(kernel: Lattice, scores: Tensor) -> Tensor:
    """Share of W that the segmentation cuts: ``sum_k S_k^T W (1 - S_k) / sum W``.

    Source: Tang et al., On Regularized Losses, ECCV 2018, equation 5.

    Args:
        kernel: similarity of all pixels.
        scores: (B, K, H, W), each pixel summing to one.

    Returns:
        A scalar in [0, 1]; 0 for a constant segmentation, so labels must anchor it.
    """
    everywhere = torch.ones_like(scores[:, :1])
    return gated_crf_loss(kernel, scores, everywhere, everywhere)


def ncut_loss(kernel: Lattice, scores: Tensor, eps: float = 1e-6) -> Tensor:
    """Normalised cut: ``sum_k S_k^T W (1 - S_k) / (d^T S_k)`` with degrees ``d = W 1``.

    Source: Tang et al., Normalized Cut Loss, CVPR 2018, equation 4. Dividing by the degree of each
    class keeps one class from swallowing the others, which the CRF loss allows.

    Args:
        kernel: similarity of all pixels.
        scores: (B, K, H, W), each pixel summing to one.
        eps: classes whose share of all degrees is below it count as absent.

    Returns:
        A scalar in [0, K], averaged over the images.
    """
    degree = kernel.filter(torch.ones_like(scores[:, :1]))
    volume = (degree * scores).sum(dim=(2, 3))
    inside = (scores * kernel.filter(scores)).sum(dim=(2, 3))
    floor = eps * degree.sum(dim=(2, 3))
    return ((volume - inside) / volume.clamp(min=floor)).sum(dim=1).mean()


def kernelcut_loss(kernel: Lattice, scores: Tensor) -> Tensor:
    """CRF loss plus normalised cut: smooth and balanced.

    Source: Tang et al., On Regularized Losses, ECCV 2018, section 3.2.

    Args:
        kernel: similarity of all pixels.
        scores: (B, K, H, W), each pixel summing to one.

    Returns:
        A scalar in [0, K + 1].
    """
    return crf_loss(kernel, scores) + ncut_loss(kernel, scores)
