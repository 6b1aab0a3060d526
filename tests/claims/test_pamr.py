"""Araslanov and Roth 2020: look-alike neighbours pull a mask onto the colours of the image."""

import torch

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
