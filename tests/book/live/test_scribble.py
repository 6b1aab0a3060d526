"""Strokes drawn in a real browser: the walker and PAMR answer as the library does."""

import re

import pytest
import torch
import torch.nn.functional as F

from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.blocks.refine.random_walker import colour_edges, random_walker
from wsss_lib.core import IGNORE, InputError
from wsss_lib.evaluate import confusion_of, ious
from wsss_lib.show.live import Scribbled, live_scribble
from wsss_lib.show.live.figure import decoded
from wsss_lib.show.live.scribble import drawn

pytestmark = pytest.mark.xdist_group("browser")
H, W = 24, 36
OURS = [(0, [(2.0, 3.0), (2.0, 20.0)]), (1, [(14.0, 8.0), (14.0, 16.0)])]


def photograph(name, seed):
    """A square of two halves on noise, twice as large as its truth."""
    truth = torch.zeros(H, W).long()
    truth[5:19, 10:28] = 1
    colour = truth.float() * 0.5
    colour[:, 20:] *= 0.15
    noise = torch.rand(3, 2 * H, 2 * W, generator=torch.Generator().manual_seed(seed))
    image = 0.2 + colour.repeat_interleave(2, 0).repeat_interleave(2, 1) + 0.25 * noise
    truth[:2, -3:] = IGNORE
    return Scribbled(name, image, truth, OURS[: 2 - seed])


@pytest.fixture
def shown():
    return [photograph("cat", 0), photograph("cup", 1)]


@pytest.fixture
def figure(shown):
    return live_scribble(shown)


@pytest.fixture
def page(figure, opened):
    page = opened(figure)
    page.wait_for_function("() => document.querySelector('output').value.includes('IoU')")
    return page


def said(page):
    """What the figure says once it has answered."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    return page.inner_text("output")


def expected(figure, strokes, steps=None):
    """IoU of the walker, or of PAMR after some steps."""
    image = F.avg_pool2d(decoded(figure.data["photographs"][0]["image"]), 2)[None]
    one = photograph("cat", 0)
    seeds = drawn(strokes, one.truth)
    if steps is None:
        region = random_walker(colour_edges(image), seeds[None], 2)[0, 1] > 0.5
    else:
        signs = (seeds == 1).float() - (seeds == 0).float()
        region = pamr(image, signs[None, None], iterations=steps)[0, 0] > 0
    return ious(confusion_of(one.truth, region.long(), 1))[1]


def iou(text):
    return float(re.search(r"IoU of the cat (\d\.\d+)", text).group(1))


def place(page, x, y):
    """Where on the page a place of the small picture lies."""
    box = page.locator("canvas").bounding_box()
    return box["x"] + x / W * box["width"], box["y"] + y / H * box["height"]


def draw(page, *places):
    page.mouse.move(*place(page, *places[0]))
    page.mouse.down()
    page.wait_for_timeout(60)
    for one in places[1:]:
        page.mouse.move(*place(page, *one))
    page.mouse.up()


def close(value):
    return pytest.approx(value, abs=6e-4)


def test_it_begins_with_our_strokes_and_says_what_the_library_says(figure, page):
    start = said(page)
    assert iou(start) == close(expected(figure, OURS))
    assert 0.3 < iou(start) < 0.8  # the other half is not found
    assert "down for 0.0 s" in start
    notes = [axis.get_xlabel() for axis in figure.picture.axes]
    assert f"IoU {iou(start):.3f}" in notes


def test_strokes_undo_and_clear(figure, page):
    more = [(1, [(24.0, 7.0), (24.0, 17.0), (18.0, 15.0)]), (0, [(32.0, 4.0), (33.0, 20.0)])]
    draw(page, *more[0][1])
    page.check("input[value='0']")
    draw(page, *more[1][1])
    text = said(page)
    assert iou(text) == close(expected(figure, [*OURS, *more]))
    assert iou(text) > expected(figure, OURS) + 0.1
    assert float(re.search(r"for (\d+\.\d) s", text).group(1)) > 0
    page.click("text=undo")
    assert iou(said(page)) == close(expected(figure, [*OURS, more[0]]))
    page.click("text=clear")
    assert "Draw a stroke on the cat and one on the ground" in said(page)
    draw(page, *more[1][1])  # the pen is still that of the ground
    assert iou(said(page)) == 0
    page.click("text=our strokes")
    assert iou(said(page)) == close(expected(figure, OURS))
    assert "down for 0.0 s" in said(page)


def test_pamr_takes_as_many_steps_as_it_is_told(figure, page):
    assert not page.is_visible("input[type=range]")
    page.check("input[value=pamr]")
    assert iou(said(page)) == close(expected(figure, OURS, steps=10))
    page.focus("input[type=range]")
    page.keyboard.press("Home")
    assert iou(said(page)) == close(expected(figure, OURS, steps=0))
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    assert iou(said(page)) == close(expected(figure, OURS, steps=2))
    assert page.inner_text(".steps span") == "2"
    page.check("input[value=walker]")
    assert iou(said(page)) == close(expected(figure, OURS))


def test_the_keyboard_draws_dots(figure, page):
    page.focus("canvas")
    for key, times in (("ArrowRight", 3), ("ArrowUp", 1), ("Space", 1), ("ArrowDown", 2)):
        for _ in range(times):
            page.keyboard.press(key)
    dot = (1, [(W / 2 + 6, H / 2 - 2)])
    assert iou(said(page)) == close(expected(figure, [*OURS, dot]))
    assert iou(said(page)) != close(expected(figure, OURS))


def test_a_finger_draws(figure, address, browser):
    context = browser.new_context(has_touch=True, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(address(figure))
    page.wait_for_selector(".live.ready")
    page.wait_for_function("() => document.querySelector('output').value.includes('IoU')")
    assert page.evaluate("getComputedStyle(document.querySelector('canvas')).touchAction") == "none"
    page.touchscreen.tap(*place(page, 24.0, 12.0))
    dot = (1, [(24.0, 12.0)])
    assert iou(said(page)) == close(expected(figure, [*OURS, dot]))
    assert iou(said(page)) != close(expected(figure, OURS))
    context.close()


def test_another_photograph_has_strokes_of_its_own(page):
    page.select_option("select", label="cup")
    page.wait_for_function("() => document.querySelector('output').value.includes('cup')")
    assert "IoU of the cup 0.000" in said(page)  # a stroke on the ground alone


def test_the_outline_drawn_by_hand_is_shown(page):
    look = """() => { const c = document.querySelector("canvas");
        return [...c.getContext("2d").getImageData(0, 0, c.width, c.height).data]; }"""
    said(page)
    before = torch.tensor(page.evaluate(look)).view(2 * H, 2 * W, 4)
    page.check("input[type=checkbox]")
    said(page)
    after = torch.tensor(page.evaluate(look)).view(2 * H, 2 * W, 4)
    rows, columns = (before != after).any(dim=2).nonzero(as_tuple=True)
    assert [rows.min(), rows.max(), columns.min(), columns.max()] == [10, 37, 20, 55]
    assert len(rows) > 40


def test_it_is_described_and_light(figure):
    assert "a cat" in figure.alt
    assert len(figure._repr_html_()) < 300_000


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"cat: .* whole number of times"):
        Scribbled("cat", torch.rand(3, 10, 9), torch.zeros(5, 4), OURS)
    with pytest.raises(InputError, match="no photograph"):
        live_scribble([])
    with pytest.raises(InputError, match="no seed"):
        live_scribble([Scribbled("cat", torch.rand(3, 8, 8), torch.zeros(4, 4).long(), [])])
