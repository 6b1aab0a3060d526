"""One system at a time on the toy world: ``python -m experiments.systems cse ae_psl``.

For three worlds, each with a training seed of its own: CAM (the floor), the system, the system
after PAMR, and a segmentation network taught by the refined labels; the ceiling is in
``results/toy/ceiling.json``. Everything has the same backbone, and the system the steps of its toy
recipe. Writes ``results/toy/<id>.json``. Thresholds are chosen on the first tenth of the training
images, with masks, and figures are read off on the other nine tenths; the network sees no image
labels and is scored on new images. An interrupted run goes on where it stopped.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from tqdm.auto import tqdm

from experiments.record import Bench, Record
from experiments.toy import fresh
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.toy import write_toy
from wsss_lib.data.view import WeakView
from wsss_lib.engine import infer
from wsss_lib.evaluate import Protocol, evaluate
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.methods.refine.pamr import PAMR
from wsss_lib.methods.segmentation.segmenter import Segmenter
from wsss_lib.survey import find_methods


def measure(record: Record, id: str, world: int, seed: int, network: bool, folder: Path) -> None:
    """Note every figure of a system in one world."""
    kind = find_methods()[id]
    root = write_toy(folder / f"world_{world}", world=world, progress=False)
    train, val = SegmentationFolder(root, "train"), SegmentationFolder(root, "val")
    held_out, rest = train.held_out()
    bench = Bench(WeakView(train), held_out, folder / f"run_{world}_{seed}", seed)
    c = len(train.classes)
    cam = bench.run(fresh(CAM, c, seed))
    floor = evaluate(cam.scores, rest, cam.threshold or 0.5, boundary=False).miou

    bench = replace(bench, view=WeakView(train, kind.card.supervision))
    system = bench.run(fresh(kind, c, seed), cam.scores if kind.card.needs_scores else None)
    found = evaluate(system.scores, rest, system.threshold or 0.5)
    refined = bench.run(fresh(PAMR, c, seed), system.scores)
    after = evaluate(refined.scores, rest, refined.threshold or 0.5)
    figures = {
        "gain_over_cam": found.miou - floor,
        "refined_miou": after.miou,
        "refined_boundary_iou": after.boundary_iou,
    }
    if network:
        student = fresh(Segmenter, c, seed)
        student.threshold = refined.threshold
        stage = bench.run(student, refined.scores)
        blind = infer(student, WeakView(val, supervision=()), stage.folder / "val")
        figures["network_miou"] = evaluate(blind, val).miou
    record.note(id, system, found, world=world, seed=seed, **figures)


def main(
    ids: Annotated[list[str], typer.Argument(help="Systems to measure.")],
    network: Annotated[bool, typer.Option(help="Train a network on the labels as well.")] = True,
    folder: Annotated[Path, typer.Option(help="Worlds and checkpoints.")] = Path("runs/toy"),
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("results/toy"),
    worlds: Annotated[int, typer.Option(help="Worlds and seeds 0, 1, ...")] = 3,
) -> None:
    """Measure systems on the toy world."""
    record = Record()
    for id in ids:
        card = find_methods()[id].card
        for world in tqdm(range(worlds), desc=id):
            measure(record, id, world, world, network, folder)
        protocol = Protocol(
            data="toy",
            data_version=str(SegmentationFolder(folder / "world_0").about["version"]),
            split="train, last nine tenths",
            labels_at_inference=card.uses_tags_at_inference,
            threshold_rule="held-out",
            supervision=card.supervision,
            needs=(*card.needs, "masks of 51 training images, for the threshold"),
        )
        record.write(out, id, protocol)


if __name__ == "__main__":
    typer.run(main)
