"""COCO 2014: ``python -m data_scripts.coco data/coco2014`` (20 GB; twice that while it works).

Masks are drawn from the annotations, small objects in front of large ones; what is annotated as a
crowd is void where no object lies. The 80 classes keep the order of their category numbers. Images
that show none of them are left out; 82,081 and 40,137 remain, the numbers that papers give. The
boxes are those of the annotations, crowds left out.
Needs pycocotools: ``pip install 'wsss-lib[data]'``.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from tqdm.auto import tqdm

from data_scripts.fetch import Remote
from data_scripts.layout import move_missing, write_classes_of_masks, write_marks, write_split
from data_scripts.make import make
from data_scripts.sources import unpacked
from wsss_lib.cli.errors import plainly
from wsss_lib.core import IGNORE, InputError
from wsss_lib.data.palette import write_labels

_HOST = "http://images.cocodataset.org"
_OPTION = "--from FOLDER"
REMOTES = (
    Remote(
        "annotations_trainval2014.zip",
        (f"{_HOST}/annotations/annotations_trainval2014.zip",),
        size=252_872_794,
        digests=(("md5", "0a379cfc70b0e71301e0f377548639bd"),),
        option=_OPTION,
    ),
    Remote(
        "train2014.zip",
        (f"{_HOST}/zips/train2014.zip",),
        size=13_510_573_713,
        digests=(("md5", "0da8c0bd3d6becc4dcb32757491aca88"),),
        option=_OPTION,
    ),
    Remote(
        "val2014.zip",
        (f"{_HOST}/zips/val2014.zip",),
        size=6_645_013_297,
        digests=(("md5", "a3d79f5ed8d289b7a7554ce06a5782b3"),),
        option=_OPTION,
    ),
)
TERMS = (
    "Annotations: CC BY 4.0, by the COCO Consortium (https://cocodataset.org). The photographs "
    "come from flickr; its terms of use hold. Cite Lin et al. (ECCV 2014)."
)


def draw(annotations: list[dict[str, Any]], size: tuple[int, int], numbers: dict[int, int]) -> Any:
    """Class indices (H, W) of an image from its annotations, polygons and run lengths alike.

    Args:
        annotations: entries of the file, of this image.
        size: (H, W).
        numbers: category number -> class index.
    """
    from pycocotools import mask as coding

    labels = np.zeros(size, np.uint8)
    # Crowds first, so that every object lies in front of them; then the large ones.
    for found in sorted(annotations, key=lambda a: (not a["iscrowd"], -a["area"])):
        shape = found["segmentation"]
        if isinstance(shape, list):
            shape = coding.merge(coding.frPyObjects(shape, *size))
        elif isinstance(shape["counts"], list):
            shape = coding.frPyObjects(shape, *size)
        inside = coding.decode(shape).astype(bool)
        labels[inside] = IGNORE if found["iscrowd"] else numbers[found["category_id"]]
    return labels


def convert(root: Path, annotations: Path, images: dict[str, Path]) -> None:
    """Lay the data set out.

    Args:
        root: the data folder.
        annotations: folder with ``instances_train2014.json`` and ``instances_val2014.json``.
        images: folder of the photographs of each split.

    Raises:
        InputError: a photograph is missing.
    """
    names: tuple[str, ...] = ()
    shown: list[str] = []
    boxes: list[tuple] = []
    for split, folder in images.items():
        names, ids, more = _convert_split(
            root, annotations / f"instances_{split}2014.json", folder, split
        )
        write_split(root, split, ids)
        shown += ids
        boxes += more
    write_marks(root, "boxes", boxes)
    write_classes_of_masks(root, names, shown)


def _convert_split(
    root: Path, annotations: Path, folder: Path, split: str
) -> tuple[tuple[str, ...], list[str], list[tuple]]:
    """Masks and photographs of a split; names of the classes, ids and boxes are returned.

    The file of annotations takes gigabytes once it is parsed: nothing of it is kept.
    """
    content = json.loads(annotations.read_bytes())
    kinds = sorted(content["categories"], key=lambda kind: kind["id"])
    names = {kind["id"]: kind["name"] for kind in kinds}
    numbers = {id: number for number, id in enumerate(names, start=1)}
    of_image = defaultdict(list)
    for found in content["annotations"]:
        of_image[found["image_id"]].append(found)
    ids: list[str] = []
    boxes: list[tuple] = []
    for about in tqdm(content["images"], desc=split):
        id, size = Path(about["file_name"]).stem, (about["height"], about["width"])
        mask = root / "SegmentationClass" / f"{id}.png"
        if not mask.is_file():
            labels = draw(of_image[about["id"]], size, numbers)
            if not ((labels > 0) & (labels < IGNORE)).any():
                continue
            write_labels(mask, labels)
        move_missing(folder / about["file_name"], root / "JPEGImages" / about["file_name"])
        ids.append(id)
        objects = [found for found in of_image[about["id"]] if not found["iscrowd"]]
        boxes += ((id, names[c], *box) for c, box in _boxes(objects, size))
    return tuple(names.values()), ids, boxes


def _boxes(
    objects: Iterable[dict[str, Any]], size: tuple[int, int]
) -> Iterator[tuple[int, list[int]]]:
    """Categories and boxes (x0, y0, x1, y1) of objects, in whole pixels of the image."""
    height, width = size
    for found in objects:
        left, top, wide, high = found["bbox"]
        x0, y0 = max(0, math.floor(left)), max(0, math.floor(top))
        x1, y1 = min(width, math.ceil(left + wide)), min(height, math.ceil(top + high))
        if x1 > x0 and y1 > y0:
            yield found["category_id"], [x0, y0, x1, y1]


def main(
    root: Annotated[Path, typer.Argument(help="The data folder to make.")],
    from_: Annotated[
        Path | None, typer.Option("--from", help="Folder with archives that are here already.")
    ] = None,
    downloads: Annotated[Path, typer.Option(help="Where archives go.")] = Path("data/downloads"),
) -> None:
    """Get COCO 2014 (20 GB; twice that while it works) and lay it out for the library."""

    def build(work: Path) -> None:
        if find_spec("pycocotools") is None:
            raise InputError("Masks of COCO need pycocotools: pip install 'wsss-lib[data]'.")
        if from_ is not None and not from_.is_dir():
            raise InputError(f"{from_} is no folder: --from names that of the archives.")
        here = [from_ and from_ / remote.name for remote in REMOTES]
        given = [path if path and path.is_file() else None for path in here]
        annotations, *photographs = unpacked([*zip(REMOTES, given, strict=True)], downloads, work)
        images = {
            split: folder / f"{split}2014"
            for split, folder in zip(("train", "val"), photographs, strict=True)
        }
        convert(root, annotations / "annotations", images)

    make(root, "coco2014", TERMS, build)


if __name__ == "__main__":
    typer.run(plainly(main))
