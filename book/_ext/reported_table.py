"""``{reported-table} table2``: a table of the survey as data, beside what was measured, to sort.

It is drawn when a page is written, when the sections of all systems are known. The table is HTML
that reads without a script; what is said of a cell opens at a click, without a script too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from docutils import nodes
from dose_table import gain_text
from leaderboard_figures import HIDDEN, RESPONSES
from linked_figures import Address, addresses, skip
from measured import called, every_curve
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from wsss_lib import survey
from wsss_lib.core import InputError
from wsss_lib.survey_rows import Note, notes

LOGGER = logging.getLogger(__name__)
SCRIPT = Path(__file__).with_suffix(".js")
UNMEASURED = "not measured yet"
PLACES = {
    "val_miou": "val", "test_miou": "test", "pseudo_backbone": "networks",
    "seg_backbone": "networks",
}  # fmt: skip
"""Column in which an erratum is marked; the others concern the system as a whole."""
NUMBERS = ("row", "year", "val", "test", "found", "gain")
LARGEST_FIRST = ("year", "val", "test", "found", "gain")
OUR_HEADS = {"gain": "here: gain", "found": "here: found"}
HEADS = {
    "table1": {
        "system": "system", "row": "row", "year": "year", "group": "training",
        "networks": "networks", "val": "val", "test": "test", "besides": "besides tags",
        **OUR_HEADS,
    },
    "table2": {
        "system": "system", "row": "row", "year": "year", "group": "label", "networks": "network",
        "val": "val", "test": "test", "really": "what the line is",
        "besides": "besides its label", **OUR_HEADS,
    },
    "table3": {
        "system": "system", "row": "row", "year": "year", "group": "model", "networks": "network",
        "val": "val", "test": "test", "really": "what the line is", "besides": "besides tags",
        **OUR_HEADS,
    },
}  # fmt: skip
"""Columns of each table, and what stands above them."""
HIDDEN_NOTES = {
    "table1": "masks stand behind the row, by way of saliency",
    "table2": "more than its label stands behind the line",
    "table3": "this stands behind the line",
}
NETWORKS = {
    "table1": "Networks: of the labels → of the segmentation, ? where none is named.",
    "table2": "Network: of the segmentation, ? where none is named.",
    "table3": "Network: of the segmentation.",
}


@dataclass(frozen=True)
class Measured:
    """What a system does at the home dose of its family.

    Attributes:
        response: what is counted, briefly; figures of two responses do not compare.
        system: mean over the worlds.
        control: the same, of its control.
        control_name: what the control is called.
        gains: paired gain in each world.
    """

    response: str
    system: float
    control: float
    control_name: str
    gains: list[float]


@dataclass(frozen=True)
class Row:
    """A line of a table and all that is known of it here.

    Attributes:
        number: of the line, as printed, from 1.
        line: as printed.
        errata: what is known to be wrong in it, and was checked.
        hidden: what the paper needed besides its labels; None where nothing is known.
        note: what the line really is; None where there is nothing to say.
        ours: id of the system here that does what the line is.
        here: what that system needs besides its labels, in a word each.
        measured: at the home dose; None where no whole curve is stored.
    """

    number: int
    line: survey.Reported
    errata: tuple[survey.Erratum, ...]
    hidden: survey.Hidden | None
    note: Note | None
    ours: str
    here: tuple[str, ...]
    measured: Measured | None


@dataclass(frozen=True)
class Cell:
    """What a cell shows, and what it is sorted by.

    Attributes:
        html: shown.
        sort: "" comes last, whichever way the rows are sorted.
        group: cells of one group stand together.
    """

    html: str
    sort: str = ""
    group: str = ""


def rows(table: str = "table1") -> list[Row]:
    """A table of the survey, line by line in the order in which it is printed.

    Raises:
        InputError: there is no such table.
    """
    known, cards, said = measured(), survey.find_cards(), notes()
    lines, place = survey.reported(table), f"Table {table.removeprefix('table')}"
    wrong = [e for e in survey.errata() if e.checked and place in e.place]
    found = []
    for number, line in enumerate(lines, start=1):
        note = said.get(line.system)
        ours = note.ours if note else line.system
        needs = cards[ours].needs if ours in cards else ()
        found.append(
            Row(
                number=number,
                line=line,
                # What it was supervised by has a column of its own.
                errata=tuple(
                    e for e in wrong if e.system == line.system and e.what != "supervision"
                ),
                hidden=survey.hidden().get(line.system),
                note=note,
                ours=ours,
                here=tuple(HIDDEN.get(need, need) for need in needs),
                measured=known.get(ours),
            )
        )
    return found


def measured() -> dict[str, Measured]:
    """By system, what it does at the home dose of its family, beside its control."""
    found = {}
    for curve in every_curve():
        home = [run for run in curve["runs"] if run["dose"] == curve["home"]]
        found[curve["system"]] = Measured(
            response=RESPONSES[curve["response"]],
            system=float(np.mean([run["response"] for run in home])),
            control=float(np.mean([run["control"] for run in home])),
            control_name=called(curve["control"]),
            gains=[run["gain"] for run in home],
        )
    return found


def cells(row: Row, address: Address) -> dict[str, Cell]:
    """The cells of a line, by column."""
    line, told = row.line, dict.fromkeys(HEADS[row.line.table], "")
    for erratum in row.errata:
        text = f"Should read {erratum.correct} (printed: {erratum.printed}); {erratum.evidence}."
        told[PLACES.get(erratum.what, "system")] += f" {text}"
    name, link = escape(line.method), address(row.ours)
    if link:
        name = f'<a href="{escape(link)}">{name}</a>'
    parts = (line.pseudo_backbone, line.backbone) if line.table == "table1" else (line.backbone,)
    networks = " → ".join(part or "?" for part in parts)
    found = {
        "system": Cell(name + opened("", told["system"]), line.method),
        "row": Cell(str(row.number), str(row.number)),
        "year": Cell(str(line.year), str(line.year)),
        "group": Cell(escape(line.group), line.group),
        "networks": Cell(opened(escape(networks), told["networks"]), networks),
        "val": figure(line.val, told["val"]),
        "test": figure(line.test, told["test"]),
        "really": really(row),
        "besides": besides(row),
        **measured_cells(row.measured),
    }
    return {column: found[column] for column in HEADS[line.table]}


def opened(text: str, note: str, mark: str = "†") -> str:
    """A text with a mark that opens what is said of it; the text alone where nothing is."""
    if not note:
        return text
    label = "" if text else ' aria-label="what should read otherwise"'
    return (
        f'<details><summary{label}>{text} <b class="note-mark">{mark}</b></summary>'
        f"<p>{escape(note.strip())}</p></details>"
    )


def figure(value: float | None, note: str) -> Cell:
    """A figure as printed."""
    if value is None:
        return Cell(opened("–", note))
    return Cell(opened(f"{value:.1f}", note), str(value))


def really(row: Row) -> Cell:
    """What the line is, in a few words that open."""
    if row.note is None:
        return Cell("")
    source = f"Known from: {row.note.evidence}."
    if not row.note.checked:
        source = f"Not checked; {source[0].lower()}{source[1:]}"
    text = opened(escape(row.note.brief), f"{row.note.note} {source}", "§" + _unsure(row.note))
    if row.ours == row.line.system:
        return Cell(text, row.note.brief)
    cards = survey.find_cards()
    name = cards[row.ours].name if row.ours in cards else row.ours
    return Cell(f"{text}<small>here: {escape(name)}</small>", row.note.brief)


def _unsure(entry: Note | survey.Hidden) -> str:
    return "" if entry.checked else "?"


def besides(row: Row) -> Cell:
    """What the paper needed besides its labels, and what the system needs here."""
    here = ", ".join(row.here)
    if row.hidden is None:
        return Cell(f"none known<small>here: {here}</small>" if here else "none known")
    sure = "" if row.hidden.checked else " (remembered, not checked)"
    note = f"Enters {row.hidden.enters}{sure}. Known from: {row.hidden.evidence}."
    text = opened(escape(row.hidden.what), note, mark="‡" + _unsure(row.hidden))
    same = "here too" if here == row.hidden.what else f"here: {here or 'none'}"
    return Cell(f"{text}<small>{same}</small>", row.hidden.what)


def measured_cells(found: Measured | None) -> dict[str, Cell]:
    """What is gained over the control at the home dose, and what is found there."""
    if found is None:
        return {"gain": Cell(f'<span class="unmeasured">{UNMEASURED}</span>'), "found": Cell("–")}
    count, control = found.response, escape(found.control_name)
    gain = f"<span>{gain_text(found.gains)}</span><small>{escape(count)}, over {control}</small>"
    shown = f"{found.system:.3f}<small>control {found.control:.3f}</small>"
    return {
        "gain": Cell(gain, f"{np.mean(found.gains):.5f}", count),
        "found": Cell(shown, f"{found.system:.5f}", count),
    }


def table(found: Sequence[Row], address: Address) -> str:
    """The table as HTML, and the script that sorts it.

    Args:
        found: lines of one table, at least one.
        address: from the id of a system to the section that explains it, "" where none does.
    """
    number = found[0].line.table.removeprefix("table")
    heads = "".join(
        f'<th scope="col"{" data-number" * (key in NUMBERS)}'
        f"{' data-down' * (key in LARGEST_FIRST)}>{head}</th>"
        for key, head in HEADS[found[0].line.table].items()
    )
    lines = "".join(_line(row, address) for row in found)
    return (
        '<div class="reported-table pst-scrollable-table-container" role="region" tabindex="0" '
        f'aria-label="Table {number} of the survey beside our figures">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>"
        f"\n<script>{SCRIPT.read_text(encoding='utf-8')}</script>\n"
    )


def _line(row: Row, address: Address) -> str:
    shown, found = "", cells(row, address)
    for key, cell in found.items():
        tag = 'th scope="row"' if key == "system" else "td"
        sort = f' data-sort="{escape(cell.sort)}"' if cell.sort else ""
        group = f' data-group="{escape(cell.group)}"' if cell.group else ""
        shown += f'<{tag} class="in-{key}"{sort}{group}>{cell.html}</{tag.split()[0]}>'
    return f'<tr data-system="{row.line.system}">{shown}</tr>'


class reported_table(nodes.General, nodes.Element):
    """A table to be drawn."""


class ReportedTable(SphinxDirective):
    """A table of the survey, Table 1 if none is named; once a page."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Leave a place for the table, and say what its marks mean; or fail the strict build."""
        name = self.arguments[0] if self.arguments else "table1"
        try:
            survey.reported(name)
        except InputError as error:
            LOGGER.warning("reported-table: %s", error, location=self.get_location())
            return []
        really = "§ what the line really is; " if "really" in HEADS[name] else ""
        note = (
            "Mean IoU in percent on PASCAL VOC 2012, as printed. A mark opens what is said of it: "
            f"† something should read otherwise; {really}‡ {HIDDEN_NOTES[name]}; with a ? we only "
            f"remember it, or know the abstract alone. {NETWORKS[name]} Here: what is gained over "
            "the control at the home dose of its family, with what is counted, and what system "
            "and control have there; ± is two standard errors of the paired gain. Gains of one "
            "count compare, others do not, so sorting keeps them together."
        )
        place = reported_table()
        place["table"] = name
        return [place, nodes.paragraph("", note, classes=["table-note"])]


def visit_reported_table(self: Any, node: nodes.Element) -> None:
    """Draw the table, with addresses as seen from its page."""
    self.body.append(table(rows(node["table"]), addresses(self.builder)))
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Make directive and node known."""
    app.add_directive("reported-table", ReportedTable)
    others = {name: (skip, None) for name in ("latex", "text", "man", "texinfo")}
    app.add_node(reported_table, html=(visit_reported_table, None), **others)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
