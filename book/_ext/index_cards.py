"""Cards of systems, the table of all of them, and the survey's errata."""

from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from folding import fold
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole
from wsss_book import link, table

from wsss_lib import survey
from wsss_lib.core import Card
from wsss_lib.survey_rows import line_of, notes

LOGGER = logging.getLogger(__name__)
LONG = 160
"""Letters of differences that a card shows without being asked."""


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
    line, said = line_of(card.id), notes().get(card.id)
    built = {
        "faithful": "faithful",
        "reduced": "reduced: smaller, the same idea",
        "reconstruction": "reconstruction: parts had to be guessed",
    }
    paper = nodes.paragraph("", f"{card.authors}: {card.title}. {card.venue} {card.year}. ")
    paper += nodes.reference("", card.paper, refuri=_address(card.paper))
    teacher, hidden = _teachers(card)
    texts = {
        "Learns from": teacher,
        "Hidden supervision": hidden,
        "Input": "images and the scores of an earlier stage" if card.needs_scores else "images",
        "Labels at inference": "needed" if card.uses_tags_at_inference else "not needed",
        "Fidelity": built[card.fidelity],
    }
    lines: list[tuple[str, nodes.Element]] = [("Paper", paper)]
    lines += [(name, nodes.paragraph("", text)) for name, text in texts.items()]
    if card.differs:
        items = [nodes.list_item("", nodes.paragraph("", text)) for text in card.differs]
        differs: nodes.Element = nodes.bullet_list("", *items)
        if len(differs.astext()) > LONG:
            count = f"in {len(items)} points" if len(items) > 1 else "in one point"
            differs = fold([nodes.Text(count)], [differs], ["card-fold"])
        lines.append(("Differs from the paper", differs))
    if line is not None:
        text = f"VOC 2012 val {line.val or '–'}, test {line.test or '–'}"
        text += f" ({line.backbone})" if line.backbone else ""
        text += _stands_on(card)
        if line.system != card.id:
            text += f". Printed as {line.method}; believed to be a line of {card.name}"
        lines.append(("Reported in the survey", nodes.paragraph("", text)))
    elif said is not None:
        name = survey.find_cards()[said.ours].name
        text = f"no line of its own; the one that bears its name is believed to be {name}'s"
        lines.append(("Reported in the survey", nodes.paragraph("", text)))
    if card.official:
        code = nodes.paragraph("", "")
        code += nodes.reference("", card.official, refuri=card.official)
        lines.append(("Authors' code", code))
    return lines


def _teachers(card: Card) -> tuple[str, str]:
    """What a system learns from, and what people paid for without being told."""
    hidden = ", ".join(card.needs) or "none beyond that"
    if card.family == "refine":
        return "nothing: it reads the image and the scores", "that of the scores"
    if "masks" in card.supervision:
        return "pseudo-labels of an earlier stage, or masks", "that of its pseudo-labels"
    return ", ".join(card.supervision), hidden


def _stands_on(card: Card) -> str:
    """What the reported figure needed beside its labels, where the table or ours does not say."""
    corrected = [e for e in survey.errata() if (e.system, e.what) == (card.id, "supervision")]
    hidden = survey.hidden().get(card.id)
    if corrected or hidden is None or not hidden.checked or card.needs:
        return "".join(f"; learned from {one.correct}" for one in corrected)
    return f"; needs {hidden.what} as well, {hidden.enters}"


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


class CountRole(SphinxRole):
    """``{systems}`built` ``: systems of the survey that are built here; ``all``: that it has."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Count them."""
        counts = {
            "all": len(survey.systems()),
            "built": sum(system.card is not None for system in survey.systems()),
        }
        return [nodes.inline("", str(counts[self.text]), classes=["result"])], []


class ErrataTable(Directive):
    """``{errata-table}``: what the survey prints and should read otherwise.

    Corrections that nobody has checked against the source are counted and not printed.
    """

    def run(self) -> list[nodes.Node]:
        """One line per correction that was checked."""
        names = {system.id: system.name for system in survey.systems()}
        rows = [
            [
                item.place,
                names.get(item.system, ""),
                item.printed,
                item.correct,
                item.evidence,
            ]
            for item in survey.errata()
            if item.checked
        ]
        rest = sum(not item.checked for item in survey.errata())
        note = f"{len(rows)} corrections; {rest} more are suspected and wait for the source."
        head = ["place", "system", "printed", "should read", "evidence"]
        return [table(head, rows, ["errata-table"]), nodes.paragraph("", note)]


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directives known."""
    app.add_directive("system-card", CardDirective)
    app.add_directive("systems-table", SystemsTable)
    app.add_directive("errata-table", ErrataTable)
    app.add_role("systems", CountRole())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
