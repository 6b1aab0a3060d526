"""What every conversion ends with: the layout that ``SegmentationFolder`` reads."""

import csv
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

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


def is_complete(root: Path) -> bool:
    """Whether ``finish`` was reached."""
    return (root / "dataset.json").is_file()


def finish(root: Path, name: str, terms: str, **more: bool) -> None:
    """Note what this is and under which terms; the last thing that is written."""
    write_json(root / "dataset.json", {"name": name, "terms": terms, **more})
