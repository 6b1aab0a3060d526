"""Measured costs.

``{bench-table}``: what ``make bench`` measured, one row for each operation.
``{cost-table} image_level``: time and memory of every system of a kind of label at the size of VOC.
"""

from math import floor, log10
from statistics import median
from typing import Any

from docutils import nodes
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
COSTS = (
    "system", "M weights", "CPU: answer", "step", "MiB", "GPU: answer", "step", "MiB",
)  # fmt: skip
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
    """Systems in rows; a photograph on a CPU and on a GPU in columns.

    What was not measured says so; a system that trains nothing has a dash for its step.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        rows = [
            [[link(f"system-{id}", card.name)], *_costs(id)]
            for id, card in find_cards().items()
            if card.family.startswith(f"{self.arguments[0]}/")
        ]
        return [table(COSTS, rows, ["results-table"])]


def _costs(id: str) -> list[str]:
    """Millions of weights; then for a CPU and for a GPU an answer, a step, and their memory."""
    cells, weights = [], "–"
    for folder, unit, shown in (("voc_size_cpu", 1000, "s"), ("voc_size", 1, "ms")):
        path = results_folder() / folder / f"{id}.json"
        if not path.is_file():
            cells += [NOT_MEASURED, NOT_MEASURED, NOT_MEASURED]
            continue
        cost = {name: value["mean"] for name, value in read_result(path)["summary"].items()}
        weights = f"{cost['weights_m']:.0f}"
        times = [cost.get(f"{name}_ms") for name in ("answer", "step")]
        memory = [cost.get(f"{name}_mb") for name in ("answer", "step")]
        cells += ["–" if time is None else f"{figure(time / unit)} {shown}" for time in times]
        cells.append(" / ".join("–" if most is None else f"{most:,.0f}" for most in memory))
    return [weights, *cells]


def figure(value: float, digits: int = 2) -> str:
    """A positive number with so many digits that count, without exponents: 190, 0.23, 0.0012."""
    places = digits - 1 - floor(log10(value))
    return f"{round(value, places):.{max(0, places)}f}"


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("bench-table", BenchTable)
    app.add_directive("cost-table", CostTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
