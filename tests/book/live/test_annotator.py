"""The annotator's JavaScript in a real browser: what a hand draws is what Python is sent."""

import pytest

from tests.book.live.widget import widget_page

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
        "drawn": {}, "note": "", **more,
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
    page = open_widget("tags")
    page.evaluate("model.receive('note', 'the disk is full')")
    assert page.inner_text(".annotator-note") == "the disk is full"
