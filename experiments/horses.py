"""Real photographs: ``python -m experiments.horses DATA`` writes ``results/horses/*.json``.

DATA is a folder of 228 Weizmann horses (``images/``, ``masks/``). The class maps of ImageNet's
class "sorrel" are refined by PAMR or AffinityNet, boxes become masks by GrabCut, and one network
learns from each of these, from clicks, from scribbles with a normalised cut, and, as a ceiling,
from masks.

Every third photograph, from the third on, is for testing. Of the others, the first tenth (with
masks) chooses thresholds, and the figures of score maps are read off on the rest. Nothing that is
scored on the test photographs has seen their labels.
"""

from pathlib import Path
from typing import Annotated

import typer
from tqdm.auto import tqdm

from experiments.imagenet import LONGEST, NETWORK, deeplab, imagenet_cam, segmenter
from experiments.record import Bench, Record
from experiments.voc_photographs import IMAGENET_ROWS
from wsss_lib.blocks.maps.class_maps import power_at
from wsss_lib.core import Method, Recipe
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.full import MaskScores
from wsss_lib.data.view import WeakView
from wsss_lib.engine import Stage, infer, seed_everything
from wsss_lib.evaluate import Protocol, evaluate
from wsss_lib.methods.box.grabcut import GrabCut
from wsss_lib.methods.image_level.affinity.affinitynet import AffinityNet
from wsss_lib.methods.point.whats_the_point import WhatsThePoint
from wsss_lib.methods.refine.pamr import PAMR
from wsss_lib.methods.scribble.ncut_loss import NormalizedCutLoss
from wsss_lib.nets.backbones.efficientnet import EfficientNetLite0
from wsss_lib.nets.heads.fuse import FusedFeatures

SORREL = IMAGENET_ROWS["horse"]
LABELS = {
    "grabcut": "boxes", "segmenter_grabcut": "boxes", "ncut_loss": "scribble",
    "whats_the_point": "points", "ceiling": "masks",
}  # fmt: skip
"""What systems are told; all others hear tags."""
FIRST = ("cam", "pamr", "affinitynet", "grabcut")
"""Systems whose scores teach networks."""


def affinity(threshold: float) -> AffinityNet:
    """AffinityNet on stride-8 features of EfficientNet-Lite0.

    Its powers follow from the threshold of the maps that it starts from: trusted is what lies .15
    above or below, and the background of the walk begins at the threshold itself.
    """
    features = FusedFeatures(EfficientNetLite0(16), (2, 3, 4), (32, 32, 64), size_of=2)
    confident = (power_at(threshold + 0.15), power_at(threshold - 0.15))
    method = AffinityNet(features, 4, confident, background=power_at(threshold), walk=64)
    method.recipe = Recipe(
        100, 4, lr=1e-5, head_factor=100, optimizer="adamw", warmup=0.1, crop=192,
        scale=(0.7, 1.1), freeze_norm=True,
    )  # fmt: skip
    return method


def network(name: str) -> Method:
    """A network that learns from marks alone."""
    method: Method = (
        NormalizedCutLoss(deeplab()) if name == "ncut_loss" else WhatsThePoint(deeplab(), 1)
    )
    method.recipe = NETWORK
    return method


def measure(record: Record, seed: int, data: SegmentationFolder, folder: Path) -> None:
    """Note every figure of one seed."""
    test = data.subset(data.ids[2::3])
    train = data.subset([id for id in data.ids if id not in set(test.ids)])
    held_out, rest = train.held_out()

    def bench(*marks: str, seed: int = seed) -> Bench:
        view = WeakView(train, ("tags", *marks), longest=LONGEST)
        seed_everything(seed)
        return Bench(view, None if marks else held_out, folder, seed)

    cam = bench().run(imagenet_cam([SORREL]))
    first = {
        "cam": cam,
        "pamr": bench().run(PAMR(), cam.scores),
        "affinitynet": bench().run(affinity(cam.threshold or 0.5), cam.scores),
        "grabcut": bench("boxes", seed=0).run(GrabCut(1)),  # it draws no random numbers
    }
    for name, stage in first.items():
        record.note(name, stage, evaluate(stage.scores, rest, stage.threshold or 0.5), seed=seed)

    def taught(scores: object, threshold: float) -> Stage:
        there = bench()
        net = segmenter()
        net.threshold = threshold
        return there.run(net, scores)

    networks = {
        f"segmenter_{name}": taught(stage.scores, stage.threshold or 0.5)
        for name, stage in first.items()
    }
    networks["ceiling"] = taught(MaskScores(train), 0.5)
    for name in ("ncut_loss", "whats_the_point"):
        networks[name] = bench(LABELS[name]).run(network(name))
    blind = WeakView(test, supervision=(), longest=LONGEST)
    for name, stage in networks.items():
        scores = infer(stage.method, blind, stage.folder / "test")
        record.note(name, stage, evaluate(scores, test), seed=seed)


def main(
    data: Annotated[Path, typer.Argument(help="Folder with images/ and masks/.")],
    folder: Annotated[Path, typer.Option(help="Checkpoints and scores.")] = Path("runs/horses"),
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("results/horses"),
    seeds: Annotated[int, typer.Option(help="Training seeds 0, 1, ...")] = 3,
) -> None:
    """Measure tags, points, scribbles, boxes and masks on photographs of horses."""
    horses = SegmentationFolder(data, None, classes=["horse"])
    record = Record()
    for seed in tqdm(range(seeds), desc="horses"):
        measure(record, seed, horses, folder)
    for name in record.runs:
        label = LABELS.get(name, "tags")
        rule = "argmax" if name not in FIRST else "fixed" if name == "grabcut" else "held-out"
        protocol = Protocol(
            data="horses",
            split="train, last nine tenths" if name in FIRST else "test (every third photograph)",
            labels_at_inference=name in FIRST,
            threshold_rule=rule,
            supervision=(label,),
            needs=() if name == "grabcut" else ("ImageNet classes, sorrel among them",)
            if label == "tags" else ("ImageNet classes",),
        )  # fmt: skip
        refined = name in ("pamr", "affinitynet")
        extra = {"gain_over_cam": record.gains(name, "cam")} if refined else {}
        record.write(out, name, protocol, **extra)


if __name__ == "__main__":
    typer.run(main)
