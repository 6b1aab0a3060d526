"""Twenty photographs of PASCAL VOC: ``python -m experiments.voc_photographs DATA``.

Nothing is trained: the class maps are those of a few ImageNet classes for each VOC class, PAMR
refines them, and GrabCut makes masks of boxes. The first quarter of the photographs, with masks,
chooses the thresholds; the figures are read off on the others. Writes
``results/voc_photographs/*.json``.
"""

from pathlib import Path
from typing import Annotated

import typer

from experiments.imagenet import LONGEST, imagenet_cam
from experiments.record import Bench, Record
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.view import WeakView
from wsss_lib.evaluate import Protocol, evaluate
from wsss_lib.methods.box.grabcut import GrabCut
from wsss_lib.methods.refine.pamr import PAMR

IMAGENET_ROWS = {
    "aeroplane": (404, 895),
    "bicycle": (444, 671),
    "bird": (15, 22),
    "boat": (472, 814),
    "bottle": (440, 907),
    "bus": (654, 779, 874),
    "car": (468, 511, 817),
    "cat": (281, 283, 284, 285),
    "chair": (423, 559, 765),
    "cow": (345, 346),
    "diningtable": (532,),
    "dog": (207, 208),
    "horse": (339,),
    "motorbike": (665, 670),
    "person": (981, 982, 983),
    "pottedplant": (738,),
    "sheep": (348,),
    "sofa": (831,),
    "train": (466, 547, 820),
    "tvmonitor": (664, 782, 851),
}
"""ImageNet knows no person as such: a ball player, a groom and a diver stand in."""


def main(
    data: Annotated[Path, typer.Argument(help="PASCAL VOC folder with a split `photos`.")],
    folder: Annotated[Path, typer.Option(help="Scores.")] = Path("runs/voc_photographs"),
    out: Annotated[Path, typer.Option(help="JSON.")] = Path("results/voc_photographs"),
) -> None:
    """Measure CAM, PAMR and GrabCut on the photographs."""
    photographs = SegmentationFolder(data, "photos")
    held_out, rest = photographs.held_out(share=0.25)
    bench = Bench(WeakView(photographs, longest=LONGEST), held_out, folder, seed=0)
    record = Record()
    cam = bench.run(imagenet_cam([IMAGENET_ROWS[name] for name in photographs.classes]))
    boxes = WeakView(photographs, ("tags", "boxes"), longest=LONGEST)
    cut = Bench(boxes, None, folder, seed=0).run(GrabCut(len(photographs.classes)))
    for name, stage in (("cam", cam), ("pamr", bench.run(PAMR(), cam.scores)), ("grabcut", cut)):
        record.note(name, stage, evaluate(stage.scores, rest, stage.threshold or 0.5), seed=0)
        masks = f"masks of {len(held_out)} photographs, for the threshold"
        protocol = Protocol(
            data="voc_photographs",
            split=f"{len(rest)} photographs",
            labels_at_inference=True,
            threshold_rule="fixed" if name == "grabcut" else "held-out",
            supervision=("boxes",) if name == "grabcut" else ("tags",),
            needs=() if name == "grabcut" else ("ImageNet classes", masks),
        )
        record.write(out, name, protocol, deterministic=True)  # nothing is trained: no seeds


if __name__ == "__main__":
    typer.run(main)
