"""What every conversion writes: the layout that ``SegmentationFolder`` reads."""

import csv
import errno
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from tqdm.auto import tqdm

from wsss_lib.core import InputError
from wsss_lib.data.atomic import written_whole
from wsss_lib.data.drawn import COLUMNS, FILES
from wsss_lib.data.palette import read_labels

LISTS = Path("ImageSets") / "Segmentation"


def move_missing(source: Path, target: Path) -> None:
    """Move a file unless it is at its place already, so that a second start goes on.

    Raises:
        InputError: the file is at neither place.
    """
    if source.is_file() and not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            source.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # On another disk it has to be copied, and half a copy must not pass for the file.
            with written_whole(target) as partial:
                shutil.copyfile(source, partial)
            source.unlink()
    if not target.is_file():
        raise InputError(
            f"The archive holds no {source.name}: it is another one, or damaged. Delete the data "
            "folder and fetch the archive again."
        )


def write_split(root: Path, name: str, ids: Iterable[str]) -> None:
    """The ids of a split, one a line."""
    with written_whole(root / LISTS / f"{name}.txt") as partial:
        partial.write_text("".join(f"{id}\n" for id in ids), encoding="utf-8")


def write_tags(root: Path, classes: Sequence[str], present: Iterable[tuple[str, set[int]]]) -> None:
    """``image_labels.csv`` from ids and the indices, from 1, of the classes that are there."""
    numbers = range(1, len(classes) + 1)
    rows = ([id, *(int(c in found) for c in numbers)] for id, found in present)
    _write_table(root / "image_labels.csv", ["id", *classes], rows)


def write_marks(root: Path, kind: str, marks: Iterable[Sequence[Any]]) -> None:
    """``boxes.csv`` or ``points.csv`` from rows of id, name of the class, and pixels."""
    _write_table(root / FILES[kind], ["id", "class", *COLUMNS[kind]], marks)


def write_classes_of_masks(root: Path, classes: Sequence[str], ids: Iterable[str]) -> None:
    """``classes.txt``, and in ``image_labels.csv`` the classes that each image's mask shows."""
    with written_whole(root / "classes.txt") as partial:
        partial.write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
    masks = {id: root / "SegmentationClass" / f"{id}.png" for id in ids}
    bar = tqdm(masks.items(), desc="tags")
    write_tags(root, classes, ((id, _indices(mask) - {0, 255}) for id, mask in bar))


def read_xml(path: Path) -> ElementTree.Element:
    """An annotation in XML.

    Raises:
        InputError: missing or broken.
    """
    try:
        return ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise InputError(f"{path} cannot be read ({error}); unpack the archive anew.") from error


def number_in(tree: ElementTree.Element, path: str) -> float:
    """The number that stands at a place of an annotation.

    Raises:
        InputError: there is none.
    """
    try:
        return float(tree.findtext(path, ""))
    except ValueError as error:
        raise InputError(f"An annotation has no number at {path!r}; fetch it again.") from error


def _indices(mask: Path) -> set[int]:
    """The indices in a mask; counting is many times faster than the sorting of ``np.unique``."""
    return {*np.flatnonzero(np.bincount(read_labels(mask).ravel())).tolist()}


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with (
        written_whole(path) as partial,
        partial.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(rows)
