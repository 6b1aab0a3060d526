"""What every conversion ends with: the layout that ``SegmentationFolder`` reads."""

import csv
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import typer

from wsss_lib.data.atomic import written_whole
from wsss_lib.data.palette import read_labels
from wsss_lib.results import write_json

LISTS = Path("ImageSets") / "Segmentation"


def move_missing(source: Path, target: Path) -> None:
    """Move a file unless it is at its place already, so that a second start goes on."""
    if source.is_file() and not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, target)


def write_split(root: Path, name: str, ids: Iterable[str]) -> None:
    """The ids of a split, one a line."""
    with written_whole(root / LISTS / f"{name}.txt") as partial:
        partial.write_text("".join(f"{id}\n" for id in ids), encoding="utf-8")


def write_tags(root: Path, classes: Sequence[str], present: Iterable[tuple[str, set[int]]]) -> None:
    """``image_labels.csv`` from ids and the indices, from 1, of the classes that are there."""
    with (
        written_whole(root / "image_labels.csv") as partial,
        partial.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file)
        table.writerow(["id", *classes])
        for id, found in present:
            table.writerow([id, *(int(c in found) for c in range(1, len(classes) + 1))])


def classes_in_mask(root: Path, id: str) -> set[int]:
    """Indices of all classes that an image's mask shows, void and background left out."""
    return set(np.unique(read_labels(root / "SegmentationClass" / f"{id}.png")).tolist()) - {0, 255}


def make(root: Path, name: str, terms: str, build: Callable[[Path], None]) -> None:
    """Make a data set unless it is complete, which its ``dataset.json``, written last, tells.

    Args:
        root: the data folder.
        name: what results call it.
        terms: under which it may be used; printed first, and kept.
        build: fills ``root``; is given a folder for unpacked archives, which goes afterwards.
    """
    typer.echo(terms)
    if (root / "dataset.json").is_file():
        typer.echo(f"{root} is complete already.")
        return
    work = root.with_name(f".{root.name}.work")
    build(work)
    write_json(root / "dataset.json", {"name": name, "terms": terms})
    shutil.rmtree(work)
    typer.echo(f"{root} is ready. Check it with: wsss doctor {root}")
