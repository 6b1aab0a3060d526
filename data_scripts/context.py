"""PASCAL Context, 59 classes: ``python -m data_scripts.context data/context`` (1.4 GB).

The photographs are those of PASCAL VOC 2010, 4,998 for training and 5,105 for validation. Every
pixel has been named, with 459 names. The 59 most frequent ones become classes 1 to 59 in
alphabetical order, all others background, which makes the 60 classes of most papers; those that
report 59 leave background out of the mean.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy.io import loadmat
from tqdm.auto import tqdm

from data_scripts.fetch import Remote
from data_scripts.layout import move_missing, write_classes_of_masks, write_split
from data_scripts.make import make
from data_scripts.sources import unpacked
from wsss_lib.cli.errors import plainly
from wsss_lib.core import InputError
from wsss_lib.data.palette import write_labels

_FILE = "VOCtrainval_03-May-2010.tar"
VOC2010 = Remote(
    _FILE,
    (
        f"http://host.robots.ox.ac.uk/pascal/VOC/voc2010/{_FILE}",
        f"https://thor.robots.ox.ac.uk/pascal/VOC/voc2010/{_FILE}",
    ),
    digests=(("md5", "da459979d0c395079b5c75ee67908abb"),),
    wanted=lambda name: "/JPEGImages/" in name or "/ImageSets/Main/" in name,
)
LABELS = Remote(
    "trainval.tar.gz",
    (
        "https://cs.stanford.edu/~roozbeh/pascal-context/trainval.tar.gz",
        "http://www.stat.ucla.edu/~ccvl/datasets/pascal-context/trainval.tar.gz",
    ),
    option="--labels-from FILE",
)
CLASSES = (
    "aeroplane", "bag", "bed", "bedclothes", "bench", "bicycle", "bird", "boat", "book", "bottle",
    "building", "bus", "cabinet", "car", "cat", "ceiling", "chair", "cloth", "computer", "cow",
    "cup", "curtain", "dog", "door", "fence", "floor", "flower", "food", "grass", "ground", "horse",
    "keyboard", "light", "motorbike", "mountain", "mouse", "person", "plate", "platform",
    "pottedplant", "road", "rock", "sheep", "shelves", "sidewalk", "sign", "sky", "snow", "sofa",
    "table", "track", "train", "tree", "truck", "tvmonitor", "wall", "water", "window", "wood",
)  # fmt: skip
TERMS = (
    "The photographs come from flickr; its terms of use hold: "
    "http://host.robots.ox.ac.uk/pascal/VOC/voc2010/. Cite Mottaghi et al. (CVPR 2014)."
)


def numbers_of(labels: Path) -> np.ndarray:
    """The class index of each number of a ``LabelMap``, from ``labels.txt`` ("17: apple").

    Raises:
        InputError: no such file, or a class that it does not name.
    """
    try:
        lines = [line.split(":") for line in labels.read_text().splitlines() if ":" in line]
    except OSError as error:
        raise InputError(f"No {labels}: the archive is not that of PASCAL Context.") from error
    numbers = {name.replace(" ", ""): int(number) for number, name in lines}
    if missing := sorted({*CLASSES} - {*numbers}):
        raise InputError(f"{labels} does not name {missing[:5]}; fetch the archive again.")
    table = np.zeros(max(numbers.values()) + 1, np.uint8)
    table[[numbers[name] for name in CLASSES]] = np.arange(1, len(CLASSES) + 1)
    return table


def convert(root: Path, voc: Path, labels: Path) -> None:
    """Lay the data set out.

    Args:
        root: the data folder.
        voc: unpacked VOC 2010, the folder that holds ``JPEGImages``.
        labels: unpacked labels, the folder that holds ``labels.txt`` and ``trainval/``.

    Raises:
        InputError: the unpacked folders are not what they should be.
    """
    table = numbers_of(labels / "labels.txt")
    shown: list[str] = []
    for split in ("train", "val"):
        source = voc / "ImageSets" / "Main" / f"{split}.txt"
        if not source.is_file():
            raise InputError(f"No {source}: the archive is not that of PASCAL VOC 2010.")
        ids = source.read_text().split()
        for id in tqdm(ids, desc=split):
            mask = root / "SegmentationClass" / f"{id}.png"
            if not mask.is_file():
                drawn = labels / "trainval" / f"{id}.mat"
                if not drawn.is_file():
                    raise InputError(f"No {drawn}: the labels of {id} are missing.")
                write_labels(mask, table[loadmat(drawn)["LabelMap"]])
            move_missing(voc / "JPEGImages" / f"{id}.jpg", root / "JPEGImages" / f"{id}.jpg")
        write_split(root, split, ids)
        shown += ids
    write_classes_of_masks(root, CLASSES, shown)


def main(
    root: Annotated[Path, typer.Argument(help="The data folder to make.")],
    from_: Annotated[Path | None, typer.Option("--from", help="VOC 2010, if here.")] = None,
    labels_from: Annotated[Path | None, typer.Option(help="The labels, if here.")] = None,
    downloads: Annotated[Path, typer.Option(help="Where archives go.")] = Path("data/downloads"),
) -> None:
    """Get PASCAL Context (1.4 GB) and lay it out for the library."""

    def build(work: Path) -> None:
        voc, labels = unpacked([(VOC2010, from_), (LABELS, labels_from)], downloads, work)
        convert(root, voc / "VOCdevkit" / "VOC2010", labels)

    make(root, "context", TERMS, build)


if __name__ == "__main__":
    typer.run(plainly(main))
