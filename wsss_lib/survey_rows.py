"""What a printed line of the survey's tables really is: which variant, and with what behind it."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from wsss_lib.survey import Reported, reported


@dataclass(frozen=True)
class Note:
    """What should be known of a line before it is compared with another.

    Attributes:
        system: id of the system.
        brief: in a few words.
        note: in a sentence or two.
        ours: id of the system here that does what the line really is.
        checked: whether a source was looked at; False means from memory, or from the abstract.
        evidence: where this is known from.
    """

    system: str
    brief: str
    note: str
    ours: str
    checked: bool
    evidence: str


@cache
def notes() -> dict[str, Note]:
    """Notes by system; none for lines that nothing is to be said of, or nothing is known of."""
    path = files("wsss_lib") / "survey_data" / "notes.csv"
    return {
        row["system"]: Note(
            **{key: row[key] for key in ("system", "brief", "note", "evidence")},
            ours=row["ours"] or row["system"],
            checked=row["status"] == "checked",
        )
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    }


def line_of(system: str) -> Reported | None:
    """The printed line that is really this system's, whatever name stands beside it."""
    said = notes()
    for line in reported():
        if (said[line.system].ours if line.system in said else line.system) == system:
            return line
    return None
