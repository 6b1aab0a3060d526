"""PASCAL VOC 2012, with the additional masks of SBD: ``python -m data_scripts.voc data/voc2012``.

Writes the layout that ``SegmentationFolder`` reads:

- ``SegmentationClass`` and ``ImageSets/Segmentation`` of VOC, masks of SBD added where VOC has
  none, and ``JPEGImages`` of what has a mask: VOC's other photographs are for detection;
- ``train_aug.txt``: all images with a mask that are not in ``val``, 10,582 of them;
- ``image_labels.csv`` and ``boxes.csv``: tags and boxes, from the objects of ``Annotations``, which
  somebody named and framed one by one; images of SBD have such a file as well.

Running it again does nothing; after an interruption it goes on.
"""

from pathlib import Path
from typing import Annotated

import typer
from scipy.io import loadmat
from tqdm.auto import tqdm

from data_scripts.fetch import Remote
from data_scripts.layout import (
    LISTS,
    move_missing,
    number_in,
    read_xml,
    write_marks,
    write_split,
    write_tags,
)
from data_scripts.make import make
from data_scripts.sources import Source, unpacked
from wsss_lib.cli.errors import plainly
from wsss_lib.core import InputError
from wsss_lib.data.folder import VOC_CLASSES
from wsss_lib.data.palette import write_labels

_FILE = "VOCtrainval_11-May-2012.tar"
VOC = Remote(
    _FILE,
    (
        f"http://host.robots.ox.ac.uk/pascal/VOC/voc2012/{_FILE}",
        f"https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/{_FILE}",
        f"https://web.archive.org/web/http://host.robots.ox.ac.uk/pascal/VOC/voc2012/{_FILE}",
    ),
    size=1_999_639_040,
    digests=(("sha256", "e14f763270cf193d0b5f74b169f44157a4b0c6efa708f4dd0ff78ee691763bcb"),),
    wanted=lambda name: "/SegmentationObject/" not in name,
)
_SBD = "Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz"
SBD = Remote(
    "benchmark.tgz",
    (f"https://www2.eecs.berkeley.edu/{_SBD}", f"http://www.eecs.berkeley.edu/{_SBD}"),
    digests=(("md5", "82b4d87ceb2ed10f6038a1cba92111cb"),),
    option="--sbd-from FILE",
    wanted=lambda name: "/cls/" in name,
)
TERMS = (
    "The photographs come from flickr; its terms of use hold: "
    "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/. Cite Everingham et al. (IJCV 2015) and, for "
    "the additional masks, Hariharan et al. (ICCV 2011)."
)


def convert(root: Path, voc: Path, sbd: Path | None) -> None:
    """Lay the data set out.

    Args:
        root: the data folder.
        voc: unpacked VOC, the folder that holds ``JPEGImages``.
        sbd: unpacked SBD, the folder that holds ``cls``; None leaves its masks out.

    Raises:
        InputError: the unpacked folders are not what they should be.
    """
    for part in (Path("SegmentationClass"), LISTS):
        _take(voc / part, root / part)
    if sbd is not None:
        for mat in tqdm(sorted((sbd / "cls").glob("*.mat")), desc="masks of SBD"):
            mask = root / "SegmentationClass" / f"{mat.stem}.png"
            if not mask.is_file():
                write_labels(mask, loadmat(mat, simplify_cells=True)["GTcls"]["Segmentation"])
    lists = root / LISTS
    val = (lists / "val.txt").read_text().split()
    masked = sorted({path.stem for path in (root / "SegmentationClass").glob("*.png")} - {*val})
    write_split(root, "train_aug", masked)
    objects = {}
    for id in tqdm([*masked, *val], desc="images"):
        for file in (f"JPEGImages/{id}.jpg", f"Annotations/{id}.xml"):
            move_missing(voc / file, root / file)
        objects[id] = _objects(root / "Annotations" / f"{id}.xml")
    numbers = {name: number for number, name in enumerate(VOC_CLASSES, start=1)}
    tags = ((id, {numbers[name] for name, _ in found}) for id, found in objects.items())
    boxes = ((id, name, *box) for id, found in objects.items() for name, box in found)
    write_marks(root, "boxes", boxes)
    write_tags(root, VOC_CLASSES, tags)


def _take(source: Path, target: Path) -> None:
    """All files of a folder that are not at their place yet."""
    if not source.is_dir() and not target.is_dir():
        raise InputError(f"{source} is missing: the archive is not that of PASCAL VOC 2012.")
    for path in sorted(source.rglob("*")):
        if path.is_file():
            move_missing(path, target / path.relative_to(source))


def _objects(path: Path) -> list[tuple[str, list[int]]]:
    """Classes and boxes (x0, y0, x1, y1; half-open) of the objects that an annotation names."""
    tree = read_xml(path)
    width, height = (round(number_in(tree, f"size/{side}")) for side in ("width", "height"))
    found = []
    for thing in tree.iter("object"):
        name = thing.findtext("name", "")
        if name in VOC_CLASSES:
            # VOC counts pixels from 1 and includes the last one; a few boxes have fractions.
            x0, y0 = (max(0, round(number_in(thing, f"bndbox/{k}")) - 1) for k in ("xmin", "ymin"))
            x1, y1 = (round(number_in(thing, f"bndbox/{k}")) for k in ("xmax", "ymax"))
            found.append((name, [x0, y0, min(x1, width), min(y1, height)]))
    return found


def main(
    root: Annotated[Path, typer.Argument(help="The data folder to make.")],
    from_: Annotated[Path | None, typer.Option("--from", help="VOC's archive, if here.")] = None,
    sbd_from: Annotated[Path | None, typer.Option(help="SBD's archive, if here.")] = None,
    sbd: Annotated[bool, typer.Option(help="Add the masks of SBD, 1.4 GB more.")] = True,
    downloads: Annotated[Path, typer.Option(help="Where archives go.")] = Path("data/downloads"),
) -> None:
    """Get PASCAL VOC 2012 (2 GB) and lay it out for the library."""

    def build(work: Path) -> None:
        sources: list[Source] = [(VOC, from_), (SBD, sbd_from)] if sbd else [(VOC, from_)]
        voc, *more = unpacked(sources, downloads, work)
        extra = more[0] / "benchmark_RELEASE" / "dataset" if more else None
        convert(root, voc / "VOCdevkit" / "VOC2012", extra)

    make(root, "voc2012", TERMS, build, sbd=sbd)


if __name__ == "__main__":
    typer.run(plainly(main))
