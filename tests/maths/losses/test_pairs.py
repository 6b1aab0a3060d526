"""Losses on pairs of pixels, one pair at a time."""

import itertools

import torch

from wsss_lib.blocks.affinity.pairs import half_disc
from wsss_lib.core import IGNORE
from wsss_lib.losses.pairs import labelled_pair_loss


def test_each_kind_of_pair_has_its_mean_and_its_share():
    torch.manual_seed(0)
    offsets, size = half_disc(3), (2, 4, 5)
    affinity = torch.rand(2, len(offsets), 4, 5)
    labels = torch.tensor([0, 0, 1, 2, IGNORE])[torch.randint(0, 5, size)]
    labels[1, :2] = 0
    logs = {"same": [], "background": [], "different": []}
    for b, (k, (dy, dx)), y, x in itertools.product(
        range(2), enumerate(offsets), range(4), range(5)
    ):
        if not (y + dy < 4 and 0 <= x + dx < 5):
            continue
        one, other = int(labels[b, y, x]), int(labels[b, y + dy, x + dx])
        if IGNORE in (one, other):
            continue
        a = affinity[b, k, y, x]
        if one == other:
            logs["same" if one else "background"].append(-a.log())
        else:
            logs["different"].append(-(1 - a).log())
    same, background, different = (torch.stack(kind).mean() for kind in logs.values())
    wanted = same / 4 + background / 4 + different / 2
    assert torch.isclose(labelled_pair_loss(affinity, labels, offsets), wanted, rtol=1e-4)
