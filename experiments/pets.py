"""Eighteen cats and dogs of Oxford-IIIT Pet: ``python -m experiments.pets DATA``.

DATA is a folder of photographs with masks. The class maps are ImageNet's: of its kinds of cat, or
of dog, each photograph takes the one that answers loudest; nothing is trained. Refiners follow,
which need no training either. The threshold of each photograph is the best one on the other
seventeen. Writes ``results/pets/*.json``.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor
from tqdm.auto import tqdm

from experiments.record import Record
from experiments.refiners import REFINERS
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize, resize_like, to_labels
from wsss_lib.core import Batch
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.view import WeakView
from wsss_lib.evaluate import STEPS, Protocol, evaluate, evaluate_labels, ious
from wsss_lib.nets.backbones.efficientnet import EfficientNetLite0

IMAGENET_ROWS = {"cat": range(281, 286), "dog": range(151, 269)}
REFINED = ("pamr", "densecrf")


def loudest(logits: Tensor, rows: range) -> int:
    """The row of ImageNet's classifier with the highest of (1000,) logits, among some."""
    return rows[int(logits[list(rows)].argmax())]


def class_maps(
    net: EfficientNetLite0, batch: Batch, classes: tuple[str, ...]
) -> tuple[Tensor, str]:
    """(1, C, H, W) class maps at one size with the mirror image, and the class that is named."""
    logits = net.classifier(net(batch.image)[-1]).mean(dim=(0, 2, 3))
    rows = [loudest(logits, IMAGENET_ROWS[name]) for name in classes]
    weight = net.classifier.weight[rows]
    maps = multi_scale_flip(lambda image: F.conv2d(net(image)[-1], weight), batch.image, (1.0,))
    return normalize(maps, batch.tags), classes[int(logits[rows].argmax())]


def thresholds(scores: Mapping[str, Tensor], data: SegmentationFolder) -> dict[str, float]:
    """For each photograph the threshold of the best mean IoU over all others."""
    alone = {
        id: evaluate({id: scores[id]}, data.subset([id]), boundary=False).confusion
        for id in data.ids
    }
    together = np.sum(list(alone.values()), axis=0)

    def best(without: np.ndarray) -> float:
        return int(np.nanargmax([np.nanmean(ious(counts)) for counts in without])) / STEPS

    return {id: best(together - counts) for id, counts in alone.items()}


def labelled(
    scores: Mapping[str, Tensor], cuts: Mapping[str, float], data: SegmentationFolder
) -> dict[str, Tensor]:
    """(H, W) labels of each photograph at its own threshold."""
    return {
        id: to_labels(resize_like(scores[id][None], data.image(id)[None]), cuts[id])[0]
        for id in data.ids
    }


def main(
    data: Annotated[Path, typer.Argument(help="Folder with images/, masks/ and labels.csv.")],
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("results/pets"),
) -> None:
    """Measure class maps and refiners on photographs of pets."""
    pets = SegmentationFolder(data, None)
    view, net, record = WeakView(pets), EfficientNetLite0(16).eval(), Record()
    scores: dict[str, dict[str, Tensor]] = {"cam": {}}
    named, start = 0, time.perf_counter()
    for batch in tqdm(view, desc="cam"):
        with torch.inference_mode():
            maps, name = class_maps(net, batch, pets.classes)
        scores["cam"][batch.ids[0]] = maps[0].clone()
        named += bool(pets.tags(batch.ids[0])[pets.classes.index(name)])
    seconds = {"cam": time.perf_counter() - start}
    cuts = {"cam": thresholds(scores["cam"], pets)}
    for way in REFINED:
        refine, start = REFINERS[way], time.perf_counter()
        scores[way] = {
            batch.ids[0]: refine(batch, cuts["cam"][batch.ids[0]])
            for batch in tqdm(view.with_scores(scores["cam"]), desc=way)
        }
        seconds[way] = time.perf_counter() - start
        cuts[way] = thresholds(scores[way], pets)
    for way, found in scores.items():
        labels = labelled(found, cuts[way], pets)
        curve = evaluate(found, pets, boundary=False).curve
        figures = evaluate_labels(labels.__getitem__, pets).figures()
        figures["threshold"] = float(np.mean([*cuts[way].values()]))
        best = float(np.nanmax(curve))
        record.runs[way].append({"seed": 0, "seconds": seconds[way], **figures, "oracle": best})
        record.curves[way].append(curve)
        protocol = Protocol(
            data="pets",
            split="18 photographs, each left out of the choice of its own threshold",
            labels_at_inference=True,
            threshold_rule="held-out",
            needs=("ImageNet classes, kinds of cat and dog",),
        )
        extra = {"named_right": named} if way == "cam" else {}
        record.write(out, way, protocol, deterministic=True, **extra)


if __name__ == "__main__":
    typer.run(main)
