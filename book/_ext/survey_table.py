"""Tables of published figures of what came after the survey.

``{after-table}`` has the systems that came later, ``{model-table}`` what the large models behind
them have learned from. In the prose, ``{after}`dupl:val` `` is a figure, and
``{after}`dupl_21k:val - dupl:val` `` a difference of two. The survey's own tables are drawn by
``{reported-table}``.
"""

from typing import Any, cast

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole
from wsss_book import MINUS, table

from wsss_lib import survey

LOGGER = logging.getLogger(__name__)
AFTER_HEAD = (
    "system",
    "source",
    "needs besides image labels",
    "what answers",
    "trainings",
    "val",
    "test",
)
MODEL_HEAD = ("model", "source", "learned from", "with which labels")


class AfterTable(SphinxDirective):
    """One line per system that came after the survey, by direction, and where each was read."""

    def run(self) -> list[nodes.Node]:
        """Build the table, and below it what was read."""
        rows: list[list[Any]] = []
        for direction, title in survey.DIRECTIONS.items():
            rows.append([[nodes.strong("", title)]])
            rows += [
                [
                    line.system, [_web(f"{line.venue} {line.year}", line.source)], line.needs,
                    line.network, line.stages, _figure(line.val), _figure(line.test),
                ]
                for line in survey.after() if line.direction == direction
            ]  # fmt: skip
        note = nodes.paragraph(
            "", "Mean IoU in percent on PASCAL VOC 2012, as the authors print it; a dash where the "
            "source that was read prints none.", classes=["table-note"],
        )  # fmt: skip
        read = [(line.system, line.source, line.read) for line in survey.after()]
        drawn = table(AFTER_HEAD, rows, ["survey-table"])
        for row in drawn.findall(nodes.row):
            if len(row) == 1:  # the name of a direction
                row[0]["morecols"] = len(AFTER_HEAD) - 1
        return [drawn, note, _read(read)]


class ModelTable(SphinxDirective):
    """One line per large model: what it has learned from."""

    def run(self) -> list[nodes.Node]:
        """Build the table, and below it what was read."""
        lines = survey.large_models()
        rows = [
            [
                line.model, [_web(f"{line.authors} {line.year}", line.source)],
                line.learned, line.labels,
            ]
            for line in lines
        ]  # fmt: skip
        read = [(line.model, line.source, line.read) for line in lines]
        return [table(MODEL_HEAD, rows, ["survey-table"]), _read(read)]


class AfterRole(SphinxRole):
    """``{after}`dupl:val` ``: a printed figure; with `` - `` between two, their difference."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Read the figure, or fail the strict build."""
        values = [_printed(part.strip()) for part in self.text.split(" - ")]
        if any(value is None for value in values) or len(values) > 2:
            LOGGER.warning("after: no figure %r", self.text, location=self.get_location())
            return [nodes.inline("", "?", classes=["result", "missing"])], []
        known = cast(list[float], values)
        first = known[0]
        text = f"{first:.1f}" if len(known) == 1 else f"{first - known[1]:+.1f}"
        return [nodes.inline("", text.replace("-", MINUS), classes=["result"])], []


def _printed(target: str) -> float | None:
    id, _, split = target.partition(":")
    lines = {line.id: {"val": line.val, "test": line.test} for line in survey.after()}
    return lines.get(id, {}).get(split)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _web(text: str, address: str) -> nodes.reference:
    return nodes.reference("", text, refuri=address)


def _read(lines: list[tuple[str, str, str]]) -> nodes.admonition:
    """Which source was opened for each line, and what stands there; folded."""
    items = nodes.bullet_list()
    for name, address, read in lines:
        said = nodes.paragraph("", f"{name}: ")
        said += _web(address.removeprefix("https://"), address)
        said += nodes.Text(f": {read}.")
        items += nodes.list_item("", said)
    title = nodes.title("", "Where each line was read")
    return nodes.admonition("", title, items, classes=["dropdown"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Make directives and role known."""
    app.add_directive("after-table", AfterTable)
    app.add_directive("model-table", ModelTable)
    app.add_role("after", AfterRole())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
