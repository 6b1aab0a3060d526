"""All diagrams by name."""

from diagrams import (
    accumulation,
    across,
    affinity,
    between,
    boundary,
    boxes,
    clicks,
    cooccurrence,
    erasing,
    extra_supervision,
    foundation,
    image_level,
    low_level,
    marks,
    noisy_boxes,
    online,
    pipeline,
    prototypes,
    regularised,
    regularisers,
    self_supervised,
    spreading,
    views,
)
from diagrams.description import Diagram
from wsss_lib.core import InputError

FAMILIES = (
    pipeline, affinity, low_level, between, across, erasing, image_level, accumulation,
    cooccurrence, boundary, extra_supervision, self_supervised, views, prototypes, regularisers,
    online, marks, regularised, spreading, clicks, boxes, noisy_boxes, foundation,
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
