"""What a system has when it is done, and which systems still lack what.

``PENDING`` is the list of what is not yet there. It may only become shorter: what stands and is
listed fails like what is missing and is not.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.doses import FAMILIES
from wsss_lib.core import Card
from wsss_lib.recipes import BUILDERS
from wsss_lib.survey import find_cards

ROOT = Path(__file__).parents[1]
CARDS = find_cards()
PAGES = {path: path.read_text(encoding="utf-8") for path in (ROOT / "book").rglob("*.md")}
READ_OUT = re.compile(r"def test_\w*(read_out|readout|predict|answer)\w*\(")


def claims(card: Card) -> str:
    """The source of the claim tests."""
    path = ROOT / "tests" / "claims" / f"test_{card.id}.py"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def page(card: Card) -> str:
    """The page that shows the card."""
    shown = f"{{system-card}} {card.id}\n"
    return next((text for text in PAGES.values() if shown in text), "")


def figures(card: Card) -> dict:
    """The figures of the standard world."""
    name = "segmenter_cam" if card.id == "segmenter" else card.id
    path = ROOT / "results" / "standard" / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def maps_of(card: Card) -> bool:
    """Whether maps of its runs are stored."""
    name = "segmenter_cam" if card.id == "segmenter" else card.id
    return any((ROOT / "results" / "maps").glob(f"*/{name}.npz"))


def curve(card: Card) -> bool:
    """Whether its gain over its control was measured; a curve is written once it is whole."""
    return card.id in FLOORS or any((ROOT / "results" / "curves").glob(f"*/{card.id}.json"))


STANDARD: dict[str, Callable[[Card], bool]] = {
    "claim test": lambda card: "def test_" in claims(card),
    "read-out test": lambda card: bool(READ_OUT.search(claims(card))),
    "recipe": lambda card: card.id in BUILDERS,
    "departures": lambda card: bool(card.differs) or card.fidelity == "faithful",
    "figures of three runs": lambda card: len(figures(card).get("runs", ())) >= 3,
    "stored maps": maps_of,
    "dose-response curve": curve,
    "section": lambda card: bool(page(card)),
    "equation": lambda card: "$" in page(card) or "{math}" in page(card),
    "diagram": lambda card: f"{{diagram}} {card.id}\n" in page(card),
    "exercise": lambda card: "{exercise" in page(card),
    "quiz": lambda card: "{quiz}" in page(card),
}
"""What is looked for; the battery looks at the file, its length and the card."""

EVERY = frozenset(CARDS)
FLOORS = EVERY - {id for family in FAMILIES.values() for id in family.controls}
"""What ideas are measured against: no failure is theirs to mend."""
UNMEASURED = frozenset(
    {
        "bbox_seg",
        "boxsup",
        "rrm",
        "aalr",
        "afa",
        "mdba",
        "sdi",
        "wssl_em",
        "box2seg",
        "bcm",
        "bbam",
        "mmcst",
        "pcam",
        "pdml",
        "rloss",
        "dfr",
        "bpg",
        "rawks",
        "spml",
        "psi",
        "dextr",
        "panoptic_fcn_point",
    }
)
WAITING = frozenset({"box_jitter", "text_tokens", "point_maps", "scene_points", "panoptic"})
"""Families none of whose curves was measured, though other families have measured their systems."""
PENDING: dict[str, frozenset[str]] = {
    "figures of three runs": UNMEASURED,
    "stored maps": UNMEASURED,
    "dose-response curve": UNMEASURED,
}


@pytest.mark.parametrize("item", STANDARD)
@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
def test_a_system_has_what_the_standard_asks_for(card, item):
    there, listed = STANDARD[item](card), card.id in PENDING.get(item, ())
    assert there or listed, f"{card.id} has no {item}"
    assert not (there and listed), f"{card.id} has its {item}: take it off the list of what lacks"


def test_the_list_names_what_exists():
    assert set(PENDING) <= set(STANDARD)
    assert all(ids <= EVERY for ids in PENDING.values())


def test_a_family_waits_only_while_it_has_no_curve():
    stored = {path.parent.name for path in (ROOT / "results" / "curves").glob("*/*.json")}
    assert set(FAMILIES) >= WAITING
    assert not WAITING & stored, "take it off the list of families that wait"


def test_a_system_of_two_families_has_one_control():
    """A figure that was kept for one of them would else be read beside another control."""
    found = {}
    for family in FAMILIES.values():
        for id, control in family.controls.items():
            assert found.setdefault(id, control) == control, id
