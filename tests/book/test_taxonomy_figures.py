"""The tree and the time line: every system once, built ones linked, and nothing covers anything."""

import pytest
from bs4 import BeautifulSoup
from taxonomy_figures import taxonomy, time_line

from wsss_lib.survey import FAMILIES, systems

pytestmark = pytest.mark.xdist_group("browser")
FIGURES = {"tree": taxonomy, "time line": time_line}
WIDTHS = {"wide": 900, "narrow": 390}


def address(id):
    """Every built system has a section, but for one."""
    built = {system.id for system in systems() if system.card}
    return f"page.html#system-{id}" if id in built - {"toco"} else ""


@pytest.fixture(scope="module")
def shown(root, browser, tmp_path_factory):
    """Opens a figure at a width, in the style of the book."""
    pages = []
    style = (root / "book" / "_static" / "wsss.css").read_text()

    def open_at(name, width):
        file = tmp_path_factory.mktemp("figure") / "page.html"
        font = "body { font-family: sans-serif; margin: 16px; } figure { margin: 0; }"
        body = f"<figure>{FIGURES[name](address)}</figure>"
        file.write_text(f"<!doctype html><meta charset=utf-8><style>{font}{style}</style>{body}")
        page = browser.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        page.goto(file.as_uri())
        return page

    yield open_at
    for page in pages:
        page.close()


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("size", WIDTHS)
def test_every_system_stands_once_and_what_is_built_is_a_link_in_colour(name, size):
    figure = BeautifulSoup(FIGURES[name](address), "html.parser").select_one(f".drawn-{size}")
    marks = figure.select(".drawn-system")
    found = {mark.find("text").text: mark for mark in marks}
    assert len(marks) == len(systems())
    for system in systems():
        mark = found[system.name]
        assert mark.get("href", "") == address(system.id), system.id
        assert (mark.name == "a") == bool(address(system.id))
        assert ("stroke-dasharray" in str(mark)) == (system.card is None)
        assert f"{system.venue} {system.year}" in mark.find("title").text
    words = [text.text for text in figure("text")]
    for family, name in FAMILIES.items():
        assert name.removeprefix("Image labels: ") in words, family
    svg = figure.svg
    for id in svg["aria-labelledby"].split():
        assert svg.find(id=id).text


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("size", WIDTHS)
def test_nothing_covers_anything_and_all_can_be_read(name, size, shown):
    page = shown(name, WIDTHS[size])
    assert page.locator(".drawn:visible").count() == 1
    assert page.is_visible(f".drawn-{size}")
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[size]
    look = """(kind) => [...document.querySelectorAll(kind)].filter((one) => one.checkVisibility())
        .map((one) => { const b = one.getBoundingClientRect();
          return [b.left, b.top, b.right, b.bottom, one.textContent]; })"""
    texts, marks = page.evaluate(look, ".drawn text"), page.evaluate(look, ".drawn-system")
    drawn = page.locator(f".drawn-{size} svg").bounding_box()
    for left, top, right, bottom, text in texts:
        assert left >= drawn["x"] - 1, text
        assert right <= drawn["x"] + drawn["width"] + 1, text
        assert bottom - top >= 11, f"{text} is too small to read"
    for boxes in (texts, marks):
        for i, (left, top, right, bottom, text) in enumerate(boxes):
            for other in boxes[i + 1 :]:
                beside = right <= other[0] + 1 or other[2] <= left + 1
                apart = beside or bottom <= other[1] + 4 or other[3] <= top + 4
                assert apart, f"{text} and {other[4]} cover each other"


@pytest.mark.parametrize("size", WIDTHS)
def test_names_fit_their_frames(size, shown):
    page = shown("tree", WIDTHS[size])
    spare = page.evaluate(
        """() => [...document.querySelectorAll(".drawn-system")]
        .filter((one) => one.checkVisibility())
        .map((one) => {
          const width = (part) => one.querySelector(part).getBoundingClientRect().width;
          return [width("rect") - width("text"), one.textContent]; })"""
    )
    assert len(spare) == len(systems())
    assert [text for room, text in spare if room < 3] == []


@pytest.mark.parametrize("size", WIDTHS)
def test_dots_stand_at_their_years(size):
    figure = BeautifulSoup(time_line(address), "html.parser").select_one(f".drawn-{size}")
    place = {system.name: system.year for system in systems()}
    seen = {}
    for mark in figure.select(".drawn-system"):
        seen.setdefault(place[mark.find("text").text], set()).add(float(mark.circle["cx"]))
    assert all(len(at) == 1 for at in seen.values())
    in_order = [seen[year].pop() for year in sorted(seen)]
    assert in_order == sorted(in_order)
    assert len(set(in_order)) == len(in_order)
