"""Real photographs: ``python -m experiments.horses DATA`` writes ``results/horses/*.json``.

DATA is a folder of 228 Weizmann horses (``images/``, ``masks/``). The class maps of ImageNet's
class "sorrel" are refined by PAMR or AffinityNet, turned into pseudo-labels, and taught to a
segmentation network; the ceiling is the same network taught by masks.

Every third photograph, from the third on, is for testing. Of the others, the first tenth (with
masks) chooses thresholds, and the figures of score maps are read off on the rest. Nothing that is
scored on the test photographs has seen their image labels.
"""

from pathlib import Path
from typing import Annotated

import typer
from tqdm.auto import tqdm

from experiments.imagenet import LONGEST, imagenet_cam, segmenter
from experiments.record import Bench, Record
from experiments.voc_photographs import IMAGENET_ROWS
from wsss_lib.blocks.maps.class_maps import power_at
from wsss_lib.core import Recipe
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.full import MaskScores
from wsss_lib.data.view import WeakView
from wsss_lib.engine import infer, seed_everything
from wsss_lib.evaluate import Protocol, evaluate
from wsss_lib.methods.image_level.affinity.affinitynet import AffinityNet
from wsss_lib.methods.refine.pamr import PAMR
from wsss_lib.nets.backbones.efficientnet import EfficientNetLite0
from wsss_lib.nets.heads.fuse import FusedFeatures

SORREL = IMAGENET_ROWS["horse"]


def affinity(threshold: float) -> AffinityNet:
    """AffinityNet on stride-8 features of EfficientNet-Lite0.

    Its powers follow from the threshold of the maps that it starts from: trusted is what lies .15
    above or below, and the background of the walk begins at the threshold itself.
    """
    features = FusedFeatures(EfficientNetLite0(16), (2, 3, 4), (32, 32, 64), size_of=2)
    confident = (power_at(threshold + 0.15), power_at(threshold - 0.15))
    method = AffinityNet(features, 4, confident, background=power_at(threshold), walk=64)
    method.recipe = Recipe(
        100,
        4,
        lr=1e-5,
        head_factor=100,
        optimizer="adamw",
        warmup=0.1,
        crop=192,
        scale=(0.7, 1.1),
        freeze_norm=True,
    )
    return method


def measure(record: Record, seed: int, data: SegmentationFolder, folder: Path) -> None:
    """Note every figure of one seed."""
    test = data.subset(data.ids[2::3])
    train = data.subset([id for id in data.ids if id not in set(test.ids)])
    held_out, rest = train.held_out()
    bench = Bench(WeakView(train, longest=LONGEST), held_out, folder, seed)
    seed_everything(seed)
    cam = bench.run(imagenet_cam([SORREL]))
    first = {
        "cam": cam,
        "pamr": bench.run(PAMR(), cam.scores),
        "affinitynet": bench.run(affinity(cam.threshold or 0.5), cam.scores),
    }
    for name, stage in first.items():
        record.note(name, stage, evaluate(stage.scores, rest, stage.threshold or 0.5), seed=seed)
    for name in ("segmenter_cam", "segmenter_pamr", "segmenter_affinitynet", "ceiling"):
        seed_everything(seed)
        net = segmenter()
        teacher = first.get(name.removeprefix("segmenter_"))
        net.threshold = teacher.threshold if teacher else 0.5
        stage = bench.run(net, teacher.scores if teacher else MaskScores(train))
        blind = WeakView(test, supervision=(), longest=LONGEST)
        record.note(
            name, stage, evaluate(infer(net, blind, stage.folder / "test"), test), seed=seed
        )


def main(
    data: Annotated[Path, typer.Argument(help="Folder with images/ and masks/.")],
    folder: Annotated[Path, typer.Option(help="Checkpoints and scores.")] = Path("runs/horses"),
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("results/horses"),
    seeds: Annotated[int, typer.Option(help="Training seeds 0, 1, ...")] = 3,
) -> None:
    """Measure the two-stage pipeline on photographs of horses."""
    horses = SegmentationFolder(data, None, classes=["horse"])
    record = Record()
    for seed in tqdm(range(seeds), desc="horses"):
        measure(record, seed, horses, folder)
    for name in record.runs:
        network = name not in ("cam", "pamr", "affinitynet")
        protocol = Protocol(
            data="horses",
            split="test (every third photograph)" if network else "train, last nine tenths",
            labels_at_inference=not network,
            threshold_rule="argmax" if network else "held-out",
            supervision=("masks",) if name == "ceiling" else ("tags",),
            needs=("ImageNet classes, sorrel among them",),
        )
        refined = name in ("pamr", "affinitynet")
        extra = {"gain_over_cam": record.gains(name, "cam")} if refined else {}
        record.write(out, name, protocol, **extra)


if __name__ == "__main__":
    typer.run(main)
