"""Marks on pictures, and the files of a data folder that hold them."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from wsss_lib.core import IGNORE, InputError
from wsss_lib.data.atomic import one_at_a_time, written_whole
from wsss_lib.data.drawn import COLUMNS, FILES
from wsss_lib.data.files.names import LABELS, Files, id_of
from wsss_lib.data.files.pictures import check_size
from wsss_lib.data.files.tables import read_rows
from wsss_lib.data.folder import ENTRIES, SegmentationFolder
from wsss_lib.data.palette import read_labels, write_labels

KINDS = ("tags", "points", "boxes", "extremes", "scribble", "masks")
"""Kinds of label that can be drawn."""
PAINTED = ("scribble", "masks")
"""Kinds that are stored as a label image for each picture; the others are tables."""
BACKGROUND = "background"
_PLACES = {
    "tags": (0, 0),
    "points": (1, 1),
    "boxes": (2, 2),
    "extremes": (2, 4),
    "masks": (3, None),
}
"""Fewest and most places of a mark; extreme clicks are stored, and so come back, as boxes."""


@dataclass(frozen=True)
class Mark:
    """One thing that somebody drew.

    Attributes:
        label: class in 1..C, or 0, the background.
        places: pixels (x, y), counted from 0: none for a tag, one for a point, two opposite corners
            of a box, four extreme clicks, the corners of a stroke or an outline.
    """

    label: int
    places: tuple[tuple[int, int], ...] = ()


class LabelFile:
    """The labels of one kind in a data folder, to be read and replaced picture by picture.

    Tags lie in the table of image labels, or are those of the masks until there is one; points lie
    in ``points.csv``, boxes and the boxes of extreme clicks in ``boxes.csv``, strokes in
    ``Scribbles`` and outlines, filled, in the folder of masks. A file appears whole or stays as it
    was. Lines about other pictures, and columns with other names, such as ``split``, are kept, also
    where another object or program has written them in the meantime. Strokes and outlines of an
    earlier day stay below the new ones: to be rid of them, delete their file. A picture without
    marks has no label, but for tags: no tag says that none of the classes is there.

    Args:
        data: the folder.
        kind: one of ``KINDS``.

    Raises:
        InputError: an unknown kind, or a table whose classes are not those of the folder.
    """

    def __init__(self, data: SegmentationFolder, kind: str) -> None:
        if kind not in KINDS:
            raise InputError(f"{kind!r} cannot be drawn; choose from {', '.join(KINDS)}.")
        self.data = data
        self.kind = kind
        self.names = (BACKGROUND, *data.classes)
        self._marks: dict[str, list[Mark]] = {}
        self._before: dict[str, np.ndarray | None] = {}
        self._content: dict[str, bytes | None] = {}
        self._masked: list[dict[str, str]] | None = None
        if kind == "tags":
            self.path, self._own = data.labels_file, data.classes
        elif kind in PAINTED:
            self.path = data.root / FILES["scribble"] if kind == "scribble" else data.masks
        else:
            table = "points" if kind == "points" else "boxes"
            self.path, self._own = data.root / FILES[table], ("class", *COLUMNS[table])
        self.read()

    def read(self) -> None:
        """Look at the table again, as somebody else may have written into it.

        Raises:
            InputError: a table whose classes are not those of the folder, or an entry that means
                nothing.
        """
        if self.kind in PAINTED:
            return
        columns = ("id", *self._own)
        if self.path.is_file():
            self._rows = read_rows(self.path, columns)
        else:
            made = self.kind == "tags" and self.data.table is None
            self._rows = self._said_by_masks() if made else []
        more = [name for row in self._rows[:1] for name in row if name not in columns]
        if self.kind == "tags" and (foreign := [name for name in more if name.lower() != "split"]):
            raise InputError(
                f"{self.path} has a column {foreign[0]!r} that is none of the classes: name all "
                "classes of the table, or move the file away to begin anew."
            )
        self._columns = (*columns, *more)
        self._marks = {}
        for line, row in enumerate(self._rows, start=2):
            self._marks.setdefault(self._id(row), []).extend(self._read_marks(row, line))

    def _said_by_masks(self) -> list[dict[str, str]]:
        """Lines of the table of tags that masks stand for, as long as there is none.

        Whoever corrects one tag so begins a table that holds all of them.
        """
        if self._masked is None:
            self._masked = []
            for id in self.data.ids:
                if self.data.has_mask(id):
                    entries = map(int, self.data.tags(id).tolist())
                    cells = dict(zip(self._own, map(str, entries), strict=True))
                    self._masked.append({"id": id, **cells})
        return self._masked

    @property
    def done(self) -> tuple[str, ...]:
        """Pictures that have such a label, in their order in the folder."""
        if self.kind in PAINTED:
            there = Files(self.path, LABELS)
            return tuple(id for id in self.data.ids if id in there)
        labelled = {self._id(row) for row in self._rows if all(row[name] for name in self._own)}
        return tuple(id for id in self.data.ids if id in labelled)

    def layer(self, id: str) -> Path:
        """The file of strokes or outlines on a picture, which need not be there.

        Raises:
            InputError: several files are this picture's.
        """
        return Files(self.path, LABELS).path(id)

    def before(self, id: str) -> np.ndarray | None:
        """(H, W) strokes or outlines of others, or of an earlier day, if any."""
        content = self._content_of(id)
        if id not in self._before or content != self._content[id]:
            self._before[id] = None if content is None else self._read_layer(id)
            self._content[id] = content
        return self._before[id]

    def _read_layer(self, id: str) -> np.ndarray:
        file, unseen = self.layer(id), IGNORE if self.kind == "scribble" else None
        labels = read_labels(file, len(self.data.classes), self.data.colours, unseen)
        check_size(file, labels.shape, self.data.image_path(id))
        return labels

    def marks(self, id: str) -> list[Mark]:
        """What is drawn on a picture; of strokes and outlines, what was drawn with this object."""
        return self._marks.get(id, [])

    def replace(self, id: str, marks: Sequence[Mark]) -> None:
        """Write the marks of one picture in place of those that were there.

        Args:
            id: of the picture, or the name of its file.
            marks: of the kind of this object.

        Raises:
            InputError: a picture that is not here, a class or a number of places that the kind
                does not have, or a place that is no whole pixel inside the picture.
        """
        id = id_of(id, self.data.pictures)
        if id not in self.data.ids:
            raise InputError(f"{self.data.root} has no picture {id!r}.")
        height, width = self.data.size(id)
        marks = [_in_whole_numbers(mark) for mark in marks]
        for mark in marks:
            self._check(mark, width, height)
        with one_at_a_time(self.path):
            if self.kind in PAINTED:
                self._paint(id, marks, (width, height))
            else:
                self.read()
                self._write(id, self._lines(id, marks))

    def _content_of(self, id: str) -> bytes | None:
        """What the file of a layer holds, by which this object knows its own work again."""
        file = self.layer(id)
        return file.read_bytes() if file.is_file() else None

    def _paint(self, id: str, marks: Sequence[Mark], size: tuple[int, int]) -> None:
        before, old = self.before(id), self.layer(id)
        new = self.path / f"{id}.png"
        if marks or before is not None:
            write_labels(new, painted(self.kind, marks, size, before))
        else:
            new.unlink(missing_ok=True)
        if old != new:  # a mask of another format, which lies below the new marks
            old.unlink()
        self._content[id] = self._content_of(id)
        self._marks[id] = list(marks)

    def _check(self, mark: Mark, width: int, height: int) -> None:
        fewest, most = _PLACES.get(self.kind, (1, None))
        lowest = 0 if self.kind in ("points", "scribble") else 1
        if not lowest <= mark.label < len(self.names):
            raise InputError(
                f"{self.kind}: class {mark.label} is not in {lowest}..{len(self.names) - 1}."
            )
        if len(mark.places) < fewest or (most is not None and len(mark.places) > most):
            raise InputError(f"{self.kind}: a mark cannot have {len(mark.places)} places.")
        for x, y in mark.places:
            if not (0 <= x < width and 0 <= y < height):
                raise InputError(
                    f"{self.kind}: ({x}, {y}) is not in the picture, which is {width} x {height}."
                )

    def _lines(self, id: str, marks: Sequence[Mark]) -> list[dict[str, Any]]:
        """Lines of the table about a picture."""
        if self.kind == "tags":
            present = {mark.label for mark in marks}
            entries = {
                name: int(label in present) for label, name in enumerate(self.data.classes, start=1)
            }
            before = next((row for row in self._rows if self._id(row) == id), {})
            return [{**before, "id": id, **entries}]
        old = [row for row in self._rows if self._id(row) == id]
        lines: list[dict[str, Any]] = []
        for mark in marks:
            place = mark.places[0] if self.kind == "points" else box_of(mark)
            cells = (self.names[mark.label], *(str(number) for number in place))
            line = dict(zip(self._own, cells, strict=True))
            same = next((row for row in old if line.items() <= row.items()), None)
            if same is not None:
                old.remove(same)
            lines.append({**(same or {}), "id": id, **line})
        return lines

    def _write(self, id: str, lines: Sequence[Mapping[str, Any]]) -> None:
        """The table with these lines where those of the picture stood, or at its end."""
        own = [number for number, row in enumerate(self._rows) if self._id(row) == id]
        others = [row for row in self._rows if self._id(row) != id]
        first = own[0] if own else len(others)
        new = [{name: str(line.get(name, "")) for name in self._columns} for line in lines]
        rows = [*others[:first], *new, *others[first:]]
        with (
            written_whole(self.path) as partial,
            partial.open("w", newline="", encoding="utf-8") as file,
        ):
            table = csv.DictWriter(file, self._columns)
            table.writeheader()
            table.writerows(rows)
        self.read()

    def _id(self, row: Mapping[str, str]) -> str:
        return id_of(row["id"], self.data.pictures)

    def _read_marks(self, row: Mapping[str, str], line: int) -> list[Mark]:
        """What a line of the table says."""
        where = f"{self.path}, line {line}"
        if self.kind == "tags":
            for name in self._own:
                if row[name] and row[name].lower() not in ENTRIES:
                    raise InputError(
                        f"{where}: column {name!r} holds {row[name]!r}; write 1 where the class is "
                        "present, 0 where it is not, and nothing where nobody has looked."
                    )
            present = (label for label, name in enumerate(self._own, start=1) if _is_yes(row[name]))
            return [Mark(label) for label in present]
        if row["class"] not in self.names:
            raise InputError(f"{where}: {row['class']!r} is no class of {self.data.root}.")
        columns = self._own[1:]
        try:
            numbers = [int(row[name]) for name in columns]
        except ValueError as error:
            raise InputError(f"{where}: {', '.join(columns)} must be whole pixels.") from error
        first, last = (numbers[0], numbers[1]), tuple(number - 1 for number in numbers[2:])
        places = (first, (last[0], last[1])) if last else (first,)
        return [Mark(self.names.index(row["class"]), places)]


def _is_yes(entry: str) -> bool:
    return ENTRIES.get(entry.lower()) == 1


def _in_whole_numbers(mark: Mark) -> Mark:
    """A mark in Python's own integers, whichever kind of whole number it came in."""
    try:
        return Mark(index(mark.label), tuple((index(x), index(y)) for x, y in mark.places))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{mark} is no mark: its class and its places, each (x, y), are whole numbers."
        ) from error


def box_of(mark: Mark) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 (half-open, pixels) of the box that the places of a mark span."""
    xs, ys = zip(*mark.places, strict=True)
    return min(xs), min(ys), max(xs) + 1, max(ys) + 1


def painted(
    kind: str, marks: Sequence[Mark], size: tuple[int, int], before: np.ndarray | None = None
) -> np.ndarray:
    """(H, W) class indices of strokes, 255 where nobody drew, or of filled outlines, 0 elsewhere.

    Args:
        kind: "scribble" or "masks".
        marks: later ones cover earlier ones.
        size: (width, height) of the picture.
        before: (H, W) what is painted over; None begins with nothing.
    """
    empty = Image.new("L", size, IGNORE if kind == "scribble" else 0)
    canvas = empty if before is None else Image.fromarray(before)
    pen = ImageDraw.Draw(canvas)
    width = 1 + 2 * round(max(size) / 500)
    for mark in marks:
        if kind == "masks":
            pen.polygon(mark.places, fill=mark.label)
        elif len(mark.places) > 1:
            pen.line(mark.places, fill=mark.label, width=width)
        else:
            pen.point(mark.places, fill=mark.label)
    return np.asarray(canvas)
