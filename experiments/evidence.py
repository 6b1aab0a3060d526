"""Ideas at the failure that they were made for: ``python -m experiments.evidence``, or ids.

Measures every system and its control at the doses of its family (``experiments.doses``), and
everything that the standard table shows in the standard world. What was measured is kept, one file
for each contender and place, in ``results/rows``, with whole curves over the threshold, so that
every figure of the book can be read off again. ``--assemble`` alone reads them off: the curve of a
system goes to ``results/curves/<family>/<id>.json``, its row of the table to
``results/standard/<id>.json``. Maps of world 0 go to ``results/maps``. An interrupted run goes on
where it stopped. ``--jobs`` processes share the work; each wants a core of its own
(``OMP_NUM_THREADS=1``).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from tqdm.auto import tqdm

from experiments.affinities import READ_OUTS
from experiments.contenders import MAKERS, Place, card_of, contend, threshold_of
from experiments.doses import (
    FAMILIES,
    FLOORS,
    RESPONSES,
    STANDARD,
    Dose,
    Family,
    measured_in,
)  # fmt: skip
from experiments.panoptic import panoptic_figures
from experiments.parts import PARTS
from experiments.record import keep_maps, shared
from wsss_lib.blocks.labels.otsu import otsu
from wsss_lib.blocks.maps.class_maps import to_labels
from wsss_lib.core import Card, TellsObjects
from wsss_lib.data.atomic import one_at_a_time
from wsss_lib.data.toy import KINDS, VERSION
from wsss_lib.engine import Stage
from wsss_lib.evaluate import (
    Evaluation,
    Protocol,
    evaluate,
    evaluate_labels,
    layer_recall,
    nearest,
)
from wsss_lib.metrics import recall_at_precision
from wsss_lib.results import commit, device_name, summarise, write_json, write_result

RESULTS = Path("results")
MAKERS.update(READ_OUTS | PARTS)
USUAL = Dose(0.0)
"""The dose of the standard world."""


@dataclass(frozen=True)
class Row:
    """What is measured: a contender in a world at a dose."""

    name: str
    dose: Dose
    world: int

    @property
    def where(self) -> str:
        """Folder of its figures."""
        return self.dose.where

    @property
    def path(self) -> Path:
        """File of its figures, beside those of other worlds."""
        return RESULTS / "rows" / self.where / f"{self.name}.json"

    def read(self) -> dict[str, Any] | None:
        """Its figures; None where it was not measured."""
        if not self.path.is_file():
            return None
        return json.loads(self.path.read_text(encoding="utf-8")).get(str(self.world))


PICTURED = {"standard"} | {
    Row("", family.doses[family.home], 0).where for family in FAMILIES.values()
}
"""Where maps are kept for the pages: the standard world and the home doses."""
CONTROLS = {id: control for family in FAMILIES.values() for id, control in family.controls.items()}


def measure(row: Row, folder: Path) -> None:
    """Train what is to be measured, unless its figures are there, and keep them."""
    if row.read() is not None:
        return
    place = Place(row.world, row.dose, folder)
    stage, threshold = contend(row.name, place), threshold_of(row.name, folder, row.dose.variant)
    found = evaluate(stage.scores, place.train, threshold)
    figures = {**found.figures(), **more_figures(stage, found, place)}
    if row.world == 0 and row.where in PICTURED:
        card, scores, data, floor = stage.method.card, stage.scores, place.train, None
        if of_new_images(row.name):
            scores, data = place.new_images(stage), place.val
            found = evaluate(scores, data, threshold)
        elif row.name in CONTROLS:
            least = CONTROLS[row.name]
            floor = (contend(least, place).scores, threshold_of(least, folder, row.dose.variant))
        keep_maps(
            RESULTS / row.where, row.name, stage.method, scores, data, place.view(shown(card)),
            found, floor, world=row.world, seed=row.world,
        )  # fmt: skip
    with one_at_a_time(row.path):
        others = json.loads(row.path.read_text()) if row.path.is_file() else {}
        write_json(row.path, dict(sorted({**others, str(row.world): figures}.items())))


def of_new_images(name: str) -> bool:
    """Whether the maps that are kept are those of new images, which networks are made for.

    A system is pictured on the images of its control. A control that no table shows is pictured
    beside its system, which answers for the training images.
    """
    one = CONTROLS.get(name, name)
    tabled = one in TABLE or one not in CONTROLS.values()
    return card_of(one).family == "segmentation" and tabled


def more_figures(stage: Stage, found: Evaluation, place: Place) -> dict[str, Any]:
    """What else is kept: both layers, other rules for the threshold, new images, cost, curves."""
    card, cut = stage.method.card, nearest(found.threshold)
    layers = layer_recall(stage.scores, place.train)
    figures: dict[str, Any] = {
        "head_recall": layers[cut, 0],
        "body_recall": layers[cut, 1],
        "oracle_miou": float(np.nanmax(found.curve)),
    }
    if not card.own_background:

        def labels(id: str) -> Any:
            scores = stage.scores[id]
            return to_labels(scores[None], otsu(scores))[0]

        figures["otsu_miou"] = evaluate_labels(labels, place.train).miou
    if not (card.uses_tags_at_inference or card.family == "refine"):
        new = evaluate(place.new_images(stage), place.val, found.threshold)
        figures["val_miou"], figures["val_iou"] = new.miou, new.figures()["iou"]
    if isinstance(stage.method, TellsObjects):
        figures |= panoptic_figures(stage.method.eval(), place.val)
    return {
        **figures,
        "seconds": stage.seconds,
        "peak_memory_mb": stage.peak_memory_mb,
        "curves": {
            "miou": found.curve.round(4).tolist(),
            "precision": np.nan_to_num(found.precision_curve, nan=1.0).round(4).tolist(),
            "body_recall": layers[:, 1].round(4).tolist(),
        },
        "device": device_name(),
        "commit": commit(),
    }


def response(family: Family, row: dict[str, Any], control: dict[str, Any]) -> float:
    """The primary response of a family, read off figures beside those of the control."""
    if family.response == "boat_iou":
        return float(row["iou"][1 + list(KINDS).index("boat")])
    if family.response != "body_recall":
        return float(row[family.response])
    wanted = control["curves"]["precision"][nearest(control["threshold"])]
    precision, recall = (np.array(row["curves"][name]) for name in ("precision", "body_recall"))
    return recall_at_precision(precision, recall, wanted)


def rows_of(id: str) -> list[Row]:
    """What the curve and the table need of a contender, its control first."""
    rows = []
    for name, control, _ in measured_in(id):
        family = FAMILIES[name]
        # The home dose first: it decides.
        for number in sorted(range(len(family.doses)), key=lambda number: number != family.home):
            for world in family.worlds(number):
                rows += [Row(one, family.doses[number], world) for one in (control, id)]
    rows += [Row(id, USUAL, world) for world in range(STANDARD)]
    if id == "cam":  # a notebook cuts objects out with it where boats are on water
        family = FAMILIES["cooccurrence"]
        rows.append(Row(id, family.doses[family.home], 0))
    return rows


def assemble(id: str) -> None:
    """Write the curve of a contender and its row of the table, each once it is whole."""
    table = [Row(id, USUAL, world).read() for world in range(STANDARD)]
    known = {world: row for world, row in enumerate(table) if row is not None}
    if len(known) == STANDARD:
        runs = [
            {"world": world, "seed": world} | {k: v for k, v in row.items() if k != "curves"}
            for world, row in known.items()
        ]
        curves = [np.array(row["curves"]["miou"]) for row in known.values()]
        path = RESULTS / USUAL.place / f"{id}.json"
        write_result(path, id, protocol_of(id), runs, curves, **gains(id, known))
    for name, control_id, kept in measured_in(id):
        assemble_curve(id, name, control_id, kept)


def assemble_curve(id: str, name: str, control_id: str, folder: str) -> None:
    """Write what a system gains over a control at each dose, once all of it was measured."""
    family, runs = FAMILIES[name], []
    for number, dose in enumerate(family.doses):
        for world in family.worlds(number):
            row, control = (Row(n, dose, world).read() for n in (id, control_id))
            if row is None or control is None:
                return
            ours, theirs = (response(family, one, control) for one in (row, control))
            runs.append(
                {"dose": number, "world": world, "seed": world, "response": ours,
                 "control": theirs, "gain": ours - theirs, "seconds": row["seconds"]}
            )  # fmt: skip
    content = {
        "system": id, "family": name, "control": control_id,
        "failure": family.failure, "axis": family.axis, "home": family.home,
        "response": family.response, "response_name": RESPONSES[family.response],
        "doses": [dose.value for dose in family.doses], "runs": runs,
        "device": device_name(), "commit": commit(),
    }  # fmt: skip
    write_json(RESULTS / "curves" / folder / f"{id}.json", content)


def gains(id: str, known: dict[int, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Paired differences in mean IoU, by their names in the table, over the worlds of both.

    A network is compared with the labels that taught it, on the images that they are of, with what
    else is known of these; anything else with the floor of its labels.
    """
    taught = id.startswith("segmenter_")
    base = id.removeprefix("segmenter_") if taught else FLOORS.get(card_of(id).supervision[0], id)
    found = []
    for world, row in known.items():
        other = Row(base, USUAL, world).read() if base != id else None
        if other is not None:
            gain = row["miou"] - other["miou"]
            found.append(
                {"gain_over_labels": gain, "labels_miou": other["miou"]}
                if taught
                else {f"gain_over_{base}": gain}
            )
    return summarise(found) if found else {}


def shown(card: Card) -> tuple[str, ...]:
    """The weak labels of the training images, there when these are scored too; masks are scores."""
    return ("tags",) if card.supervision == ("masks",) else card.supervision


def protocol_of(name: str) -> Protocol:
    """How the figures of the standard table came about."""
    card = card_of(name)
    return Protocol(
        data="standard", data_version=VERSION, split="train",
        labels_at_inference=card.uses_tags_at_inference or "tags" in shown(card),
        threshold_rule="argmax" if card.own_background else "tuning",
        supervision=card.supervision, needs=card.needs,
    )  # fmt: skip


TABLE = (
    "cam", "cam_vit", "pamr", "densecrf", "cam_once", "undropped", "ficklenet_whole",
    "ficklenet_once", "undilated", "clip_logits", "clip_rivals", "bbox_rect", "pce",
    "segmenter_cam", "segmenter_pamr", "segmenter_affinitynet", "segmenter_bbox_rect",
    "segmenter_grabcut", "fifty_one_masks", "ceiling", *READ_OUTS, *PARTS,
)  # fmt: skip
"""What the standard table shows beside the systems of the families."""


def main(
    ids: Annotated[list[str] | None, typer.Argument(help="Contenders; none takes all.")] = None,
    folder: Annotated[Path, typer.Option(help="Worlds and checkpoints.")] = Path("runs/evidence"),
    jobs: Annotated[int, typer.Option(help="Processes that share the work.")] = 1,
    assemble_only: Annotated[bool, typer.Option("--assemble", help="Train nothing.")] = False,
) -> None:
    """Measure, and write curves and table."""
    every = [*TABLE, *CONTROLS, *CONTROLS.values()]
    chosen = ids or list(dict.fromkeys(every))
    if not assemble_only:
        rows = (row for id in chosen for row in rows_of(id))
        work = {f"{row.name} {row.where} {row.world}": (row, folder) for row in rows}
        for done in shared(measure, work, jobs):
            tqdm.write(done)
    for id in chosen:
        assemble(id)


if __name__ == "__main__":
    typer.run(main)
