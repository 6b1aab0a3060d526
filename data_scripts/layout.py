"""What every conversion ends with: the layout that ``SegmentationFolder`` reads."""

import csv
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree

import numpy as np
import typer
from tqdm.auto import tqdm

from wsss_lib.core import InputError
from wsss_lib.data.atomic import written_whole
from wsss_lib.data.drawn import COLUMNS, FILES
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.palette import read_labels
from wsss_lib.results import write_json

LISTS = Path("ImageSets") / "Segmentation"
T = TypeVar("T")


def move_missing(source: Path, target: Path) -> None:
    """Move a file unless it is at its place already, so that a second start goes on.

    Raises:
        InputError: the file is at neither place.
    """
    if source.is_file() and not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, target)
    if not target.is_file():
        raise InputError(
            f"The archive holds no {source.name}: it is another one, or damaged. Fetch it again."
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
    write_tags(
        root,
        classes,
        ((id, {*np.unique(read_labels(mask)).tolist()} - {0, 255}) for id, mask in bar),
    )


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


def make(root: Path, name: str, terms: str, build: Callable[[Path], None]) -> None:
    """Make a data set unless it is complete, which its ``dataset.json``, written last, tells.

    Args:
        root: the data folder.
        name: what results call it.
        terms: under which it may be used; printed first, and kept.
        build: fills ``root``; is given a folder for unpacked archives, which goes afterwards.
    """
    typer.echo(terms)
    work = root.with_name(f".{root.name}.work")
    done = (root / "dataset.json").is_file()
    if not done:
        build(work)
        for left_behind in root.rglob("*.partial"):
            left_behind.unlink()
        write_json(root / "dataset.json", {"name": name, "terms": terms})
    shutil.rmtree(work, ignore_errors=True)
    state = "complete already" if done else "ready"
    typer.echo(f"{root} is {state}. Check it with: wsss doctor {root}")


def add(
    root: Path,
    kind: str,
    terms: str,
    find: Callable[[SegmentationFolder], dict[str, T]],
    write: Callable[[SegmentationFolder, dict[str, T]], None],
) -> None:
    """Add weak labels to a data set unless they are there.

    Args:
        root: the data folder, which is there.
        kind: of supervision; it says which file or folder to make.
        terms: under which the labels may be used; printed first.
        find: what there is, by image.
        write: writes the labels of these images, whole or not at all.

    Raises:
        InputError: no data folder, or labels of none of its images.
    """
    typer.echo(terms)
    path = root / FILES[kind]
    data = SegmentationFolder(root, split=None)
    if path.exists():
        typer.echo(f"{path} is there already; delete it to make it anew.")
        return
    everything = find(data)
    found = {id: everything[id] for id in data.ids if id in everything}
    if not found:
        raise InputError(
            f"Of {len(everything)} labels none belongs to an image of {root}, whose names are like "
            f"{data.ids[0]!r}; are they of another data set?"
        )
    write(data, found)
    typer.echo(f"{len(found)} of {len(data)} images have {kind} now.")
    for split in data.splits:
        ids = SegmentationFolder(root, split, data.classes).ids
        typer.echo(f"  {split}: {len(found.keys() & {*ids})} of {len(ids)}")
    typer.echo(f"Check them with: wsss doctor {root}")


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with (
        written_whole(path) as partial,
        partial.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(rows)
