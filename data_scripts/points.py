"""Clicks of What's the Point: ``python -m data_scripts.points data/voc2012 CLICKS.json``.

Adds ``points.csv`` to a data folder of PASCAL VOC 2012. The clicks are in the archive of
http://vision.stanford.edu/whats_the_point/, as ``pascal2012_trainval_main.json``: for each image a
list of {x, y, cls, rank}, where x and y count from 0, cls is 1 to 20, and rank N is an annotator's
Nth click. The paper's default is one point on each class: the first. ``--each 0`` takes all. Clicks
beside the image are dropped before.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from data_scripts.layout import write_marks
from data_scripts.make import add
from wsss_lib.cli.errors import plainly
from wsss_lib.core import InputError
from wsss_lib.data.folder import VOC_CLASSES, SegmentationFolder

SITE = "http://vision.stanford.edu/whats_the_point/"
TERMS = f"Clicks of {SITE}. Cite Bearman et al. (ECCV 2016), What's the Point."


def read_clicks(path: Path) -> dict[str, list[tuple[str, int, int]]]:
    """Class, x and y of all clicks on each image, in the order of their ranks.

    Raises:
        InputError: no such file, or one without clicks.
    """
    names = dict(enumerate(VOC_CLASSES, start=1))
    try:
        return {
            id: [
                (names[click["cls"]], int(click["x"]), int(click["y"]))
                for click in sorted(clicks, key=lambda click: click["rank"])
            ]
            for id, clicks in json.loads(path.read_bytes()).items()
        }
    except FileNotFoundError as error:
        raise InputError(f"No {path}. The archive of {SITE} holds it.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} does not hold clicks ({error!r}).") from error


def chosen(clicks: list[tuple[str, int, int]], each: int) -> list[tuple[str, int, int]]:
    """The first ``each`` clicks on each class; 0 takes all."""
    seen: Counter[str] = Counter()
    kept = []
    for click in clicks:
        seen[click[0]] += 1
        if not each or seen[click[0]] <= each:
            kept.append(click)
    return kept


def main(
    root: Annotated[Path, typer.Argument(help="The data folder of PASCAL VOC 2012.")],
    clicks: Annotated[Path, typer.Argument(help="pascal2012_trainval_main.json")],
    each: Annotated[int, typer.Option(min=0, help="Clicks on each class; 0 takes all.")] = 1,
) -> None:
    """Add the clicks of What's the Point to a data folder."""

    def find(data: SegmentationFolder) -> dict[str, list[tuple[str, int, int]]]:
        if data.classes != VOC_CLASSES:
            raise InputError(f"{root} does not have the classes of PASCAL VOC, which were clicked.")
        everything, beside = read_clicks(clicks), 0
        for id in everything.keys() & {*data.ids}:
            height, width = data.size(id)
            hits = [c for c in everything[id] if 0 <= c[1] < width and 0 <= c[2] < height]
            beside += len(everything[id]) - len(hits)
            everything[id] = hits
        if beside:
            typer.echo(f"{beside} clicks lie beside their image and are dropped.")
        return {id: chosen(found, each) for id, found in everything.items() if found}

    def write(_: SegmentationFolder, found: dict[str, list[tuple[str, int, int]]]) -> None:
        write_marks(root, "points", ((id, *mark) for id, marks in found.items() for mark in marks))

    add(root, "points", TERMS, find, write)


if __name__ == "__main__":
    typer.run(plainly(main))
