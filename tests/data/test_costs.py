"""The cost model adds up to the figures that the papers print."""

import pytest

from wsss_lib.core import InputError
from wsss_lib.data.costs import costs, seconds_per_image


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [("tags", 20.0), ("points", 22.1), ("scribble", 34.9), ("extremes", 38.1), ("masks", 239.7)],
)
def test_the_sums_of_bearman(kind, seconds):
    assert round(seconds_per_image(kind), 1) == pytest.approx(seconds, abs=0.051)


def test_the_ratios_of_the_survey_and_their_conflict_with_the_paper():
    mask = seconds_per_image("masks", "survey")
    assert mask == pytest.approx(seconds_per_image("masks"))
    assert mask / seconds_per_image("tags", "survey") == pytest.approx(60)
    assert mask / seconds_per_image("boxes", "survey") == pytest.approx(15)
    assert seconds_per_image("masks") / seconds_per_image("tags") == pytest.approx(12, abs=0.1)


def test_more_supervision_costs_more():
    order = ("tags", "points", "scribble", "extremes", "boxes", "masks")
    seconds = [seconds_per_image(kind) for kind in order]
    assert seconds == sorted(seconds)


def test_every_line_names_its_source():
    assert all(cost.reference and cost.seconds > 0 for cost in costs())
    assert len({(cost.source, cost.kind) for cost in costs()}) == len(costs())


def test_figures_that_nobody_gives():
    with pytest.raises(InputError, match="No cost of 'points' by 'survey'"):
        seconds_per_image("points", "survey")
