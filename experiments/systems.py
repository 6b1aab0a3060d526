"""Systems on the toy world: ``python -m experiments.systems cse ae_psl``, or all of them.

For three worlds, each with a training seed of its own: the floor (``FLOORS``), the system, the
system after PAMR, and a segmentation network taught by the refined labels; the ceiling is in
``results/toy/ceiling.json``. Everything has the same backbone, and the system the steps of its toy
recipe. Writes ``results/toy/<id>.json``, and the maps of world 0 to ``results/maps/toy/<id>.npz``,
from which the pages of the book draw. ``--variant cooccurrence --out results/toy_cooccurrence``
measures in the world of boats on water. Thresholds are chosen on the first tenth of the training
images, with masks, and figures are read off on the other nine tenths; networks see no labels and
are scored on new images. An interrupted run goes on where it stopped. ``--jobs`` processes share
the work; each wants a core of its own (``OMP_NUM_THREADS=1``), and all share a GPU where there is
one.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer
from tqdm.auto import tqdm

from experiments.record import Bench, Record, keep_maps
from experiments.toy import fresh
from wsss_lib.core import Card, Method
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.toy import write_toy
from wsss_lib.data.view import WeakView
from wsss_lib.engine import Stage, infer
from wsss_lib.evaluate import Protocol, choose_threshold, evaluate
from wsss_lib.methods.box.bbox_rect import BBoxRect
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.methods.refine.pamr import PAMR
from wsss_lib.methods.scribble.pce import PartialCrossEntropy
from wsss_lib.methods.segmentation.segmenter import Segmenter
from wsss_lib.nets.large.saliency import toy_saliency
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


ELSEWHERE = ("cam", "pamr", "densecrf", "affinitynet", "segmenter")
"""What ``experiments.toy`` measures, with more seeds."""
READ_OUTS = {"mctformer": ("attention", "fused")}
"""What else of a training is scored: rows of their own, named ``<id>_<read-out>``."""
THRESHOLDS = {"sam_pseudo": 0.15}
"""Where labels are cut from the scores of the floor; others take its own threshold, if any."""


def floor_of(card: Card) -> type[Method]:
    """The floor of a system: that of the first of its labels."""
    return FLOORS["tags" if card.needs_scores else card.supervision[0]]


@dataclass(frozen=True)
class Plan:
    """What is measured, and where.

    Attributes:
        folder: worlds and checkpoints.
        out: where the JSON goes; its name is that of the data.
        variant: of the toy world.
        network: train a network on the labels as well.
    """

    folder: Path
    out: Path
    variant: str = "objects"
    network: bool = True

    @property
    def name(self) -> str:
        """Of the worlds in the folder."""
        return "world" if self.variant == "objects" else self.variant


def measure(id: str, world: int, plan: Plan) -> Record:
    """Every figure of a system in one world, whose number is also the seed."""
    kind, folder = find_methods()[id], plan.folder
    place = folder / f"{plan.name}_{world}"
    root = write_toy(place, variant=plan.variant, world=world, progress=False)
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
    method = fresh(kind, c, world)
    method.threshold = THRESHOLDS.get(id, method.threshold)
    system = stage(method, kind.card.supervision, before)
    found = evaluate(system.scores, rest, system.threshold or 0.5)
    refined = stage(fresh(PAMR, c, world), ("tags",), system)
    after = evaluate(refined.scores, rest, refined.threshold or 0.5)
    figures = {"refined_miou": after.miou, "refined_boundary_iou": after.boundary_iou}
    least = evaluate(floor.scores, rest, floor.threshold or 0.5, boundary=False).miou
    if kind is not basis:
        figures[f"gain_over_{basis.card.id}"] = found.miou - least
    if not (kind.card.uses_tags_at_inference or kind.card.needs_scores):
        figures["val_miou"] = unaided(system)
    if plan.network:
        student = fresh(Segmenter, c, world)
        student.threshold = refined.threshold
        figures["network_miou"] = unaided(stage(student, ("tags",), refined))
    if world == 0:
        view = WeakView(train, kind.card.supervision, before.scores if before else None)
        least_of = (floor.scores, floor.threshold or 0.5)
        keep_maps(
            plan.out,
            id,
            method,
            system.scores,
            rest,
            view,
            found,
            least_of,
            world=world,
            seed=world,
        )
    record = Record()
    record.note(id, system, found, world=world, seed=world, **figures)
    for name in READ_OUTS.get(id, ()):
        method.answer = name
        view = WeakView(train, kind.card.supervision)
        scores = infer(method, view, system.folder / name)
        cut = choose_threshold(scores, held_out)
        other = evaluate(scores, rest, cut)
        more = {f"gain_over_{basis.card.id}": other.miou - least}
        record.note(f"{id}_{name}", system, other, world=world, seed=world, **more)
        if world == 0:
            where = {"world": world, "seed": world}
            keep_maps(plan.out, f"{id}_{name}", method, scores, rest, view, other, **where)
    return record


def measured(ids: list[str], worlds: int, plan: Plan, jobs: int) -> Iterator[tuple[str, Record]]:
    """Each system with its figures of all worlds, as soon as they are there.

    Raises:
        RuntimeError: a process failed; what the others found was yielded before.
    """
    if jobs == 1:
        for id in tqdm(ids, desc="systems"):
            bar = tqdm(range(worlds), desc=id, leave=False)
            yield id, Record.joined([measure(id, world, plan) for world in bar])
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        at_work = {
            pool.submit(measure, id, world, plan): (id, world)
            for id in ids
            for world in range(worlds)
        }
        found: dict[str, dict[int, Record]] = {id: {} for id in ids}
        failed = {}
        for future in tqdm(as_completed(at_work), desc="systems", total=len(at_work)):
            id, world = at_work[future]
            if error := future.exception():
                failed[f"{id} in world {world}"] = error
                continue
            found[id][world] = future.result()
            if len(found[id]) == worlds:
                yield id, Record.joined([found[id][world] for world in range(worlds)])
    if failed:
        raise RuntimeError("; ".join(f"{what}: {error!r}" for what, error in failed.items()))


def main(
    ids: Annotated[list[str] | None, typer.Argument(help="Systems; none takes all.")] = None,
    network: Annotated[bool, typer.Option(help="Train a network on the labels as well.")] = True,
    folder: Annotated[Path, typer.Option(help="Worlds and checkpoints.")] = Path("runs/toy"),
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("results/toy"),
    worlds: Annotated[int, typer.Option(help="Worlds and seeds 0, 1, ...")] = 3,
    jobs: Annotated[int, typer.Option(help="Processes that share the work.")] = 1,
    variant: Annotated[str, typer.Option(help="Toy world.")] = "objects",
) -> None:
    """Measure systems on the toy world."""
    ids = ids or [id for id in find_methods() if id not in ELSEWHERE]
    plan = Plan(folder, out, variant, network)
    for id, record in measured(ids, worlds, plan, jobs):
        card = find_methods()[id].card
        protocol = Protocol(
            data=out.name,
            data_version=str(SegmentationFolder(folder / f"{plan.name}_0").about["version"]),
            split="train, last nine tenths",
            labels_at_inference=card.uses_tags_at_inference,
            threshold_rule="held-out",
            supervision=card.supervision,
            needs=(*card.needs, "masks of 51 training images, for the threshold"),
        )
        for name in record.runs:
            record.write(out, name, protocol)


if __name__ == "__main__":
    typer.run(main)
