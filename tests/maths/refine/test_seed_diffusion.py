import math

import pytest
import torch
import torch.nn.functional as F

from wsss_lib.blocks.refine.seed_diffusion import diffuse_seeds, evidence, held_out
from wsss_lib.core import IGNORE, InputError


def line(*labels):
    return torch.tensor(labels).view(1, 1, -1)


def test_seeds_spread_by_a_pixel_a_round_where_they_may():
    seeds = line(1, IGNORE, IGNORE, IGNORE, IGNORE, IGNORE, 0)
    winner = line(1, 1, 1, 1, 0, 0, 1)
    yes = line(0, 1, 1, 1, 1, 1, 1) > 0
    assert torch.equal(diffuse_seeds(seeds, winner, yes, 0), seeds)
    assert diffuse_seeds(seeds, winner, yes, 1).tolist() == [[[1, 1, 255, 255, 255, 0, 0]]]
    assert diffuse_seeds(seeds, winner, yes, 9).tolist() == [[[1, 1, 1, 1, 0, 0, 0]]]
    stop = line(1, 1, 0, 1, 1, 1, 1) > 0
    assert diffuse_seeds(seeds, winner, stop, 9).tolist() == [[[1, 1, 255, 255, 0, 0, 0]]]


def test_seeds_spread_slantwise_and_within_their_image():
    seeds = torch.full((2, 3, 3), IGNORE)
    seeds[0, 0, 0] = 2
    grown = diffuse_seeds(seeds, torch.full_like(seeds, 2), seeds >= 0, 1)
    assert grown[0].tolist() == [[2, 2, 255], [2, 2, 255], [255, 255, 255]]
    assert (grown[1] == IGNORE).all()


def test_evidence_value_by_value():
    torch.manual_seed(0)
    chances = torch.randn(2, 3, 4, 4).softmax(dim=1)
    features = torch.randn(2, 5, 4, 4, requires_grad=True)
    seeds = torch.full((2, 4, 4), IGNORE)
    seeds[0, 0], seeds[0, 3, 3], seeds[1, 2, 1:3] = 1, 0, 2
    found = evidence(chances.requires_grad_(), features, seeds)
    assert not found.requires_grad
    for b, y, x in ((b, y, x) for b in range(2) for y in range(4) for x in range(4)):
        p = chances[b, :, y, x].tolist()
        best = p.index(max(p))
        units = F.normalize(features[b].detach(), dim=0)
        mean = units[:, seeds[b] == best].sum(dim=1)
        alike = float(units[:, y, x] @ mean / mean.norm()) if mean.any() else 0.0
        entropy = -sum(q * math.log(q) for q in p) / math.log(3)
        assert found[b, :, y, x].tolist() == pytest.approx([max(p), entropy, alike], abs=1e-5)


def test_whole_blocks_are_put_aside():
    torch.manual_seed(0)
    labels = torch.randint(0, 3, (40, 9, 13))
    labels[:, ::2] = IGNORE
    aside = held_out(labels, 0.3, 4)
    assert not aside[labels == IGNORE].any()
    full = held_out(torch.zeros(40, 9, 13, dtype=torch.long), 0.3, 4)
    assert full.float().mean() == pytest.approx(0.3, abs=0.06)
    assert torch.equal(full[:, 0], full[:, 3])
    assert torch.equal(full[:, :, 4], full[:, :, 7])
    assert not torch.equal(full[:, 3], full[:, 4])
    assert not held_out(labels, 0.0).any()
    assert torch.equal(held_out(labels, 1.0), labels != IGNORE)
    for settings in ({"share": 1.1}, {"share": -0.1}, {"side": 0}):
        with pytest.raises(InputError, match="held_out"):
            held_out(labels, **settings)
