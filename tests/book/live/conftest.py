"""A live figure on a page of its own, opened in a real browser."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from wsss_lib.show.live import LiveFigure


@pytest.fixture
def address(root: Path, tmp_path: Path) -> Callable[..., str]:
    """Writes figures into a page with the book's style, and says where it lies."""

    def write(*figures: LiveFigure) -> str:
        shown = "".join(figure._repr_html_() for figure in figures)
        style = (root / "book" / "_static" / "wsss.css").read_text()
        page = tmp_path / "page.html"
        page.write_text(f"<!doctype html><meta charset=utf-8><style>{style}</style>{shown}")
        return page.as_uri()

    return write


@pytest.fixture
def opened(address: Callable[..., str], browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens figures, waits until their scripts have run; a script that fails, fails the test."""
    errors: list[str] = []
    pages: list[Page] = []

    def open_figures(*figures: LiveFigure) -> Page:
        page = browser.new_page()
        pages.append(page)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address(*figures))
        page.wait_for_selector(f":nth-match(.live.ready, {len(figures)})", timeout=9_000)
        return page

    yield open_figures
    for page in pages:
        page.close()
    assert not errors
