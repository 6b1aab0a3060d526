"""Weak labels in files: what people drew, or what a detector saw.

============ ======================== ======================================================
supervision  file                     content
============ ======================== ======================================================
boxes        ``boxes.csv``            id, class, x0, y0, x1, y1: one line a box, in pixels;
                                      x1 and y1 are the first column and row behind it
points       ``points.csv``           id, class, x, y: one line a click, in pixels from 0;
                                      the class may be ``background``
scribble     ``Scribbles/<id>.png``   class indices like those of masks, 255 or transparent where
                                      nobody drew
saliency     ``Saliency/<id>.png``    grey, white is salient; never made from masks
============ ======================== ======================================================

Where such a file is there, it is used; nothing is made from masks then.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wsss_lib.core import IGNORE, InputError
from wsss_lib.data.files.checksums import checksums
from wsss_lib.data.files.names import check_names, id_of
from wsss_lib.data.files.pictures import read_image
from wsss_lib.data.files.tables import read_rows
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.palette import read_labels

FILES = {
    "scribble": "Scribbles",
    "saliency": "Saliency",
    "boxes": "boxes.csv",
    "points": "points.csv",
}
"""Where each kind of label lies in a data folder."""
COLUMNS = {"boxes": ("x0", "y0", "x1", "y1"), "points": ("x", "y")}
"""Numbers of a line, after ``id`` and ``class``."""


def on_objects(kind: str, label: Tensor, mask: Tensor) -> tuple[int, int]:
    """How many marks of classes touch their class, and how many there are.

    Marks of the background are left out, and so are those on void or at another size than the mask.

    Args:
        kind: "boxes", "points" or "scribble".
        label: (n, 5) boxes, (n, 3) points or an (H, W) scribble, whose pixels count as marks.
        mask: (H, W) class indices.
    """
    if kind == "scribble":
        if label.shape != mask.shape:
            return 0, 0
        drawn = (label > 0) & (label != IGNORE) & (mask != IGNORE)
        return int((label == mask)[drawn].sum()), int(drawn.sum())
    on = total = 0
    for *place, c in label.tolist():
        x0, y0, x1, y1 = place if kind == "boxes" else (*place, place[0] + 1, place[1] + 1)
        inside = mask[y0:y1, x0:x1]
        if c and inside.numel() and (inside != IGNORE).any():
            on += bool((inside == c).any())
            total += 1
    return on, total


class DrawnLabels:
    """The weak labels that lie in a data folder.

    Args:
        dataset: whose images are labelled. Where it does not allow images without objects, each
            needs a line in a table.
    """

    def __init__(self, dataset: SegmentationFolder) -> None:
        self._dataset = dataset
        self._classes = dataset.classes
        self._marks: dict[str, dict[str, Tensor]] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of supervision that are here, for some image at least."""
        return tuple(kind for kind in FILES if self.path(kind).exists())

    def path(self, kind: str, id: str | None = None) -> Path:
        """Where a kind of label lies: the file of one image, or all."""
        name = FILES[kind]
        if kind in COLUMNS or id is None:
            return self._dataset.root / name
        return self._dataset.files_of(name).path(id)

    def covers(self, kind: str, id: str) -> bool:
        """Whether there is such a label of an image.

        Raises:
            InputError: a table that cannot be read.
        """
        return id in self._table(kind) if kind in COLUMNS else self.path(kind, id).is_file()

    def label(self, kind: str, id: str, size: tuple[int, ...]) -> Tensor:
        """The label of an image, as the field of ``Batch`` holds it.

        Args:
            kind: one of ``FILES``.
            id: name of the image.
            size: (H, W) of the image.

        Returns:
            (n, 5) boxes, (n, 3) points, an (H, W) scribble or (1, H, W) saliency in [0, 1].

        Raises:
            InputError: no label of this image, or one that does not fit it.
        """
        if kind in COLUMNS:
            return self._inside(kind, id, size)
        return self._scribble(id, size) if kind == "scribble" else self._saliency(id, size)

    def digest(self, kinds: Sequence[str], ids: Sequence[str]) -> list[str]:
        """Checksums of the labels of these images, [] where none are of these kinds."""
        here = [kind for kind in self.kinds if kind in kinds]
        of_images = [self.path(kind, id) for kind in here if kind not in COLUMNS for id in ids]
        tables = [self.path(kind) for kind in here if kind in COLUMNS]
        return [*here, *checksums(of_images + tables)]

    def check(self, kind: str) -> None:
        """Refuse labels of a data set that would stop a training midway, or teach nonsense.

        Scribbles and saliency maps are looked for, not opened: that happens as they are used.

        Raises:
            InputError: an image without its label, marks outside their image, or masks that show
                no mark of any image on an object of its class.
        """
        dataset = self._dataset
        for id in dataset.ids:
            if kind in COLUMNS:
                self._inside(kind, id, dataset.size(id))
            elif not self.covers(kind, id):
                self.label(kind, id, dataset.size(id))
        total = 0
        for id in dataset.ids if kind != "saliency" else ():
            if dataset.has_mask(id) and (kind in COLUMNS or self.covers(kind, id)):
                label = self.label(kind, id, dataset.size(id))
                on, marks = on_objects(kind, label, dataset.mask(id))
                total += marks
                if on:
                    return
        if total:
            raise InputError(
                f"{self.path(kind)}: none of its {total} marks on images with masks lies on an "
                "object of its class. Are x and y, or rows of different images, mixed up?"
            )

    def _table(self, kind: str) -> dict[str, Tensor]:
        """All boxes or points, by image."""
        if kind not in self._marks:
            path, columns = self.path(kind), COLUMNS[kind]
            numbers = {name: number for number, name in enumerate(self._classes, start=1)}
            if kind == "points":
                numbers = {"background": 0} | numbers
            found: dict[str, list[list[int]]] = {}
            for line, row in enumerate(read_rows(path, ("id", "class", *columns)), start=2):
                if row["class"] not in numbers:
                    raise InputError(
                        f"{path}, line {line}: {row['class']!r} is no class; there are "
                        f"{', '.join(numbers)}."
                    )
                try:
                    place = [int(row[column]) for column in columns]
                except (TypeError, ValueError) as error:
                    raise InputError(
                        f"{path}, line {line}: {', '.join(columns)} must be whole pixels."
                    ) from error
                id = id_of(row["id"], self._dataset.pictures)
                found.setdefault(id, []).append([*place, numbers[row["class"]]])
            check_names(path, found, self._dataset.pictures)
            self._marks[kind] = {id: torch.tensor(rows) for id, rows in found.items()}
        return self._marks[kind]

    def _inside(self, kind: str, id: str, size: tuple[int, ...]) -> Tensor:
        """The marks of an image, none of which may lie outside."""
        path = self.path(kind)
        if not self.covers(kind, id):
            if self._dataset.allows_empty:
                return torch.empty((0, len(COLUMNS[kind]) + 1), dtype=torch.int64)
            raise InputError(
                f"{path} has no line about image {id!r}: add its {kind}, or leave the image "
                "out of the split."
            )
        marks = self._table(kind)[id]
        first, last = marks[:, :2], marks[:, 2:-1] if kind == "boxes" else marks[:, :2] + 1
        limit = torch.tensor([size[1], size[0]])
        wrong = ((first < 0) | (last <= first) | (last > limit)).any(dim=1)
        if wrong.any():
            raise InputError(
                f"{path}: {dict(zip(COLUMNS[kind], marks[wrong][0].tolist(), strict=False))} of "
                f"image {id!r} is empty or not inside the image, which is {size[1]} x {size[0]}."
            )
        return marks

    def _scribble(self, id: str, size: tuple[int, ...]) -> Tensor:
        path = self.path("scribble", id)
        label = read_labels(path, len(self._classes), self._dataset.colours, unseen=IGNORE)
        if label.shape != size:
            raise InputError(
                f"{path} is {label.shape} but the image is {size}; draw the scribble at the size "
                "of the image."
            )
        return torch.from_numpy(label.astype(np.int64))

    def _saliency(self, id: str, size: tuple[int, ...]) -> Tensor:
        path = self.path("saliency", id)
        if not path.is_file():
            raise InputError(
                f"No saliency at {path}. It is not made from masks: put the grey maps of a "
                f"saliency detector into {path.parent}, one PNG for each image."
            )
        grey = read_image(path, ground="black")
        if (grey != grey[:1]).any() or tuple(grey.shape[-2:]) != size:
            raise InputError(f"{path} is no saliency map: it must be grey and {size}.")
        return grey[:1]
