"""What a diagram says: nodes on a grid, and the arrows between them.

The nodes bear the names of the code: what is given is a field of ``Batch``, a loss term is a key of
what ``loss`` returns, and what is learned or frozen is a module. A test compares both.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from wsss_lib.core import InputError

Kind = Literal["given", "learned", "frozen", "step", "loss", "answer"]
Style = Literal["flow", "stop", "reply", "same"]

KINDS: dict[Kind, str] = {
    "given": "given",
    "learned": "learned",
    "frozen": "frozen",
    "step": "computed",
    "loss": "loss term",
    "answer": "answer",
}
"""The kinds of node, in the words of the legend."""

STYLES: dict[Style, str] = {
    "flow": "",
    "stop": "gradient stops",
    "reply": "when it answers",
    "same": "same weights",
}
"""The kinds of arrow, in the words of the legend; the ordinary one needs none."""

FORWARD: tuple[Style, ...] = ("flow", "stop")
"""What carries something on in training."""


@dataclass(frozen=True)
class Node:
    """A box.

    Attributes:
        key: what arrows call it.
        kind: what it is.
        label: words in the box, lines parted by a line break.
        at: column of its middle, which may lie between two columns, and row from the top.
        weights: modules of the method that it stands for, if it has any.
        idea: it is what the paper adds.
        wide: columns that it covers.
        code: names of the batch's field or of the loss terms, parted by ", "; they are shown.
    """

    key: str
    kind: Kind
    label: str
    at: tuple[float, int]
    weights: tuple[str, ...] = ()
    idea: bool = False
    wide: float = 1
    code: str = ""

    @property
    def words(self) -> str:
        """What it is called where nothing is drawn."""
        return " ".join(self.label.split()) or self.code

    @property
    def names(self) -> tuple[str, ...]:
        """Its names in the code."""
        return tuple(self.code.split(", "))


@dataclass(frozen=True)
class Arrow:
    """A line from a node to another; along a "stop" and a "reply" no gradient comes back."""

    start: str
    end: str
    style: Style = "flow"


@dataclass(frozen=True)
class Diagram:
    """One figure.

    Attributes:
        id: of the system, or a name of its own.
        name: what the figure shows.
        nodes: at least one.
        arrows: between them.
        columns: of the grid.

    Raises:
        InputError: two nodes have one key, or an arrow begins or ends nowhere.
    """

    id: str
    name: str
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    columns: int = 3

    def __post_init__(self) -> None:
        keys = [node.key for node in self.nodes]
        if len(set(keys)) < len(keys):
            raise InputError(f"{self.id}: two nodes of a diagram have one key; give each its own.")
        for arrow in self.arrows:
            if not {arrow.start, arrow.end} <= set(keys):
                raise InputError(f"{self.id}: {arrow} joins what is not among {', '.join(keys)}.")

    def of(self, *kinds: Kind) -> tuple[Node, ...]:
        """The nodes of some kinds."""
        return tuple(node for node in self.nodes if node.kind in kinds)

    def node(self, key: str) -> Node:
        """The node of this key."""
        return next(node for node in self.nodes if node.key == key)

    def before(self, key: str, styles: Iterable[Style]) -> set[str]:
        """Keys of all nodes from which arrows of these styles lead to a node, itself included."""
        allowed, found = set(styles), {key}
        while (
            more := {
                arrow.start
                for arrow in self.arrows
                if arrow.end in found and arrow.style in allowed
            }
            - found
        ):
            found |= more
        return found

    def sentence(self) -> str:
        """The diagram in words, for who cannot see it."""
        said = [f"{self.name}, as boxes and arrows."]
        for kind, name in KINDS.items():
            words = [node.words for node in self.of(kind)]
            if words:
                said.append(f"{name.capitalize()}: {', '.join(words)}.")
        flows = [self._pair(arrow, "to") for arrow in self.arrows if arrow.style in FORWARD]
        said.append(f"Arrows lead from {'; '.join(flows)}.")
        stops = [self._pair(arrow, "and") for arrow in self.arrows if arrow.style == "stop"]
        said += [f"The gradient stops between {'; '.join(stops)}."] if stops else []
        same = [self._pair(arrow, "and") for arrow in self.arrows if arrow.style == "same"]
        said += [f"The same weights: {'; '.join(same)}."] if same else []
        later = [self._pair(arrow, "to") for arrow in self.arrows if arrow.style == "reply"]
        said += [f"When it answers, arrows lead from {'; '.join(later)}."] if later else []
        idea = [node.words for node in self.nodes if node.idea]
        said += [f"The idea is in: {', '.join(idea)}."] if idea else []
        return " ".join(said)

    def _pair(self, arrow: Arrow, between: str) -> str:
        return f"{self.node(arrow.start).words} {between} {self.node(arrow.end).words}"


def given(field: str, at: tuple[float, int], label: str = "") -> Node:
    """A field of the batch."""
    return Node(field, "given", label, at, code=field)


def learned(
    key: str, label: str, at: tuple[float, int], *weights: str, idea: bool = False, wide: float = 1
) -> Node:
    """Modules that are trained."""
    return Node(key, "learned", label, at, weights or (key,), idea, wide)


def frozen(
    key: str, label: str, at: tuple[float, int], *weights: str, idea: bool = False, wide: float = 1
) -> Node:
    """Modules that are not."""
    return Node(key, "frozen", label, at, weights or (key,), idea, wide)


def step(key: str, label: str, at: tuple[float, int], idea: bool = False, wide: float = 1) -> Node:
    """What is computed, without weights."""
    return Node(key, "step", label, at, idea=idea, wide=wide)


def term(
    names: str,
    label: str,
    at: tuple[float, int],
    idea: bool = False,
    wide: float = 1,
    key: str = "",
) -> Node:
    """One or more terms of the loss; a field of the same name makes another key necessary."""
    return Node(key or names, "loss", label, at, idea=idea, wide=wide, code=names)


def answer(label: str, at: tuple[float, int], idea: bool = False, wide: float = 1) -> Node:
    """What ``predict`` returns; its key is "answer"."""
    return Node("answer", "answer", label, at, idea=idea, wide=wide)


def flow(*keys: str, style: Style = "flow") -> tuple[Arrow, ...]:
    """Arrows along a chain of nodes."""
    return tuple(Arrow(one, other, style) for one, other in pairwise(keys))


def stop(*keys: str) -> tuple[Arrow, ...]:
    """The same, where no gradient comes back."""
    return flow(*keys, style="stop")


def reply(*keys: str) -> tuple[Arrow, ...]:
    """The same, when a trained system answers."""
    return flow(*keys, style="reply")


def same(*keys: str) -> tuple[Arrow, ...]:
    """Neighbours with the same weights."""
    return flow(*keys, style="same")
