"""Krähenbühl and Koltun 2011: all pixels are connected, by place and colour."""

import numpy as np
import pytest
import torch

from tests.tiny import TWO_IMAGES, noise
from wsss_lib.blocks.refine.dense_crf import CRF
from wsss_lib.core import Batch
from wsss_lib.methods.refine.densecrf import DenseCRF


def discs(*centres):
    """Red discs on green, with a little noise; (1, 3, 48, 48) and the mask of each."""
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    masks = [(y - cy) ** 2 + (x - cx) ** 2 < 64 for cy, cx in centres]
    red, green = torch.tensor([0.8, 0.2, 0.2]), torch.tensor([0.2, 0.7, 0.3])
    image = torch.where(sum(masks) > 0, red[:, None, None], green[:, None, None])
    noise = 0.02 * torch.randn(3, 48, 48, generator=torch.Generator().manual_seed(0))
    return (image + noise).clamp(0, 1)[None], masks


def blob(cy, cx):
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    return torch.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 80)[None, None]


def refine(image, scores, **settings):
    crf = DenseCRF(CRF(**{"sxy": 20, "srgb": 15, **settings}))
    return crf.predict(Batch(("a",), image, torch.ones(1, 1), scores))[0, 0] > 0.5


def iou(one, other):
    return ((one & other).sum() / (one | other).sum()).item()


def test_a_shifted_blob_settles_on_the_disc():
    image, (disc,) = discs((24, 20))
    start = blob(22, 24)
    assert iou(start[0, 0] > 0.5, disc) < 0.7
    assert iou(refine(image, start), disc) > 0.95


@pytest.mark.parametrize("settings", [{"bilateral": 0}, {"srgb": 1000}], ids=["none", "any colour"])
def test_without_colours_it_does_not(settings):
    image, (disc,) = discs((24, 20))
    assert iou(refine(image, blob(22, 24), **settings), disc) < 0.85


def test_evidence_jumps_over_pixels_of_another_colour():
    """No path of red pixels joins the discs, and the map knows the second one only faintly."""
    image, (near, far) = discs((14, 14), (34, 34))
    start = torch.maximum(0.95 * near, 0.45 * far)[None, None]
    assert not (start[0, 0] > 0.5)[far].any()
    assert refine(image, start, sxy=40)[far].float().mean() > 0.95
    assert refine(image, start, sxy=4)[far].float().mean() < 0.5
    assert refine(image, start, sxy=40)[near].float().mean() > 0.95


def test_its_background_is_its_own_and_half_is_the_border():
    """Scores are classes against a background, yet it is no network that answers alone."""
    assert DenseCRF.card.own_background
    assert not DenseCRF.card.is_network


def test_an_image_without_any_score_stays_empty():
    image, _ = discs((24, 20))
    assert not refine(image, torch.zeros(1, 1, 48, 48)).any()


def test_the_read_out_value_by_value():
    """With kernels wider than the image every pixel hears the mean of its own image's pixels.

    Classes that are absent, or that nobody pointed at, take no part; the background is a power of
    what the others leave over.
    """
    image, scores = noise(2, 3, 4, 6), 0.9 * noise(2, 3, 4, 6, seed=2)
    scores[1, 1] = 0
    expected = torch.zeros(2, 3, 4, 6)
    for b, present in enumerate([[0, 2], [0]]):  # class 1 of the second image never scores
        rows = []
        for y, x in np.ndindex(4, 6):
            found = [scores[b, c, y, x].item() for c in present]
            row = torch.tensor([(1 - max(found)) ** 2.0, *found])
            rows.append((row / row.sum()).log())
        unary = torch.stack(rows)
        belief = unary.softmax(dim=1)
        for _ in range(3):
            belief = (unary + 2.0 * belief.mean(dim=0)).softmax(dim=1)
        for k, c in enumerate(present):
            expected[b, c] = (belief[:, k + 1] / (belief[:, k + 1] + belief[:, 0])).view(4, 6)
    settings = CRF(bilateral=2.0, sxy=1e6, srgb=1e6, spatial=0.0, iterations=3)
    method = DenseCRF(settings, background=2.0)
    said = method.predict(Batch(("a", "b"), image, TWO_IMAGES, scores))
    assert torch.allclose(said, expected, atol=1e-4)
