"""Measured costs.

``{bench-table}``: what ``make bench`` measured, one row for each operation.
``{cost-table} image_level``: time and memory of every system of a kind of label at the size of VOC.
"""

from math import floor, log10
from statistics import median
from typing import Any

from docutils import nodes
from recipes_table import cost_of
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from wsss_book import link, results_folder, table

from wsss_lib.results import read_result
from wsss_lib.survey import find_cards

LOGGER = logging.getLogger(__name__)
HEAD = (
    "operation", "size", "ours", "peer", "peer takes", "× as long", "one thread each", "difference",
    "MiB", "GPU",
)  # fmt: skip
COSTS = (("voc_size_cpu", "CPU", 1000, "s"), ("voc_size", "GPU", 1, "ms"))
"""Folder of results, what it was measured on, milliseconds of a unit, and the unit."""
NOT_MEASURED = "not measured"
SMALLEST = 1e-5
"""Differences below it are rounded to nothing in the files."""


class BenchTable(SphinxDirective):
    """All of ``results/bench``, and the machine that they were measured on."""

    def run(self) -> list[nodes.Node]:
        """Build the table, or fail the strict build."""
        found = [read_result(path) for path in sorted((results_folder() / "bench").glob("*.json"))]
        if not found:
            LOGGER.warning("bench-table: no results; run make bench", location=self.get_location())
            return []
        first = found[0]
        text = (
            f"Measured on: {first['device']}, {first['threads']} threads, PyTorch {first['torch']}"
        )
        gpus = sorted({result["gpu"]["name"] for result in found if "gpu" in result})
        text += f"; GPU: {', '.join(gpus)}." if gpus else "; no GPU."
        return [
            table(HEAD, [_line(result) for result in found], ["results-table"]),
            nodes.paragraph("", text),
        ]


def _line(result: dict[str, Any]) -> list[str]:
    mine, other = (
        median(run[key] for run in result["runs"]) for key in ("ours_seconds", "peer_seconds")
    )
    gpu = f"{figure(result['gpu']['seconds'])} s" if "gpu" in result else "–"
    alone = figure(result["ratio_one_thread"]) if "ratio_one_thread" in result else "–"
    difference = result["difference"]
    return [
        result["operation"],
        result["size"].replace(" × ", "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}"),
        f"{figure(mine)} s",
        result["peer"],
        f"{figure(other)} s",
        figure(result["ratio"]),
        alone,
        f"< {SMALLEST:f}".rstrip("0") if difference < SMALLEST else figure(difference, 1),
        f"{result['ours_peak_mb']:.0f} / {result['peer_peak_mb']:.0f}",
        gpu,
    ]


class CostTable(SphinxDirective):
    """Systems in rows; a photograph on a CPU and on a GPU in columns, as far as there are figures.

    What was not measured says so; a system that trains nothing has a dash for its step.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        kind = f"{self.arguments[0]}/"
        cards = {id: card for id, card in find_cards().items() if card.family.startswith(kind)}
        known = {id: [cost_of(id, folder) for folder, *_ in COSTS] for id in cards}
        shown = [place for place in range(len(COSTS)) if any(row[place] for row in known.values())]
        head = ["system", "M weights"]
        for place in shown:
            head += [f"{COSTS[place][1]}: answer", "step", "MiB"]
        rows = []
        for id, card in cards.items():
            cost = next((cost for cost in known[id] if cost), None)
            weights = f"{cost['weights_m']:.0f}" if cost else "–"
            cells = [cell for n in shown for cell in _cells(known[id][n], *COSTS[n][2:])]
            rows.append([[link(f"system-{id}", card.name)], weights, *cells])
        return [table(head, rows, ["results-table"])]


def _cells(cost: dict[str, float] | None, unit: float, name: str) -> list[str]:
    """An answer, a step, and what each needs."""
    if cost is None:
        return [NOT_MEASURED, "", ""]
    times = [cost.get(f"{part}_ms") for part in ("answer", "step")]
    memory = [cost.get(f"{part}_mb") for part in ("answer", "step")]
    return [
        *("–" if time is None else f"{figure(time / unit)} {name}" for time in times),
        " / ".join("–" if most is None else f"{most:,.0f}" for most in memory),
    ]


def figure(value: float, digits: int = 2) -> str:
    """A positive number with so many digits that count, without exponents: 190, 0.23, 0.0012."""
    places = digits - 1 - floor(log10(value))
    return f"{round(value, places):.{max(0, places)}f}"


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("bench-table", BenchTable)
    app.add_directive("cost-table", CostTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
