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
    written: dict[Path, list[str]] = {}
    for name in sorted(module.name for module in iter_modules(exercises.__path__)):
        functions = import_module(f"exercises.{name}").EXERCISES
        written.setdefault(chapter_of(name), []).extend(functions)
    lines = []
    for folder, functions in sorted(written.items()):
        paths = sorted(folder.glob("*.md"), key=lambda path: path.stem != "index")
        pages = "".join(path.read_text(encoding="utf-8") for path in paths)
        title = re.search(r"^# (.+)$", pages, re.MULTILINE)
        lines.append(
            [
                f"[{title.group(1) if title else folder.name}](../{folder.name}/index.md)",
                ", ".join(f"`{one}`" for one in functions),
                str(pages.count("{quiz}")),
            ]
        )
    return table(["chapter", "functions to write, checked at once", "questions"], lines)


def chapter_of(name: str) -> Path:
    """The folder whose pages print the solutions of a module of exercises."""
    printing = f"../exercises/{name}.py"
    return next(
        path.parent
        for path in sorted(BOOK.glob("*/*.md"))
        if printing in path.read_text(encoding="utf-8")
    )
