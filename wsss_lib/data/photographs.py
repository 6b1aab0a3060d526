"""Five photographs that every installation has, and labels that were drawn for this book.

The photographs come with scikit-image and scikit-learn. ``photographs.json`` says whose they are,
under which licence, and holds what was drawn on them by hand, in whole pixels (x, y): outlines of
objects, places where nobody can tell what is there, a click on each object, a stroke through each
object and strokes on the ground. Tags and boxes follow from the outlines.
"""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_image

from wsss_lib.core import IGNORE
from wsss_lib.data.atomic import folder_written_whole, one_at_a_time
from wsss_lib.data.palette import write_labels

PEN = 3  # pixels across a stroke


def drawn() -> dict[str, dict[str, Any]]:
    """What ``photographs.json`` holds, by photograph."""
    found: dict[str, dict[str, Any]] = json.loads(
        Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
    )
    return found


def photograph(id: str, package: str) -> Image.Image:
    """A photograph that comes with "skimage" or "sklearn", in RGB."""
    found = load_sample_image(f"{id}.jpg") if package == "sklearn" else getattr(skimage.data, id)()
    return Image.fromarray(found).convert("RGB")


def cut_out(id: str) -> Image.Image:
    """The first object of a photograph in RGBA, transparent outside its outline, and no larger."""
    about = drawn()[id]
    image = photograph(id, about["package"])
    inside = _filled(image.size, about["objects"][:1]) & ~_filled(image.size, about["void"])
    alpha = Image.fromarray(inside)
    image.putalpha(alpha.convert("L"))
    return image.crop(alpha.getbbox())


def write_photographs(root: str | Path) -> Path:
    """Write the photographs with their labels as a data folder.

    ``images``, ``labels.csv``, ``masks``, ``boxes.csv``, ``points.csv``, ``Scribbles`` and
    ``sources.csv``. A folder that is there is left alone; a new one appears complete or not at all.

    Args:
        root: folder to make.
    """
    root = Path(root)
    with one_at_a_time(root):
        if not root.exists():
            with folder_written_whole(root) as partial:
                _write(partial)
    return root


def _write(root: Path) -> None:
    photographs = drawn()
    classes = sorted({about["class"] for about in photographs.values()})
    for folder in ("images", "masks", "Scribbles"):
        (root / folder).mkdir(parents=True)
    tables: dict[str, list[list[Any]]] = {
        "labels": [["id", *classes]],
        "boxes": [["id", "class", "x0", "y0", "x1", "y1"]],
        "points": [["id", "class", "x", "y"]],
        "sources": [["id", "package", "author", "licence"]],
    }
    for id, about in photographs.items():
        name = about["class"]
        image = photograph(id, about["package"])
        image.save(root / "images" / f"{id}.png")
        mask, scribble = (_painted(image.size, about, classes, by_pen) for by_pen in (False, True))
        write_labels(root / "masks" / f"{id}.png", mask)
        write_labels(root / "Scribbles" / f"{id}.png", scribble)
        tables["labels"].append([id, *(int(name == one) for one in classes)])
        tables["points"] += [[id, name, *place] for place in about["points"]]
        tables["sources"].append([id, about["package"], about["author"], about["licence"]])
        for outline in about["objects"]:
            rows, columns = np.nonzero(_filled(image.size, [outline]))
            box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            tables["boxes"].append([id, name, *box])
    for table, lines in tables.items():
        with (root / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(lines)
    (root / "dataset.json").write_text(json.dumps({"name": "photographs"}), encoding="utf-8")


def _painted(
    size: tuple[int, int], about: dict[str, Any], classes: Sequence[str], by_pen: bool
) -> np.ndarray:
    """(H, W) class indices: the strokes of a pen, or what the outlines surround."""
    label = classes.index(about["class"]) + 1
    if not by_pen:
        inside, void = (_filled(size, about[kind]) for kind in ("objects", "void"))
        return np.where(void, IGNORE, np.where(inside, label, 0)).astype(np.uint8)
    canvas = Image.new("L", size, IGNORE)
    pen = ImageDraw.Draw(canvas)
    for strokes, value in ((about["ground"], 0), (about["strokes"], label)):
        for stroke in strokes:
            pen.line([tuple(place) for place in stroke], fill=value, width=PEN)
    return np.asarray(canvas)


def _filled(size: tuple[int, int], outlines: Sequence[Sequence[Sequence[int]]]) -> np.ndarray:
    """(H, W) bool: what lies within an outline."""
    canvas = Image.new("1", size)
    for outline in outlines:
        ImageDraw.Draw(canvas).polygon([tuple(place) for place in outline], fill=1)
    return np.asarray(canvas)
