"""What goes on around every conversion: terms, what is done already, and what is left over."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import typer

from wsss_lib.core import InputError
from wsss_lib.data.drawn import FILES
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.results import write_json

T = TypeVar("T")


def make(root: Path, name: str, terms: str, build: Callable[[Path], None], **options: bool) -> None:
    """Make a data set unless it is complete, which its ``dataset.json``, written last, tells.

    Args:
        root: the data folder.
        name: what results call it.
        terms: under which it may be used; printed first, and kept.
        build: fills ``root``; is given a folder for unpacked archives, which goes afterwards.
        options: what else the content depends on; kept.

    Raises:
        InputError: the folder holds, or was to hold, something else.
    """
    typer.echo(terms)
    # Inside the data folder: on the same disk, so that files can be moved, and deleted with it.
    work = root / ".work"
    complete, begun = root / "dataset.json", work / "dataset.json"
    for file in (complete, begun):
        _check_same(root, file, {"name": name, **options})
    done = complete.is_file()
    if not done:
        write_json(begun, {"name": name, "terms": terms, **options})
        build(work)
        for left_behind in root.rglob("*.partial"):
            if left_behind.is_file():
                left_behind.unlink()
        begun.replace(complete)
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


def _check_same(root: Path, file: Path, wanted: dict[str, Any]) -> None:
    """Refuse a folder that was made, or begun, as another data set or with other options."""
    if not file.is_file():
        return
    try:
        about = json.loads(file.read_bytes())
        other = {key: about.get(key) for key in wanted} != wanted
    except (ValueError, AttributeError) as error:
        raise InputError(f"{file} cannot be read ({error}); delete {root}.") from error
    if other:
        raise InputError(
            f"{root} holds {_told(about, wanted)} and not {_told(wanted, wanted)}: name another "
            "folder, or delete this one."
        )


def _told(about: dict[str, Any], keys: dict[str, Any]) -> str:
    return ", ".join(f"{key}={about.get(key)!r}" for key in keys)
