"""``{survey-table} table1``: a table of the survey as printed, with marks where it errs."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from wsss_book import link, table

from wsss_lib import survey
from wsss_lib.core import InputError

LOGGER = logging.getLogger(__name__)
HEAD = ("method as printed", "venue", "network", "val", "test", "needs besides", "here")


class SurveyTable(SphinxDirective):
    """One line per system; a dagger where the errata have something to say about the line."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Build the table, or fail the strict build."""
        name = self.arguments[0]
        try:
            lines = survey.reported(name)
        except InputError as error:
            LOGGER.warning("survey-table: %s", error, location=self.get_location())
            return []
        number = name.removeprefix("table")
        wrong = {e.system for e in survey.errata() if e.checked and f"Table {number}" in e.place}
        rows = [_row(line, line.system in wrong) for line in lines]
        note = nodes.paragraph("", "Mean IoU in percent on PASCAL VOC 2012. † See the ")
        note += link("errata", "errata")
        note += nodes.Text(".")
        return [table(HEAD, rows, ["survey-table"]), note]


def _row(line: survey.Reported, wrong: bool) -> list[Any]:
    card = survey.find_cards().get(line.system)
    here = [link(f"system-{line.system}", card.name)] if card else "–"
    figures = ["–" if value is None else f"{value:.1f}" for value in (line.val, line.test)]
    return [
        line.method + (" †" if wrong else ""),
        f"{line.venue} {line.year}",
        line.backbone or "–",
        *figures,
        "; ".join(card.needs) if card else "",
        here,
    ]


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("survey-table", SurveyTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
