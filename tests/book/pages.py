"""Where the book is, and which pages it has."""

from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
HTML = ROOT / "_build" / "html"


def page_names() -> list[str]:
    """Every page of the table of contents."""
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text())

    def below(node: dict) -> Iterator[str]:
        if "file" in node:
            yield node["file"]
        for child in [*node.get("chapters", []), *node.get("sections", [])]:
            yield from below(child)

    return [toc["root"], *(name for part in toc["parts"] for name in below(part))]
