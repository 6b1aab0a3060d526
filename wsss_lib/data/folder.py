"""Data sets on disk: the layout of PASCAL VOC, and a plain one for your own photographs.

========== ============================ ===================================
what       PASCAL VOC layout            plain layout
========== ============================ ===================================
images     ``JPEGImages/<id>.jpg``      ``images/<id>.jpg``
masks      ``SegmentationClass/``       ``masks/`` (optional)
splits     ``ImageSets/Segmentation/``  column ``split`` of ``labels.csv``
tags       ``image_labels.csv``         ``labels.csv``: id, one column a class
classes    ``classes.txt``, or VOC's 20 the columns of ``labels.csv``
========== ============================ ===================================

Image files may end in .jpg, .jpeg or .png. Where no table of tags exists, they come from the
masks: a class that covers at least ``min_area`` pixels is present.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from wsss_lib.core import InputError
from wsss_lib.data.palette import read_labels
from wsss_lib.data.tables import read_table

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip
SUFFIXES = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG")
"""Endings of the image files that are read."""


def read_image(path: Path) -> Tensor:
    """(3, H, W) RGB in [0, 1]; grey, palette and RGBA files are converted, EXIF turns applied.

    Raises:
        InputError: missing, truncated, or not an image.
    """
    try:
        with Image.open(path) as file:
            file.load()
            image: Image.Image = file
            if image.mode.startswith("I"):  # 16 bits; Pillow's own conversion would clip at 255
                deep = np.asarray(image).clip(0, 65535) / 257
                image = Image.fromarray(deep.round().astype(np.uint8))
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                ground = Image.new("RGBA", image.size, "white")
                image = Image.alpha_composite(ground, image.convert("RGBA"))
            array = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except FileNotFoundError as error:
        raise InputError(f"No image at {path}. Run `wsss doctor` on the data folder.") from error
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise InputError(
            f"{path} is truncated or not an image ({error}); fetch it again."
        ) from error
    return torch.from_numpy(array.copy()).permute(2, 0, 1).float() / 255


def image_size(path: Path) -> tuple[int, int]:
    """(H, W) of an image as ``read_image`` gives it; the header alone is read.

    Raises:
        InputError: missing, or not an image.
    """
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) > 4
            return image.size if turned else (image.height, image.width)
    except (OSError, SyntaxError) as error:  # Pillow raises both
        raise InputError(
            f"{path} is missing, truncated or not an image ({error}); fetch it again. `wsss "
            "doctor` lists all such files of a data folder."
        ) from error


def read_tags(path: Path) -> dict[str, dict[str, str]]:
    """Lines of a table of image labels by id; its column of splits may be written ``Split``.

    Raises:
        InputError: a table that cannot be read.
    """
    return {
        id: {"split" if str(name).lower() == "split" else name: row[name] for name in row}
        for id, row in read_table(path, "id").items()
    }


class SegmentationFolder:
    """Images with image labels and, for evaluation, masks.

    Args:
        root: folder in one of the two layouts.
        split: name of a split; None takes every image.
        classes: foreground classes where the folder does not name them.
        min_area: pixels that a class needs to count as present where tags come from masks.

    Attributes:
        ids: names of the images, in the order of the split file or sorted.
        classes: names of the C foreground classes.
        name: what results call this data set.
        about: content of ``dataset.json``, {} where there is none.
        allows_empty: whether images without any object are meant to be there.

    Raises:
        InputError: no such folder, layout, or split; each message says what would help.
    """

    def __init__(
        self,
        root: Path | str,
        split: str | None = "train",
        classes: Sequence[str] | None = None,
        min_area: int = 1,
    ) -> None:
        self.root = Path(root)
        self.split = split
        self.min_area = min_area
        if not self.root.is_dir():
            raise InputError(
                f"No folder {self.root}. Make the toy world with `wsss toy {self.root}`, get "
                f"PASCAL VOC with `python -m data_scripts.voc {self.root}`, or see "
                "`wsss doctor --help` for the layouts of your own data."
            )
        self.voc = (self.root / "JPEGImages").is_dir()
        if not self.voc and not (self.root / "images").is_dir():
            raise InputError(
                f"{self.root} holds neither JPEGImages/ (PASCAL VOC layout) nor images/ (plain "
                "layout)."
            )
        self.images = self.root / ("JPEGImages" if self.voc else "images")
        self.masks = self.root / ("SegmentationClass" if self.voc else "masks")
        labels = self.root / ("image_labels.csv" if self.voc else "labels.csv")
        self._labels_file = labels
        self._labels = read_tags(labels) if labels.is_file() else None
        for id in self._labels or ():
            if id.endswith(SUFFIXES) and (self.images / id).is_file():
                raise InputError(
                    f"{labels}: {id!r} is the name of a file; ids have no ending: write "
                    f"{Path(id).stem!r}, and likewise elsewhere."
                )
        self.classes = tuple(classes) if classes else self._find_classes()
        self.ids = self._find_ids()
        about = self.root / "dataset.json"
        try:
            self.about: dict = json.loads(about.read_text("utf-8")) if about.is_file() else {}
        except ValueError as error:
            raise InputError(f"{about} is no JSON ({error}); correct or delete it.") from error
        self.name: str = self.about.get("name", self.root.name)
        self.allows_empty: bool = self.about.get("allows_empty", False)
        self._tables: dict[str, dict[str, dict[str, str]]] = {}

    def __len__(self) -> int:
        """Number of images."""
        return len(self.ids)

    def subset(self, ids: Sequence[str]) -> Self:
        """The same data set with only these images, in this order.

        Raises:
            InputError: an id that the data set does not have.
        """
        unknown = sorted(set(ids) - set(self.ids))
        if unknown:
            raise InputError(f"{self.root} has no images {unknown[:5]} in split {self.split!r}.")
        clone = object.__new__(type(self))
        clone.__dict__.update(self.__dict__)
        clone.ids = tuple(ids)
        return clone

    def held_out(self, share: float = 0.1) -> tuple[Self, Self]:
        """The first ``share`` of the images, whose masks may choose a threshold, and the rest."""
        count = max(1, round(len(self.ids) * share))
        return self.subset(self.ids[:count]), self.subset(self.ids[count:])

    def has_mask(self, id: str) -> bool:
        """Whether there is ground truth of this image."""
        return (self.masks / f"{id}.png").is_file()

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits on disk, none where the folder does not divide its images."""
        if self.voc:
            lists = (self.root / "ImageSets" / "Segmentation").glob("*.txt")
            return tuple(sorted(path.stem for path in lists))
        return tuple(
            sorted({row.get("split") or "" for row in (self._labels or {}).values()} - {""})
        )

    def digest(self) -> str:
        """Twelve hexadecimal digits that change with the ids, the labels and any image's size."""
        content = hashlib.sha256(json.dumps(self.about, sort_keys=True).encode())
        tagged = self._labels_file.read_bytes() if self._labels is not None else b""
        content.update(repr(self.classes).encode() + tagged)
        for id in self.ids:
            files = [self.image_path(id)] + ([] if tagged else [self.masks / f"{id}.png"])
            sizes = [path.stat().st_size if path.is_file() else -1 for path in files]
            content.update(f"{id}{sizes}".encode())
        return content.hexdigest()[:12]

    def image(self, id: str) -> Tensor:
        """(3, H, W) RGB in [0, 1]."""
        return read_image(self.image_path(id))

    def size(self, id: str) -> tuple[int, int]:
        """(H, W) of an image."""
        return image_size(self.image_path(id))

    def image_path(self, id: str) -> Path:
        """The image file, whatever its ending."""
        for suffix in SUFFIXES:
            path = self.images / f"{id}{suffix}"
            if path.is_file():
                return path
        return self.images / f"{id}.jpg"

    def tags(self, id: str) -> Tensor:
        """(C,), 1 where the class is present.

        Raises:
            InputError: the image has no label, a class no column, or an entry is not 0 or 1.
        """
        if self._labels is None:
            areas = np.bincount(self.mask(id).numpy().ravel(), minlength=256)
            return torch.from_numpy(areas[1 : len(self.classes) + 1] >= self.min_area).float()
        if id not in self._labels:
            raise InputError(f"{self._labels_file} has no line for image {id!r}; add one.")
        row = self._labels[id]
        missing = [name for name in self.classes if name not in row]
        if missing:
            raise InputError(
                f"{self._labels_file} has no column for class {missing[0]!r}: add one, or "
                "correct the names of the classes."
            )
        values = [row[name] for name in self.classes]
        if any(value not in ("0", "1") for value in values):
            raise InputError(f"{self._labels_file}, line of {id!r}: entries must be 0 or 1.")
        return torch.tensor([float(value) for value in values])

    def mask(self, id: str) -> Tensor:
        """(H, W) int64 class indices, 255 = void. Only evaluation and label synthesis read it."""
        labels = read_labels(self.masks / f"{id}.png", num_classes=len(self.classes))
        return torch.from_numpy(labels.astype(np.int64))

    def has_masks(self) -> bool:
        """Whether there is any ground truth here."""
        return self.masks.is_dir()

    def layer(self, folder: str, id: str) -> Tensor:
        """(H, W) int64 of another label layer, such as the toy world's ``Parts`` or ``Stuff``."""
        return torch.from_numpy(read_labels(self.root / folder / f"{id}.png").astype(np.int64))

    def caption(self, id: str) -> str:
        """The sentence of ``captions.csv`` about an image."""
        if "captions" not in self._tables:
            self._tables["captions"] = read_table(self.root / "captions.csv", "id")
        if id not in self._tables["captions"]:
            raise InputError(f"captions.csv of {self.root} has no line for image {id!r}; add one.")
        return self._tables["captions"][id]["caption"]

    def _find_classes(self) -> tuple[str, ...]:
        names = self.root / "classes.txt"
        if names.is_file():
            lines = names.read_text("utf-8").splitlines()
            return tuple(line.strip() for line in lines if line.strip())
        if self._labels:
            first = next(iter(self._labels.values()))
            return tuple(name for name in first if name not in ("id", "split"))
        if self.voc:
            return VOC_CLASSES
        raise InputError(
            f"{self.root} names no classes: add {self._labels_file.name} (id, one column a class), "
            "classes.txt (one name a line), or pass classes=[...]."
        )

    def _find_ids(self) -> tuple[str, ...]:
        if self.split is None or (not self.voc and not self.splits):
            ids = tuple(sorted({p.stem for p in self.images.iterdir() if p.suffix in SUFFIXES}))
            if not ids:
                raise InputError(f"{self.images} holds no images (.jpg, .jpeg or .png).")
            return ids
        if not self.voc:
            rows = self._labels or {}
            ids = tuple(id for id, row in rows.items() if row["split"] == self.split)
        else:
            file = self.root / "ImageSets" / "Segmentation" / f"{self.split}.txt"
            ids = tuple(file.read_text().split()) if file.is_file() else ()
        if not ids:
            known = ", ".join(self.splits) or "none"
            raise InputError(f"{self.root} has no split {self.split!r}; it has: {known}.")
        return ids
