"""A live figure on a page of its own, opened in a real browser."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from wsss_lib.show.live import LiveFigure


@pytest.fixture
def address(root: Path, tmp_path: Path) -> Callable[[LiveFigure], str]:
    """Writes a figure into a page with the book's style, and says where it lies."""

    def write(figure: LiveFigure) -> str:
        style = (root / "book" / "_static" / "wsss.css").read_text()
        page = tmp_path / "page.html"
        page.write_text(
            f"<!doctype html><meta charset=utf-8><style>{style}</style>{figure._repr_html_()}"
        )
        return page.as_uri()

    return write


@pytest.fixture
def opened(
    address: Callable[[LiveFigure], str], browser: Browser
) -> Iterator[Callable[[LiveFigure], Page]]:
    """Opens a figure, waits until its script has run; a script that fails, fails the test."""
    errors: list[str] = []
    pages: list[Page] = []

    def open_figure(figure: LiveFigure) -> Page:
        page = browser.new_page()
        pages.append(page)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address(figure))
        page.wait_for_selector(".live.ready")
        return page

    yield open_figure
    for page in pages:
        page.close()
    assert not errors
