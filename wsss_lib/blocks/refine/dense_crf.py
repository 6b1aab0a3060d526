"""Fully connected CRF: pixels that are near and alike in colour want the same label."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from wsss_lib.blocks.check import check_maps
from wsss_lib.blocks.refine.lattice import Lattice, bilateral_features, spatial_features
from wsss_lib.core import InputError


@dataclass(frozen=True)
class CRF:
    """Weights and standard deviations of the two kernels of a dense CRF.

    Source: Krähenbühl and Koltun, NeurIPS 2011, equation 3. The defaults are DeepLab's.

    Attributes:
        bilateral: weight of the appearance kernel.
        sxy: its standard deviation in pixels.
        srgb: its standard deviation in levels of 0..255.
        spatial: weight of the smoothness kernel.
        gxy: its standard deviation in pixels.
        iterations: mean-field updates.
    """

    bilateral: float = 4.0
    sxy: float = 67.0
    srgb: float = 3.0
    spatial: float = 3.0
    gxy: float = 1.0
    iterations: int = 10


PRESETS = {
    "deeplab": CRF(),
    "bana_labels": CRF(sxy=55, gxy=3),
    "bana_test": CRF(sxy=121, srgb=5, gxy=3),
    "bbam": CRF(sxy=80),
    "guided_labels": CRF(sxy=121, srgb=5, gxy=3),
    "rrm_labels": CRF(bilateral=10, sxy=80, srgb=13, gxy=3),
    "sec": CRF(bilateral=10, sxy=80 / 12, srgb=13, gxy=3 / 12),
}
"""Settings of published systems; BCM and CLIP-ES share DeepLab's; SEC's are for small maps."""


def dense_crf(image: Tensor, probabilities: Tensor, settings: CRF = PRESETS["deeplab"]) -> Tensor:
    """Mean field: ``Q <- softmax(log P + sum_m w_m K_m Q)`` with Potts compatibility.

    Source: Krähenbühl and Koltun, NeurIPS 2011, algorithm 1. Kernels are normalised symmetrically
    and keep the message of a pixel to itself, as in the reference implementation.

    Args:
        image: (B, 3, H, W) RGB in [0, 1].
        probabilities: (B, K, H, W), non-negative; each pixel is normalised to sum to one. Only
            the classes that can occur need to be there: cost grows with K.
        settings: weights, standard deviations and number of iterations; 0 iterations return the
            normalised probabilities.

    Returns:
        (B, K, H, W), each pixel summing to one. Differentiable in ``probabilities``.

    Raises:
        InputError: sizes, dtypes or devices differ, or values are negative, not finite, or zero
            for all classes of a pixel.
    """
    check_maps("dense_crf", probabilities, image)
    total = probabilities.sum(dim=1, keepdim=True)
    if probabilities.min() < 0 or total.min() <= 0:
        raise InputError(
            "dense_crf: probabilities must be non-negative and not all zero at a pixel; put a "
            "background in front of class scores with with_background()."
        )
    b, k, h, w = probabilities.shape
    unary = (probabilities / total).clamp(min=1e-8).log().permute(0, 2, 3, 1).reshape(-1, k)
    appearance = Lattice(bilateral_features(image, settings.sxy, settings.srgb), symmetric=True)
    smoothness = _smoothness((b, h, w), settings.gxy, image.dtype, image.device)
    rows = _softmax(unary)
    for _ in range(settings.iterations):
        near_and_alike = settings.bilateral * appearance.filter_rows(rows)
        rows = _softmax(unary + near_and_alike + settings.spatial * smoothness.filter_rows(rows))
    return rows.view(b, h, w, k).permute(0, 3, 1, 2)


@lru_cache(maxsize=4)
def _smoothness(
    shape: tuple[int, int, int], gxy: float, dtype: torch.dtype, device: torch.device
) -> Lattice:
    """It depends on the size only, and photographs of a data set come in few sizes."""
    b, h, w = shape
    blank = torch.empty(b, 3, h, w, dtype=dtype, device=device)
    return Lattice(spatial_features(blank, gxy), symmetric=True)


def _softmax(rows: Tensor) -> Tensor:
    """Softmax over the columns of (N, K): many times faster across than along short rows."""
    return rows.T.softmax(dim=0).T
