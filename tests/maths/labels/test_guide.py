"""Guide labels, region by region."""

import math

import pytest
import torch

from tests.tiny import noise
from wsss_lib.blocks.labels.guide import guide_labels, share_by_crf
from wsss_lib.blocks.refine.dense_crf import CRF
from wsss_lib.core import InputError


def never(kinds):
    raise AssertionError(f"no region has seeds of two classes, yet {kinds} meet")


def drawing(*rows):
    """Rows of digits -> (H, W) int64."""
    return torch.tensor([[int(digit) for digit in row] for row in rows])


def guide(seeds, salient, share=never, least=0.0):
    return guide_labels(drawing(*seeds), drawing(*salient) > 0, share, least).tolist()


def test_a_salient_region_takes_the_class_of_its_seed_and_no_more():
    assert guide(["0000", "0200", "0000"], ["1110", "1110", "0000"]) == [
        [2, 2, 2, 0],
        [2, 2, 2, 0],
        [0, 0, 0, 0],
    ]


def test_what_a_seed_has_outside_of_its_region_becomes_background():
    assert guide(["0033"], ["0110"]) == [[0, 3, 3, 0]]


def test_a_seed_that_nothing_salient_touches_stays_as_it_is():
    assert guide(["01100", "00000", "00000", "00002"], ["00000", "00000", "00011", "00011"]) == [
        [0, 1, 1, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 2, 2],
        [0, 0, 0, 2, 2],
    ]


def test_each_part_of_a_class_is_looked_at_by_itself():
    """One cat lies on what is salient, the other does not."""
    assert guide(["1000011"], ["1110000"]) == [[1, 1, 1, 0, 0, 1, 1]]


def test_what_is_salient_and_has_no_seed_is_background():
    assert guide(["1000"], ["1011"]) == [[1, 0, 0, 0]]


def test_without_saliency_the_seeds_are_the_labels_and_everywhere_salient_is_one_region():
    assert guide(["1020"], ["0000"]) == [[1, 0, 2, 0]]
    assert guide(["0010"], ["1111"]) == [[1, 1, 1, 1]]


def test_pixels_hang_together_over_corners():
    assert guide(["100", "000", "000"], ["100", "010", "001"]) == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert guide(["300", "030", "000"], ["000", "010", "000"])[0][0] == 0


def test_small_regions_do_not_count_and_a_region_may_be_just_large_enough():
    seeds, salient = ["1000000002"], ["1100000001"]
    assert guide(seeds, salient, least=0.1) == [[1, 1, 0, 0, 0, 0, 0, 0, 0, 2]]
    assert guide(["0000000022"], salient, least=0.1)[0][8:] == [0, 2]
    assert guide(["0000000022"], salient, least=0.11)[0][8:] == [2, 2], "as if it were not there"


def test_classes_that_meet_share_their_region_and_nothing_else():
    asked = []

    def share(kinds):
        asked.append(kinds.tolist())
        return torch.full((1, 8), 7)

    found = guide(["10203004"], ["11100111"], share)
    assert asked == [[1, 2]], "of the second region the classes 4 alone"
    assert found == [[7, 7, 7, 0, 3, 4, 4, 4]]


def test_the_crf_starts_from_blurred_seeds():
    """Without any round of the CRF each pixel has the class whose blurred seeds are strongest."""
    seeds = drawing("100000000050", "100000000050")
    settings = CRF(iterations=0)
    said = share_by_crf(noise(3, 2, 12), seeds, torch.tensor([1, 5]), 1.5, settings)
    at = (0, 10)
    for x in range(12):
        heat = [sum(math.exp(-((x - seed) ** 2) / 4.5) for seed in (-1 - at[0], at[0]))]
        heat.append(sum(math.exp(-((x - seed) ** 2) / 4.5) for seed in (at[1], 23 - at[1])))
        assert said[0, x] == (1 if heat[0] > heat[1] else 5), x
    assert share_by_crf(noise(3, 2, 12), seeds, torch.tensor([5, 1]), 1.5, settings).equal(said)


def test_the_crf_decides_by_colour_where_seeds_are_far():
    image = torch.zeros(3, 8, 24)
    image[0, :, :16], image[2, :, 16:] = 1.0, 1.0
    seeds = torch.zeros(8, 24, dtype=torch.int64)
    seeds[3:5, 1:4], seeds[3:5, 17:20] = 1, 2
    kinds = torch.tensor([1, 2])
    near = share_by_crf(image, seeds, kinds, 3.0, CRF(iterations=0))
    assert (near[:, 13:16] == 2).all(), "the seed of class 2 is nearer"
    said = share_by_crf(image, seeds, kinds, 3.0, CRF(sxy=30, srgb=8))
    assert (said[:, :16] == 1).all()
    assert (said[:, 16:] == 2).all()


def test_a_class_is_at_most_e_times_as_likely_at_the_start(monkeypatch):
    """Unlike logits of seeds themselves, which would leave the CRF nothing to decide."""
    seen = []

    def crf(image, start, settings):
        seen.append(start)
        return start

    monkeypatch.setattr("wsss_lib.blocks.labels.guide.dense_crf", crf)
    seeds = torch.ones(6, 6, dtype=torch.int64)
    share_by_crf(noise(3, 6, 6), seeds, torch.tensor([1, 2]), 1.0, CRF())
    assert torch.allclose(seen[0][0, 0], torch.tensor(1 - 1e-3).exp(), atol=1e-5)
    assert torch.allclose(seen[0][0, 1], torch.tensor(1e-3).exp(), atol=1e-5)


@pytest.mark.parametrize(
    ("seeds", "salient"),
    [
        (torch.zeros(2, 2), torch.zeros(2, 2, dtype=torch.bool)),
        (torch.zeros(2, 2, dtype=torch.int64), torch.zeros(2, 2)),
        (torch.zeros(2, 2, dtype=torch.int64), torch.zeros(2, 3, dtype=torch.bool)),
    ],
)
def test_what_does_not_fit_is_refused(seeds, salient):
    with pytest.raises(InputError, match="guide_labels needs int64 seeds and a bool map"):
        guide_labels(seeds, salient, never)
