"""A small set whose truth is known: objects cut out of photographs, pasted on other grounds.

A cat, a cup and a flower are cut along the outlines that were drawn for this book
(``wsss_lib.data.photographs``), made smaller, mirrored by lot, and pasted on parts of photographs
that show none of the three. The outlines move along, so every mask is exact. The split "val" has
other grounds than "train". The objects are the same ones: what is learned from them is this cat,
and not all cats.

Grounds come with scikit-image (grass, gravel and brick, CC0; the rocket's sky, public domain) and
with scikit-learn (``china.jpg`` by danielbuechele, CC BY 2.0).
"""

import csv
import json
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from wsss_lib.core import InputError
from wsss_lib.data.atomic import folder_written_whole, one_at_a_time
from wsss_lib.data.files.names import IMAGES, Files
from wsss_lib.data.palette import read_labels, write_labels
from wsss_lib.data.photographs import cut_out, photograph

OBJECTS = {"cat": "chelsea", "cup": "coffee", "flower": "flower"}
"""Classes, and the photograph that each is cut from."""
GROUNDS = {
    "train": (
        ("grass", "skimage", (0, 0, 512, 512)),
        ("gravel", "skimage", (0, 0, 512, 512)),
        ("china", "sklearn", (0, 0, 320, 427)),
    ),
    "val": (
        ("brick", "skimage", (0, 0, 512, 512)),
        ("rocket", "skimage", (0, 0, 300, 427)),
        ("china", "sklearn", (330, 0, 640, 427)),
    ),
}
"""By split, photographs and what is used of each: (x0, y0, x1, y1), half-open, in pixels."""
COUNTS = {"train": 60, "val": 24}
SIDE = 160  # pixels
SHARE = (0.6, 1.0)
"""Range of an object's longer side, as a share of the room that it has."""


def write_compositions(root: str | Path, seed: int = 0) -> Path:
    """Write the compositions as a data folder: ``images``, ``masks`` and ``labels.csv``.

    Where they are already they are left alone; a new folder appears complete or not at all.

    Args:
        root: folder to make.
        seed: decides what is pasted where.

    Raises:
        InputError: the folder holds something else, or compositions of another seed or size.
    """
    root = Path(root)
    with one_at_a_time(root):
        if not root.exists():
            with folder_written_whole(root) as partial:
                _write(partial, np.random.default_rng(seed))
        elif not _is_of(root, np.random.default_rng(seed)):
            raise InputError(
                f"{root} is there, and does not hold the compositions of seed {seed}: name another "
                "folder, or delete this one."
            )
    return root


def _is_of(root: Path, lot: np.random.Generator) -> bool:
    """Whether a folder has the masks that a lot begins with, and as many as it gives."""
    first = root / "masks" / f"{next(iter(COUNTS))}_00.png"
    if not first.is_file() or len(Files(root / "images", IMAGES).ids) != sum(COUNTS.values()):
        return False
    return np.array_equal(read_labels(first), compose(next(iter(COUNTS)), lot)[1])


def _write(root: Path, lot: np.random.Generator) -> None:
    (root / "images").mkdir()
    lines = []
    for split, count in COUNTS.items():
        for number in range(count):
            id = f"{split}_{number:02d}"
            image, mask = compose(split, lot)
            image.save(root / "images" / f"{id}.jpg", quality=92)
            write_labels(root / "masks" / f"{id}.png", mask)
            present = [int((mask == label).any()) for label in range(1, len(OBJECTS) + 1)]
            lines.append([id, split, *present])
    with (root / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "split", *OBJECTS], *lines])
    (root / "dataset.json").write_text(json.dumps({"name": "compositions"}), encoding="utf-8")


def compose(split: str, lot: np.random.Generator) -> tuple[Image.Image, np.ndarray]:
    """One or two objects of different classes, side by side on a ground of the split.

    Args:
        split: "train" or "val".
        lot: draws everything that is left open.

    Returns:
        The picture, ``SIDE`` pixels a side, and its (SIDE, SIDE) class indices.
    """
    canvas = _ground(split, lot)
    mask = Image.new("L", canvas.size)
    chosen = lot.permutation(len(OBJECTS))[: lot.integers(1, 3)]
    room = SIDE // len(chosen)
    for place, number in enumerate(chosen):
        piece = _objects()[number]
        factor = room * lot.uniform(*SHARE) / max(piece.size)
        piece = piece.resize([round(factor * side) for side in piece.size])
        if lot.random() < 0.5:
            piece = piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        x = place * room + int(lot.integers(room - piece.width + 1))
        y = int(lot.integers(SIDE - piece.height + 1))
        canvas.paste(piece, (x, y), piece)
        inside = piece.getchannel("A").point(lambda alpha: 255 * (alpha > 127))
        mask.paste(int(number) + 1, (x, y), inside)
    return canvas, np.asarray(mask)


@cache
def _objects() -> list[Image.Image]:
    return [cut_out(id) for id in OBJECTS.values()]


@cache
def _grounds(split: str) -> list[Image.Image]:
    return [photograph(id, package).crop(box) for id, package, box in GROUNDS[split]]


def _ground(split: str, lot: np.random.Generator) -> Image.Image:
    """A square part of a ground; grey ones get a tint by lot, so that colour gives nothing away."""
    whole = _grounds(split)[lot.integers(len(GROUNDS[split]))]
    side = int(lot.integers(SIDE, min(whole.size) + 1))
    x, y = (int(lot.integers(length - side + 1)) for length in whole.size)
    part = np.asarray(whole.crop((x, y, x + side, y + side)).resize((SIDE, SIDE)))
    tint = lot.uniform(0.6, 1, 3) if (part[..., 0] == part[..., 1]).all() else np.ones(3)
    return Image.fromarray((part * tint).astype(np.uint8))
