"""What the book adds to Sphinx: measured figures, alone and in tables, and what pages look like.

Numbers in the prose are never typed. ``{result}`standard/cam:miou` `` reads them from
``results/standard/cam.json``, and a figure that is missing fails the strict build.
"""

import os
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from textwrap import shorten
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from measured import ROOT, called, results_folder
from set_repository import address, version
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from wsss_lib.core import InputError
from wsss_lib.data.toy import VARIANTS
from wsss_lib.results import read_result, summarise
from wsss_lib.survey_rows import line_of

LOGGER = logging.getLogger(__name__)
METRICS = {
    "miou": "mIoU",
    "otsu_miou": "with Otsu's threshold",
    "oracle_miou": "with the best threshold",
    "precision": "precision",
    "recall": "recall",
    "false_positive": "over-activation",
    "false_negative": "under-activation",
    "boundary_iou": "boundary IoU",
    "head_recall": "head recall",
    "body_recall": "body recall",
    "threshold": "threshold",
    "seconds": "seconds",
    "seconds_per_image": "seconds per image",
    "peak_memory_mb": "peak memory (MB)",
    "labels_miou": "its labels",
    "train_miou": "on its labels' images",
    "gain_over_labels": "gain over its labels",
    "train_miou_with_tags": "the same, tags known",
    "gain_over_labels_with_tags": "gain, tags known to both",
    "gain_over_cam": "paired gain over CAM",
    "gain_over_bbox_rect": "paired gain over filled boxes",
    "gain_over_pce": "paired gain over partial cross-entropy",
    "val_miou": "its own network on new images",
    "refined_miou": "after PAMR",
    "refined_boundary_iou": "boundary IoU after PAMR",
    "network_miou": "network on new images",
    "weights_m": "weights (millions)",
    "answer_ms": "answer (ms)",
    "answer_mb": "memory (MiB)",
    "step_ms": "training (ms)",
    "step_mb": "its memory (MiB)",
    "first_ms": "first look (ms)",
    "again_ms": "next looks (ms)",
}
"""Column heads of the figures that results hold."""

THRESHOLDS = {
    "held-out": "threshold chosen on held-out images",
    "fixed": "threshold fixed in advance",
    "argmax": "labels by the network's own argmax",
    "train-gt": "threshold chosen on the scored images",
    "tuning": "threshold chosen on the masks of a world that is never reported",
    "none": "no threshold",
}
"""What the rules of a protocol say in the note below a table."""

SMOKE = (
    "A trial build for tests: notebooks trained for a dozen steps only. "
    "<code>make book</code> builds the book that is read."
)
CLASS_FIGURES = [f"iou_{name}" for name in ("background", *VARIANTS["standard"].classes)]
"""IoU by class, in the order in which runs hold them."""
MINUS = "\N{MINUS SIGN}"
_DIGITS = {
    "seconds": 0, "seconds_per_image": 2, "peak_memory_mb": 0, "threshold": 2,
    "weights_m": 1, "answer_ms": 1, "answer_mb": 0, "step_ms": 1, "step_mb": 0,
    "first_ms": 0, "again_ms": 0,
}  # fmt: skip
_ONCE = {"weights_m", "answer_mb", "step_mb"}
"""Figures of a run that are taken once, not once for each repeat: they have no spread."""


def figure_text(result: dict[str, Any], metric: str) -> str:
    """A measured figure, such as "0.470 ± 0.012"; one run has no spread.

    Raises:
        InputError: the result has no such figure.
    """
    entry = summary_of(result, metric)
    digits = _DIGITS.get(metric, 3)
    sign = "+" if metric.startswith("gain") else ""
    text = f"{entry['mean']:{sign}.{digits}f}".replace("-", MINUS)
    several = entry.get("n", 1) > 1 and metric not in _ONCE
    return f"{text} ± {entry['sd']:.{digits}f}" if several else text


def summary_of(result: dict[str, Any], metric: str) -> dict[str, float]:
    """Mean, spread and count of a figure; "iou_boat" is the IoU of one class of the toy world.

    Raises:
        InputError: the result has no such figure.
    """
    summary = result.get("summary", {})
    if metric in CLASS_FIGURES:
        place = CLASS_FIGURES.index(metric)
        known = [{metric: run["iou"][place]} for run in result["runs"] if "iou" in run]
        summary = summarise(known or [{}])
    # Paired differences between two results stand beside the summary, not in it.
    entry = summary.get(metric, result.get(metric))
    if not isinstance(entry, dict) or "mean" not in entry:
        raise InputError(
            f"{result.get('method')!r} has no figure {metric!r}; it has {', '.join(summary)}."
        )
    return entry


def look_up(target: str) -> tuple[dict[str, Any], str]:
    """Split standard/cam:miou into the content of its result file and the figure's name.

    Raises:
        InputError: no such file, or no colon.
    """
    name, colon, metric = target.partition(":")
    if not colon:
        raise InputError(f"{target!r}: write it as data/method:figure, such as standard/cam:miou.")
    return read_result(results_folder() / f"{name}.json"), metric


class ResultRole(SphinxRole):
    """``{result}`standard/cam:miou` ``: mean and spread over the seeds of a measured figure.

    ``{result}`standard/pamr:miou - standard/cam:miou` `` is the difference of two means.
    """

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Read the figure, or fail the strict build."""
        try:
            if " - " in self.text:
                left, right = (self._mean(part) for part in self.text.split(" - "))
                text = f"{left - right:+.3f}".replace("-", MINUS)
            else:
                result, metric = look_up(self.text)
                text = figure_text(result, metric)
        except InputError as error:
            LOGGER.warning("result: %s", error, location=self.get_location())
            return [nodes.inline("", "?", classes=["result", "missing"])], []
        return [nodes.inline("", text, classes=["result"])], []

    def _mean(self, target: str) -> float:
        return float(summary_of(*look_up(target.strip()))["mean"])


class RepositoryRole(SphinxRole):
    """``{repository}`CONTRIBUTING.md` ``: a file of the repository, at the version of this book."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Link to the file, which must be there."""
        if not (ROOT / self.text).is_file():
            LOGGER.warning("repository: no file %r", self.text, location=self.get_location())
        found = f"{address()}/blob/v{version()}/{self.text}"
        return [nodes.reference("", self.text, refuri=found)], []


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], classes: list[str]) -> nodes.table:
    """A docutils table; a cell is a text or a list of inline nodes."""
    group = nodes.tgroup(cols=len(head))
    group += [nodes.colspec(colwidth=1) for _ in head]
    group += nodes.thead("", _row(head))
    group += nodes.tbody("", *[_row(row) for row in rows])
    return nodes.table("", group, classes=classes)


def _row(cells: Sequence[Any]) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        inline = [nodes.Text(str(cell))] if not isinstance(cell, list) else cell
        row += nodes.entry("", nodes.paragraph("", "", *inline))
    return row


def link(label: str, text: str) -> addnodes.pending_xref:
    """A link to ``(label)=`` somewhere in the book; plain text where there is no such label."""
    node = addnodes.pending_xref(
        "", nodes.inline("", text), refdomain="std", reftype="ref", reftarget=label,
        refexplicit=True, refwarn=False,
    )  # fmt: skip
    node["optional"] = True
    return node


class ResultsTable(SphinxDirective):
    """``{results-table} standard/cam standard/pamr``: measured figures beside those of the papers.

    Patterns such as ``horses/*`` are allowed; results are then sorted by their mean IoU. What all
    rows share of their protocol is said once, below the table; only the rest has columns.
    ``:bare:`` leaves out the protocol, where a table just above has it; ``:head:`` names the first
    column where its lines are no systems.
    """

    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {
        "metrics": directives.unchanged,
        "reported": directives.flag,
        "bare": directives.flag,
        "head": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        """Build the table, or fail the strict build."""
        metrics = self.options.get("metrics", "miou precision recall seconds").split()
        try:
            results = [item for pattern in self.arguments[0].split() for item in _results(pattern)]
            return results_table(
                results, metrics, "reported" in self.options, "bare" in self.options,
                self.options.get("head", "system"),
            )  # fmt: skip
        except InputError as error:
            LOGGER.warning("results-table: %s", error, location=self.get_location())
            return []


def results_table(
    results: Sequence[dict[str, Any]],
    metrics: Sequence[str],
    reported: bool = False,
    bare: bool = False,
    first: str = "system",
) -> list[nodes.Node]:
    """Measured figures, a row for each result, and what is said below them.

    Args:
        results: contents of result files.
        metrics: names of their figures, one a column.
        reported: the figures of the papers stand beside them.
        bare: the protocol stands elsewhere.
        first: head of the first column.

    Raises:
        InputError: no result has a figure, or they are of several devices.
    """
    for metric in metrics:
        if not any(_text_or_nothing(result, metric) for result in results):
            raise InputError(f"none of these results has a figure {metric!r}.")
    if len({str(result.get("device", "CPU")).split(",")[0] for result in results}) > 1:
        raise InputError("one device a table: these results are of several.")
    protocol, notes = ({}, []) if bare else _protocol(results)
    of = "" if set(metrics) <= set(CLASS_FIGURES) else "IoU of "
    head = [first, *[METRICS.get(name, of + name.removeprefix("iou_")) for name in metrics]]
    head += protocol
    head += ["paper, VOC val"] * reported
    rows = [
        [*_line(result, metrics), *cells, *([_paper(result)] * reported)]
        for result, *cells in zip(results, *protocol.values(), strict=True)
    ]
    counts = sorted({len(result["runs"]) for result in results})
    runs = " or ".join(map(str, counts)) + (" run" if counts == [1] else " runs")
    if any("±" in cell for row in rows for cell in row if isinstance(cell, str)):
        notes.append(f"± is the standard deviation over {runs}.")
    elif not bare:
        notes.append(f"{runs}.")
    shown: list[nodes.Node] = [table(head, rows, ["results-table"])]
    if notes:
        shown.append(nodes.paragraph("", " ".join(notes), classes=["table-note"]))
    return shown


def _line(result: dict[str, Any], metrics: Sequence[str]) -> list[Any]:
    id = str(result["method"])
    # A column may concern some systems only; one that concerns none is a mistake. In a narrow
    # column, a spread goes below its mean as a whole.
    cells = [_text_or_nothing(result, metric) or "–" for metric in metrics]
    return [
        [link(f"system-{id}", called(id))],
        *[cell.replace("± ", "±\N{NO-BREAK SPACE}") for cell in cells],
    ]


def _paper(result: dict[str, Any]) -> str:
    line = line_of(str(result["method"]))
    return line.on_val if line else "–"


FOLDED = {
    "What is found, and what is missed": (
        "precision", "recall", "head_recall", "body_recall", "boundary_iou",
    ),
    "IoU of each class": tuple(CLASS_FIGURES),
    "Other thresholds, and what it costs": (
        "threshold", "otsu_miou", "oracle_miou", "seconds", "peak_memory_mb",
    ),
}  # fmt: skip
"""What the standard world has of every system, below the table of its mean IoU."""


class StandardTable(SphinxDirective):
    """``{standard-table} cam cse``: everything that was measured in the standard world.

    The first table has the mean IoU and the gain over the floors; the others are folded. ``:val:``
    adds the mean IoU on new images, for networks.
    """

    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {"val": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Build the tables, or fail the strict build."""
        try:
            results = [_results(f"standard/{id}")[0] for id in self.arguments[0].split()]
            gains = dict.fromkeys(
                name for result in results for name in result if name.startswith("gain_over_")
            )
            main = ["miou", *gains, *(["val_miou"] if "val" in self.options else [])]
            more = nodes.admonition(
                "", nodes.title("", "Every figure of these rows"), classes=["dropdown"]
            )
            for name, metrics in FOLDED.items():
                # Who answers with labels has one threshold, and no better one.
                known = [
                    metric for metric in metrics
                    if any(_text_or_nothing(result, metric) for result in results)
                ]  # fmt: skip
                more += nodes.rubric("", name)
                more += results_table(results, known, bare=True)
            return [*results_table(results, main, reported=True), more]
        except InputError as error:
            LOGGER.warning("standard-table: %s", error, location=self.get_location())
            return []


def _protocol(results: list[dict[str, Any]]) -> tuple[dict[str, list[str]], list[str]]:
    """Columns of the protocol in which results differ, and a note of what all share."""
    known = ["yes" if result["protocol"]["labels_at_inference"] else "no" for result in results]
    rules = [result["protocol"]["threshold_rule"] for result in results]
    counts = [str(len(result["runs"])) for result in results]
    columns, shared = {}, []
    for name, values, text in (
        ("labels known", known, f"labels {'not ' * (known[0] == 'no')}known at inference"),
        ("threshold by", rules, THRESHOLDS[rules[0]]),
        ("runs", counts, ""),
    ):
        if len(set(values)) > 1:
            columns[name] = values
        elif text:
            shared.append(text)
    return columns, [f"All rows: {'; '.join(shared)}."] if shared else []


def _text_or_nothing(result: dict[str, Any], metric: str) -> str:
    try:
        return figure_text(result, metric)
    except InputError:
        return ""


def _results(pattern: str) -> list[dict[str, Any]]:
    if not re.search(r"[*?\[]", pattern):
        return [read_result(results_folder() / f"{pattern}.json")]
    found = [read_result(path) for path in sorted(results_folder().glob(f"{pattern}.json"))]
    found = [result for result in found if "miou" in result.get("summary", {})]
    if not found:
        raise InputError(f"no result matches {pattern!r} in {results_folder()}.")
    return sorted(found, key=lambda result: result["summary"]["miou"]["mean"])


def drop_unresolved(app: Sphinx, env: Any, node: nodes.Element, inner: nodes.Element) -> Any:
    """An optional link without a target becomes its text."""
    return inner if node.get("optional") else None


def without_thebe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Pages do not run code in the browser; the scripts for it, included twice, raise an error."""
    context["script_files"] = [
        file
        for file in context.get("script_files", [])
        if "thebe" not in f"{file} {getattr(file, 'attributes', '')}".lower()
    ]


def launch_only_notebooks(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Text pages that draw their figures are no notebooks to open on Colab.

    A notebook opens at the version of this book, which its first cell installs as well.
    """
    buttons = context.get("header_buttons", [])
    launch = [button for button in buttons if button.get("label") == "launch-buttons"]
    if doctree is None or Path(app.env.doc2path(page)).suffix == ".ipynb":
        for button in (inner for group in launch for inner in group["buttons"]):
            button["url"] = at_this_version(button["url"])
    else:
        context["header_buttons"] = [button for button in buttons if button not in launch]


def at_this_version(link: str) -> str:
    """The address of a file of the repository, at the tag of this book instead of a branch."""
    return re.sub(r"/blob/[^/]+/", f"/blob/v{version()}/", link)


def describe(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Links to a page are shown with its first sentences, not with those of its first picture."""
    if doctree is None:
        return
    for node in doctree.findall(nodes.paragraph):
        if isinstance(node.parent, nodes.section):
            text = escape(shorten(" ".join(node.astext().split()), 200, placeholder=" …"))
            context["meta"] = {**(context.get("meta") or {}), "og:description": text}
            context["metatags"] = (
                context.get("metatags", "") + f'<meta name="description" content="{text}">'
            )
            return


def say_the_mode(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Every page knows how long its notebooks trained; a smoke build says so to its reader."""
    mode = os.environ.get("WSSS_MODE", "fast")
    context["metatags"] = context.get("metatags", "") + f'<meta name="wsss-mode" content="{mode}">'
    if mode == "smoke":
        context["theme_announcement"] = SMOKE


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx what there is."""
    app.add_role("result", ResultRole())
    app.add_role("repository", RepositoryRole())
    app.add_directive("results-table", ResultsTable)
    app.add_directive("standard-table", StandardTable)
    app.connect("missing-reference", drop_unresolved)
    app.connect("html-page-context", launch_only_notebooks, priority=900)
    app.connect("html-page-context", without_thebe, priority=900)
    app.connect("html-page-context", say_the_mode)
    app.connect("html-page-context", describe, priority=400)  # before sphinxext.opengraph
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
