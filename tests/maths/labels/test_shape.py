"""Targets in the shape of a saliency map, one place at a time."""

import torch

from tests.tiny import TWO_IMAGES, noise
from wsss_lib.blocks.labels.shape import shaped_target


def test_salient_places_belong_to_the_strongest_present_class_and_the_rest_to_none():
    torch.manual_seed(0)
    maps = (torch.randn(2, 3, 4, 5) - 0.4).requires_grad_()
    saliency = noise(2, 1, 8, 10)
    found = shaped_target(maps, TWO_IMAGES, saliency, 0.3)
    assert not found.requires_grad
    nowhere = 0
    for b in range(2):
        peaks = [float(maps[b, c].max()) for c in range(3)]
        for y in range(4):
            for x in range(5):
                s = float(saliency[b, 0, 2 * y, 2 * x])
                scores = [
                    max(0.0, float(maps[b, c, y, x])) / peaks[c] * float(TWO_IMAGES[b, c])
                    for c in range(3)
                ]
                wanted = torch.tensor([1 - s, 0, 0, 0])
                best = max(range(3), key=scores.__getitem__)
                if scores[best] > 0.3:
                    wanted[1 + best] = s
                else:
                    nowhere += 1
                assert torch.allclose(found[b, :, y, x], wanted, atol=1e-5)
    assert 0 < nowhere < 40
