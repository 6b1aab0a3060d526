"""Clicks of What's the Point: ``python -m data_scripts.points data/voc2012 CLICKS.json``.

Adds ``points.csv`` to a data folder of PASCAL VOC 2012. The clicks are in the archive of
http://vision.stanford.edu/whats_the_point/, as ``pascal2012_trainval_main.json``: for each image a
list of {x, y, cls, rank}, where x and y count from 0, cls is 1 to 20, and rank N is an annotator's
Nth click. The paper's default is one point on each class: the first. ``--each 0`` takes all.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from data_scripts.layout import add, write_marks
from wsss_lib.cli.errors import plainly
from wsss_lib.core import InputError
from wsss_lib.data.folder import VOC_CLASSES, SegmentationFolder

SITE = "http://vision.stanford.edu/whats_the_point/"
TERMS = f"Clicks of {SITE}. Cite Bearman et al. (ECCV 2016), What's the Point."


def chosen(clicks: list[dict[str, Any]], each: int) -> list[dict[str, Any]]:
    """The first ``each`` clicks on each class by their rank; 0 takes all."""
    ordered = sorted(clicks, key=lambda click: click["rank"])
    seen: dict[int, int] = {}
    kept = []
    for click in ordered:
        seen[click["cls"]] = seen.get(click["cls"], 0) + 1
        if not each or seen[click["cls"]] <= each:
            kept.append(click)
    return kept


def main(
    root: Annotated[Path, typer.Argument(help="The data folder of PASCAL VOC 2012.")],
    clicks: Annotated[Path, typer.Argument(help="pascal2012_trainval_main.json")],
    each: Annotated[int, typer.Option(min=0, help="Clicks on each class; 0 takes all.")] = 1,
) -> None:
    """Add the clicks of What's the Point to a data folder."""

    def find(data: SegmentationFolder) -> dict[str, list[tuple]]:
        if data.classes != VOC_CLASSES:
            raise InputError(f"{root} does not have the classes of PASCAL VOC, which were clicked.")
        names = dict(enumerate(VOC_CLASSES, start=1))
        try:
            content = json.loads(clicks.read_bytes())
            marks = {
                id: [(names[c["cls"]], int(c["x"]), int(c["y"])) for c in chosen(found, each)]
                for id, found in content.items()
            }
        except FileNotFoundError as error:
            raise InputError(f"No {clicks}. The archive of {SITE} holds it.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{clicks} does not hold clicks ({error!r}).") from error
        return {id: found for id, found in marks.items() if found}

    def write(_: SegmentationFolder, found: dict[str, list[tuple]]) -> None:
        write_marks(root, "points", ((id, *mark) for id, marks in found.items() for mark in marks))

    add(root, "points", TERMS, find, write)


if __name__ == "__main__":
    typer.run(plainly(main))
