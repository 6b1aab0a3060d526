"""Somebody's pictures, from a folder, a zip or a list of files, as a data folder."""

import csv
import filecmp
import json
import re
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

from wsss_lib.core import InputError
from wsss_lib.data.atomic import one_at_a_time, written_whole
from wsss_lib.data.files.names import IMAGES, Files, id_of, id_of_file, is_litter
from wsss_lib.data.files.pictures import decoded_size
from wsss_lib.data.files.tables import read_rows
from wsss_lib.data.files.unpack import place_of, unpack

LAYOUTS = ("images", "JPEGImages")
"""Folders by which a data folder is known."""
TABLES = ("labels.csv", "image_labels.csv", "boxes.csv", "points.csv", "captions.csv")
"""Tables of a data folder, whose lines are about one picture each."""


def take_in(source: str | Path | Sequence[str | Path], root: str | Path) -> Path:
    """Make pictures a data folder that labels can be written into.

    What ``root`` holds already, tags for instance, is kept, and what is not there yet is added: the
    same cell can be run again, with the same pictures or with more. If a zip holds a data folder,
    its labels come along; tables of ``root`` gain the lines about pictures of which they say
    nothing. Where both say something, ``root`` has the last word, and a warning names the file.

    Args:
        source: a folder of pictures, a zip of one, or one or more files; a folder that is a data
            folder already, with ``images`` or ``JPEGImages``, is taken as it is.
        root: the data folder to make. Zips are unpacked beside it.

    Returns:
        The data folder: ``root``, or the one that was found.

    Raises:
        InputError: nothing there, no pictures, a damaged zip or one that points out of its folder,
            pictures that cannot be read, and two of one name, here or in ``root``; a data folder in
            another layout than ``root``, or with other columns in its tables.
    """
    root = Path(root)
    if isinstance(source, str | Path) and _is_picture(Path(source)):
        source = [source]
    own, found, folder = _layout(root), None, root
    if isinstance(source, str | Path):
        folder = _folder_of(Path(source), root.with_name(f"{root.name}_unpacked"))
        found = _layout(folder)
        if found and Path(source).is_dir():
            return folder
        if found and own and found != own:
            raise InputError(
                f"{source} has its pictures in {found}, and {root} in {own}: choose another folder "
                "for it."
            )
        paths = _pictures_in(folder / found if found else folder)
    else:
        paths = [Path(path) for path in source]
    layout = found or own or LAYOUTS[0]
    _check(paths, root / layout)  # before anything is copied
    there = Files(root / layout, IMAGES)
    for path in paths:
        if not _comes_again(path, there):
            _copy(path, root / layout / path.name)
    if found:
        _take_labels(folder, root, layout)
    if not (root / "dataset.json").is_file():
        about = {"name": root.name, "allows_empty": True}  # pictures of none of the classes teach
        with written_whole(root / "dataset.json") as partial:
            partial.write_text(json.dumps(about), encoding="utf-8")
    return root


def _layout(root: Path) -> str | None:
    """The folder of pictures by which a data folder is known, None for any other folder."""
    return next((name for name in LAYOUTS if (root / name).is_dir()), None)


def _copy(path: Path, target: Path) -> None:
    if not target.exists():
        with written_whole(target) as partial:
            shutil.copyfile(path, partial)


def _comes_again(path: Path, there: Files) -> bool:
    """Whether a picture is there under the name that it had before a browser numbered it."""
    before = id_of_file(re.sub(r" ?\(\d+\)(?=\.\w+$)", "", path.name))
    return before in there and filecmp.cmp(path, there.path(before), shallow=False)


def _take_labels(folder: Path, root: Path, layout: str) -> None:
    """Bring along all files of a data folder but its pictures."""
    kept = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if not path.is_file() or name.parts[0] == layout:
            continue
        mine = root / name
        _copy(path, mine)
        if not filecmp.cmp(path, mine, shallow=False):
            kept.append(str(name))
            if str(name) in TABLES:
                _join(mine, path, Files(root / layout, IMAGES))
    if kept:
        warnings.warn(
            f"{root} keeps its own {', '.join(kept[:5])}{' and more' if kept[5:] else ''}, "
            "although the zip holds another. Delete what you would rather have from the zip, and "
            "run this again.",
            stacklevel=3,
        )


def _join(mine: Path, theirs: Path, pictures: Files) -> None:
    """Add lines about pictures of which a table says nothing yet."""
    rows = read_rows(mine, ["id"])
    known = {id_of(row["id"], pictures) for row in rows}
    new = [row for row in read_rows(theirs, ["id"]) if id_of(row["id"], pictures) not in known]
    columns = [*(rows or new)[0]] if new else []
    if new and {*columns} != {*new[0]}:
        raise InputError(
            f"{mine} has the columns {', '.join(columns)}, and the one of the zip "
            f"{', '.join(new[0])}: make them alike, or choose another folder."
        )
    if new:
        with (
            one_at_a_time(mine),
            written_whole(mine) as partial,
            partial.open("w", newline="", encoding="utf-8") as file,
        ):
            table = csv.DictWriter(file, columns)
            table.writeheader()
            table.writerows([*rows, *new])


def _is_picture(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in IMAGES


def _check(paths: Sequence[Path], images: Path) -> None:
    """Refuse pictures that cannot be read, and names that mean another picture already."""
    if not paths:
        raise InputError("The list of pictures is empty: name at least one file.")
    there = Files(images, IMAGES)
    seen: dict[str, Path] = {}
    for path in paths:
        if not _is_picture(path):
            raise InputError(
                f"{path} is no picture that is read here ({', '.join(IMAGES)}): correct the path, "
                "or convert the file."
            )
        decoded_size(path)
        id = id_of_file(path.name)
        if id in seen:
            raise InputError(
                f"{seen[id]} and {path} share the name {id!r}, by which labels know a picture: "
                "rename one of them."
            )
        seen[id] = path
        if id in there and not filecmp.cmp(path, there.path(id), shallow=False):
            raise InputError(
                f"{path}: another picture of this name is there, {there.path(id)}; choose another "
                "folder for these pictures, or rename it."
            )


def _folder_of(source: Path, work: Path) -> Path:
    """The folder that holds something, inside of what may be a zip."""
    if source.is_file():
        source = unpack(source, place_of(source, work), lambda name: not _is_litter(name))
    if not source.is_dir():
        raise InputError(f"No folder and no zip at {source}: correct the path.")
    inside = [path for path in source.iterdir() if not is_litter(path.name)]
    return _folder_of(inside[0], work) if len(inside) == 1 and inside[0].is_dir() else source


def _is_litter(name: str) -> bool:
    return any(is_litter(part) for part in Path(name).parts)


def _pictures_in(folder: Path) -> list[Path]:
    files = Files(folder, IMAGES)
    if files.nested:
        raise InputError(
            f"{folder / files.nested} lies in a sub-folder: put all pictures into one folder, "
            "under different names."
        )
    if not files.ids:
        raise InputError(f"{folder} holds no pictures ({', '.join(IMAGES)}).")
    return [files.path(id) for id in files.ids]
