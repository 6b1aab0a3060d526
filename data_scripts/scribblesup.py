"""Scribbles of ScribbleSup: ``python -m data_scripts.scribblesup data/voc2012``.

Adds ``Scribbles/<id>.png`` to a data folder of PASCAL VOC 2012 or PASCAL Context. The originals are
XML files with the pixels that the pen went through; a line of ``--width`` pixels joins them. What
nobody drew on is 255.
"""

import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image, ImageDraw
from tqdm.auto import tqdm

from data_scripts import context
from data_scripts.fetch import Remote
from data_scripts.layout import number_in, read_xml
from data_scripts.make import add
from data_scripts.sources import unpacked
from wsss_lib.cli.errors import plainly
from wsss_lib.core import IGNORE, InputError
from wsss_lib.data.atomic import folder_written_whole
from wsss_lib.data.drawn import FILES
from wsss_lib.data.folder import VOC_CLASSES, SegmentationFolder
from wsss_lib.data.palette import write_labels

_FILE = "scribble_annotation.zip"
SCRIBBLES = Remote(_FILE, (f"https://www.dropbox.com/s/9vh3kvtd742red8/{_FILE}?dl=1",))
PARTS = {VOC_CLASSES: "pascal_2012", context.CLASSES: "pascal_context"}
"""The folder of the archive by the classes of a data set: its photographs are in both."""
SHORT = {
    "plane": "aeroplane", "bike": "bicycle", "table": "diningtable", "plant": "pottedplant",
    "monitor": "tvmonitor",
}  # fmt: skip
"""What the annotators called five classes of PASCAL VOC."""
TERMS = (
    "Scribbles of https://jifengdai.org/downloads/scribble_sup/. Cite Lin et al. (CVPR 2016), "
    "ScribbleSup."
)


def draw(path: Path, size: tuple[int, int], classes: tuple[str, ...], width: int) -> np.ndarray:
    """(H, W) class indices of an annotation in XML, 255 where nobody drew.

    Args:
        path: the annotation. Where it was made on an image of another size, it is stretched.
        size: (H, W) of the image.
        classes: names of the foreground classes, 1 to C.
        width: of the pen, in pixels.

    Raises:
        InputError: a broken file, or a class that the data set does not have.
    """
    tree = read_xml(path)
    numbers = {name: number for number, name in enumerate(("background", *classes))}
    stretch = [size[1] / number_in(tree, "size/width"), size[0] / number_in(tree, "size/height")]
    labels = Image.new("L", size[::-1], IGNORE)
    pen = ImageDraw.Draw(labels)
    for stroke in tree.iter("polygon"):
        tag = stroke.findtext("tag", "").strip()
        name = tag if tag in numbers else SHORT.get(tag, tag)
        if name not in numbers:
            raise InputError(f"{path}: {tag!r} is no class of this data set.")
        spots = [[number_in(spot, axis) for axis in ("X", "Y")] for spot in stroke.iter("point")]
        if not spots:  # some strokes have lost theirs
            continue
        line = [tuple(spot) for spot in np.rint(np.array(spots) * stretch).astype(int).tolist()]
        pen.line(line, fill=numbers[name], width=width, joint="curve")
        pen.point(line, fill=numbers[name])  # a line of one spot has no length
    return np.asarray(labels)


def main(
    root: Annotated[Path, typer.Argument(help="The data folder of PASCAL VOC 2012 or Context.")],
    from_: Annotated[Path | None, typer.Option("--from", help=f"{_FILE}, if here.")] = None,
    width: Annotated[int, typer.Option(min=1, help="Of the pen, in pixels.")] = 3,
    downloads: Annotated[Path, typer.Option(help="Where archives go.")] = Path("data/downloads"),
) -> None:
    """Add the scribbles of ScribbleSup to a data folder."""

    def find(data: SegmentationFolder) -> dict[str, Path]:
        if data.classes not in PARTS:
            raise InputError(
                f"{root} has the classes of neither PASCAL VOC nor PASCAL Context; scribbles were "
                "drawn for these alone."
            )
        (source,) = unpacked([(SCRIBBLES, from_)], downloads, Path(work))
        return {path.stem: path for path in source.rglob(f"{PARTS[data.classes]}/*.xml")}

    def write(data: SegmentationFolder, found: dict[str, Path]) -> None:
        with folder_written_whole(root / FILES["scribble"]) as partial:
            for id, path in tqdm(found.items(), desc="scribbles"):
                labels = draw(path, data.size(id), data.classes, width)
                write_labels(partial / f"{id}.png", labels)

    with tempfile.TemporaryDirectory() as work:
        add(root, "scribble", TERMS, find, write)


if __name__ == "__main__":
    typer.run(plainly(main))
