"""Araslanov and Roth 2020: look-alike neighbours pull a mask onto the colours of the image."""

import numpy as np
import torch

from tests.tiny import TWO_IMAGES, noise
from wsss_lib.core import Batch
from wsss_lib.methods.refine.pamr import PAMR


def two_colours():
    """A red disc on green, with a little noise; the incoming scores are a shifted, soft blob."""
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    inside = (y - 16) ** 2 + (x - 16) ** 2 < 81
    torch.manual_seed(0)
    image = torch.where(
        inside,
        torch.tensor([0.8, 0.2, 0.2])[:, None, None],
        torch.tensor([0.2, 0.7, 0.3])[:, None, None],
    )
    image = (image + 0.02 * torch.randn(3, 32, 32)).clamp(0, 1)
    blob = torch.exp(-((y - 13) ** 2 + (x - 19) ** 2) / 120)
    return image[None], inside, blob[None, None]


def iou(one, other):
    return ((one & other).sum() / (one | other).sum()).item()


def test_a_shifted_blob_settles_on_the_disc():
    image, inside, blob = two_colours()
    said = PAMR(dilations=(1, 2, 4)).predict(Batch(("a",), image, torch.ones(1, 1), blob))
    before = iou(blob[0, 0] > 0.5, inside)
    assert iou(said[0, 0] > 0.5, inside) > max(before + 0.1, 0.85)


def test_without_colours_it_is_only_a_blur():
    """The same scores over a flat image: nothing says where the disc is."""
    image, inside, blob = two_colours()
    batch = Batch(("a",), torch.full_like(image, 0.5), torch.ones(1, 1), blob)
    said = PAMR(dilations=(1, 2, 4)).predict(batch)
    assert iou(said[0, 0] > 0.5, inside) < iou(blob[0, 0] > 0.5, inside) + 0.05


def test_the_read_out_value_by_value():
    """Two rounds of averaging over neighbours, in loops over pixels, images and present classes."""
    dilations, (h, w) = (1, 2), (4, 6)
    image, scores = noise(2, 3, h, w), noise(2, 3, h, w, seed=2)

    def around(y, x):
        """Neighbours at both distances; beyond the border the border goes on."""
        return [
            (min(max(y + d * dy, 0), h - 1), min(max(x + d * dx, 0), w - 1))
            for d in dilations
            for dy in (-1, 0, 1)
            for dx in (-1, 0, 1)
        ]

    expected = scores * TWO_IMAGES[:, :, None, None]
    for _ in range(2):
        before = expected.clone()
        for b, y, x in np.ndindex(2, h, w):
            own = image[b, :, y, x]
            places = around(y, x)
            spread = torch.stack([image[b, :, i, j] for i, j in places]).std(dim=0)
            others = [places[k] for k in range(18) if k % 9 != 4]
            gaps = [((image[b, :, i, j] - own).abs() / (0.2 * spread)).mean() for i, j in others]
            weights = (-torch.stack(gaps)).softmax(dim=0)
            expected[b, :, y, x] = sum(
                weight * before[b, :, i, j] for weight, (i, j) in zip(weights, others, strict=True)
            )
    method = PAMR(dilations, iterations=2, sharpness=0.2)
    said = method.predict(Batch(("a", "b"), image, TWO_IMAGES, scores))
    assert torch.allclose(said, expected, atol=1e-5)
