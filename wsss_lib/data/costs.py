"""What annotations cost: seconds of a person's time for an image of PASCAL VOC.

The figures stand in ``costs.csv`` with their sources. Two accounts disagree, so there is a switch:

- "bearman" (What's the Point, ECCV 2016) adds up: 1 s for each of the 18.5 classes that an average
  image does not show, then the time for each of its 1.5 classes or 2.8 objects. Boxes and extreme
  clicks, which that paper does not time, enter with the seconds that others have measured.
- "survey" (Xiang et al. 2024, citing Lin et al. 2014) says that a mask takes 15 times as long as a
  box and 60 times as long as an image label. Anchored at the same mask, a label takes 4 s, where
  the first account has 20 s: its masks cost 12 image labels.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from wsss_lib.core import InputError


@dataclass(frozen=True)
class Cost:
    """One line of the table.

    Attributes:
        source: the account, "bearman" or "survey".
        kind: of supervision.
        fixed: seconds for each image.
        each: further seconds for each class or object.
        times: how many of these an image of PASCAL VOC has.
        reference: where the figures come from.
    """

    source: str
    kind: str
    fixed: float
    each: float
    times: float
    reference: str

    @property
    def seconds(self) -> float:
        """Seconds for an average image of PASCAL VOC."""
        return self.fixed + self.each * self.times


@cache
def costs() -> tuple[Cost, ...]:
    """The table."""
    with Path(__file__).with_suffix(".csv").open(newline="", encoding="utf-8") as file:
        return tuple(
            Cost(
                row["source"], row["kind"], float(row["fixed"]), float(row["each"]),
                float(row["times"]), row["reference"],
            )
            for row in csv.DictReader(file)
        )  # fmt: skip


def seconds_per_image(kind: str, source: str = "bearman") -> float:
    """Seconds that a person needs to label an average image of PASCAL VOC.

    Args:
        kind: "tags", "points", "scribble", "extremes", "boxes" or "masks".
        source: "bearman", or "survey", which knows tags, boxes and masks alone.

    Raises:
        InputError: the source has no figure for this kind.
    """
    for cost in costs():
        if (cost.source, cost.kind) == (source, kind):
            return cost.seconds
    known = [(cost.source, cost.kind) for cost in costs()]
    raise InputError(f"No cost of {kind!r} by {source!r}; there are {known}.")
