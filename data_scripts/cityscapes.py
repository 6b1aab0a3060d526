"""Cityscapes: ``python -m data_scripts.cityscapes data/cityscapes IMAGES.zip MASKS.zip``.

The archives cannot be fetched by a program. Register at https://www.cityscapes-dataset.com, accept
the terms, and get ``leftImg8bit_trainvaltest.zip`` (11 GB) and ``gtFine_trainvaltest.zip``
(241 MB). The 19 classes that are evaluated become 1 to 19, everything else void (255): every
pixel belongs to a class, and nothing is background.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from tqdm.auto import tqdm

from data_scripts.layout import move_missing, write_classes_of_masks, write_split
from data_scripts.make import make
from wsss_lib.cli.errors import plainly
from wsss_lib.core import IGNORE, InputError
from wsss_lib.data.files.unpack import place_of, unpack
from wsss_lib.data.palette import read_labels, write_labels

CLASSES = {
    "road": 7, "sidewalk": 8, "building": 11, "wall": 12, "fence": 13, "pole": 17,
    "traffic light": 19, "traffic sign": 20, "vegetation": 21, "terrain": 22, "sky": 23,
    "person": 24, "rider": 25, "car": 26, "truck": 27, "bus": 28, "train": 31, "motorcycle": 32,
    "bicycle": 33,
}  # fmt: skip
"""Names, and the numbers that they have in ``gtFine_labelIds``."""
TERMS = (
    "For non-commercial research and teaching, after registration at "
    "https://www.cityscapes-dataset.com. Cite Cordts et al. (CVPR 2016)."
)


def renumbered(ids: np.ndarray) -> np.ndarray:
    """(H, W) numbers of ``gtFine_labelIds`` -> 1 to 19, 255 elsewhere."""
    table = np.full(256, IGNORE, np.uint8)
    table[list(CLASSES.values())] = np.arange(1, len(CLASSES) + 1)
    return table[ids]


def convert(root: Path, images: Path, masks: Path) -> None:
    """Lay the data set out.

    Args:
        root: the data folder.
        images: the folder with train/ and val/ of ``leftImg8bit``.
        masks: that of ``gtFine``.

    Raises:
        InputError: the folders hold no masks, or a mask without its image.
    """
    names: list[str] = []
    for split in ("train", "val"):
        found = sorted((masks / split).glob("*/*_gtFine_labelIds.png"))
        if not found:
            raise InputError(
                f"{masks / split} holds no masks: name gtFine_trainvaltest.zip as the second "
                "archive."
            )
        ids = [path.name.removesuffix("_gtFine_labelIds.png") for path in found]
        for id, path in zip(tqdm(ids, desc=split), found, strict=True):
            photograph = images / split / path.parent.name / f"{id}_leftImg8bit.png"
            move_missing(photograph, root / "JPEGImages" / f"{id}.png")
            mask = root / "SegmentationClass" / f"{id}.png"
            if not mask.is_file():
                write_labels(mask, renumbered(read_labels(path)))
        write_split(root, split, ids)
        names += ids
    write_classes_of_masks(root, tuple(CLASSES), names)


def main(
    root: Annotated[Path, typer.Argument(help="The data folder to make.")],
    images: Annotated[Path, typer.Argument(help="leftImg8bit_trainvaltest.zip.")],
    masks: Annotated[Path, typer.Argument(help="gtFine_trainvaltest.zip.")],
) -> None:
    """Lay Cityscapes out for the library, from archives that you got after registering."""

    def build(work: Path) -> None:
        for archive in (images, masks):
            if not archive.is_file():
                raise InputError(
                    f"No archive {archive}. Register at https://www.cityscapes-dataset.com, log "
                    f"in, and download {archive.name} there; a program may not."
                )
        seen = unpack(images, place_of(images, work / "images"), lambda name: "/test/" not in name)
        drawn = unpack(masks, place_of(masks, work / "masks"), lambda name: "_labelIds" in name)
        convert(root, seen / "leftImg8bit", drawn / "gtFine")

    make(root, "cityscapes", TERMS, build)


if __name__ == "__main__":
    typer.run(plainly(main))
