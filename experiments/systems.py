"""One system at a time on the toy world: ``python -m experiments.systems cse ae_psl``.

For three worlds, each with a training seed of its own: the floor (``FLOORS``), the system, the
system after PAMR, and a segmentation network taught by the refined labels; the ceiling is in
``results/toy/ceiling.json``. Everything has the same backbone, and the system the steps of its toy
recipe. Writes ``results/toy/<id>.json``. Thresholds are chosen on the first tenth of the training
images, with masks, and figures are read off on the other nine tenths; networks see no labels and
are scored on new images. An interrupted run goes on where it stopped.
"""

from pathlib import Path
from typing import Annotated

import typer
from tqdm.auto import tqdm

from experiments.record import Bench, Record
from experiments.toy import fresh
from wsss_lib.core import Card, Method
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.toy import write_toy
from wsss_lib.data.view import WeakView
from wsss_lib.engine import Stage, infer
from wsss_lib.evaluate import Protocol, evaluate
from wsss_lib.methods.box.bbox_rect import BBoxRect
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.methods.refine.pamr import PAMR
from wsss_lib.methods.scribble.pce import PartialCrossEntropy
from wsss_lib.methods.segmentation.segmenter import Segmenter
from wsss_lib.nets.saliency import toy_saliency
from wsss_lib.saliency import write_saliency
from wsss_lib.survey import find_methods

FLOORS: dict[str, type[Method]] = {
    "tags": CAM,
    "points": CAM,
    "boxes": BBoxRect,
    "extremes": BBoxRect,
    "scribble": PartialCrossEntropy,
}
"""The least that a system must beat: what its labels, or cheaper ones, give without an idea."""


def floor_of(card: Card) -> type[Method]:
    """The floor of a system: that of the first of its labels."""
    return FLOORS["tags" if card.needs_scores else card.supervision[0]]


def measure(record: Record, id: str, world: int, network: bool, folder: Path) -> None:
    """Note every figure of a system in one world; its number is also the seed."""
    kind = find_methods()[id]
    root = write_toy(folder / f"world_{world}", world=world, progress=False)
    train, val = SegmentationFolder(root, "train"), SegmentationFolder(root, "val")
    held_out, rest = train.held_out()
    c = len(train.classes)
    if "saliency" in kind.card.supervision:
        write_saliency(train, toy_saliency())

    def stage(method: Method, supervision: tuple[str, ...], before: Stage | None = None) -> Stage:
        view = WeakView(train, supervision)
        if method.threshold is None and before is not None:
            method.threshold = before.threshold
        bench = Bench(view, held_out, folder / f"run_{world}_{world}", world)
        return bench.run(method, before.scores if before else None)

    def unaided(stage: Stage) -> float:
        """Mean IoU of a network on new images, of which it knows nothing."""
        return evaluate(infer(stage.method, WeakView(val, ()), stage.folder / "val"), val).miou

    basis = floor_of(kind.card)
    floor = stage(fresh(basis, c, world), basis.card.supervision)
    before = floor if kind.card.needs_scores else None
    system = stage(fresh(kind, c, world), kind.card.supervision, before)
    found = evaluate(system.scores, rest, system.threshold or 0.5)
    refined = stage(fresh(PAMR, c, world), ("tags",), system)
    after = evaluate(refined.scores, rest, refined.threshold or 0.5)
    figures = {"refined_miou": after.miou, "refined_boundary_iou": after.boundary_iou}
    if kind is not basis:
        least = evaluate(floor.scores, rest, floor.threshold or 0.5, boundary=False).miou
        figures[f"gain_over_{basis.card.id}"] = found.miou - least
    if not (kind.card.uses_tags_at_inference or kind.card.needs_scores):
        figures["val_miou"] = unaided(system)
    if network:
        student = fresh(Segmenter, c, world)
        student.threshold = refined.threshold
        figures["network_miou"] = unaided(stage(student, ("tags",), refined))
    record.note(id, system, found, world=world, seed=world, **figures)


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
            measure(record, id, world, network, folder)
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
