"""Mapillary Vistas: ``python -m data_scripts.mapillary data/mapillary ARCHIVE.zip``.

The archive cannot be fetched by a program. Ask for it at https://www.mapillary.com/dataset/vistas
with an e-mail address; a link comes back. Archives of version 1.x and 2.0 are understood, and the
labels of version 1.2 are taken: 65 classes that are evaluated become 1 to 65, "Unlabeled" void
(255); every pixel belongs to a class, and nothing is background. 18,000 images for training and
2,000 for validation, many of them above ten megapixels: give views a ``longest`` side.
"""

import json
import re
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image
from tqdm.auto import tqdm

from data_scripts.layout import move_missing, write_classes_of_masks, write_split
from data_scripts.make import make
from wsss_lib.cli.errors import plainly
from wsss_lib.core import IGNORE, InputError
from wsss_lib.data.files.unpack import place_of, unpack
from wsss_lib.data.palette import write_labels

SITE = "https://www.mapillary.com/dataset/vistas"
SPLITS = {"train": "training", "val": "validation"}
TERMS = (
    f"For research, under the licence that comes with the archive ({SITE}; CC BY-NC-SA). Cite "
    "Neuhold et al. (ICCV 2017)."
)


def used(name: str) -> bool:
    """Whether a file of the archive is read; those of objects and of version 2.0 are not."""
    return bool(re.match(r"config|(training|validation)/(v1\.2/)?(images|labels)/", name))


def read_config(folder: Path) -> tuple[list[str], np.ndarray]:
    """Names of the classes, and the class index of each number of a mask.

    Raises:
        InputError: no configuration, or one without labels.
    """
    files = [folder / name for name in ("config_v1.2.json", "config.json")]
    path = next((path for path in files if path.is_file()), None)
    if path is None:
        raise InputError(f"{folder} holds no config.json: it is no archive of Mapillary Vistas.")
    try:
        labels: list[dict[str, Any]] = json.loads(path.read_bytes())["labels"]
        evaluated = [label["evaluate"] for label in labels]
        names = [label["readable"] for label in labels if label["evaluate"]]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} names no labels ({error!r}); unpack it anew.") from error
    table = np.full(256, IGNORE, np.uint8)
    table[np.flatnonzero(evaluated)] = np.arange(1, len(names) + 1)
    return names, table


def convert(root: Path, source: Path) -> None:
    """Lay the data set out.

    Args:
        root: the data folder.
        source: the unpacked archive, the folder that holds ``config.json`` and ``training/``.

    Raises:
        InputError: the folder is not what it should be.
    """
    names, table = read_config(source)
    shown: list[str] = []
    for split, folder in SPLITS.items():
        newer, older = (source / folder / part for part in ("v1.2/labels", "labels"))
        found = sorted((newer if newer.is_dir() else older).glob("*.png"))
        if not found:
            raise InputError(f"{older} holds no masks: it is no archive of Mapillary Vistas.")
        for path in tqdm(found, desc=split):
            mask = root / "SegmentationClass" / path.name
            if not mask.is_file():
                # The numbers count and not the colours, some of which PASCAL VOC has as well.
                with Image.open(path) as image:
                    write_labels(mask, table[np.asarray(image)])
            photograph = f"{path.stem}.jpg"
            move_missing(source / folder / "images" / photograph, root / "JPEGImages" / photograph)
        write_split(root, split, [path.stem for path in found])
        shown += [path.stem for path in found]
    write_classes_of_masks(root, names, shown)


def main(
    root: Annotated[Path, typer.Argument(help="The data folder to make.")],
    archive: Annotated[Path, typer.Argument(help="The archive that you got by e-mail.")],
) -> None:
    """Lay Mapillary Vistas out for the library, from the archive that you asked for."""

    def build(work: Path) -> None:
        if not archive.is_file():
            raise InputError(f"No archive {archive}. Ask for it at {SITE}; a program may not.")
        convert(root, unpack(archive, place_of(archive, work), used))

    make(root, "mapillary", TERMS, build)


if __name__ == "__main__":
    typer.run(plainly(main))
