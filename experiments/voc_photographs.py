"""Twenty photographs of PASCAL VOC: ``python -m experiments.voc_photographs DATA WEIGHTS``.

Nothing is trained: the class maps are those of a few ImageNet classes for each VOC class, and PAMR
refines them. The first quarter of the photographs, with masks, chooses the thresholds; the figures
are read off on the others. Writes ``results/voc_photographs/*.json``.
"""

from pathlib import Path
from typing import Annotated

import torch
import typer

from experiments.record import Bench, Record
from wsss_lib.core import Recipe
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.view import WeakView
from wsss_lib.evaluate import Protocol, evaluate
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.methods.refine.pamr import PAMR
from wsss_lib.nets.backbones.mobilenet import MobileNetV2

IMAGENET_ROWS = {  # rows of the classifier with a background row 0
    "aeroplane": (405, 896),
    "bicycle": (445, 672),
    "bird": (16, 23),
    "boat": (473, 815),
    "bottle": (441, 908),
    "bus": (655, 780, 875),
    "car": (469, 512, 818),
    "cat": (282, 284, 285, 286),
    "chair": (424, 560, 766),
    "cow": (346, 347),
    "diningtable": (533,),
    "dog": (208, 209),
    "horse": (340,),
    "motorbike": (666, 671),
    "person": (982, 983, 984),
    "pottedplant": (739,),
    "sheep": (349,),
    "sofa": (832,),
    "train": (467, 548, 821),
    "tvmonitor": (665, 783, 852),
}
"""ImageNet knows no person as such: a ball player, a groom and a diver stand in."""
LONGEST = 320


def imagenet_cam(weights: Path, rows: list[tuple[int, ...]]) -> CAM:
    """CAM whose classifier is ImageNet's own, the mean over each class's rows: no training."""
    net = MobileNetV2(16, weights)
    cam = CAM(net, len(rows), scales=(1.0, 1.5))
    cam.classifier.weight.data = torch.stack(
        [net.classifier.weight.data[list(group)].mean(dim=0) for group in rows]
    )
    cam.recipe = Recipe(steps=0)
    return cam


def main(
    data: Annotated[Path, typer.Argument(help="PASCAL VOC folder with a split `photos`.")],
    weights: Annotated[Path, typer.Argument(help="Folded MobileNetV2 weights, .npz.")],
    folder: Annotated[Path, typer.Option(help="Scores.")] = Path("runs/voc_photographs"),
    out: Annotated[Path, typer.Option(help="JSON.")] = Path("results/voc_photographs"),
) -> None:
    """Measure CAM and PAMR on the photographs."""
    photographs = SegmentationFolder(data, "photos")
    held_out, rest = photographs.held_out(share=0.25)
    bench = Bench(WeakView(photographs, longest=LONGEST), held_out, folder, seed=0)
    record = Record()
    cam = bench.run(imagenet_cam(weights, [IMAGENET_ROWS[name] for name in photographs.classes]))
    for name, stage in (("cam", cam), ("pamr", bench.run(PAMR(), cam.scores))):
        record.note(name, stage, evaluate(stage.scores, rest, stage.threshold or 0.5), seed=0)
        protocol = Protocol(
            data="voc_photographs",
            split=f"{len(rest)} photographs",
            labels_at_inference=True,
            threshold_rule="held-out",
            needs=("ImageNet classes", f"masks of {len(held_out)} photographs, for the threshold"),
        )
        record.write(out, name, protocol, deterministic=True)  # nothing is trained: no seeds


if __name__ == "__main__":
    typer.run(main)
