"""Names: which file belongs to which id, and which id somebody means."""

import os
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path, PurePath

from wsss_lib.core import InputError

IMAGES = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
"""Endings of images that are read, in capitals too."""
LABELS = (".png", ".bmp", ".tif", ".tiff", ".gif")
"""Endings of label images that are read: formats that keep every index."""
PICTURES = (
    *IMAGES, ".heic", ".heif", ".avif", ".jxl", ".jp2", ".psd", ".svg",
    ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf",
)  # fmt: skip
"""Endings of files that somebody means as pictures, whether they are read or not."""
_LITTER = ("thumbs.db", "desktop.ini", "@eadir", "__macosx")


class Files:
    """The files of one folder by id: their name without its ending, composed (NFC).

    macOS writes an accent as a letter of its own, other systems do not; composed, both are one
    name. Spaces around a name are no part of it, since tables and lists lose them. What systems
    leave behind is no file: ``._IMG.jpg``, ``.DS_Store``, ``Thumbs.db``. The folder is looked at
    once.

    Args:
        folder: which need not be there.
        endings: of the files that are read.

    Attributes:
        endings: of the files that are read.
        unread: names of files with other endings.
        nested: a picture that lies in a folder below, "" where there is none.

    Raises:
        InputError: a name that is no UTF-8, or a picture that cannot be read and has no readable
            twin.
    """

    def __init__(self, folder: Path, endings: Sequence[str]) -> None:
        self.folder = folder
        self.endings = tuple(endings)
        self.unread: list[str] = []
        self.nested = ""
        self._names: dict[str, list[str]] = {}
        for name, is_folder in _listed(folder):
            if is_folder:
                self.nested = self.nested or _picture_below(folder / name)
                continue
            id, ending = _split(name)
            if ending in endings:
                self._names.setdefault(id, []).append(name)
            else:
                self.unread.append(name)
        for name in self.unread:
            id, ending = _split(name)
            if ending in PICTURES and id not in self:
                to = "jpg" if ".jpg" in endings else "png"
                like = f"*{PurePath(name).suffix}"
                raise InputError(
                    f"{folder / name}: {ending} is not read here; convert all such files to .{to}, "
                    f"for instance with `magick mogrify -format {to} {like}`, or take them away."
                )

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""
        return tuple(sorted(self._names))

    def __contains__(self, id: object) -> bool:
        """Whether there is a file of this id."""
        return id in self._names

    def path(self, id: str) -> Path:
        """The file of an id; a path that does not exist where there is none.

        Raises:
            InputError: several files share the id.
        """
        names = self._names.get(id)
        if names is None:
            return self.folder / f"{id}.png"
        if len(names) > 1:
            raise InputError(
                f"{' and '.join(names)} in {self.folder} share the id {id!r}: keep one of them."
            )
        return self.folder / names[0]


def composed(name: str) -> str:
    """A name as ids have it: composed (NFC), without spaces around it."""
    return unicodedata.normalize("NFC", name).strip()


def is_litter(name: str) -> bool:
    """Whether an operating system left this file or folder behind."""
    return name.startswith(".") or name.lower() in _LITTER


def _split(name: str) -> tuple[str, str]:
    """A composed stem without spaces around it, and an ending in small letters."""
    path = PurePath(composed(name))
    return path.stem.strip(), path.suffix.lower()


def _listed(folder: Path) -> list[tuple[str, bool]]:
    """Names in a folder, and whether each is a folder."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        found = sorted((e.name, e.is_dir()) for e in entries if not is_litter(e.name))
    for name, _ in found:
        if not name.isascii() and name != name.encode("utf-8", "replace").decode():
            raise InputError(
                f"{folder}: the name {os.fsencode(name)!r} is no UTF-8, so it cannot be written "
                "into tables: rename the file, for instance with `convmv -t utf8`."
            )
    return found


def _picture_below(folder: Path) -> str:
    for name, is_folder in _listed(folder):
        if not is_folder and _split(name)[1] in PICTURES:
            return f"{folder.name}/{name}"
        if is_folder and (deeper := _picture_below(folder / name)):
            return f"{folder.name}/{deeper}"
    return ""


def id_of_file(name: str) -> str:
    """The id of a file: its name without its ending and spaces around it, composed (NFC)."""
    return _split(name)[0]


def id_of(name: str, ids: Collection[str] | Files) -> str:
    """The id that a name means which may have an ending or a path; the name itself if none."""
    return next((meant for meant in (composed(name), *_short(name)) if meant in ids), name)


def _short(name: str) -> tuple[str, str]:
    """A name without its path, and without its ending too."""
    last = composed(name).replace("\\", "/").rsplit("/", 1)[-1]
    stem, ending = _split(last)
    return last, stem if ending in PICTURES else last


def check_endings(files: Files, pictures: Files) -> None:
    """Refuse a label image that is not read and leaves its image without one.

    Args:
        files: label images.
        pictures: the images.

    Raises:
        InputError: names the file.
    """
    for name in files.unread:
        id, ending = _split(name)
        if id in pictures and id not in files:
            raise InputError(
                f"{files.folder / name}: {ending or 'a name without ending'} is not read here; "
                f"write it as {id}.png, with one class index a pixel, or take it away."
            )


def check_names(source: Path, names: Iterable[str], files: Files) -> None:
    """Refuse a name that nearly is the name of an image.

    Args:
        source: the file or folder that holds the names.
        names: all of them.
        files: the images.

    Raises:
        InputError: a name that is no image's and an image that is not named differ in capitals or
            leading zeros alone.
    """
    named = {*names}
    strange = {_loosely(name): name for name in sorted(named) if name not in files}
    for id in files.ids if strange else ():
        if id not in named and _loosely(id) in strange:
            raise InputError(
                f"{source} names {strange[_loosely(id)]!r}, but the image is called {id!r}: write "
                "both alike, with the same capitals and leading zeros. Spreadsheets drop zeros; "
                "make the column a text."
            )


def _loosely(name: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", _short(name)[1].casefold())
