"""What the book adds to Sphinx: measured figures, cards, tables of systems, and quizzes.

Numbers in the prose are never typed. ``{result}`toy/cam:miou` `` reads them from
``results/toy/cam.json``, and a figure that is missing fails the strict build.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from PIL import Image
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from wsss_lib import survey
from wsss_lib.core import Card, InputError
from wsss_lib.results import read_result
from wsss_lib.show.picture import SHARPER

LOGGER = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[2]

METRICS = {
    "miou": "mIoU",
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

NAMES = {
    "cam_longer": "CAM, trained longer (control)",
    "segmenter_cam": "segmenter taught by CAM labels",
    "segmenter_pamr": "segmenter taught by PAMR labels",
    "segmenter_affinitynet": "segmenter taught by AffinityNet labels",
    "ceiling": "segmenter taught by masks (ceiling)",
    "segmenter_grabcut": "segmenter taught by GrabCut masks",
    "cam_vit": "CAM on the toy transformer",
    "superpixels": "superpixel means",
    "walker": "random walker",
    "grabcut": "GrabCut",
    "tags": "image labels",
    "extremes": "extreme points",
    "scores": "scores of the stage before",
}
"""What results are called that are no system of their own."""

THRESHOLDS = {
    "held-out": "threshold chosen on held-out images",
    "fixed": "threshold fixed in advance",
    "argmax": "labels by the network's own argmax",
    "train-gt": "threshold chosen on the scored images",
    "none": "no threshold",
}
"""What the rules of a protocol say in the note below a table."""

SMOKE = (
    "A trial build for tests: notebooks trained a third as long as they should. "
    "<code>make book</code> builds the book that is read."
)
MINUS = "\N{MINUS SIGN}"
GPU_MARK = "\N{DAGGER}"
_DIGITS = {
    "seconds": 0, "seconds_per_image": 2, "peak_memory_mb": 0, "threshold": 2,
    "weights_m": 1, "answer_ms": 1, "answer_mb": 0, "step_ms": 1, "step_mb": 0,
    "first_ms": 0, "again_ms": 0,
}  # fmt: skip
_ONCE = {"weights_m", "answer_mb", "step_mb"}
"""Figures of a run that are taken once, not once for each repeat: they have no spread."""


def results_folder() -> Path:
    """Where measured figures lie; WSSS_RESULTS points tests elsewhere."""
    return Path(os.environ.get("WSSS_RESULTS", ROOT / "results"))


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
    """Mean, spread and count of a figure.

    Raises:
        InputError: the result has no such figure.
    """
    summary = result.get("summary", {})
    # Paired differences between two results stand beside the summary, not in it.
    entry = summary.get(metric, result.get(metric))
    if not isinstance(entry, dict) or "mean" not in entry:
        raise InputError(
            f"{result.get('method')!r} has no figure {metric!r}; it has {', '.join(summary)}."
        )
    return entry


def look_up(target: str) -> tuple[dict[str, Any], str]:
    """Split toy/cam:miou into the content of its result file and the figure's name.

    Raises:
        InputError: no such file, or no colon.
    """
    name, colon, metric = target.partition(":")
    if not colon:
        raise InputError(f"{target!r}: write it as data/method:figure, such as toy/cam:miou.")
    return read_result(results_folder() / f"{name}.json"), metric


class ResultRole(SphinxRole):
    """``{result}`toy/cam:miou` ``: mean and spread over the seeds of a measured figure.

    ``{result}`toy/pamr:miou - toy/cam:miou` `` is the difference of two means.
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
    """``{results-table} toy/cam toy/pamr``: measured figures beside those of the papers.

    Patterns such as ``toy/*`` are allowed; results are then sorted by their mean IoU. What all rows
    share of their protocol is said once, below the table, and only the rest has columns. ``:bare:``
    leaves out the protocol, where a table just above has it; ``:head:`` names the first column
    where its lines are no systems.
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
            for metric in metrics:
                if not any(_figure(result, metric) for result in results):
                    raise InputError(f"none of these results has a figure {metric!r}.")
        except InputError as error:
            LOGGER.warning("results-table: %s", error, location=self.get_location())
            return []
        protocol, shared = ({}, "") if "bare" in self.options else _protocol(results)
        head = [self.options.get("head", "system"), *[METRICS.get(name, name) for name in metrics]]
        head += protocol
        if "reported" in self.options:
            head.append("paper, VOC val")
        rows = [
            [*self._line(result, metrics), *cells, *self._paper(result)]
            for result, *cells in zip(results, *protocol.values(), strict=True)
        ]
        shown: list[nodes.Node] = [table(head, rows, ["results-table"])]
        notes = [shared] if shared else []
        if any(GPU_MARK in cell for row in rows for cell in row if isinstance(cell, str)):
            note = "the same worlds and seeds, measured again on a GPU (results/toy_gpu)."
            notes.append(f"{GPU_MARK} {note}")
        return shown + [nodes.paragraph("", note, classes=["table-note"]) for note in notes]

    def _line(self, result: dict[str, Any], metrics: list[str]) -> list[Any]:
        id = str(result["method"])
        card = survey.find_cards().get(id)
        cells: list[Any] = [[link(f"system-{id}", NAMES.get(id) or (card.name if card else id))]]
        for metric in metrics:
            # A column may concern some systems only; one that concerns none is a mistake. In a
            # narrow column, a spread goes below its mean as a whole.
            figure = _figure(result, metric) or "–"
            cells.append(figure.replace("± ", "±\N{NO-BREAK SPACE}"))
        return cells

    def _paper(self, result: dict[str, Any]) -> list[str]:
        if "reported" not in self.options:
            return []
        line = survey.reported_for(str(result["method"]))
        return [f"{line.val} ({line.backbone})" if line and line.val else "–"]


def _protocol(results: list[dict[str, Any]]) -> tuple[dict[str, list[str]], str]:
    """Columns of the protocol in which results differ, and a note of what all share."""
    known = ["yes" if result["protocol"]["labels_at_inference"] else "no" for result in results]
    rules = [result["protocol"]["threshold_rule"] for result in results]
    counts = [str(len(result["runs"])) for result in results]
    several = "1 run" if counts[0] == "1" else f"{counts[0]} runs, mean ± standard deviation"
    columns, shared = {}, []
    for name, values, text in (
        ("labels known", known, f"labels {'not ' * (known[0] == 'no')}known at inference"),
        ("threshold by", rules, THRESHOLDS[rules[0]]),
        ("runs", counts, several),
    ):
        if len(set(values)) == 1:
            shared.append(text)
        else:
            columns[name] = values
    return columns, f"All rows: {'; '.join(shared)}." if shared else ""


def _figure(result: dict[str, Any], metric: str) -> str:
    """The figure, else what a GPU measured, marked, else ""."""
    return _text_or_nothing(result, metric) or _from_gpu(result, metric)


def _text_or_nothing(result: dict[str, Any], metric: str) -> str:
    try:
        return figure_text(result, metric)
    except InputError:
        return ""


def _from_gpu(result: dict[str, Any], metric: str) -> str:
    """What a run on a GPU measured in addition, marked; "" where there is no such run."""
    path = results_folder() / f"{result['data']}_gpu" / f"{result['method']}.json"
    if not path.is_file():
        return ""
    text = _text_or_nothing(read_result(path), metric)
    return text and text + GPU_MARK


def _results(pattern: str) -> list[dict[str, Any]]:
    if not re.search(r"[*?\[]", pattern):
        return [read_result(results_folder() / f"{pattern}.json")]
    found = [read_result(path) for path in sorted(results_folder().glob(f"{pattern}.json"))]
    found = [result for result in found if "miou" in result.get("summary", {})]
    if not found:
        raise InputError(f"no result matches {pattern!r} in {results_folder()}.")
    return sorted(found, key=lambda result: result["summary"]["miou"]["mean"])


class CardDirective(SphinxDirective):
    """``{system-card} cam``: a system's index card, and the anchor ``system-cam``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Render the card, or fail the strict build."""
        card = survey.find_cards().get(self.arguments[0])
        if card is None:
            known = ", ".join(survey.find_cards())
            LOGGER.warning(
                "system-card: no system %r; there are %s", self.arguments[0], known,
                location=self.get_location(),
            )  # fmt: skip
            return []
        target = nodes.target("", "", ids=[f"system-{card.id}"])
        self.env.get_domain("std").note_hyperlink_target(  # type: ignore[attr-defined]
            f"system-{card.id}", self.env.docname, f"system-{card.id}", card.name
        )
        box = nodes.container(classes=["card-box"])
        box += nodes.rubric("", f"{card.name}: index card")
        items = nodes.field_list()
        for name, value in card_lines(card):
            body = nodes.field_body("", value)
            items += nodes.field("", nodes.field_name("", name), body)
        box += items
        return [target, box]


def card_lines(card: Card) -> list[tuple[str, nodes.Element]]:
    """What a card says, line by line."""
    line = survey.reported_for(card.id)
    built = {
        "faithful": "faithful",
        "reduced": "reduced: smaller, the same idea",
        "reconstruction": "reconstruction: parts had to be guessed",
    }
    paper = nodes.paragraph("", f"{card.authors}: {card.title}. {card.venue} {card.year}. ")
    paper += nodes.reference("", card.paper, refuri=_address(card.paper))
    lines: list[tuple[str, nodes.Element]] = [
        ("Paper", paper),
        ("Learns from", nodes.paragraph("", ", ".join(card.supervision))),
        ("Hidden supervision", nodes.paragraph("", ", ".join(card.needs) or "none beyond that")),
        (
            "Input",
            nodes.paragraph(
                "", "the scores of an earlier stage" if card.needs_scores else "images"
            ),
        ),
        (
            "Labels at inference",
            nodes.paragraph("", "needed" if card.uses_tags_at_inference else "not needed"),
        ),
        ("Fidelity", nodes.paragraph("", built[card.fidelity])),
    ]
    if card.differs:
        items = [nodes.list_item("", nodes.paragraph("", text)) for text in card.differs]
        lines.append(("Differs from the paper", nodes.bullet_list("", *items)))
    if line is not None:
        text = f"VOC 2012 val {line.val or '–'}, test {line.test or '–'} ({line.backbone})"
        lines.append(("Reported in the survey", nodes.paragraph("", text)))
    if card.official:
        code = nodes.paragraph("", "")
        code += nodes.reference("", card.official, refuri=card.official)
        lines.append(("Authors' code", code))
    return lines


def _address(paper: str) -> str:
    if paper.startswith("arXiv:"):
        return "https://arxiv.org/abs/" + paper.removeprefix("arXiv:")
    return paper if paper.startswith("http") else f"https://doi.org/{paper.removeprefix('doi:')}"


class SystemsTable(Directive):
    """``{systems-table}``: every system of the survey by taxonomy, built or not."""

    def run(self) -> list[nodes.Node]:
        """One table with a line per system; families are headed by a line of their own."""
        rows: list[list[Any]] = []
        family = ""
        for system in survey.systems():
            if system.family != family:
                family = system.family
                rows.append([[nodes.strong("", survey.FAMILIES[family])], "", "", ""])
            paper = f"{system.authors}, {system.venue} {system.year}"
            name: Any = [link(f"system-{system.id}", system.name)] if system.card else system.name
            rows.append([name, paper, system.section, "built" if system.card else "not yet"])
        return [table(["system", "paper", "survey", "here"], rows, ["systems-table"])]


class ErrataTable(Directive):
    """``{errata-table}``: what the survey prints and should read otherwise."""

    def run(self) -> list[nodes.Node]:
        """One line per correction."""
        names = {system.id: system.name for system in survey.systems()}
        rows = [
            [
                item.place,
                names.get(item.system, ""),
                item.printed,
                item.correct,
                item.evidence + ("" if item.checked else " (not checked against the source)"),
            ]
            for item in survey.errata()
        ]
        head = ["place", "system", "printed", "should read", "evidence"]
        return [table(head, rows, ["errata-table"])]


class quiz_option(nodes.General, nodes.Element):
    """An option of a quiz: a summary that opens its feedback."""


class quiz_summary(nodes.General, nodes.TextElement):
    """What an option says before it is chosen."""


class Quiz(SphinxDirective):
    """A multiple-choice question that works without JavaScript.

    The body is the question, then a list. An item begins with ``[x]`` (right) or ``[ ]`` (wrong);
    what follows in further paragraphs is the feedback for this option, which must not be empty.
    """

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Build the question, or fail the strict build."""
        box = nodes.container(classes=["quiz"])
        self.state.nested_parse(self.content, self.content_offset, box)
        lists = [child for child in box.children if isinstance(child, nodes.bullet_list)]
        problem = "needs a question and then one list of options" if len(lists) != 1 else ""
        right = 0
        for item in lists[0].children if len(lists) == 1 else []:
            first, *feedback = item.children
            mark = re.match(r"\[([ x])\]\s*", first.astext())
            if not mark or not feedback:
                problem = "each option begins with [x] or [ ] and has feedback below it"
                break
            is_right = mark[1] == "x"
            right += is_right
            text = first.children[0]
            first.replace(text, nodes.Text(text.astext()[len(mark[0]) :]))
            summary = quiz_summary("", "", *first.children)
            verdict = nodes.strong("", "Right. " if is_right else "Not so. ")
            feedback[0].insert(0, verdict)
            option = quiz_option("", summary, *feedback)
            option["classes"] = ["right" if is_right else "wrong"]
            box += option
        if not problem and right != 1:
            problem = f"needs exactly one right option, not {right}"
        if problem:
            LOGGER.warning("quiz %s", problem, location=self.get_location())
            return []
        box.remove(lists[0])
        return [box]


def visit_option(self: Any, node: nodes.Element) -> None:
    """Open an option."""
    self.body.append(f'<details class="quiz-option {" ".join(node["classes"])}">')


def depart_option(self: Any, node: nodes.Element) -> None:
    """Close an option."""
    self.body.append("</details>\n")


def visit_summary(self: Any, node: nodes.Element) -> None:
    """Open what an option says."""
    self.body.append("<summary>")


def depart_summary(self: Any, node: nodes.Element) -> None:
    """Close what an option says."""
    self.body.append("</summary>\n")


def skip(self: Any, node: nodes.Element) -> None:
    """Other formats show the text alone."""


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
    """Text pages that draw their figures are no notebooks to open on Colab."""
    if doctree is None or Path(app.env.doc2path(page)).suffix == ".ipynb":
        return
    context["header_buttons"] = [
        button
        for button in context.get("header_buttons", [])
        if button.get("label") != "launch-buttons"
    ]


def size_figures(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Show drawn figures at the size that they were drawn for, with pixels to spare."""
    for image in doctree.findall(nodes.image):
        path = Path(app.srcdir) / image["uri"]
        if "jupyter_execute" in path.parts and path.suffix == ".png" and "width" not in image:
            with Image.open(path) as picture:
                image["width"] = f"{round(picture.width / SHARPER)}px"


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
    app.add_directive("results-table", ResultsTable)
    app.add_directive("system-card", CardDirective)
    app.add_directive("systems-table", SystemsTable)
    app.add_directive("errata-table", ErrataTable)
    app.add_directive("quiz", Quiz)
    others = {name: (skip, skip) for name in ("latex", "text", "man", "texinfo")}
    app.add_node(quiz_option, html=(visit_option, depart_option), **others)
    app.add_node(quiz_summary, html=(visit_summary, depart_summary), **others)
    app.connect("missing-reference", drop_unresolved)
    app.connect("html-page-context", launch_only_notebooks, priority=900)
    app.connect("html-page-context", without_thebe, priority=900)
    app.connect("html-page-context", say_the_mode)
    app.connect("doctree-resolved", size_figures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
