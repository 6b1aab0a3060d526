"""Gains at the doses of a failure: ``{dose-table}`` for a family, ``{gain}`` in the prose.

``{family-table}`` is the plan itself, ``{home-table}`` what came of it at the home doses.
"""

from typing import Any

import numpy as np
from docutils import nodes
from measured import called, curves_of, error_of, every_curve, gains_of, results_folder
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole
from wsss_book import MINUS, link, table

from experiments.doses import FAMILIES, FEWEST, MOST, RESPONSES
from wsss_lib.core import InputError
from wsss_lib.results import read_result

LOGGER = logging.getLogger(__name__)


def gain_text(gains: list[float]) -> str:
    """Mean gain and two standard errors, "+0.080 ± 0.035"; of a single world the gain alone."""
    text = f"{np.mean(gains):+.3f}".replace("-", MINUS)
    if len(gains) < 2:
        return text
    return f"{text} ±\N{NO-BREAK SPACE}{error_of(gains):.3f}"


class DoseTable(SphinxDirective):
    """``{dose-table} erasing``: what each idea of a family gains over its control at each dose.

    Of a dose that is not home two worlds are known, too few for a spread.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Build the table, or fail the strict build."""
        try:
            curves = curves_of(self.arguments[0])
        except InputError as error:
            LOGGER.warning("dose-table: %s", error, location=self.get_location())
            return []
        first = curves[0]
        home = first["home"]
        head = ["system", "control"] + [
            f"{dose:g}" + " (home)" * (number == home) for number, dose in enumerate(first["doses"])
        ]
        rows = [
            [
                [link(f"system-{one['system']}", called(one["system"]))],
                called(one["control"]),
                *(
                    gain_text(here if number == home else [float(np.mean(here))])
                    for number, here in enumerate(gains_of(one))
                ),
            ]
            for one in curves
        ]
        note = (
            f"Gain over the control in the same world: {first['response_name']}. Columns: "
            f"{first['axis']}. {len(gains_of(first)[home])} worlds at the home dose, with two "
            f"standard errors; {len(gains_of(first)[home - 1])} at each other."
        )
        return [
            table(head, rows, ["results-table"]),
            nodes.paragraph("", note, classes=["table-note"]),
        ]


class HomeTable(SphinxDirective):
    """``{home-table}``: every system at its home dose, what it finds beside its control."""

    def run(self) -> list[nodes.Node]:
        """Build the table, or fail the strict build."""
        head = ("system", "control", "response", "control has", "system has", "gain")
        rows = []
        for curve in every_curve():
            at_home = [run for run in curve["runs"] if run["dose"] == curve["home"]]
            theirs, ours = (
                f"{np.mean([run[who] for run in at_home]):.3f}" for who in ("control", "response")
            )
            rows.append(
                [
                    [link(f"system-{curve['system']}", called(curve["system"]))],
                    called(curve["control"]), curve["response_name"], theirs, ours,
                    gain_text([run["gain"] for run in at_home]),
                ]
            )  # fmt: skip
        if not rows:
            LOGGER.warning("home-table: no curves", location=self.get_location())
            return []
        note = f"Means of {MOST} worlds; ± is two standard errors of the paired gain."
        return [
            table(head, rows, ["results-table"]),
            nodes.paragraph("", note, classes=["table-note"]),
        ]


class FamilyTable(SphinxDirective):
    """``{family-table}``: how each family is measured, from the code that measures."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        head = ("family", "failure", "what is turned", "doses", "response", "control")
        rows = []
        for name, family in FAMILIES.items():
            doses: list[nodes.Node] = []
            for number, dose in enumerate(family.doses):
                text = nodes.Text(f"{dose.value:g}")
                doses += [nodes.strong("", "", text) if number == family.home else text]
                doses += [nodes.Text(" · ")] * (number < len(family.doses) - 1)
            controls = ", ".join(dict.fromkeys(map(called, family.controls.values())))
            rows.append(
                [
                    name.replace("_", " "), family.failure, family.axis, doses,
                    RESPONSES[family.response], controls,
                ]
            )  # fmt: skip
        note = f"Bold: the home dose, measured in {MOST} worlds; {FEWEST} at each other."
        return [
            table(head, rows, ["results-table"]),
            nodes.paragraph("", note, classes=["table-note"]),
        ]


class GainRole(SphinxRole):
    """``{gain}`erasing/cse` ``: gain over the control at the home dose, with two standard errors.

    ``{gain}`erasing/cse:0` `` is the mean gain at the first dose.
    """

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Read the gains, or fail the strict build."""
        name, _, dose = self.text.partition(":")
        try:
            curve = read_result(results_folder() / "curves" / f"{name}.json")
            gains = gains_of(curve)[int(dose or curve["home"])]
            text = gain_text([float(np.mean(gains))] if dose else gains)
        except (InputError, ValueError, IndexError) as error:
            LOGGER.warning("gain: %s", error, location=self.get_location())
            return [nodes.inline("", "?", classes=["result", "missing"])], []
        return [nodes.inline("", text, classes=["result"])], []


def setup(app: Sphinx) -> dict[str, Any]:
    """Make all known."""
    app.add_directive("dose-table", DoseTable)
    app.add_directive("family-table", FamilyTable)
    app.add_directive("home-table", HomeTable)
    app.add_role("gain", GainRole())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
