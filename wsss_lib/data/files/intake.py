"""Somebody's pictures, from a folder, a zip or a list of files, as a data folder."""

import filecmp
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from wsss_lib.core import InputError
from wsss_lib.data.atomic import written_whole
from wsss_lib.data.files.names import IMAGES, Files, id_of_file, is_litter
from wsss_lib.data.files.pictures import decoded_size
from wsss_lib.data.files.unpack import place_of, unpack

LAYOUTS = ("images", "JPEGImages")
"""Folders by which a data folder is known."""


def take_in(source: str | Path | Sequence[str | Path], root: str | Path) -> Path:
    """Make pictures a data folder that labels can be written into.

    Args:
        source: a folder of pictures, a zip of one, or one or more files; a folder that is a data
            folder already, with ``images`` or ``JPEGImages``, is taken as it is.
        root: the data folder to make. What it holds already, tags and ``dataset.json`` for
            instance, is kept, and pictures that are not there yet are added. Zips are unpacked
            beside it.

    Returns:
        The data folder: ``root``, or the one that was found.

    Raises:
        InputError: nothing there, no pictures, a damaged zip or one that points out of its folder,
            pictures that cannot be read, and two of one name, here or in ``root``.
    """
    root = Path(root)
    if isinstance(source, str | Path) and _is_picture(Path(source)):
        source = [source]
    if isinstance(source, str | Path):
        folder = _folder_of(Path(source), root.with_name(f"{root.name}_unpacked"))
        if any((folder / name).is_dir() for name in LAYOUTS):
            return folder
        paths = _pictures_in(folder)
    else:
        paths = [Path(path) for path in source]
    _check(paths, root / "images")  # before anything is copied
    for path in paths:
        target = root / "images" / path.name
        if not target.is_file():
            with written_whole(target) as partial:
                shutil.copyfile(path, partial)
    about = {"name": root.name, "allows_empty": True}  # pictures of none of the classes teach too
    if not (root / "dataset.json").is_file():
        with written_whole(root / "dataset.json") as partial:
            partial.write_text(json.dumps(about), encoding="utf-8")
    return root


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
