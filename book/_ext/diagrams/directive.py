"""``{diagram} seam``: the diagram of a system above its caption; its label is fig-diagram-seam."""

from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from diagrams.collection import find
from diagrams.drawing import svg
from wsss_lib.core import InputError

LOGGER = logging.getLogger(__name__)


class DiagramDirective(SphinxDirective):
    """A numbered figure, whose body is the caption."""

    required_arguments = 1
    has_content = True
    option_spec = {"name": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Draw it, or fail the strict build."""
        id = self.arguments[0]
        try:
            drawn = svg(find(id))
        except InputError as error:
            LOGGER.warning("diagram: %s", error, location=self.get_location())
            return []
        figure = nodes.figure("", classes=["diagram-figure"])
        figure += nodes.raw("", f'<div class="diagram">{drawn}</div>', format="html")
        body = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, body)
        if not body.children:
            LOGGER.warning("diagram: %s has no caption", id, location=self.get_location())
            return []
        figure += nodes.caption("", "", *body.children[0].children)
        self.set_source_info(figure)
        self.options.setdefault("name", f"fig-diagram-{id}")
        self.add_name(figure)
        return [figure]


def setup(app: Any) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("diagram", DiagramDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
