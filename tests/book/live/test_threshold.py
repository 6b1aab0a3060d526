"""Figures that answer: moved in a real browser, they say what the library says."""

import json
import re

import pytest
import torch

from wsss_lib.core import IGNORE, InputError
from wsss_lib.evaluate import confusion_of, ious
from wsss_lib.show.live import live_threshold

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture
def made():
    """A score, a mask with pixels that nobody can tell, and their figure."""
    torch.manual_seed(0)
    score, truth = torch.rand(12, 20), torch.randint(0, 2, (12, 20))
    truth[3:5, 7:9] = IGNORE
    image = torch.rand(3, 12, 20)
    return score, truth, live_threshold(image, score, truth, "cat & dog", start=0.4)


@pytest.fixture
def page(made, opened):
    """The page with the figure, after its script has run."""
    return opened(made[2])


def figures(said):
    return [float(figure) for figure in re.findall(r"\d\.\d+", said)]


def expected(score, truth, t):
    levels = (score * 255).round()
    found = ious(confusion_of(truth, (levels > 255 * t).long(), 1))
    return [t, found[1], found[0], found.mean()]


def test_the_threshold_says_what_the_library_says(made, page):
    score, truth, _ = made
    assert figures(page.inner_text("output")) == pytest.approx(
        expected(score, truth, 0.4), abs=6e-4
    )
    page.focus("input")
    for key, t in (("ArrowRight", 0.41), ("ArrowRight", 0.42), ("Home", 0.0), ("End", 0.99)):
        page.keyboard.press(key)
        said = figures(page.inner_text("output"))
        assert said == pytest.approx(expected(score, truth, t), abs=6e-4), key
        at = float(page.get_attribute("circle", "cx")) / 240
        up = 1 - float(page.get_attribute("circle", "cy")) / 120
        assert (at, up) == pytest.approx((t, said[3]), abs=1e-3)
    box = page.locator("input").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert figures(page.inner_text("output"))[0] == pytest.approx(0.5, abs=0.02)


def test_what_lies_below_the_threshold_is_dark(made, page):
    look = """() => { const c = document.querySelector("canvas");
        return [...c.getContext("2d").getImageData(0, 0, c.width, c.height).data]; }"""
    page.focus("input")
    seen = {}
    for key in ("Home", "End"):
        page.keyboard.press(key)
        seen[key] = torch.tensor(page.evaluate(look)).view(12, 20, 4)[..., :3].sum(dim=2)
    levels = (made[0] * 255).round()
    below = (levels > 0) & (levels <= 255 * 0.99) & (seen["Home"] < 765)
    assert below.sum() > 20
    assert (seen["End"][below] < 0.5 * seen["Home"][below] + 3).all()


def test_a_picture_stands_in_on_paper(page):
    assert not page.is_visible(".live-fallback")
    page.emulate_media(media="print")
    assert page.is_visible(".live-fallback")
    assert not page.is_visible(".live-root")


def test_a_picture_stands_in_without_scripts(made, address, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address(made[2]))
    assert page.is_visible(".live-fallback")
    assert page.inner_text(".live-root") == ""
    context.close()


def test_the_figure_is_described_and_light(made):
    text = made[2]._repr_html_()
    alt = re.search(r'alt="([^"]+)"', text)
    assert alt
    assert "cat &amp; dog" in alt.group(1)
    data = json.loads(re.search(r"application/json\">(.*?)</script>", text, re.DOTALL).group(1))
    assert data["name"] == "cat & dog"
    assert len(text) < 300_000


def test_the_curve_says_what_it_shows(page):
    assert "mean IoU against the threshold" in page.text_content("svg")


def test_sizes_must_agree():
    with pytest.raises(InputError, match="must have one size"):
        live_threshold(torch.rand(3, 4, 5), torch.rand(4, 4), torch.zeros(4, 5), "cat")
