"""Five photographs, each in some twenty ways: ``python -m experiments.one_photograph``.

What needs no training set is asked about the photographs that every installation has: class maps of
an ImageNet network as it comes, refiners on them, and what can be made of clicks, boxes, extreme
points and strokes that were drawn for this book. Where a score has to be cut, the threshold of a
photograph is the one that is best on the other four. Writes ``results/photographs.json`` and the
masks, ``results/maps/photographs.npz``.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor
from tqdm.auto import tqdm

from experiments.classical import k_means, otsu, region_growing, watersheds
from experiments.imagenet import LONGEST, imagenet_classifier
from experiments.refiners import REFINERS
from wsss_lib.blocks.augment.erase import erase
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import foreground_scores, from_labels, normalize, resize_like
from wsss_lib.blocks.maps.gradcam import grad_cam_pp, layer_cam, score_cam
from wsss_lib.blocks.refine.propagation import spread_scribble
from wsss_lib.blocks.refine.random_walker import colour_edges, random_walker
from wsss_lib.core import Batch
from wsss_lib.data.atomic import written_whole
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.photographs import write_photographs
from wsss_lib.data.view import WeakView
from wsss_lib.evaluate import confusion_of, evaluate, ious
from wsss_lib.methods.box.bbox_rect import BBoxRect
from wsss_lib.methods.box.grabcut import GrabCut
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.methods.image_level.self_supervised.advcam import AdvCAM
from wsss_lib.methods.point.extreme_clicking import ExtremeClicking
from wsss_lib.results import commit, device_name, write_json

LIVE = 240
"""Longest side in pixels of CAM's scores in the figure to drag."""
IMAGENET_ROWS = {
    "cat": (281, 282, 283, 284, 285),
    "cup": (504, 967, 968),
    "flower": (985,),
    "person": (652,),
    "rocket": (657, 744),
}
"""Classes of ImageNet that come near: it knows no person, but a military uniform; no dahlia, but a
daisy; no rocket, but missiles and projectiles."""
SCORED, CUT = 0.5, 0.5


class Ways:
    """All ways to a mask of these photographs that need no training set.

    Args:
        classes: of the photographs.
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        rows = [IMAGENET_ROWS[name] for name in classes]
        self.net = imagenet_classifier(CAM, rows, scales=(1.0, 1.5))
        self.by_tag: dict[str, Callable[[Batch], Tensor]] = {
            "cam_32": imagenet_classifier(CAM, rows, 32, scales=(1.0,)).predict,
            "cam": self.net.predict,
            "cam_8": imagenet_classifier(CAM, rows, 8, scales=(1.0, 1.5)).predict,
            "grad_cam_pp": self.by_gradient(grad_cam_pp),
            "layer_cam": self.by_gradient(layer_cam),
            "score_cam": self.scored,
            "erased": self.erased,
            "advcam": imagenet_classifier(AdvCAM, rows, climbs=9, scales=(1.0,)).predict,
        }
        count = len(classes)
        self.by_mark: dict[str, tuple[str, Callable[[Batch], Tensor]]] = {
            "otsu": ("click", self.classical(otsu)),
            "k_means": ("click", self.classical(k_means)),
            "region_growing": ("click", self.classical(region_growing)),
            "watershed": ("strokes", self.flooded),
            "bbox_rect": ("box", BBoxRect(count).predict),
            "grabcut": ("box", GrabCut(count).predict),
            "extreme_clicking": ("extreme points", ExtremeClicking(count).predict),
            "scribblesup": ("strokes", self.cut),
            "walker_strokes": ("strokes", self.walked),
        }

    def head(self, features: Tensor) -> Tensor:
        """(B, D, h, w) features -> (B, C) logits."""
        logits: Tensor = self.net.classifier(features).mean(dim=(2, 3))
        return logits

    def by_gradient(self, rule: Callable[..., Tensor]) -> Callable[[Batch], Tensor]:
        """Class maps by a rule for gradients, at the sizes and views of CAM."""

        def predict(batch: Batch) -> Tensor:
            tags = batch.require("tags", "maps by gradient")

            def maps_of(image: Tensor) -> Tensor:
                features = self.net.backbone(image)[-1]
                return rule(self.head, features, tags.expand(len(image), -1))

            return normalize(multi_scale_flip(maps_of, batch.image, self.net.scales))

        return predict

    def scored(self, batch: Batch) -> Tensor:
        """Score-CAM, of the 64 channels that vary most: 1280 would take minutes."""
        features = self.net.backbone(batch.image)[-1]
        telling = features.flatten(2).std(dim=2)[0].topk(64).indices

        def network(image: Tensor) -> Tensor:
            return self.head(self.net.backbone(image)[-1])

        maps = score_cam(network, batch.image, features[:, telling], batch.tags)
        return resize_like(normalize(maps, batch.tags), batch.image)

    def erased(self, batch: Batch, looks: int = 3) -> Tensor:
        """CAM, and again where the hottest has been painted over; the highest of three looks."""
        image, found = batch.image, torch.zeros(1)
        for _ in range(looks):
            maps = self.net.predict(replace(batch, image=image))
            found = torch.maximum(found, maps)
            image = erase(image, (maps.amax(dim=1, keepdim=True) > SCORED).float())
        return found

    def classical(
        self, way: Callable[[np.ndarray, list[tuple[int, int]]], np.ndarray]
    ) -> Callable[[Batch], Tensor]:
        """A way from before learning, which a click on each object starts."""

        def predict(batch: Batch) -> Tensor:
            points = batch.require("points", "a classical way")[0]
            image = batch.image[0].permute(1, 2, 0).numpy()
            mask = way(image, [(x, y) for x, y, _ in points.tolist()])
            labels = torch.from_numpy(mask).long() * int(points[0, 2])
            return from_labels(labels[None], len(self.classes))

        return predict

    def flooded(self, batch: Batch) -> Tensor:
        """The watershed from strokes."""
        scribble = batch.require("scribble", "the watershed")[0]
        label = int(batch.require("tags", "the watershed")[0].argmax()) + 1
        strokes = (scribble == 0).int() + 2 * (scribble == label).int()
        mask = watersheds(batch.image[0].permute(1, 2, 0).numpy(), strokes.numpy())
        labels = torch.from_numpy(mask).long() * label
        return from_labels(labels[None], len(self.classes))

    def cut(self, batch: Batch) -> Tensor:
        """ScribbleSup's first cut: superpixels take the class of the strokes at least energy."""
        scribble = batch.require("scribble", "a cut")[0]
        labels = spread_scribble(batch.image[0], scribble, count=500)
        return from_labels(labels[None], len(self.classes))

    def walked(self, batch: Batch) -> Tensor:
        """The random walker from strokes."""
        scribble = batch.require("scribble", "the random walker")
        count = len(self.classes) + 1
        return foreground_scores(random_walker(colour_edges(batch.image), scribble, count, 1e-4))


@dataclass
class Found:
    """What a way makes of all photographs.

    Attributes:
        label: what it is told.
        scores: (C, H, W) by photograph.
        seconds: for all of them.
        own: whether its scores weigh a background of their own.
    """

    label: str
    scores: dict[str, Tensor]
    seconds: float
    own: bool

    def thresholds(self, data: SegmentationFolder) -> dict[str, float]:
        """For each photograph what is best on the others."""
        return {id: CUT if self.own else best_without(self.scores, data, id) for id in data.ids}


def best_without(scores: dict[str, Tensor], data: SegmentationFolder, id: str) -> float:
    """The threshold of the highest mean IoU of object and ground, over the other photographs."""
    curves = []
    for other in data.ids:
        if other != id:
            one = evaluate({other: scores[other]}, data.subset([other]), boundary=False)
            curves.append(one.curve)  # an image of one class and the background
    return float(np.nanargmax(np.mean(curves, axis=0)[:-1])) / (len(curves[0]) - 1)


def asked(label: str, way: Callable[[Batch], Tensor], view: WeakView, own: bool) -> Found:
    """Ask a way about all photographs, and stop the time."""
    scores, start = {}, time.perf_counter()
    for number in range(len(view)):
        batch = view[number]
        with torch.inference_mode():
            scores[batch.ids[0]] = way(batch)[0].clone()
    return Found(label, scores, time.perf_counter() - start, own)


def every_way(data: SegmentationFolder) -> dict[str, Found]:
    """All ways, asked about all photographs."""
    ways, found = Ways(data.classes), {}
    kinds = ("tags", "points", "boxes", "extremes", "scribble")
    view = WeakView(data, kinds, longest=LONGEST)
    for name, way in tqdm(ways.by_tag.items(), desc="tags"):
        found[name] = asked("image label", way, view, own=False)
    start = found["cam"].thresholds(data)
    with_cam = view.with_scores(found["cam"].scores)
    for name, refine in tqdm(REFINERS.items(), desc="refiners"):
        if name != "cam":

            def way(batch: Batch, refine: Any = refine) -> Tensor:
                return refine(batch, start[batch.ids[0]])[None]  # type: ignore[no-any-return]

            found[f"cam_{name}"] = asked("image label", way, with_cam, own=False)
    for name, (label, marked) in tqdm(ways.by_mark.items(), desc="marks"):
        found[name] = asked(label, marked, view, own=True)
    return found


def seen(data: SegmentationFolder, id: str, longest: int) -> Tensor:
    """(1, 3, H, W) of a photograph with exactly this longest side in pixels."""
    return WeakView(data.subset([id]), (), longest=longest)[0].image


def main(
    folder: Annotated[Path, typer.Option(help="Photographs.")] = Path("data/photographs"),
    out: Annotated[Path, typer.Option(help="Where results go.")] = Path("results"),
) -> None:
    """Ask, cut, score and store."""
    data = SegmentationFolder(write_photographs(folder), None)
    entries, masks = [], {}
    for name, found in every_way(data).items():
        thresholds, iou = found.thresholds(data), {}
        for id, threshold in thresholds.items():
            label = int(data.tags(id).argmax())
            score = resize_like(found.scores[id][None], data.image(id)[None])[0, label]
            region = score > threshold
            counts = confusion_of(data.mask(id), region.long() * (label + 1), len(data.classes))
            iou[id] = float(ious(counts)[label + 1])
            small = resize_like(region[None, None].float(), seen(data, id, LONGEST))
            if name == "cam":
                live = resize_like(score[None, None], seen(data, id, LIVE))[0, 0]
                masks[f"score/{id}"] = (live.clamp(0, 1) * 255).round().byte().numpy()
            masks[f"{name}/{id}"] = np.packbits(small[0, 0].numpy() > 0.5, axis=1)
        entries.append(
            {"way": name, "label": found.label, "seconds": found.seconds, "iou": iou,
             "threshold": thresholds}
        )  # fmt: skip
    about = {
        "data": "photographs", "longest": LONGEST, "labels_at_inference": True, "seed": None,
        "threshold_rule": "best on the other photographs", "device": device_name(),
        "threads": torch.get_num_threads(), "commit": commit(),
    }  # fmt: skip
    write_json(out / "photographs.json", {**about, "ways": entries})
    path = out / "maps" / "photographs.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **masks)  # type: ignore[arg-type]


if __name__ == "__main__":
    typer.run(main)
