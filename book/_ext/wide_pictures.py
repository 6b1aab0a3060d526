"""Pictures whose letters a phone would make too small to read keep a width and slide sideways.

The style adds the way to slide, and says that there is one.
"""

import re

from docutils import nodes
from sphinx.application import Sphinx

from wsss_lib.show.picture import FONT

LETTERS = FONT * 100 / 72
"""Pixels of a letter where a page has room for the picture, which shows an inch as 100 pixels."""
READABLE = 9
"""Pixels of a letter, at least."""
PHONE = 342
"""Pixels across the text of a page on a phone of 390."""
LEAST = 404
"""Pixels that no phone has: what slides on one slides on all, and the style can say so."""


def keep_wide(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Give pictures whose letters would shrink below what can be read the width that they need."""
    if app.builder.format != "html":
        return
    for image in doctree.findall(nodes.image):
        pixels = re.fullmatch(r"([\d.]+)(px)?", image.get("width", ""))  # without a unit, too
        if pixels is None:
            continue
        width = float(pixels[1])
        needed = width * READABLE / LETTERS
        if needed > PHONE:
            image["classes"].append("wide-picture")
            image["width"] = f"min({width:g}px, max(100%, {max(needed, LEAST):.0f}px))"


def setup(app: Sphinx) -> dict[str, bool]:
    """Pictures of notebooks stand in the tree only once it is resolved."""
    app.connect("doctree-resolved", keep_wide)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
