"""``{bench-table}``: what ``make bench`` measured, one row for each operation."""

from statistics import median
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from wsss_book import results_folder, table

from wsss_lib.results import read_result

LOGGER = logging.getLogger(__name__)
HEAD = ("operation", "size", "ours", "peer", "peer takes", "× as long", "difference", "MiB", "GPU")


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
    gpu = f"{result['gpu']['seconds']:.2g} s" if "gpu" in result else "–"
    return [
        result["operation"],
        result["size"],
        f"{mine:.2g} s",
        result["peer"],
        f"{other:.2g} s",
        f"{result['ratio']:.2g}",
        f"{result['difference']:.0e}",
        f"{result['ours_peak_mb']:.0f} / {result['peer_peak_mb']:.0f}",
        gpu,
    ]


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("bench-table", BenchTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
