"""``{linked-figure} leaderboard``: figures whose marks lead to the sections that explain systems.

They are drawn when a page is written: only then are the addresses of all sections known.
"""

from collections.abc import Callable
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from leaderboard_figures import standard_leaderboard
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from taxonomy_figures import taxonomy, time_line

LOGGER = logging.getLogger(__name__)
Address = Callable[[str], str]
FIGURES: dict[str, Callable[[Address], str]] = {
    "leaderboard": lambda address: standard_leaderboard(address)._repr_html_(),
    "taxonomy": taxonomy,
    "time_line": time_line,
}
"""HTML of a figure, from the addresses of the sections of systems."""


class linked_figure(nodes.General, nodes.Element):
    """A figure to be drawn."""


class LinkedFigure(SphinxDirective):
    """A figure by its name, with the content as its caption."""

    required_arguments = 1
    has_content = True
    option_spec = {"name": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Leave a place for the figure, or fail the strict build."""
        name = self.arguments[0]
        if name not in FIGURES:
            LOGGER.warning(
                "linked-figure: no figure %r; there are %s", name, ", ".join(FIGURES),
                location=self.get_location(),
            )  # fmt: skip
            return []
        figure = nodes.figure("", linked_figure("", figure=name))
        if self.content:
            words, messages = self.parse_inline(" ".join(self.content))
            figure += [nodes.caption("", "", *words), *messages]
        self.add_name(figure)
        return [figure]


def addresses(builder: Any) -> Address:
    """From the id of a system to the section that explains it, as seen from the page now written.

    "" where no section does.
    """
    labels = builder.env.get_domain("std").anonlabels

    def address(id: str) -> str:
        page, anchor = labels.get(f"system-{id}", ("", ""))
        here = builder.current_docname
        return f"{builder.get_relative_uri(here, page)}#{anchor}" if page else ""

    return address


def visit_linked_figure(self: Any, node: nodes.Element) -> None:
    """Draw the figure, with addresses as seen from its page."""
    self.body.append(FIGURES[node["figure"]](addresses(self.builder)))
    raise nodes.SkipNode


def skip(self: Any, node: nodes.Element) -> None:
    """Other formats have no such figure."""
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Make directive and node known."""
    app.add_directive("linked-figure", LinkedFigure)
    others = {name: (skip, None) for name in ("latex", "text", "man", "texinfo")}
    app.add_node(linked_figure, html=(visit_linked_figure, None), **others)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
