"""The book's own modules, and the built book."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from execute_pages import page_names
from playwright.sync_api import Browser, sync_playwright

from tests.book.pages import BOOK, HTML, ROOT
from wsss_lib.data.atomic import one_at_a_time

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def sources() -> list[Path]:
    """What the built book depends on."""
    inside = [path for path in BOOK.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    library = [
        path for kind in ("py", "csv", "js") for path in (ROOT / "wsss_lib").rglob(f"*.{kind}")
    ]
    return [*inside, *library, *(ROOT / "results").rglob("*.json"), ROOT / "_config.yml"]


@pytest.fixture(scope="session")
def html() -> Path:
    """The folder of the built book; built here where it is missing or older than its sources."""
    done = HTML / ".complete"
    with one_at_a_time(HTML):  # workers of pytest-xdist wait for each other
        newest = max(path.stat().st_mtime for path in sources())
        if not done.is_file() or done.stat().st_mtime < newest:
            environment = {**os.environ, "VENV": str(Path(sys.prefix))}
            made = subprocess.run(
                ["make", "strict-book", "MODE=smoke"],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
            )
            assert made.returncode == 0, made.stdout[-3000:] + made.stderr[-6000:]
    return HTML


@pytest.fixture(scope="session")
def pages(html: Path) -> dict[str, Path]:
    """The pages of the book by name, such as "cam/index"."""
    names = page_names()
    return {name: html / f"{name}.html" for name in names}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's own browser, started once."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"needs a browser: none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as tools:
        one = tools.chromium.launch(executable_path=found, args=[*QUIET, "--no-sandbox"])
        yield one
        one.close()
