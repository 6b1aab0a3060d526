"""The survey as data: its systems and taxonomy, its tables, their errata, and what is built here.

The survey is Xiang et al., Journal of Image and Graphics 29(5), 2024. Its tables are kept as
printed; corrections stand in the errata, never in the tables. What came later is ours.
"""

import csv
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import ModuleType

import wsss_lib.methods
from wsss_lib.core import Card, InputError, Method

FAMILIES: dict[str, str] = {
    "image_level/cam": "Image labels: class activation maps",
    "image_level/ensemble": "Image labels: ensembles of maps",
    "image_level/erasing": "Image labels: erasing",
    "image_level/cooccurrence": "Image labels: co-occurrence",
    "image_level/affinity": "Image labels: affinity",
    "image_level/extra_supervision": "Image labels: extra supervision",
    "image_level/self_supervised": "Image labels: self-supervision",
    "image_level/online": "Image labels: online updating",
    "box": "Boxes",
    "scribble": "Scribbles",
    "point": "Points",
    "foundation": "Large models",
}
"""Leaves of the survey's taxonomy, in its order: folder below ``wsss_lib/methods`` and its name."""

TABLES = {"table1": "Image labels", "table2": "Boxes, scribbles and points", "table3": "CLIP, SAM"}
"""The survey's tables of reported results on PASCAL VOC 2012."""

DIRECTIONS = {
    "frozen": "Frozen features, a light decoder",
    "words": "Words instead of a classifier",
    "masks": "Masks by SAM",
    "one_stage": "One stage, ImageNet alone",
}
"""What systems after the survey build on, in the order of the page about them."""


@dataclass(frozen=True)
class System:
    """One of the systems that the survey discusses.

    Attributes:
        id: short name, the same as ``Card.id`` once it is built.
        name: that of its card; until it is built, the one that the paper or its readers use.
        authors: first author or authors.
        venue: where it appeared.
        year: when it appeared.
        family: leaf of the taxonomy, a key of ``FAMILIES``.
        section: of the survey.
        card: what is built here, None where nothing is yet.
    """

    id: str
    name: str
    authors: str
    venue: str
    year: int
    family: str
    section: str
    card: Card | None


@dataclass(frozen=True)
class Reported:
    """A line of one of the survey's tables, as printed.

    Attributes:
        table: key of ``TABLES``.
        system: id of the system.
        method: name as printed.
        venue: as printed.
        year: as printed.
        group: "offline" or "online" in Table 1, the label in Table 2, the model in Table 3.
        pseudo_backbone: of the network that makes the labels, "" where none is named.
        backbone: of the segmentation network, "" where none is named.
        val: mean IoU in percent on VOC 2012 val, None where none is printed.
        test: mean IoU in percent on VOC 2012 test, None where none is printed.
    """

    table: str
    system: str
    method: str
    venue: str
    year: int
    group: str
    pseudo_backbone: str
    backbone: str
    val: float | None
    test: float | None

    @property
    def on_val(self) -> str:
        """What a table says of it: figure and network on VOC 2012 val, a dash without a figure."""
        if self.val is None:
            return "–"
        return f"{self.val} ({self.backbone})" if self.backbone else str(self.val)


@dataclass(frozen=True)
class Erratum:
    """Something that the survey prints and that should read otherwise.

    Attributes:
        place: section, table or list of the survey.
        system: id of the system that it concerns, "" where none.
        what: kind of statement, such as "citation".
        printed: what stands there.
        correct: what should stand there.
        checked: whether a primary source was looked at; False means from memory.
        evidence: where the correction comes from.
    """

    place: str
    system: str
    what: str
    printed: str
    correct: str
    checked: bool
    evidence: str


@dataclass(frozen=True)
class Hidden:
    """What a reported figure needed besides its labels, and its table does not say.

    Attributes:
        system: id of the system.
        what: in a word, such as "saliency".
        enters: where it comes in.
        checked: whether a source was looked at; False means from memory.
        evidence: where this is known from.
    """

    system: str
    what: str
    enters: str
    checked: bool
    evidence: str


@dataclass(frozen=True)
class Seed:
    """Mean IoU of pseudo-labels before a segmentation network learns from them, as published.

    Attributes:
        system: id of the system.
        cam: of the class activation maps that it starts from, in percent.
        seed: of what it makes of them, in percent.
        cam_of: id of the system whose maps they are: its own, or those of its host.
        split: images that both are measured on.
        source: address where the second figure was read.
        read: what stands there, and where the first figure stands if elsewhere.
    """

    system: str
    cam: float
    seed: float
    cam_of: str
    split: str
    source: str
    read: str

    @property
    def gain(self) -> float:
        """Points of mean IoU."""
        return self.seed - self.cam


@dataclass(frozen=True)
class After:
    """A system that appeared after the survey, as its own authors report it.

    Attributes:
        id: short name; two lines of one system differ in one thing.
        system: its name.
        direction: key of ``DIRECTIONS``.
        authors: first author or authors.
        venue: where it appeared.
        year: when it appeared.
        network: what answers in the end.
        needs: besides image labels: hidden supervision.
        stages: trainings, "one" or "several".
        val: mean IoU in percent on VOC 2012 val, None where the source prints none.
        test: mean IoU in percent on VOC 2012 test, None where the source prints none.
        source: address where the figures were read.
        read: what stands there.
    """

    id: str
    system: str
    direction: str
    authors: str
    venue: str
    year: int
    network: str
    needs: str
    stages: str
    val: float | None
    test: float | None
    source: str
    read: str


@dataclass(frozen=True)
class LargeModel:
    """A model that others build on: what it has ``learned`` from, and with which ``labels``."""

    model: str
    authors: str
    year: int
    learned: str
    labels: str
    source: str
    read: str


def find_methods() -> dict[str, type[Method]]:
    """Every system that is built here, by card id, in the order of the taxonomy.

    Looks at each module below ``wsss_lib.methods`` that defines ``CARD``; nothing is registered.

    Raises:
        InputError: a card without exactly one class, or two cards with one id.
    """
    found: dict[str, type[Method]] = {}
    for module in _modules(wsss_lib.methods):
        card = getattr(module, "CARD", None)
        if not isinstance(card, Card):
            continue
        classes = [
            item
            for _, item in inspect.getmembers(module, inspect.isclass)
            if issubclass(item, Method)
            and item.__module__ == module.__name__
            and getattr(item, "card", None) is card
        ]
        if len(classes) != 1:
            raise InputError(
                f"{module.__name__} defines CARD {card.id!r} and {len(classes)} classes with "
                "`card = CARD`; a file holds one paper and one class."
            )
        if card.id in found:
            raise InputError(
                f"{module.__name__} and {found[card.id].__module__} both use the card id "
                f"{card.id!r}; ids must be unique."
            )
        found[card.id] = classes[0]
    order = [*FAMILIES]
    return dict(
        sorted(
            found.items(),
            key=lambda item: (
                order.index(item[1].card.family) if item[1].card.family in order else len(order),
                item[1].card.year,
                item[0],
            ),
        )
    )


def find_cards() -> dict[str, Card]:
    """The card of every system that is built here, by id."""
    return {id: method.card for id, method in find_methods().items()}


def systems() -> list[System]:
    """The systems of the survey in the order of its taxonomy, with the cards of those built."""
    cards = find_cards()
    return [
        System(
            **{key: row[key] for key in ("id", "authors", "venue", "family", "section")},
            name=card.name if card else row["name"],
            year=int(row["year"]),
            card=card,
        )
        for row in _rows("systems")
        for card in [cards.get(row["id"])]
    ]


@cache
def reported(table: str | None = None) -> tuple[Reported, ...]:
    """The survey's tables of results, as printed.

    Args:
        table: one of ``TABLES``; None gives all three.

    Raises:
        InputError: there is no such table.
    """
    if table is not None and table not in TABLES:
        raise InputError(f"The survey has no table {table!r}; choose one of {list(TABLES)}.")
    return tuple(
        Reported(
            table=name,
            system=row["method_id"],
            method=row["method"],
            venue=row["venue"],
            year=int(row["year"]),
            group=next(row[key] for key in ("stage", "annotation", "model") if key in row),
            pseudo_backbone=row.get("pseudo_backbone", "").strip("-"),
            backbone=(row.get("seg_backbone") or row.get("backbone") or "").strip("-"),
            val=_number(row["val_miou"]),
            test=_number(row["test_miou"]),
        )
        for name in ([table] if table else TABLES)
        for row in _rows(name)
    )


def reported_for(system: str) -> Reported | None:
    """The line of a system in the survey's tables, None where it has none."""
    return next((line for line in reported() if line.system == system), None)


@cache
def errata() -> tuple[Erratum, ...]:
    """What the survey prints and should read otherwise, in its order."""
    return tuple(
        Erratum(
            **{key: row[key] for key in ("place", "system", "what", "printed", "correct")},
            checked=row["status"] == "checked",
            evidence=row["evidence"],
        )
        for row in _rows("errata")
    )


@cache
def hidden() -> dict[str, Hidden]:
    """What lines of the tables needed besides their labels, by system; none for all others."""
    return {
        row["system"]: Hidden(
            **{key: row[key] for key in ("system", "what", "enters", "evidence")},
            checked=row["status"] == "checked",
        )
        for row in _rows("hidden")
    }


@cache
def seeds() -> tuple[Seed, ...]:
    """Published gains at the seed stage, of systems whose two figures could both be read."""
    return tuple(
        Seed(
            **{key: row[key] for key in ("system", "cam_of", "split", "source", "read")},
            cam=float(row["cam"]),
            seed=float(row["seed"]),
        )
        for row in _rows("seeds")
    )


@cache
def after() -> tuple[After, ...]:
    """Systems that appeared after the survey, by direction; only those whose source was read."""
    texts = [key for key, kind in After.__annotations__.items() if kind is str]
    return tuple(
        After(
            **{key: row[key] for key in texts},
            year=int(row["year"]),
            val=_number(row["val"]),
            test=_number(row["test"]),
        )
        for row in _rows("after")
    )


@cache
def large_models() -> tuple[LargeModel, ...]:
    """What the large models behind these systems have learned from, by year within a family."""
    texts = [key for key, kind in LargeModel.__annotations__.items() if kind is str]
    return tuple(
        LargeModel(**{key: row[key] for key in texts}, year=int(row["year"]))
        for row in _rows("models")
    )


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        yield importlib.import_module(info.name)


def _rows(name: str) -> list[dict[str, str]]:
    path = files("wsss_lib") / "survey_data" / f"{name}.csv"
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def _number(text: str) -> float | None:
    return float(text) if text.strip() else None
