"""``{reported-table}``: Table 1 of the survey as data, beside what was measured here, to sort.

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
from sphinx.util.docutils import SphinxDirective

from wsss_lib import survey

SCRIPT = Path(__file__).with_suffix(".js")
UNMEASURED = "not measured yet"
PLACES = {
    "val_miou": "val", "test_miou": "test", "pseudo_backbone": "networks",
    "seg_backbone": "networks",
}  # fmt: skip
"""Column in which an erratum is marked; the others concern the system as a whole."""
NUMBERS = ("row", "year", "val", "test", "found", "gain")
LARGEST_FIRST = ("year", "val", "test", "found", "gain")
HEADS = {
    "system": "system",
    "row": "row",
    "year": "year",
    "stage": "training",
    "networks": "networks",
    "val": "val",
    "test": "test",
    "besides": "besides tags",
    "gain": "here: gain",
    "found": "here: found",
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
    """A line of Table 1 and all that is known of it here.

    Attributes:
        number: of the line, as printed, from 1.
        line: as printed.
        errata: what is known to be wrong in it, and was checked.
        hidden: what the paper needed besides image labels; None where nothing is known.
        here: what the system needs here besides image labels, in a word each.
        measured: at the home dose; None where no whole curve is stored.
    """

    number: int
    line: survey.Reported
    errata: tuple[survey.Erratum, ...]
    hidden: survey.Hidden | None
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


def rows() -> list[Row]:
    """Table 1, line by line in the order in which it is printed."""
    known, cards = measured(), survey.find_cards()
    wrong = [e for e in survey.errata() if e.checked and "Table 1" in e.place]
    return [
        Row(
            number=number,
            line=line,
            # What it was supervised by has a column of its own.
            errata=tuple(e for e in wrong if e.system == line.system and e.what != "supervision"),
            hidden=survey.hidden().get(line.system),
            here=tuple(HIDDEN.get(need, need) for need in cards[line.system].needs)
            if line.system in cards
            else (),
            measured=known.get(line.system),
        )
        for number, line in enumerate(survey.reported("table1"), start=1)
    ]


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
    line, notes = row.line, {column: "" for column in HEADS}
    for erratum in row.errata:
        text = f"Should read {erratum.correct} (printed: {erratum.printed}); {erratum.evidence}."
        notes[PLACES.get(erratum.what, "system")] += f" {text}"
    name, link = escape(line.method), address(line.system)
    if link:
        name = f'<a href="{escape(link)}">{name}</a>'
    networks = " → ".join(part or "?" for part in (line.pseudo_backbone, line.backbone))
    return {
        "system": Cell(name + opened("", notes["system"]), line.method),
        "row": Cell(str(row.number), str(row.number)),
        "year": Cell(str(line.year), str(line.year)),
        "stage": Cell(line.stage, line.stage),
        "networks": Cell(opened(escape(networks), notes["networks"]), networks),
        "val": figure(line.val, notes["val"]),
        "test": figure(line.test, notes["test"]),
        "besides": besides(row),
        **measured_cells(row.measured),
    }


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
        return Cell("–")
    return Cell(opened(f"{value:.1f}", note), str(value))


def besides(row: Row) -> Cell:
    """What the paper needed besides image labels, and what the system needs here."""
    here = ", ".join(row.here)
    if row.hidden is None:
        return Cell(f"none known<small>here: {here}</small>" if here else "none known")
    sure = "" if row.hidden.checked else " (remembered, not checked)"
    note = f"Enters {row.hidden.enters}{sure}. Known from: {row.hidden.evidence}."
    text = opened(escape(row.hidden.what), note, mark="‡" if row.hidden.checked else "‡?")
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
        found: lines.
        address: from the id of a system to the section that explains it, "" where none does.
    """
    heads = "".join(
        f'<th scope="col"{" data-number" * (key in NUMBERS)}'
        f"{' data-down' * (key in LARGEST_FIRST)}>{head}</th>"
        for key, head in HEADS.items()
    )
    lines = "".join(_line(row, address) for row in found)
    return (
        '<div class="reported-table pst-scrollable-table-container" role="region" tabindex="0" '
        'aria-label="Table 1 of the survey beside our figures">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>"
        f"\n<script>{SCRIPT.read_text(encoding='utf-8')}</script>\n"
    )


def _line(row: Row, address: Address) -> str:
    shown, found = "", cells(row, address)
    for key in HEADS:
        cell = found[key]
        tag = 'th scope="row"' if key == "system" else "td"
        sort = f' data-sort="{escape(cell.sort)}"' if cell.sort else ""
        group = f' data-group="{escape(cell.group)}"' if cell.group else ""
        shown += f'<{tag} class="in-{key}"{sort}{group}>{cell.html}</{tag.split()[0]}>'
    return f'<tr data-system="{row.line.system}">{shown}</tr>'


class reported_table(nodes.General, nodes.Element):
    """A table to be drawn."""


class ReportedTable(SphinxDirective):
    """Table 1, once a page."""

    def run(self) -> list[nodes.Node]:
        """Leave a place for the table, and say what its marks mean."""
        note = (
            "Mean IoU in percent on PASCAL VOC 2012, as printed. A mark opens what is said of it: "
            "† something should read otherwise; ‡ masks stand behind the row, by way of saliency, "
            "‡? so we remember, unchecked. Networks: of the labels → of the segmentation, ? where "
            "none is named. Here: what is gained over the control at the home dose of its family, "
            "with what is counted, and what system and control have there; ± is two standard "
            "errors of the paired gain. Gains of one count compare, others do not, so sorting "
            "keeps them together."
        )
        return [reported_table(), nodes.paragraph("", note, classes=["table-note"])]


def visit_reported_table(self: Any, node: nodes.Element) -> None:
    """Draw the table, with addresses as seen from its page."""
    self.body.append(table(rows(), addresses(self.builder)))
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Make directive and node known."""
    app.add_directive("reported-table", ReportedTable)
    others = {name: (skip, None) for name in ("latex", "text", "man", "texinfo")}
    app.add_node(reported_table, html=(visit_reported_table, None), **others)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
