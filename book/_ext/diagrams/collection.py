"""All diagrams by name."""

from diagrams import (
    affinity,
    boxes,
    ensemble,
    erasing,
    foundation,
    marks,
    mixed,
    online,
    pipeline,
    self_supervised,
)  # fmt: skip
from diagrams.description import Diagram
from wsss_lib.core import InputError

FAMILIES = (
    pipeline, affinity, erasing, ensemble, self_supervised, mixed, online, marks, boxes, foundation,
)  # fmt: skip
DIAGRAMS: dict[str, Diagram] = {one.id: one for family in FAMILIES for one in family.DIAGRAMS}
"""Those of systems bear the id of the system's card."""


def find(id: str) -> Diagram:
    """The diagram of this name.

    Raises:
        InputError: there is none.
    """
    if id not in DIAGRAMS:
        raise InputError(f"no diagram {id!r}; there are {', '.join(DIAGRAMS)}.")
    return DIAGRAMS[id]
