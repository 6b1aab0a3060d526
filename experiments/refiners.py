"""Refiners on real photographs: ``python -m experiments.refiners HORSES VOC``.

The same class maps of an ImageNet network, refined in different ways without any training. Writes
``results/refiners_horses/*.json`` and ``results/refiners_voc/*.json``. Thresholds are chosen on a
held-out part, with masks, once for the class maps and again after each refiner; the refiners that
need a threshold (for seeds, or for the background) take that of the class maps.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor
from tqdm.auto import tqdm

from experiments.imagenet import LONGEST, imagenet_cam
from experiments.record import Bench, Record
from experiments.voc_photographs import IMAGENET_ROWS
from wsss_lib.blocks.maps import class_maps as maps
from wsss_lib.blocks.refine import grabcut as gc
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.blocks.refine.random_walker import colour_edges, random_walker
from wsss_lib.blocks.regions.superpixels import region_means, slic
from wsss_lib.core import IGNORE, Batch
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.view import WeakView
from wsss_lib.evaluate import Protocol, choose_threshold, evaluate
from wsss_lib.methods.refine.densecrf import DenseCRF

MARGIN = 0.15
"""Scores this far above or below the threshold are trusted as seeds."""

Refiner = Callable[[Batch, float], Tensor]


def superpixels(batch: Batch, threshold: float) -> Tensor:
    """Every superpixel gets the mean of its scores."""
    scores = batch.require("scores", "superpixels")[0]
    regions = slic(batch.image[0], count=200)
    return region_means(scores, regions).T[:, regions]


def walker(batch: Batch, threshold: float) -> Tensor:
    """Walks from every pixel to the trusted ones."""
    scores = batch.require("scores", "walker")[0]
    present = scores.amax(dim=(1, 2)) > 0
    peak, winner = scores[present].max(dim=0)
    seeds = torch.full_like(winner, IGNORE)
    seeds[peak < threshold - MARGIN] = 0
    trusted = peak > min(threshold + MARGIN, 0.9 * float(peak.max()))
    seeds = torch.where(trusted, winner + 1, seeds)
    chance = random_walker(colour_edges(batch.image), seeds[None], int(present.sum()) + 1, 1e-4)
    refined = torch.zeros_like(scores)
    refined[present] = maps.foreground_scores(chance)[0].clamp(0, 1)
    return refined


def grabcut(batch: Batch, threshold: float) -> Tensor:
    """GrabCut for each class, its trimap from the scores; the scores rank within its mask."""
    scores = batch.require("scores", "grabcut")[0]
    refined = torch.zeros_like(scores)
    for c in (scores.amax(dim=(1, 2)) > 0).nonzero().flatten().tolist():
        own = scores[c]
        trimap = torch.where(own > threshold, gc.PROBABLY_FOREGROUND, gc.PROBABLY_BACKGROUND)
        trimap[own < threshold - MARGIN] = gc.BACKGROUND
        trimap[own > min(threshold + MARGIN, 0.9 * float(own.max()))] = gc.FOREGROUND
        mask, _ = gc.grabcut(batch.image[0], trimap)
        refined[c] = mask * (1 + own) / 2
    return refined


REFINERS: dict[str, Refiner] = {
    "cam": lambda batch, threshold: batch.require("scores", "cam")[0],
    "superpixels": superpixels,
    "walker": walker,
    "grabcut": grabcut,
    "pamr": lambda batch, threshold: pamr(batch.image, batch.require("scores", "pamr"))[0],
    "densecrf": lambda batch, threshold: DenseCRF(background=maps.power_at(threshold)).predict(
        batch
    )[0],
}


def measure(
    name: str, data: SegmentationFolder, share: float, rows: list[tuple[int, ...]],
    folder: Path, out: Path,
) -> None:  # fmt: skip
    """Refine the class maps of a data set in every way; note quality and seconds per image."""
    held_out, rest = data.held_out(share)
    view = WeakView(data, longest=LONGEST)
    cam = Bench(view, held_out, folder, seed=0).run(imagenet_cam(rows))
    record = Record()
    for refiner, refine in REFINERS.items():
        scores, seconds = {}, 0.0
        for batch in tqdm(view.with_scores(cam.scores), desc=f"{name}: {refiner}", leave=False):
            start = time.perf_counter()
            scores[batch.ids[0]] = refine(batch, cam.threshold or 0.5)
            seconds += time.perf_counter() - start
        threshold = choose_threshold(scores, held_out)
        found = evaluate(scores, rest, threshold)
        each = {"seed": 0, "seconds": seconds, "seconds_per_image": seconds / len(data)}
        record.runs[refiner].append({**found.figures(), **each})
        record.curves[refiner].append(found.curve)
        protocol = Protocol(
            data=f"refiners_{name}",
            split=f"{len(rest)} photographs",
            labels_at_inference=True,
            threshold_rule="held-out",
            needs=("ImageNet classes", f"masks of {len(held_out)} photographs, for thresholds"),
        )
        gain = {} if refiner == "cam" else {"gain_over_cam": record.gains(refiner, "cam")}
        record.write(out / f"refiners_{name}", refiner, protocol, deterministic=True, **gain)


def main(
    horses: Annotated[Path, typer.Argument(help="Folder with images/ and masks/.")],
    voc: Annotated[Path, typer.Argument(help="PASCAL VOC folder with a split `photos`.")],
    folder: Annotated[Path, typer.Option(help="Class maps.")] = Path("runs/refiners"),
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("results"),
) -> None:
    """Measure every refiner on horses and on photographs of PASCAL VOC."""
    photographs = SegmentationFolder(voc, "photos")
    rows = [IMAGENET_ROWS[name] for name in photographs.classes]
    measure("voc", photographs, 0.25, rows, folder / "voc", out)
    ridden = SegmentationFolder(horses, None, classes=["horse"])
    measure("horses", ridden, 0.1, [IMAGENET_ROWS["horse"]], folder / "horses", out)


if __name__ == "__main__":
    typer.run(main)
