"""What all live figures share: names are text, and each script finds its own figure."""

import pytest
import torch

from wsss_lib.core import InputError
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.show.live import (
    Answer,
    Asked,
    Entry,
    Example,
    LiveFigure,
    Mapped,
    Scribbled,
    Seen,
    Walk,
    live_affinity,
    live_clock,
    live_doses,
    live_erase,
    live_leaderboard,
    live_pamr,
    live_scribble,
    live_threshold,
)

pytestmark = pytest.mark.xdist_group("browser")
NAME = """<!--<script><b title="me">&amp;"""
SIDE = 16


def square():
    """A photograph and the truth of a square on it."""
    truth = torch.zeros(SIDE, SIDE, dtype=torch.long)
    truth[4:12, 4:12] = 1
    return torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)), truth


def threshold(name):
    image, truth = square()
    return live_threshold(image, image[0], truth, name)


def affinity(name):
    image, truth = square()
    walk = Walk(name, name, 1, "matrix")
    return live_affinity([Asked(name, image, truth, {name: torch.rand(4, 4)})], [walk], [name])


def doses(name):
    image, truth = square()
    seen = Seen(image, name, truth == 1, [Answer(name, image[0], truth == 1, 0.5)], name, truth)
    return live_doses({name: [[0.1, 0.2]]}, (1,), 0, name, name, {name: [seen]}, name)


def erase(name):
    image, truth = square()
    return live_erase(CAM.toy(1), [name], [Example(name, image, truth, truth, 1)])


def pamr(name):
    image, truth = square()
    return live_pamr([Mapped(name, image, image[0], truth, 0.5)])


def scribble(name):
    strokes = [(1, [(8.0, 8.0)]), (0, [(1.0, 1.0)])]
    return live_scribble([Scribbled(name, *square(), strokes)])


def clock(name):
    kinds = ("tags", "points", "scribble", "boxes", "masks")
    return live_clock(*square(), name, name, [name], {kind: [(1, 0.5), (2, 0.6)] for kind in kinds})


def leaderboard(name):
    return live_leaderboard([Entry(name, "", name, "boxes", (name,), True, 0.5, 0.1, None, 1, 0)])


FIGURES = (threshold, affinity, doses, erase, pamr, scribble, clock, leaderboard)


@pytest.mark.parametrize("made", FIGURES)
def test_names_are_text_whatever_signs_they_hold(made, opened):
    page = opened(made(NAME), threshold("cat"))
    page.wait_for_function(
        "name => document.querySelector('.live-root').textContent.includes(name)", arg=NAME
    )
    assert page.locator(".live").count() == 2
    assert page.locator("[title=me]").count() == 0
    labels = page.eval_on_selector_all(
        ".live-root [aria-label]", "all => all.map((one) => one.ariaLabel)"
    )
    assert not [label for label in labels if label.endswith("<!--<script><b title=")]


def test_a_figure_that_is_shown_twice_answers_twice(opened):
    figure = threshold("cat")
    assert figure._repr_html_() == figure._repr_html_()
    page = opened(figure, threshold("dog"), figure)
    said = page.locator("output").all_inner_texts()
    assert [text.split()[5].strip(",") for text in said] == ["cat", "dog", "cat"], said


def test_what_json_cannot_say_is_refused():
    _, truth = square()
    with pytest.raises(InputError, match=r"live figure 'pamr': .*NaN"):
        LiveFigure("pamr", {"iou": float("nan")}, threshold("cat").picture, "")
    with pytest.raises(InputError, match=r"live_threshold: .* NaN"):
        live_threshold(torch.rand(3, SIDE, SIDE), truth / 0, truth, "cat")


def test_what_cannot_be_drawn_is_refused_in_words():
    image, truth = square()
    seen = Seen(image, "cat", truth == 1, [Answer("ours", image[0], truth == 1, 0.5)])
    small = Seen(image[..., :8], "cat", truth[:, :8] == 1, seen.answers)

    def dosed(pictures, gains=None, home=0):
        gains = {"ours": [[0.1]]} if gains is None else gains
        return live_doses(gains, (1,), home, "share", "mean IoU", pictures, "alt")

    with pytest.raises(InputError, match="at least one picture"):
        dosed({})
    with pytest.raises(InputError, match="needs a picture for each of 1 doses"):
        dosed({"p": []})
    with pytest.raises(InputError, match="home 5"):
        dosed({"p": [seen]}, home=5)
    with pytest.raises(InputError, match="gains of 'ours'"):
        dosed({"p": [seen]}, {"ours": [[]]})
    with pytest.raises(InputError, match=r"'q'.* one size"):
        dosed({"p": [seen], "q": [small]})

    walk = Walk("links", "colour", 1, "matrix")
    asked = Asked("first", image, truth, {"links": torch.rand(4, 4)})
    with pytest.raises(InputError, match="at least one walk"):
        live_affinity([asked], [], ["cat"])
    for other in (
        Asked("other", image[..., :8], truth, asked.said),
        Asked("other", image[..., :12], truth[:, :12], asked.said),
        Asked("other", image, truth, {"links": torch.rand(16, 16)}),
    ):
        with pytest.raises(InputError, match=r"'other'.* one size"):
            live_affinity([asked, other], [walk], ["cat"])

    with pytest.raises(InputError, match="cat: a stroke needs at least one place"):
        Scribbled("cat", image, truth, [(1, [])])
    kinds = ("tags", "points", "scribble", "boxes", "masks")
    with pytest.raises(InputError, match="'points' is empty"):
        live_clock(
            image, truth, "cup", "it", ["cup"], {k: [(1, 0.5)] * (k != "points") for k in kinds}
        )
