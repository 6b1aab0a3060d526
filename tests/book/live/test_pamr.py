"""PAMR's steps to drag: each says what the library says of it."""

import re

import pytest
import torch

from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import IGNORE, InputError
from wsss_lib.evaluate import confusion_of, ious
from wsss_lib.show.live import Mapped, live_pamr
from wsss_lib.show.live.figure import decoded

pytestmark = pytest.mark.xdist_group("browser")


def photograph(name, seed):
    """A square on noise, and a score that lies beside it."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.zeros(32, 48).long()
    truth[8:24, 12:32] = 1
    image = torch.where(truth == 1, 0.8, 0.3) + 0.1 * torch.rand(3, 32, 48, generator=generator)
    score = torch.zeros(32, 48)
    score[4:20, 8:24] = torch.rand(16, 16, generator=generator)
    truth[:3, :5] = IGNORE
    return Mapped(name, image, score, truth, 0.1 + 0.01 * seed)


@pytest.fixture
def shown():
    return [photograph("cat", 0), photograph("cup", 1)]


@pytest.fixture
def figure(shown):
    return live_pamr(shown)


@pytest.fixture
def page(figure, opened):
    """The figure after all its steps."""
    page = opened(figure)
    wait(page)
    return page


def wait(page):
    page.wait_for_function(
        "() => document.querySelector('polyline').getAttribute('points')?.split(' ').length === 21"
    )


def expected(figure, one, number, steps):
    image = decoded(figure.data["photographs"][number]["image"])[None]
    score = (one.score * 255).round()[None, None] / 255
    found = pamr(image, score, iterations=steps)[0, 0]
    return ious(confusion_of(one.truth, (found > one.threshold).long(), 1))[1]


def test_each_step_says_what_the_library_says(figure, shown, page):
    assert page.input_value("input") == "10"
    page.focus("input")
    page.keyboard.press("Home")
    points = [p.split(",") for p in page.get_attribute("polyline", "points").split(" ")]
    for steps in (0, 1, 2):
        iou = expected(figure, shown[0], 0, steps)
        said = page.inner_text("output")
        assert float(re.search(r"IoU of the cat (\d\.\d+)", said).group(1)) == pytest.approx(
            iou, abs=6e-4
        )
        assert said.startswith(f"{steps} step")
        place = [float(page.get_attribute("circle", axis)) for axis in ("cx", "cy")]
        assert place == pytest.approx([240 * steps / 20, 120 * (1 - iou)], abs=0.1)
        assert place == pytest.approx([float(part) for part in points[steps]])
        page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    last = expected(figure, shown[0], 0, 20)
    assert last > expected(figure, shown[0], 0, 0) + 0.05
    assert f"IoU of the cat {last:.3f}" in page.inner_text("output")


def test_another_photograph_has_steps_of_its_own(figure, shown, page):
    page.select_option("select", label="cup")
    wait(page)
    page.wait_for_function("() => document.querySelector('output').value.includes('cup')")
    wait(page)
    said = page.inner_text("output")
    assert f"IoU of the cup {expected(figure, shown[1], 1, 10):.3f}" in said
    assert said.endswith("cut at 0.11")


def test_the_curve_says_what_it_shows(page):
    assert "IoU against the steps" in page.text_content("svg")


def test_the_map_and_the_mask_change_with_the_steps(page):
    look = """() => [...document.querySelectorAll("canvas")].map((c) =>
        [...c.getContext("2d").getImageData(0, 0, c.width, c.height).data])"""
    page.focus("input")
    seen = {}
    for key in ("Home", "End"):
        page.keyboard.press(key)
        seen[key] = torch.tensor(page.evaluate(look)).view(2, 32, 48, 4)[..., :3].float()
    moved = (seen["End"] - seen["Home"]).abs().mean(dim=(1, 2, 3))
    assert (moved > 1).all()
    # To the right of the score the square is tinted only after PAMR, and then it is in the mask.
    fresh = (seen["End"] - seen["Home"])[:, 10:18, 26:30, :].mean(dim=(1, 2, 3))
    assert (fresh > 3).all()


def test_it_stands_in_for_the_start_and_is_light(figure, shown):
    notes = [axis.get_xlabel() for axis in figure.picture.axes]
    assert f"IoU {expected(figure, shown[0], 0, 10):.2f}" in notes
    assert "a cat" in figure.alt
    assert len(figure._repr_html_()) < 300_000


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"cat: .* must have one size"):
        Mapped("cat", torch.rand(3, 4, 5), torch.rand(4, 4), torch.zeros(4, 5), 0.5)
    with pytest.raises(InputError, match="no photograph"):
        live_pamr([])
