"""On a phone, what is wide keeps letters that can be read, slides sideways, and says so."""

from types import SimpleNamespace

import pytest
from docutils import nodes
from docutils.utils import new_document
from PIL import Image
from wide_pictures import LEAST, LETTERS, PHONE, READABLE, keep_wide

PIXELS = {"phone": 390, "laptop": 1366}
HINT = "getComputedStyle(document.querySelector('a'), '::after').content"


def kept(width: str, format: str = "html") -> nodes.image:
    page = new_document("page")
    page += nodes.image(uri="picture.png", width=width)
    keep_wide(SimpleNamespace(builder=SimpleNamespace(format=format)), page, "page")
    return page[0]


def test_a_picture_that_a_phone_can_show_is_left_alone():
    fits = int(PHONE * LETTERS / READABLE)
    for width in (f"{fits}px", str(fits), "80%", ""):
        assert kept(width)["width"] == width
        assert kept(width)["classes"] == []
    for width in (f"{fits + 1}px", str(fits + 1)):  # pictures of cells have no unit
        assert kept(width)["classes"] == ["wide-picture"]
        assert kept(width)["width"].startswith(f"min({fits + 1}px")
    assert kept("780px", "latex")["width"] == "780px"


@pytest.fixture
def shown(browser, root, tmp_path):
    """Opens pictures that ask for a width, as Sphinx writes them, on a screen or paper."""
    style = (root / "book" / "_static" / "wsss.css").read_text()
    pages = []

    def show(width: int, device: str):
        Image.new("RGB", (width * 3 // 2, 300)).save(tmp_path / "picture.png")
        image = kept(f"{width}px")
        (tmp_path / "page.html").write_text(
            f"<!doctype html><meta charset=utf-8><style>body {{ margin: 24px }} {style}</style>"
            f"<figure style='margin: 0'><a href=picture.png><img src=picture.png "
            f"class='{' '.join(image['classes'])}' style='width: {image['width']}'></a></figure>"
        )
        page = browser.new_page(viewport={"width": PIXELS.get(device, 390), "height": 800})
        pages.append(page)
        if device == "paper":
            page.emulate_media(media="print")
        page.goto((tmp_path / "page.html").as_uri())
        return page

    yield show
    for page in pages:
        page.close()


@pytest.mark.parametrize("width", [476, 600, 795])
def test_letters_can_be_read_on_a_phone_and_a_hint_says_how_to_see_the_rest(width, shown):
    page = shown(width, "phone")
    across = page.evaluate("document.querySelector('img').offsetWidth")
    assert LETTERS * across / width >= READABLE - 0.1
    assert across >= LEAST
    assert page.evaluate("document.documentElement.scrollWidth") <= PIXELS["phone"]
    page.evaluate("document.querySelector('a').scrollLeft = 9999")
    assert page.evaluate("document.querySelector('a').scrollLeft") == across - PHONE
    assert "slide sideways" in page.evaluate(HINT)


def test_where_there_is_room_nothing_slides_and_nothing_says_so(shown):
    page = shown(795, "laptop")
    assert page.evaluate("document.querySelector('img').offsetWidth") == 795
    assert page.evaluate(HINT) == "none"


def test_paper_has_the_whole_picture(shown):
    page = shown(795, "paper")
    assert page.evaluate("document.querySelector('img').offsetWidth") == PHONE
    assert page.evaluate(HINT) == "none"
