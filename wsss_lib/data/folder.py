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

In both, CVAT's ``labelmap.txt`` may name the classes and their colours in the masks. Where no table
of tags exists, they come from the masks: a class that covers at least ``min_area`` pixels is
present. An id is the name of an image without its ending (``wsss_lib.data.files.names``).
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from wsss_lib.core import IGNORE, InputError
from wsss_lib.data.files.about import read_about
from wsss_lib.data.files.checksums import checksums
from wsss_lib.data.files.classes import FOREIGN, check_classes, read_class_list, read_labelmap
from wsss_lib.data.files.lists import read_ids
from wsss_lib.data.files.names import (
    IMAGES,
    LABELS,
    Files,
    check_endings,
    check_names,
    id_of,
    is_litter,
)
from wsss_lib.data.files.pictures import check_size, image_size, read_image
from wsss_lib.data.files.tables import read_table
from wsss_lib.data.palette import read_labels

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip
MOST_CLASSES = IGNORE - 1
"""Label images have one byte a pixel, for background, classes and void."""
ENTRIES = {"0": 0.0, "0.0": 0.0, "false": 0.0, "1": 1.0, "1.0": 1.0, "true": 1.0}
"""Entries of labels; tables that held gaps or truth values once come back like this."""


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
        pictures: the image files by id, those of other splits too.
        labels_file: table of image labels, which need not be there.
        table: its lines by id, None where there is none.
        colours: (K, 3) of background and classes in the masks; None means those of PASCAL VOC.
        name: what results call this data set.
        about: content of ``dataset.json``, {} where there is none.
        allows_empty: whether images without any object are meant to be there.

    Raises:
        InputError: no such folder, layout, or split, names that do not fit together, and pictures
            that cannot be read; each message says what would help.
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
        self.pictures = Files(self.images, IMAGES)
        names = ("image_labels.csv", "labels.csv")[:: 1 if self.voc else -1]
        tables = [self.root / name for name in names]
        self.labels_file = next((path for path in tables if path.is_file()), tables[0])
        self.table = self._read_table()
        self.colours: np.ndarray | None = None
        self.classes = self._find_classes(classes)
        if len(self.classes) > MOST_CLASSES:
            raise InputError(
                f"{self.root} has {len(self.classes)} classes, and label images have numbers for "
                f"{MOST_CLASSES}, beside background (0) and void (255): join or leave out some."
            )
        self.ids = self._find_ids()
        self.about = read_about(self.root / "dataset.json")
        self.name: str = self.about.get("name", self.root.name)
        self.allows_empty: bool = self.about.get("allows_empty", False)
        self._captions: dict[str, dict[str, str]] | None = None
        self._layers: dict[str, Files] = {}
        self._masks_are_fine = False

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
        return self.mask_path(id).is_file()

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits on disk, none where the folder does not divide its images."""
        if self.voc:
            lists = (self.root / "ImageSets" / "Segmentation").glob("*.txt")
            return tuple(sorted(path.stem for path in lists if not is_litter(path.name)))
        return tuple(sorted({row.get("split", "") for row in (self.table or {}).values()} - {""}))

    def digest(self, layers: Sequence[str] = ()) -> str:
        """Twelve hexadecimal digits that stand for all that this data set shows.

        They change with the ids, the classes, the image labels as they were read, the description,
        and the content of any image, and of any mask where image labels are made from masks; see
        ``wsss_lib.data.files.checksums`` for what is guaranteed.

        Args:
            layers: names of folders of label images that count too, such as that of the masks.
        """
        made = self.table is None
        folders = sorted({*layers, *([self.masks.name] if made else [])})
        paths = [self.image_path(id) for id in self.ids]
        paths += [self.files_of(folder).path(id) for folder in folders for id in self.ids]
        tags = self.min_area if made else self.table
        colours = None if self.colours is None else self.colours.tolist()
        seen = [self.about, self.classes, colours, self.ids, tags, folders, checksums(paths)]
        return hashlib.sha256(repr(seen).encode()).hexdigest()[:12]

    def image(self, id: str, longest: int | None = None) -> Tensor:
        """(3, H, W) RGB in [0, 1]; very large ones smaller, where ``read_image`` may do so."""
        return read_image(self.image_path(id), longest)

    def size(self, id: str) -> tuple[int, int]:
        """(H, W) of an image."""
        return image_size(self.image_path(id))

    def image_path(self, id: str) -> Path:
        """The image file, whatever its ending."""
        return self.pictures.path(id)

    def tags(self, id: str) -> Tensor:
        """(C,), 1 where the class is present.

        Raises:
            InputError: the image has no label, a class no column, or an entry is not 0 or 1.
        """
        if self.table is None:
            areas = np.bincount(self.mask(id).numpy().ravel(), minlength=256)
            return torch.from_numpy(areas[1 : len(self.classes) + 1] >= self.min_area).float()
        if id not in self.table:
            raise InputError(f"{self.labels_file} has no line for image {id!r}; add one.")
        row = self.table[id]
        missing = [name for name in self.classes if name not in row]
        if missing:
            raise InputError(
                f"{self.labels_file} has no column for class {missing[0]!r}: add one, or "
                "correct the names of the classes."
            )
        values = [ENTRIES.get(row[name].lower()) for name in self.classes]
        if None in values:
            name = self.classes[values.index(None)]
            raise InputError(
                f"{self.labels_file}, line of {id!r}: entries must be 0 or 1, but column {name!r} "
                f"holds {row[name]!r}."
            )
        return torch.tensor([value for value in values if value is not None])

    def mask(self, id: str) -> Tensor:
        """(H, W) int64 class indices, 255 = void. Only evaluation and label synthesis read it.

        Raises:
            InputError: no mask, one that ``read_labels`` refuses, or one of another size.
        """
        labels = read_labels(self.mask_path(id), len(self.classes), self.colours)
        if id in self.pictures:  # labels can be scored without their images
            check_size(self.mask_path(id), labels.shape, self.image_path(id))
        return torch.from_numpy(labels.astype(np.int64))

    def mask_path(self, id: str) -> Path:
        """The file of a mask, which need not be there."""
        return self.files_of(self.masks.name).path(id)

    def files_of(self, folder: str) -> Files:
        """Label images in a folder of the data set, by id.

        Raises:
            InputError: what ``Files``, ``check_names`` and ``check_endings`` refuse.
        """
        if folder not in self._layers:
            files = Files(self.root / folder, LABELS)
            check_names(files.folder, files.ids, self.pictures)
            check_endings(files, self.pictures)
            self._layers[folder] = files
        return self._layers[folder]

    def check_masks(self) -> None:
        """Refuse masks that belong to no image, have another size, or say nothing.

        Sizes are those of the headers, so that nobody trains for hours to hear of the last mask.

        Raises:
            InputError: no mask has the name of an image, one of these images has another size than
                its mask, or all their masks hold nothing but 0 and 255.
        """
        if self._masks_are_fine:
            return
        files = self.files_of(self.masks.name)
        if files.nested or (files.ids and not any(id in self.pictures for id in files.ids)):
            raise InputError(
                f"{self.masks} holds {files.nested or files.path(files.ids[0]).name}, but no mask "
                "with the name of an image: the mask of IMG_1.jpg is IMG_1.png, in no sub-folder."
            )
        for id in sorted({*self.ids} & {*files.ids} & {*self.pictures.ids}):
            mask = files.path(id)
            check_size(mask, image_size(mask), self.image_path(id))
        if self._only_void():
            raise InputError(
                f"All masks of these images in {self.masks} hold nothing but 0 and 255, and 255 "
                "means void. If 255 marks the object, write its class index (1 for the first "
                "class) instead."
            )
        self._masks_are_fine = True

    def _only_void(self) -> bool:
        """Whether void occurs and no class does; the first mask with a class ends the search."""
        void = False
        for id in self.ids:
            if self.has_mask(id):
                used = np.bincount(self.mask(id).numpy().ravel(), minlength=IGNORE + 1)
                if used[1:IGNORE].any():
                    return False
                void = void or bool(used[IGNORE])
        return void

    def has_masks(self) -> bool:
        """Whether there is any ground truth here."""
        return self.masks.is_dir()

    def layer(self, folder: str, id: str) -> Tensor:
        """(H, W) int64 of another label layer, such as the toy world's ``Parts`` or ``Stuff``."""
        return torch.from_numpy(read_labels(self.files_of(folder).path(id)).astype(np.int64))

    def caption(self, id: str) -> str:
        """The sentence of ``captions.csv`` about an image."""
        if self._captions is None:
            rows = read_table(self.root / "captions.csv", "id")
            self._captions = {id_of(name, self.pictures): row for name, row in rows.items()}
            check_names(self.root / "captions.csv", self._captions, self.pictures)
        if id not in self._captions:
            raise InputError(f"captions.csv of {self.root} has no line for image {id!r}; add one.")
        return self._captions[id]["caption"]

    def _read_table(self) -> dict[str, dict[str, str]] | None:
        """Lines of the table of image labels; its column of splits may be written ``Split``."""
        path = self.labels_file
        if not path.is_file():
            return None
        rows: dict[str, dict[str, str]] = {}
        for name, row in read_table(path, "id").items():
            id = id_of(name, self.pictures)
            if id in rows:
                raise InputError(f"{path}: the lines of id [{id!r}] stand there twice.")
            rows[id] = {"split" if key.lower() == "split" else key: row[key] for key in row}
        if not rows:
            raise InputError(f"{path} holds no line but the names of its columns; add the images.")
        check_names(path, rows, self.pictures)
        return rows

    def _find_classes(self, given: Sequence[str] | None) -> tuple[str, ...]:
        listed = None
        for file in (self.root / "labelmap.txt", self.root / "classes.txt"):
            if not file.is_file():
                continue
            before = listed
            if file.name == "labelmap.txt":
                listed, self.colours = read_labelmap(file)
            else:
                listed = read_class_list(file)
            if before is not None and listed != before:
                raise InputError(
                    f"{file} names {listed}, but labelmap.txt {before}: correct or delete one."
                )
            self._compare(file.name, listed)
        if given or isinstance(given, str):
            chosen = check_classes(given, "classes=")
            if self.colours is not None and chosen != listed:
                raise InputError(
                    f"labelmap.txt gives colours to {listed}, not to classes={chosen}."
                )
            return chosen
        if listed is not None:
            return listed
        if self.table is not None:
            return check_classes(self._columns, self.labels_file)
        strange = [name for name in FOREIGN if (self.root / name).is_file()]
        if self.voc and not strange:
            return VOC_CLASSES
        raise InputError(
            f"{self.root} names no classes: add {self.labels_file.name} (id, one column a class), "
            "classes.txt (one name a line), or pass classes=[...]."
            + (f" {strange[0]} is not read." if strange else "")
        )

    @property
    def _columns(self) -> tuple[str, ...]:
        first = next(iter((self.table or {}).values()), {})
        return tuple(name for name in first if name not in ("id", "split"))

    def _compare(self, source: str, listed: tuple[str, ...]) -> None:
        """A list of classes and the table of labels name the same ones."""
        lacks = [name for name in listed if name not in self._columns]
        more = [name for name in self._columns if name not in listed]
        if self.table is None or not (lacks or more):
            return
        raise InputError(
            f"{self.labels_file} and {source} disagree: the table has "
            + (f"no column for class {lacks[0]!r}" if lacks else "")
            + (" and " if lacks and more else "")
            + (f"a column {more[0]!r} that {source} does not name" if more else "")
            + ". Correct one of the two."
        )

    def _find_ids(self) -> tuple[str, ...]:
        if self.pictures.nested:
            raise InputError(
                f"{self.images / self.pictures.nested} lies in a sub-folder, where nobody looks: "
                f"put all images into {self.images} itself, under different names."
            )
        whole = not self.voc and not self.splits
        if whole and self.split not in (None, "train"):
            raise InputError(
                f"{self.root} does not divide its images, so there is no split {self.split!r}: add "
                f"a column split to {self.labels_file.name}, or take all images (split=None)."
            )
        if self.split is None or whole:
            if not self.pictures.ids:
                raise InputError(f"{self.images} holds no images ({', '.join(IMAGES)}).")
            return self.pictures.ids
        if not self.voc:
            rows = self.table or {}
            ids = tuple(id for id, row in rows.items() if row["split"] == self.split)
        else:
            file = self.root / "ImageSets" / "Segmentation" / f"{self.split}.txt"
            ids = read_ids(file, self.pictures) if file.is_file() else ()
            if file.is_file() and not ids:
                raise InputError(f"{file} names no images: write one id a line, or delete it.")
        if not ids:
            known = ", ".join(self.splits) or "none"
            raise InputError(f"{self.root} has no split {self.split!r}; it has: {known}.")
        return ids
