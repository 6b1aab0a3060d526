"""A leaderboard to sort, filter and search: a dot with its spread for every system."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from wsss_lib.core import InputError
from wsss_lib.show.live.figure import LiveFigure
from wsss_lib.show.picture import FONT, INK, LABEL_COLOURS, WIDTH, Picture, drawn_on

PLACES = 3
"""Digits behind the point that are shown."""


@dataclass(frozen=True)
class Gain:
    """What a system gains over its control at the home dose of its family.

    Attributes:
        mean: paired gain over the worlds.
        error: two standard errors of it.
        response: what is counted; gains of two responses do not compare.
    """

    mean: float
    error: float
    response: str


@dataclass(frozen=True)
class Entry:
    """A row of the leaderboard.

    Attributes:
        name: of the system.
        address: of the section that explains it, "" where none does.
        family: leaf of the taxonomy, in words.
        label: weak label that it learns from, a key of ``LABEL_COLOURS``.
        hidden: supervision besides, in a word or two each, such as "masks of SAM".
        system: whether a paper has it; otherwise a control or a variant.
        miou: mean IoU over the runs.
        spread: standard deviation over them, 0 of one run.
        gain: at the home dose, None where none was measured.
        seconds: of training and answering.
        memory: that training took on top of what was in use, in MB.
    """

    name: str
    address: str
    family: str
    label: str
    hidden: tuple[str, ...]
    system: bool
    miou: float
    spread: float
    gain: Gain | None
    seconds: float
    memory: float


def live_leaderboard(entries: Sequence[Entry]) -> LiveFigure:
    """A leaderboard to sort, filter and search.

    Args:
        entries: in any order; the figure begins with the best mean IoU.

    Raises:
        InputError: two entries have one name, there is none, or a label is unknown.
    """
    names = [entry.name for entry in entries]
    if not names or len(set(names)) < len(names):
        raise InputError(
            f"live_leaderboard: {len(names)} entries of {len(set(names))} names; "
            "give at least one, and each a name of its own."
        )
    labels = list(dict.fromkeys(entry.label for entry in entries))
    if unknown := set(labels) - set(LABEL_COLOURS):
        raise InputError(
            f"live_leaderboard: no colour of {', '.join(sorted(unknown))}; labels are "
            f"{', '.join(LABEL_COLOURS)}."
        )
    colours = {label: LABEL_COLOURS[label] for label in labels}
    best = sorted((e for e in entries if e.system), key=lambda entry: -entry.miou)
    data = {"rows": [asdict(entry) for entry in entries], "colours": colours, "places": PLACES}
    alt = "Dots with bars on one axis of mean IoU, the best on top: " + ", ".join(
        f"{entry.name} {entry.miou:.2f}" for entry in best
    )
    return LiveFigure("leaderboard", data, _dots(best, colours), alt + ".")


def _dots(entries: Sequence[Entry], colours: dict[str, str]) -> Picture:
    """What paper shows: all systems, sorted, the spread as a bar."""
    figure, axis = drawn_on(WIDTH, 1.0 + 0.2 * len(entries))
    for label, colour in colours.items():
        mine = [(place, entry) for place, entry in enumerate(entries) if entry.label == label]
        if mine:
            axis.errorbar(
                [entry.miou for _, entry in mine], [place for place, _ in mine],
                xerr=[entry.spread for _, entry in mine], color=colour, marker="o", markersize=6,
                capsize=3, linewidth=1.6, linestyle="none", label=label,
            )  # fmt: skip
    axis.set_yticks(range(len(entries)), [entry.name for entry in entries], fontsize=FONT)
    axis.invert_yaxis()
    axis.set_xlabel("mean IoU in the standard world", fontsize=FONT)
    axis.legend(fontsize=FONT, frameon=False, labelcolor=INK, loc="lower right")
    return figure
