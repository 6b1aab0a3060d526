"""Pooling by masks, the penalty on small masks, labels from peaks, and the stochastic gate."""

import math

import pytest
import torch

from wsss_lib.blocks.augment.gate import stochastic_gate
from wsss_lib.blocks.maps.ngwp import ngwp, peak_labels, size_focal


def test_pooling_equals_the_equation_pixel_by_pixel():
    logits, masks = torch.randn(2, 3, 4, 5), torch.rand(2, 3, 4, 5)
    said = ngwp(logits, masks)
    for b in range(2):
        for c in range(3):
            top, bottom = 0.0, 1.0
            for y in range(4):
                for x in range(5):
                    top += float(masks[b, c, y, x] * logits[b, c, y, x])
                    bottom += float(masks[b, c, y, x])
            assert said[b, c] == pytest.approx(top / bottom, abs=1e-5)


def test_an_empty_mask_scores_zero_whatever_the_logits():
    logits = torch.full((1, 2, 8, 8), -7.0)
    assert (ngwp(logits, torch.zeros_like(logits)) == 0).all()
    assert ngwp(logits, torch.ones_like(logits))[0, 0] == pytest.approx(-7 * 64 / 65)


def test_penalty_of_size():
    masks = torch.tensor([0.0, 0.1, 0.5, 1.0]).view(1, 4, 1, 1).expand(1, 4, 6, 6)
    penalty = size_focal(masks)[0]
    assert penalty[0] == pytest.approx(math.log(0.01))
    assert penalty[1] == pytest.approx(0.9**3 * math.log(0.11))
    assert penalty[3] == 0
    assert (penalty.diff() > 0).all()


def test_labels_need_a_peak_of_their_own():
    masks = torch.zeros(1, 3, 1, 6)
    masks[0, 0, 0] = torch.tensor([0.9, 0.65, 0.6, 0.0, 0.0, 0.0])  # needs more than 0.63
    masks[0, 1, 0] = torch.tensor([0.0, 0.0, 0.5, 0.25, 0.35, 0.1])  # needs more than 0.30
    masks[0, 2, 0] = torch.tensor([0.0, 0.0, 0.0, 0.1, 0.15, 0.15])  # peak below the floor
    assert peak_labels(masks)[0, 0].tolist() == [0, 0, 1, 255, 1, 255]
    masks[0, 2, 0, 2] = 0.5  # two classes claim the third pixel
    assert peak_labels(masks)[0, 0, 2] == 255


def test_gate_draws_when_training_and_mixes_afterwards():
    torch.manual_seed(0)
    deep, shallow = torch.randn(1, 2, 3, 3), torch.randn(1, 2, 3, 3)
    drawn = torch.stack([stochastic_gate(deep, shallow, 0.3, True) for _ in range(20_000)])
    assert torch.allclose(drawn.mean(dim=0), deep, atol=0.08)
    assert ((drawn == shallow).float().mean(dim=0) - 0.3).abs().max() < 0.03
    mixed = stochastic_gate(deep, shallow, 0.3, False)
    assert torch.allclose(mixed, 0.7 * deep + 0.3 * shallow)
