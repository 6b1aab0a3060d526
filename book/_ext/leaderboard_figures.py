"""Everything that was measured in the standard world, as a leaderboard to sort and filter."""

from collections.abc import Callable
from typing import Any

import numpy as np
from measured import called, error_of, every_curve, gains_of, results_folder

from wsss_lib.core import Card, InputError
from wsss_lib.results import read_result
from wsss_lib.show.live import Entry, Gain, LiveFigure, live_leaderboard
from wsss_lib.survey import FAMILIES, find_cards

LABELS = {
    "tags": "image labels",
    "boxes": "boxes",
    "extremes": "extreme points",
    "scribble": "scribbles",
    "points": "points",
    "masks": "masks",
}
"""What a system learns from, by the first name in its protocol."""
HIDDEN = {
    "saliency, from a network that has seen masks of other classes": "saliency",
    "pairs of images and sentences, by CLIP": "CLIP",
    "boxes with names, by the detector": "detector",
    "masks without names, by SAM": "SAM",
    "a few masks, for the settings of the CRF": "few masks",
}
"""What a card calls its hidden supervision, as briefly as a cell needs it."""
RESPONSES = {
    "body_recall": "bodies found",
    "boat_iou": "IoU of boat",
    "miou": "mIoU",
    "val_miou": "mIoU, new images",
    "boundary_iou": "boundary IoU",
}
"""What a family counts, as briefly as a cell needs it."""
OTHERS = {"refine": "refining", "segmentation": "segmentation networks"}
"""Families of cards that the survey's taxonomy does not have."""
CONTROL = "control or variant"


def standard_leaderboard(address: Callable[[str], str]) -> LiveFigure:
    """All results of the standard world.

    Args:
        address: from the id of a system to the section that explains it, "" where none does.

    Raises:
        InputError: there are no results.
    """
    paths = sorted((results_folder() / "standard").glob("*.json"))
    if not paths:
        raise InputError(f"no results in {results_folder() / 'standard'}.")
    gains = home_gains()
    entries = [entry_of(read_result(path), gains, address) for path in paths]
    order = list(LABELS.values())
    return live_leaderboard(sorted(entries, key=lambda entry: order.index(entry.label)))


def home_gains() -> dict[str, Gain]:
    """By system, its paired gain over its control at the home dose of its family."""
    return {
        curve["system"]: Gain(float(np.mean(home)), error_of(home), RESPONSES[curve["response"]])
        for curve in every_curve()
        for home in [gains_of(curve)[curve["home"]]]
    }


def entry_of(
    result: dict[str, Any], gains: dict[str, Gain], address: Callable[[str], str]
) -> Entry:
    """The row of a result file."""
    id, protocol, summary = result["method"], result["protocol"], result["summary"]
    hidden = tuple(HIDDEN.get(need, need) for need in protocol["needs"])
    card = find_cards().get(id)
    return Entry(
        name=name_of(id), address=address(id), family=family_of(card),
        label=LABELS[protocol["supervision"][0]], hidden=hidden,
        system=card is not None, miou=summary["miou"]["mean"], spread=summary["miou"]["sd"],
        gain=gains.get(id), seconds=summary["seconds"]["mean"],
        memory=summary["peak_memory_mb"]["mean"],
    )  # fmt: skip


def name_of(id: str) -> str:
    """What a result is called where it stands among all others: a variant names its system."""
    name, cards = called(id), find_cards()
    if id in cards:
        return name
    of = next((card.name for key, card in cards.items() if id.startswith(f"{key}_")), "")
    return f"{of}: {name}" if of and of.split()[-1] not in name else name


def family_of(card: Card | None) -> str:
    """The leaf of the taxonomy, in words."""
    if card is None:
        return CONTROL
    name = FAMILIES.get(card.family) or OTHERS[card.family]
    return name.removeprefix("Image labels: ").lower()
