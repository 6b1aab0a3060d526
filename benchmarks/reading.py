"""What it costs to read training images: ``python -m benchmarks.reading``.

Photographs of the size of PASCAL VOC's lie on disk as JPEG files, with two objects each. One
process reads them as a training does: decodes, rescales, mirrors, crops to 321 x 321. Labels that
are made from masks are made at the first look and kept; scores are those of an earlier stage, for
both classes of an image. Writes ``results/reading/<label>.json``:
milliseconds of one core per image, for the first look and for the next ones.
"""

import tempfile
import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from PIL import Image
from skimage.data import astronaut, chelsea
from skimage.transform import resize
from tqdm.auto import tqdm

from benchmarks.voc_size import ellipse
from wsss_lib.core import Recipe
from wsss_lib.data.folder import VOC_CLASSES, SegmentationFolder
from wsss_lib.data.palette import write_labels
from wsss_lib.data.store import ScoreStore
from wsss_lib.data.stream import Stream
from wsss_lib.data.view import WeakView
from wsss_lib.data.weak import MADE
from wsss_lib.evaluate import Protocol
from wsss_lib.results import write_result

HEIGHT, WIDTH, IMAGES = 375, 500, 24
KINDS = ("tags", *MADE, "scores")
RECIPE = Recipe(crop=321, scale=(0.5, 1.5))


def write_photographs(root: Path, images: int) -> SegmentationFolder:
    """A folder of photographs in VOC's layout, each with an upright and a lying object."""
    mask, upright = torch.zeros(HEIGHT, WIDTH, dtype=torch.long), ellipse(240)
    mask[60:300, 5:245][upright] = VOC_CLASSES.index("person") + 1
    mask[60:300, 255:495][upright.T] = VOC_CLASSES.index("cat") + 1
    (root / "JPEGImages").mkdir(parents=True)
    for number in range(images):
        photograph = (astronaut, chelsea)[number % 2]()
        pixels = (255 * resize(photograph, (HEIGHT, WIDTH))).astype("uint8")
        Image.fromarray(pixels).save(root / "JPEGImages" / f"{number}.jpg", quality=90)
        write_labels(root / "SegmentationClass" / f"{number}.png", mask.numpy())
    return SegmentationFolder(root, split=None)


def main(
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("results/reading"),
    images: Annotated[int, typer.Option(help="Photographs that are read.")] = IMAGES,
    repeats: Annotated[int, typer.Option(help="Times that all is measured.")] = 3,
) -> None:
    """Measure what reading costs one process, without labels of pixels and with each kind."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        data = write_photographs(Path(folder) / "photographs", images)
        scores = ScoreStore(Path(folder) / "scores", len(data.classes))
        for id in data.ids:
            scores.put(id, data.tags(id)[:, None, None] * torch.rand(1, HEIGHT, WIDTH))
        for kind in tqdm(KINDS, desc="labels"):
            seen = ("tags",) if kind == "scores" else (kind,)
            runs = []
            for seed in range(repeats):
                view = WeakView(data, seen, scores if kind == "scores" else None, cache_mb=0)
                stream = Stream(view, RECIPE, seed, 2 * images)
                start = time.process_time()
                looks = []
                for number in range(2 * images):
                    stream[number]
                    looks.append(time.process_time())
                first, again = looks[images - 1] - start, looks[-1] - looks[images - 1]
                runs.append(
                    {
                        "seconds": first + again,
                        "first_ms": 1000 * first / images,
                        "again_ms": 1000 * again / images,
                    }
                )
            protocol = Protocol(
                data="photographs of scikit-image",
                split=f"{images} photographs of {HEIGHT} x {WIDTH} pixels",
                labels_at_inference=False,
                threshold_rule="none",
                supervision=(kind,),
                needs=("time only",),
            )
            write_result(out / f"{kind}.json", kind, protocol, runs)


if __name__ == "__main__":
    typer.run(main)
