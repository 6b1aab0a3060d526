"""The exercises of all chapters, read from the exercises and the pages themselves."""

import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import exercises
from IPython.display import Markdown
from measured import table

BOOK = Path(__file__).resolve().parents[1]


def exercises_table() -> Markdown:
    """By chapter: the functions that students write, and how many quizzes its pages have."""
    lines = []
    for name in sorted(module.name for module in iter_modules(exercises.__path__)):
        paths = sorted((BOOK / name).glob("*.md"), key=lambda path: path.stem != "index")
        pages = "".join(path.read_text(encoding="utf-8") for path in paths)
        title = re.search(r"^# (.+)$", pages, re.MULTILINE)
        written = import_module(f"exercises.{name}").EXERCISES
        lines.append(
            [
                f"[{title.group(1) if title else name}](../{name}/index.md)",
                ", ".join(f"`{one}`" for one in written),
                str(pages.count("{quiz}")),
            ]
        )
    return table(["chapter", "functions to write, checked at once", "questions"], lines)
