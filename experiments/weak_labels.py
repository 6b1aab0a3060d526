"""Weak labels on real masks: ``python -m experiments.weak_labels VOC``.

VOC is a folder of PASCAL VOC 2012; the masks of its split ``train`` are labelled by three imagined
annotators. ``results/weak_labels/<kind>.json`` says how many labels an image gets, how much of it
they cover, whether they lie inside their objects, and how long that takes. Without the layer
``SegmentationObject``, objects are the connected components of each class.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor
from tqdm.auto import tqdm

from experiments.record import Record
from wsss_lib.core import IGNORE
from wsss_lib.data.costs import seconds_per_image
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.weak import Annotator, objects_from_mask
from wsss_lib.evaluate import Protocol

Figures = dict[str, float]


def of_boxes(boxes: Tensor, mask: Tensor, objects: Tensor) -> Figures:
    """How many boxes there are, and how much of the objects they hold and of the image they cover.

    ``inside`` is the share of the pixels of all objects that a box of their class covers.
    """
    covered = torch.zeros_like(mask, dtype=torch.bool)
    held = torch.zeros_like(covered)
    for x0, y0, x1, y1, kind in boxes.tolist():
        covered[y0:y1, x0:x1] = True
        held[y0:y1, x0:x1] |= mask[y0:y1, x0:x1] == kind
    filled = (held & (objects > 0)).sum() / covered.sum()
    return {
        "labels": len(boxes),
        "labelled_share": float(covered.float().mean()),
        "inside": float(held[objects > 0].float().mean()),
        "filling_rate": float(filled),
    }


def of_points(points: Tensor, mask: Tensor, objects: Tensor) -> Figures:
    """How many points there are, and how many of them lie on an object of their class."""
    x, y, kinds = points.T
    right = (mask[y, x] == kinds) & (objects[y, x] > 0)
    return {
        "labels": len(points),
        "labelled_share": len(points) / mask.numel(),
        "inside": float(right.float().mean()),
    }


def of_extremes(extremes: Tensor, mask: Tensor, objects: Tensor) -> Figures:
    """How many objects have four clicks, and how many of the clicks lie on one and the same."""
    x, y = extremes[..., 0], extremes[..., 1]
    right = (objects[y, x] > 0) & (objects[y, x] == objects[y, x][:, :1])
    return {
        "labels": len(extremes),
        "labelled_share": 4 * len(extremes) / mask.numel(),
        "inside": float(right.float().mean()),
    }


def of_scribble(scribble: Tensor, mask: Tensor, objects: Tensor) -> Figures:
    """How much of the image is drawn on, and how much of that on the right class."""
    drawn = scribble != IGNORE
    right = (scribble == mask) & ((objects > 0) | (scribble == 0))
    labelled = objects[drawn & (objects > 0)]
    return {
        "labels": len(labelled.unique()),
        "labelled_share": float(drawn.float().mean()),
        "labelled_share_of_objects": len(labelled) / int((objects > 0).sum()),
        "inside": float(right[drawn].float().mean()),
    }


MEASURES: dict[str, Callable[[Tensor, Tensor, Tensor], Figures]] = {
    "boxes": of_boxes, "points": of_points, "extremes": of_extremes, "scribble": of_scribble,
}  # fmt: skip


def measure(kind: str, data: SegmentationFolder, seed: int) -> Figures:
    """Means over the images of a data set, and the seconds of it all."""
    annotator, rows, seconds = Annotator(seed=seed), [], 0.0
    for id in tqdm(data.ids, desc=f"{kind} {seed}", leave=False):
        mask = data.mask(id)
        start = time.perf_counter()
        label = annotator.label(kind, id, mask)
        seconds += time.perf_counter() - start
        rows.append(MEASURES[kind](label, mask, objects_from_mask(mask)))
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    shares = [row["labelled_share"] for row in rows]
    return {
        **means,
        "smallest_share": min(shares),
        "largest_share": max(shares),
        "least_inside": min(row["inside"] for row in rows),
        "seconds": seconds,
        "seconds_per_image": seconds / len(data),
    }


def main(
    voc: Annotated[Path, typer.Argument(help="PASCAL VOC folder with a split `train`.")],
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("results/weak_labels"),
    seeds: Annotated[int, typer.Option(help="Annotators 0, 1, ...")] = 3,
) -> None:
    """Label real masks in every way that is made from masks."""
    data = SegmentationFolder(voc, "train")
    data = data.subset([id for id in data.ids if data.has_mask(id)])
    torch.set_num_threads(1)
    record = Record()
    for kind in MEASURES:  # objects are a part of points
        for seed in range(1 if kind == "boxes" else seeds):
            record.runs[kind].append({"seed": seed, **measure(kind, data, seed)})
        protocol = Protocol(
            data="voc2012",
            split="train",
            labels_at_inference=False,
            threshold_rule="none",
            supervision=("masks",),
            needs=("connected components of each class for objects",),
        )
        record.write(
            out, kind, protocol,
            images=len(data),
            deterministic=kind == "boxes",
            seconds_of_a_person=seconds_per_image(kind),
        )  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
