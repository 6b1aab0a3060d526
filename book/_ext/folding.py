"""What opens at a click, without a script: the options of a quiz, and the long part of a card."""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

LOGGER = logging.getLogger(__name__)


class folded(nodes.General, nodes.Element):
    """A summary that opens what follows it."""


class folded_summary(nodes.General, nodes.TextElement):
    """What is read before it is opened."""


def fold(summary: list[nodes.Node], content: list[nodes.Node], classes: list[str]) -> folded:
    """Content that a click on its summary opens."""
    node = folded("", folded_summary("", "", *summary), *content)
    node["classes"] = classes
    return node


class Quiz(SphinxDirective):
    """A multiple-choice question that works without JavaScript.

    The body is the question, then a list. An item begins with ``[x]`` (right) or ``[ ]`` (wrong);
    what follows in further paragraphs is the feedback for this option, which must not be empty.
    """

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Build the question, or fail the strict build."""
        box = nodes.container(classes=["quiz"])
        self.state.nested_parse(self.content, self.content_offset, box)
        lists = [child for child in box.children if isinstance(child, nodes.bullet_list)]
        problem = "needs a question and then one list of options" if len(lists) != 1 else ""
        right = 0
        for item in lists[0].children if len(lists) == 1 else []:
            first, *feedback = item.children
            mark = re.match(r"\[([ x])\]\s*", first.astext())
            if not mark or not feedback:
                problem = "each option begins with [x] or [ ] and has feedback below it"
                break
            is_right = mark[1] == "x"
            right += is_right
            text = first.children[0]
            first.replace(text, nodes.Text(text.astext()[len(mark[0]) :]))
            verdict = nodes.strong("", "Right. " if is_right else "Not so. ")
            feedback[0].insert(0, verdict)
            classes = ["quiz-option", "right" if is_right else "wrong"]
            box += fold(first.children, feedback, classes)
        if not problem and right != 1:
            problem = f"needs exactly one right option, not {right}"
        if problem:
            LOGGER.warning("quiz %s", problem, location=self.get_location())
            return []
        box.remove(lists[0])
        return [box]


def visit_folded(self: Any, node: nodes.Element) -> None:
    """Open what is folded."""
    self.body.append(f'<details class="{" ".join(node["classes"])}">')


def depart_folded(self: Any, node: nodes.Element) -> None:
    """Close what is folded."""
    self.body.append("</details>\n")


def visit_summary(self: Any, node: nodes.Element) -> None:
    """Open the summary."""
    self.body.append("<summary>")


def depart_summary(self: Any, node: nodes.Element) -> None:
    """Close the summary."""
    self.body.append("</summary>\n")


def skip(self: Any, node: nodes.Element) -> None:
    """Other formats show the text alone."""


def setup(app: Sphinx) -> dict[str, Any]:
    """Make directive and nodes known."""
    app.add_directive("quiz", Quiz)
    others = {name: (skip, skip) for name in ("latex", "text", "man", "texinfo")}
    app.add_node(folded, html=(visit_folded, depart_folded), **others)
    app.add_node(folded_summary, html=(visit_summary, depart_summary), **others)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
