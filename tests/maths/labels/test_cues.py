"""Seeds: the strongest class where it is strong, background where all are weak."""

import torch

from wsss_lib.blocks.labels.cues import localisation_cues
from wsss_lib.core import IGNORE


def test_cues_equal_the_rule_pixel_by_pixel():
    scores = torch.rand(2, 3, 5, 8) ** 4
    seeds = localisation_cues(scores, 0.5, 0.2)
    for b in range(2):
        peaks = scores[b].amax(dim=0)
        least = sorted(peaks.flatten().tolist())[:8]
        for y in range(5):
            for x in range(8):
                if peaks[y, x] > 0.5:
                    wanted = int(scores[b, :, y, x].argmax()) + 1
                else:
                    wanted = 0 if float(peaks[y, x]) in least else IGNORE
                assert seeds[b, y, x] == wanted
    assert {0, 1, 2, 3, IGNORE} == set(seeds.unique().tolist())


def test_ties_are_drawn_by_lot_and_all_are_drawn_some_time():
    scores = torch.zeros(1, 1, 10, 10)
    scores[..., :5] = 0.3
    scores[..., 0, 0] = 0.9
    draws = torch.cat([localisation_cues(scores, 0.5, 0.1) for _ in range(100)])
    assert ((draws == 0).sum(dim=(1, 2)) == 10).all()
    assert (draws[:, 0, 0] == 1).all()
    cold = (draws == 0).any(dim=0)
    assert cold[:, 5:].all()
    assert not cold[:, :5].any()


def test_the_threshold_itself_is_no_seed():
    scores = torch.full((1, 1, 2, 5), 0.5)
    assert (localisation_cues(scores, 0.5, 0.0) == IGNORE).all()


def test_a_strong_score_is_never_background():
    assert (localisation_cues(torch.full((1, 2, 4, 4), 0.9), 0.2, 0.5) == 1).all()
