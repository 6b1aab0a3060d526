"""The annotator's JavaScript in a real browser: what a hand draws is what Python is sent."""

import pytest
from PIL import Image

from tests.book.live.widget import widget_page
from wsss_lib.annotate import Tagger

pytestmark = pytest.mark.xdist_group("browser")

DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhg"
    "GAWjR9awAAAABJRU5ErkJggg=="
)


def state(kind, **more):
    picture = {"id": "a", "width": 200, "height": 100, "image": DOT, "marks": []}
    return {
        "kind": kind, "names": ["background", "cat", "dog"],
        "colours": ["#fff", "#e69f00", "#56b4e9"], "count": 3, "place": 0, "picture": picture,
        "drawn": {}, "note": "", "overlay": "", **more,
    }  # fmt: skip


@pytest.fixture
def open_widget(browser, tmp_path):
    """Opens an annotator of a kind on a picture of 200 x 100 pixels."""
    errors, pages = [], []

    def opened(kind, **more):
        file = tmp_path / "widget.html"
        file.write_text(widget_page("annotator", state(kind, **more)))
        page = browser.new_page(viewport={"width": 420, "height": 700})
        pages.append(page)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(file.as_uri())
        page.wait_for_selector("html.ready")
        return page

    yield opened
    for page in pages:
        page.close()
    assert not errors


def sent(page, key="drawn"):
    """What the model was told last."""
    return page.evaluate("key => (window.sent || []).filter(([k]) => k === key).at(-1)?.[1]", key)


def marks(page):
    return [(mark["label"], mark["places"]) for mark in sent(page)["marks"]]


def test_digits_tick_and_arrows_turn_pages(open_widget):
    page = open_widget("tags")
    page.locator("canvas").click()
    for key, expected in (("2", [2]), ("1", [1, 2]), ("2", [1])):
        page.keyboard.press(key)
        assert [label for label, _ in marks(page)] == expected
    page.keyboard.press("ArrowRight")
    assert sent(page, "place") == 1
    assert sent(page)["id"] == "a"
    other = {**state("tags")["picture"], "id": "b", "marks": [{"label": 2, "places": []}]}
    page.evaluate("picture => model.receive('picture', picture)", other)
    assert page.locator("input:checked").evaluate_all("all => all.map((one) => one.value)") == ["2"]
    assert "2 of 3: b" in page.inner_text(".annotator-head")
    page.keyboard.press("Enter")
    assert sent(page)["id"] == "b"
    assert marks(page) == [(2, [])]
    page.click("text=previous")
    assert sent(page, "place") == 1


def test_a_page_without_a_tick_says_that_no_class_is_there(open_widget):
    page = open_widget("tags")
    page.click("text=next")
    assert sent(page)["id"] == "a"
    assert marks(page) == []


def test_the_widget_shows_why_python_did_not_write(open_widget):
    page = open_widget("tags", note="the disk is slow")
    assert page.inner_text(".annotator-note") == "the disk is slow"
    page.evaluate("model.receive('note', 'the disk is full')")
    assert page.inner_text(".annotator-note") == "the disk is full"


def at(page, x, y):
    """Where the middle of a pixel of the picture lies on the screen."""
    box = page.locator("canvas").bounding_box()
    return box["x"] + (x + 0.5) / 200 * box["width"], box["y"] + (y + 0.5) / 100 * box["height"]


def drag(page, *places):
    page.mouse.move(*at(page, *places[0]))
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*at(page, *place))
    page.mouse.up()


def test_points_go_to_the_class_that_is_chosen(open_widget):
    page = open_widget("points")
    page.mouse.click(*at(page, 0, 0))
    page.click("text=2 dog")
    page.mouse.click(*at(page, 199, 99))
    page.keyboard.press("0")
    page.mouse.click(*at(page, 50, 60))
    assert marks(page) == [(1, [[0, 0]]), (2, [[199, 99]]), (0, [[50, 60]])]
    page.click("text=take back")
    assert marks(page) == [(1, [[0, 0]]), (2, [[199, 99]])]
    page.click("text=clear")
    assert marks(page) == []
    assert sent(page)["seconds"] > 0


def test_a_box_is_dragged_or_clicked(open_widget):
    page = open_widget("boxes")
    drag(page, (20, 80), (60, 50), (90, 10))
    for place in ((100, 20), (150, 60)):
        page.mouse.click(*at(page, *place))
    assert marks(page) == [(1, [[20, 80], [90, 10]]), (1, [[100, 20], [150, 60]])]


def test_four_extreme_clicks_are_one_mark(open_widget):
    page = open_widget("extremes")
    places = [[20, 50], [150, 40], [80, 5], [70, 95]]
    for number, place in enumerate(places):
        assert sent(page) is None, number
        page.mouse.click(*at(page, *place))
    assert marks(page) == [(1, places)]


def test_a_stroke_ends_with_the_button(open_widget):
    page = open_widget("scribble")
    drag(page, (20, 50), (60, 52), (120, 40))
    assert marks(page) == [(1, [[20, 50], [60, 52], [120, 40]])]


def test_an_outline_closes_on_its_first_corner_or_is_drawn_in_one_go(open_widget):
    page = open_widget("masks")
    corners = [(20, 20), (80, 20), (80, 60)]
    for place in (*corners, (21, 20)):
        page.mouse.click(*at(page, *place))
    round_about = [(150 + dx, 50 + dy) for dx in (0, 20, 40) for dy in (0, 10, 20, 30)]
    drag(page, *round_about)
    first, second = marks(page)
    assert first == (1, [list(place) for place in corners])
    assert second == (1, [list(place) for place in round_about])


@pytest.mark.parametrize("away", ["text=next", "text=previous", "text=2 dog"])
def test_an_outline_that_is_left_unfinished_is_kept(open_widget, away):
    page = open_widget("masks", place=1)
    corners = [(20, 20), (80, 20), (80, 60), (20, 60)]
    for place in corners:
        page.mouse.click(*at(page, *place))
    assert sent(page) is None
    page.click(away)
    assert marks(page) == [(1, [list(place) for place in corners])]
    assert sent(page)["id"] == "a"


@pytest.mark.parametrize(("kind", "corners"), [("masks", 2), ("boxes", 1), ("extremes", 3)])
def test_what_is_too_little_for_a_mark_is_not_sent(open_widget, kind, corners):
    page = open_widget(kind)
    for place in [(20, 20), (80, 20), (80, 60)][:corners]:
        page.mouse.click(*at(page, *place))
    page.click("text=next")
    assert sent(page) is None
    assert sent(page, "place") == 1


def test_a_finger_draws_too(open_widget):
    page = open_widget("boxes")
    (x0, y0), (x1, y1) = at(page, 20, 10), at(page, 90, 80)
    session = page.context.new_cdp_session(page)
    for kind, x, y in (("touchStart", x0, y0), ("touchMove", x1, y1), ("touchEnd", x1, y1)):
        points = [] if kind == "touchEnd" else [{"x": x, "y": y}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert marks(page) == [(1, [[20, 10], [90, 80]])]


def test_keys_draw_a_box_and_take_it_back(open_widget):
    page = open_widget("boxes")
    page.focus("canvas")
    for key in ("ArrowLeft", "Shift+ArrowUp", "Space", "ArrowRight", "ArrowDown", "Space"):
        page.keyboard.press(key)
    step = 200 // 50
    first = [100 - step, 50 - 1]
    assert marks(page) == [(1, [first, [first[0] + step, first[1] + step]])]
    page.keyboard.press("Backspace")
    assert marks(page) == []


def test_the_overlay_is_seen_and_goes_with_the_picture(open_widget):
    page = open_widget("boxes", overlay=DOT)
    look = """() => { const c = document.querySelector("canvas");
        return [...c.getContext("2d").getImageData(5, 5, 1, 1).data]; }"""
    page.wait_for_function(f"({look})()[3] > 0")
    plain = {**state("boxes")["picture"], "image": "data:,"}
    page.evaluate("picture => model.receive('picture', picture)", plain)
    page.evaluate("model.receive('overlay', '')")
    page.wait_for_function(f"({look})()[3] === 0")


def test_a_page_without_python_has_a_still_that_nobody_can_press(browser, root, tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (90, 60), "teal").save(tmp_path / "images" / "sea.png")
    data, _ = Tagger(tmp_path, ["cat", "dog"])._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    style = (root / "book" / "_static" / "wsss.css").read_text()
    file = tmp_path / "still.html"
    file.write_text(f"<meta charset=utf-8><style>{style}</style>{data['text/html']}")
    page = browser.new_page(viewport={"width": 390, "height": 700})
    try:
        page.goto(file.as_uri())
        page.wait_for_selector(".live.ready", timeout=9_000)
        assert page.locator(".annotator-head b").inner_text() == "1 of 1: sea"
        assert page.locator(".annotator-classes label").all_inner_texts() == ["1 cat", "2 dog"]
        page.locator("input").first.click(force=True)
        assert not page.locator("input:checked").count()
        page.emulate_media(media="print")
        assert page.locator(".live-fallback").is_visible()
        assert not page.locator(".annotator-head").is_visible()
    finally:
        page.close()
