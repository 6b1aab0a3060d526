"""The photographs of the notebook on pets, or drawn animals where there are none to be had.

The whole data set is 0.8 GB and wants a GPU: it is fetched on Colab, and used elsewhere where it
lies in the data folder. Tests and the build of the book draw a few animals instead, write them in
the layout of the real archives, and convert them as if they were those.
"""

import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from stored_figures import DATA

from data_scripts import pets
from wsss_lib.data.atomic import folder_written_whole, one_at_a_time
from wsss_lib.data.folder import SegmentationFolder

SIZE = (72, 96)
"""Of a drawn picture: height and width in pixels."""
DRAWN = {"trainval": 8, "test": 3}
"""Drawn animals of each species, by the name of the list."""


@dataclass(frozen=True)
class Pets:
    """Cats and dogs, and how much of a training they are worth.

    Attributes:
        train: to learn from.
        val: to measure on.
        real: photographs; else drawn.
        steps: of each training; on drawings enough to run every line, and too few to learn.
        lr: learning rate of the backbone.
        batch_size: images a step.
        longest: side in pixels to which images are resized.
        crop: side in pixels of a training crop.
    """

    train: SegmentationFolder
    val: SegmentationFolder
    real: bool = True
    steps: int = 300
    lr: float = 1e-4
    batch_size: int = 16
    longest: int = 256
    crop: int = 192

    def say(self) -> None:
        """Remind the reader of what stands below a figure."""
        if not self.real:
            print(f"Drawn animals and {self.steps} steps: this says nothing.")  # noqa: T201


def pets_or_drawings(photographs: int, new: int) -> Pets:
    """The data of the notebook; it says what it found, and what to do for the real ones.

    Args:
        photographs: so many to learn from, breeds in turns.
        new: so many to measure on.

    Raises:
        InputError: on Colab, where the archives cannot be fetched.
    """
    root = DATA / "pets"
    missing = _what_is_missing(root)
    if missing:
        root = DATA / "drawn_pets"
        with one_at_a_time(root):
            if not root.exists():
                with folder_written_whole(root) as partial:
                    draw(partial)
        data = {split: SegmentationFolder(root, split) for split in pets.SPLITS}
        print(  # noqa: T201 - it speaks to the reader of the notebook
            f"{missing}\nSo here are {len(data['train'])} and {len(data['val'])} drawn animals, "
            "which show the steps.\nNo figure below says anything about photographs."
        )
        small = {"steps": 8, "lr": 1e-3, "batch_size": 4, "longest": max(SIZE), "crop": min(SIZE)}
        return Pets(data["train"], data["val"], real=False, **small)
    pets.main(root)  # at once where it has been done before
    whole = {split: SegmentationFolder(root, split) for split in pets.SPLITS}
    train, val = whole["train"], whole["val"]
    print(  # noqa: T201
        f"Oxford-IIIT Pet: {photographs} of {len(train)} photographs to learn from, {new} of "
        f"{len(val)} to measure on."
    )
    return Pets(train.subset(train.ids[:photographs]), val.subset(val.ids[:new]))


def _what_is_missing(root: Path) -> str:
    """Why photographs cannot be used here, "" if they can."""
    on_colab = "google.colab" in sys.modules  # as the first cell asks
    if not torch.cuda.is_available():
        choose = " (on Colab: Runtime, Change runtime type, T4)" if on_colab else ""
        return f"There is no GPU here{choose}, and 500 photographs take a CPU hours."
    if not on_colab and not (root / "dataset.json").is_file():
        return (
            f"There are no photographs in {root}; `python -m data_scripts.pets {root}` gets them "
            "(0.8 GB)."
        )
    return ""


def draw(root: Path) -> None:
    """Write drawn cats and dogs as a data folder, by way of the layout of the real archives."""
    source = root / ".drawn"
    images, masks = source / "images", source / "annotations" / "trimaps"
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, count in DRAWN.items():
        lines = []
        animals = product(range(count), enumerate(pets.SPECIES, start=1))
        for number, (species, kind) in animals:
            id = f"{name}{kind}_{number}"
            picture, inside = _animal(kind, rng)
            picture.save(images / f"{id}.jpg", quality=92)
            Image.fromarray(_trimap(inside)).save(masks / f"{id}.png")
            lines.append(f"{id} {species} {species} 1\n")
        (masks.parent / f"{name}.txt").write_text("".join(lines), encoding="utf-8")
    pets.convert(root, images, masks.parent)


def _animal(kind: str, rng: np.random.Generator) -> tuple[Image.Image, np.ndarray]:
    """A picture, and (H, W) bool where the animal is: a cat's ears stand, a dog's hang."""
    height, width = SIZE
    ground = rng.uniform(90, 200, 3) + rng.normal(0, 6, (height, width, 3))
    shape = Image.new("L", (width, height))
    pen = ImageDraw.Draw(shape)
    r = rng.uniform(8, 11)  # of the head
    x, y = rng.uniform(24, 44), rng.uniform(24, 34)
    pen.ellipse((x, y, x + 4.2 * r, y + 2.6 * r), fill=255)  # the body
    for side in (-1, 1):
        if kind == "cat":
            ear = ((x + side * 0.95 * r, y), (x + side * 0.9 * r, y - 1.7 * r), (x, y - 0.8 * r))
            pen.polygon(ear, fill=255)
        else:
            middle = x + side * 1.05 * r
            pen.ellipse((middle - 0.4 * r, y - 0.7 * r, middle + 0.4 * r, y + 1.2 * r), fill=255)
    pen.ellipse((x - r, y - r, x + r, y + r), fill=255)
    inside = np.asarray(shape) > 0
    fur = rng.uniform(20, 255, 3) + rng.normal(0, 6, (height, width, 3))
    seen = np.where(inside[..., None], fur, ground).clip(0, 255)
    picture = Image.fromarray(seen.astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for side in (-0.45, 0.45):
        pen.ellipse((x + side * r - 2, y - 4, x + side * r + 2, y), fill="black")
    pen.ellipse((x - 2, y + 3, x + 2, y + 6), fill="black")
    return picture, inside


def _trimap(inside: np.ndarray) -> np.ndarray:
    """(H, W) uint8: 1 inside, 2 outside, 3 within two pixels of the outline."""
    near = np.zeros_like(inside)
    framed = np.pad(inside, 2, mode="edge")
    height, width = inside.shape
    for dy, dx in product(range(5), repeat=2):
        near |= framed[dy : dy + height, dx : dx + width] != inside
    return np.where(near, 3, np.where(inside, 1, 2)).astype(np.uint8)
