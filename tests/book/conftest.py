"""The book's own modules, and the built book."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from execute_pages import page_names

from tests.book.pages import BOOK, HTML, ROOT
from wsss_lib.data.atomic import one_at_a_time


def sources() -> list[Path]:
    """What the built book depends on."""
    inside = [path for path in BOOK.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    library = [*(ROOT / "wsss_lib").rglob("*.py"), *(ROOT / "wsss_lib").rglob("*.csv")]
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
