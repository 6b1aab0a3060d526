"""The toy pipeline, measured: ``python -m experiments.toy`` writes ``results/toy/*.json``.

The maps of world 0 and seed 0 go to ``results/maps/toy/*.npz``.

For every world and seed: CAM, a control that trains CAM for as many steps as CAM and AffinityNet
take together, PAMR, the dense CRF and AffinityNet on the CAM, and, for one seed of each world,
segmentation networks taught by the labels of ``NETWORKS`` and by full masks (the ceiling).

Thresholds of score maps are chosen on the first tenth of the training images, with masks, and
figures are read off on the other nine tenths. Segmentation networks see no image labels when they
are scored and use their own argmax. An interrupted run goes on where it stopped.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from tqdm.auto import tqdm

from experiments.record import Bench, Record, keep_maps
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.full import MaskScores
from wsss_lib.data.toy import write_toy
from wsss_lib.data.view import WeakView
from wsss_lib.engine import infer, seed_everything
from wsss_lib.evaluate import Protocol, evaluate, layer_recall, nearest
from wsss_lib.methods.image_level.affinity.affinitynet import AffinityNet
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.methods.refine.densecrf import DenseCRF
from wsss_lib.methods.refine.pamr import PAMR
from wsss_lib.methods.segmentation.segmenter import Segmenter

NETWORKS = {
    "segmenter_cam": "cam",
    "segmenter_pamr": "pamr",
    "segmenter_affinitynet": "affinitynet",
    "ceiling": None,
}
"""Segmentation networks and the score maps that teach them; None stands for masks."""


def fresh(kind: Any, num_classes: int, seed: int) -> Any:
    """A method of the toy world whose new weights depend on the seed alone."""
    seed_everything(seed)
    return kind.toy(num_classes)


def measure(record: Record, world: int, seed: int, networks: bool, folder: Path, out: Path) -> None:
    """Note every figure of one world and seed."""
    root = write_toy(folder / f"world_{world}", world=world, progress=False)
    train, val = SegmentationFolder(root, "train"), SegmentationFolder(root, "val")
    held_out, rest = train.held_out()
    bench = Bench(WeakView(train), held_out, folder / f"run_{world}_{seed}", seed)
    c = len(train.classes)

    longer = fresh(CAM, c, seed)
    extra = AffinityNet.toy(c).recipe.steps
    longer.recipe = replace(longer.recipe, steps=longer.recipe.steps + extra)
    cam = bench.run(fresh(CAM, c, seed))
    first = {
        "cam": cam,
        "cam_longer": bench.run(longer),
        "pamr": bench.run(fresh(PAMR, c, seed), scores=cam.scores),
        "densecrf": bench.run(fresh(DenseCRF, c, seed), scores=cam.scores),
        "affinitynet": bench.run(fresh(AffinityNet, c, seed), scores=cam.scores),
    }
    where = {"world": world, "seed": seed}
    stored = world == seed == 0
    for name, stage in first.items():
        threshold = stage.threshold or 0.5
        head, body = layer_recall(stage.scores, rest)[nearest(threshold)]
        found = evaluate(stage.scores, rest, threshold)
        record.note(name, stage, found, world=world, seed=seed, head_recall=head, body_recall=body)
        if stored:
            keep_maps(out, name, stage.method, stage.scores, rest, bench.view, found, **where)
    for name, teacher in NETWORKS.items() if networks else ():
        net = fresh(Segmenter, c, seed)
        scores = first[teacher].scores if teacher else MaskScores(train)
        net.threshold = first[teacher].threshold if teacher else 0.5
        stage = bench.run(net, scores=scores)
        blind = {
            split: infer(net, WeakView(data, supervision=()), stage.folder / split)
            for split, data in (("train", rest), ("val", val))
        }
        seen = evaluate(blind["train"], rest, boundary=False).miou
        # Its teacher knew the image labels; with them, both know the same.
        informed = evaluate(stage.scores, rest, boundary=False).miou
        figures = {"train_miou": seen, "train_miou_with_tags": informed}
        if teacher:
            taught = record.runs[teacher][-1]["miou"]
            figures["labels_miou"] = taught
            figures["gain_over_labels"] = seen - taught
            figures["gain_over_labels_with_tags"] = informed - taught
        found = evaluate(blind["val"], val)
        if stored:
            keep_maps(out, name, net, blind["val"], val, WeakView(val, ()), found, **where)
        record.note(name, stage, found, world=world, seed=seed, **figures)


def main(
    folder: Annotated[Path, typer.Option(help="Worlds and checkpoints.")] = Path("runs/toy"),
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("results/toy"),
    worlds: Annotated[int, typer.Option(help="World seeds 0, 1, ...")] = 3,
    seeds: Annotated[int, typer.Option(help="Training seeds 0, 1, ...")] = 3,
    part: Annotated[str, typer.Option(help="i/n: the i-th of n processes that share work.")] = "",
) -> None:
    """Measure the toy pipeline over world and training seeds.

    With ``--part``, a share of the work is done and kept in the folder, and no result is written:
    run all parts, then once more without, which finds everything done.
    """
    record = Record()
    work = [(world, seed) for world in range(worlds) for seed in range(seeds)]
    if part:
        number, parts = (int(value) for value in part.split("/"))
        work = work[number - 1 :: parts]
    for world, seed in tqdm(work, desc="toy"):
        # Networks take most of the time: every world gets one, with a seed of its own.
        measure(record, world, seed, world == seed, folder, out)
    if part:
        return
    version = str(SegmentationFolder(folder / "world_0").about["version"])
    for name in record.runs:
        network = name in NETWORKS
        protocol = Protocol(
            data="toy",
            data_version=version,
            split="val" if network else "train, last nine tenths",
            labels_at_inference=not network,
            threshold_rule="argmax" if network else "held-out",
            supervision=("masks",) if name == "ceiling" else ("tags",),
            needs=() if name == "ceiling" else ("masks of 51 training images, for the threshold",),
        )
        extra = {} if network or name == "cam" else {"gain_over_cam": record.gains(name, "cam")}
        record.write(out, name, protocol, **extra)


if __name__ == "__main__":
    typer.run(main)
