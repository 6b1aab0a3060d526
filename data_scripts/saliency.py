"""Saliency maps of a detector: ``python -m data_scripts.saliency data/voc2012 MAPS``.

Adds ``Saliency/<id>.png`` to a data folder from a folder of grey PNG or JPEG files named after the
images. Authors of systems that need saliency publish such folders, or run a detector themselves;
its training on saliency masks is supervision, to be named beside every figure.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image
from tqdm.auto import tqdm

from data_scripts.make import add
from wsss_lib.cli.errors import plainly
from wsss_lib.core import InputError
from wsss_lib.data.atomic import folder_written_whole
from wsss_lib.data.drawn import FILES
from wsss_lib.data.files.pictures import read_image
from wsss_lib.data.folder import SegmentationFolder

TERMS = "Name the detector of these maps, and what it was trained on, beside every figure."


def main(
    root: Annotated[Path, typer.Argument(help="The data folder.")],
    maps: Annotated[Path, typer.Argument(help="A folder of grey images, named after the photos.")],
) -> None:
    """Add saliency maps to a data folder; maps of another size are stretched to the image."""

    def find(_: SegmentationFolder) -> dict[str, Path]:
        if not maps.is_dir():
            raise InputError(f"No folder {maps}; unpack the maps first.")
        suffixes = (".png", ".jpg", ".jpeg")
        paths = [path for path in maps.iterdir() if path.suffix.lower() in suffixes]
        counts = Counter(path.stem for path in paths)
        if twice := sorted(id for id, count in counts.items() if count > 1):
            raise InputError(f"{maps} holds several files of {twice[:5]}; keep one of each.")
        return {path.stem: path for path in paths}

    def write(data: SegmentationFolder, found: dict[str, Path]) -> None:
        with folder_written_whole(root / FILES["saliency"]) as partial:
            for id, path in tqdm(found.items(), desc="saliency"):
                height, width = data.size(id)
                colours = (255 * read_image(path)).round().permute(1, 2, 0).numpy()
                grey = Image.fromarray(colours.astype(np.uint8)).convert("L")
                fitting = grey.resize((width, height), Image.Resampling.BILINEAR)
                fitting.save(partial / f"{id}.png")

    add(root, "saliency", TERMS, find, write)


if __name__ == "__main__":
    typer.run(plainly(main))
