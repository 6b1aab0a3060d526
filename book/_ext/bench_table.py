"""``{bench-table}``: what ``make bench`` measured, one row for each operation."""

from math import floor, log10
from statistics import median
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from wsss_book import results_folder, table

from wsss_lib.results import read_result

LOGGER = logging.getLogger(__name__)
HEAD = (
    "operation", "size", "ours", "peer", "peer takes", "× as long", "one thread each", "difference",
    "MiB", "GPU",
)  # fmt: skip
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


def figure(value: float, digits: int = 2) -> str:
    """A positive number with so many digits that count, without exponents: 190, 0.23, 0.0012."""
    places = digits - 1 - floor(log10(value))
    return f"{round(value, places):.{max(0, places)}f}"


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("bench-table", BenchTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
