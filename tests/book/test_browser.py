"""A real browser opens every page, and finds nothing to complain about."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from execute_pages import page_names

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Chromium logs what pages write for information and what goes wrong under the same heading.
MESSAGE = re.compile(r'CONSOLE[^"]*"(?P<text>.*)", source: (?P<source>\S*)')
COMPLAINT = re.compile(r"Uncaught|[Ee]rror|Failed|Refused|not defined|ERR_")


@pytest.fixture(scope="module")
def browser() -> str:
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    pytest.skip(f"needs a browser: none of {', '.join(BROWSERS)} is installed")


def visit(browser: str, page: Path, profile: Path, *options: str) -> tuple[str, str]:
    """The document after its scripts have run, and what the console said."""
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--enable-logging=stderr", "--v=0", "--virtual-time-budget=8000", "--dump-dom",
        f"--user-data-dir={profile}", *options, page.as_uri(),
    ]  # fmt: skip
    seen = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "HOME": str(profile)},
    )
    return seen.stdout, seen.stderr


@pytest.mark.parametrize("name", page_names())
def test_page_opens_without_a_complaint(name, browser, pages, tmp_path):
    document, log = visit(browser, pages[name], tmp_path)
    assert "</html>" in document, log[-2000:]
    said = [match["text"] for match in MESSAGE.finditer(log)]
    assert [text for text in said if COMPLAINT.search(text)] == []
    if 'class="math' in document:
        assert "<mjx-container" in document, "the equations were not set"
        assert "<mjx-merror" not in document, "an equation has a mistake"
