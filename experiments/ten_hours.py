"""What hours of labelling buy: ``python -m experiments.ten_hours``.

For 1 to 16 hours of work at published prices (``wsss_lib.data.costs``), the network of the toy
world is taught by tags, points, scribbles, boxes, masks, or masks and tags together, each on as
many images of the standard world as the hours pay for, and scored on 256 new ones without any
label. Every network has the steps of its recipe, however many images there are. Writes
``results/ten_hours.json``; an interrupted run goes on where it stopped.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from torch import Tensor
from tqdm.auto import tqdm

from experiments.contenders import Place, contend, taught_by, taught_by_masks, threshold_of
from experiments.doses import STANDARD, Dose
from experiments.record import shared
from wsss_lib.blocks.maps.class_maps import from_labels, to_labels
from wsss_lib.data.atomic import one_at_a_time
from wsss_lib.data.costs import seconds_per_image
from wsss_lib.data.full import MaskScores
from wsss_lib.engine import Stage
from wsss_lib.evaluate import evaluate
from wsss_lib.methods.segmentation.segmenter import Segmenter
from wsss_lib.results import commit, device_name, write_json

HOURS = (1, 2, 4, 8, 16)
OUT = Path("results/ten_hours.json")
MASKED = 0.5
"""Share of the hours that the mixture spends on masks; the rest buys tags."""


class Mixed:
    """Masks where somebody drew them, and labels of a system from tags on the other images."""

    def __init__(self, place: Place, masked: int, system: str) -> None:
        self.ids = frozenset(place.train.ids[:masked])
        self.masks = MaskScores(place.train)
        self.stage = contend(system, place)
        self.threshold = threshold_of(system, place.folder)
        self.classes = len(place.train.classes)

    def digest(self) -> str:
        """Stands for all scores."""
        return f"{self.masks.digest()} {len(self.ids)} {self.stage.scores.digest()}"

    def __getitem__(self, id: str) -> Tensor:
        """(C, H, W) scores of 0 and 1."""
        if id in self.ids:
            return self.masks[id]
        labels = to_labels(self.stage.scores[id][None], self.threshold)
        return from_labels(labels, self.classes)[0]


def mixed(masked: int, system: str) -> Callable[[Place], Stage]:
    """A network taught by the masks of the first images and by tags on the others."""

    def stage(place: Place) -> Stage:
        net = place.make(Segmenter)
        net.threshold = 0.5
        return place.run(net, ("tags",), Mixed(place, masked, system))

    return stage


def bought(label: str, hours: float, system: str) -> tuple[int, Callable[[Place], Stage]]:
    """How many images the hours pay for, and how a network is taught by them.

    Args:
        label: what is drawn; "mixture" spends ``MASKED`` of the hours on masks.
        hours: of work.
        system: a network that learns from tags.
    """
    seconds = 3600 * hours
    if label == "mixture":
        masked = int(MASKED * seconds / seconds_per_image("masks"))
        tagged = int((1 - MASKED) * seconds / seconds_per_image("tags"))
        return masked + tagged, mixed(masked, system)
    teachers: dict[str, Callable[[Place], Stage]] = {
        "tags": lambda place: contend(system, place),
        "points": lambda place: contend("whats_the_point", place),
        "scribble": lambda place: contend("ncut_loss", place),
        "boxes": taught_by("grabcut"),
        "masks": taught_by_masks(1),
    }
    return int(seconds / seconds_per_image(label)), teachers[label]


LABELS = ("tags", "points", "scribble", "boxes", "masks", "mixture")


def teach(hours: float, label: str, world: int, system: str, folder: Path) -> None:
    """Teach one network, score it, and keep its figures."""
    images, teacher = bought(label, hours, system)
    place = Place(world, Dose(0.0), folder, images)
    stage = teacher(place)
    found = evaluate(place.new_images(stage), place.val, boundary=False)
    run = {
        "hours": hours, "label": label, "world": world, "seed": world, "images": images,
        "miou": found.miou, "iou": found.figures()["iou"], "seconds": stage.seconds,
        "device": device_name(), "commit": commit(),
    }  # fmt: skip
    with one_at_a_time(OUT):
        runs = [*known(), run]
        runs.sort(key=lambda run: (run["world"], run["hours"], LABELS.index(run["label"])))
        write_json(
            OUT,
            {"data": "standard", "split": "val", "labels_at_inference": False, "system": system,
             "masked": MASKED, "runs": runs},
        )  # fmt: skip


def known() -> list[dict[str, Any]]:
    """What was measured before."""
    return json.loads(OUT.read_text(encoding="utf-8"))["runs"] if OUT.is_file() else []


def main(
    system: Annotated[
        str, typer.Argument(help="A network that learns from tags.")
    ] = "tags_network",
    folder: Annotated[Path, typer.Option(help="Worlds and checkpoints.")] = Path("runs/evidence"),
    worlds: Annotated[int, typer.Option(help="Worlds and seeds 0, 1, ...")] = STANDARD,
    jobs: Annotated[int, typer.Option(help="Processes that share the work.")] = 1,
) -> None:
    """Teach and score."""
    done = {(run["hours"], run["label"], run["world"]) for run in known()}
    work = [(hours, label, world) for world in range(worlds) for hours in HOURS for label in LABELS]
    todo = {
        f"{hours} hours of {label} in world {world}": (hours, label, world, system, folder)
        for hours, label, world in work
        if (hours, label, world) not in done
    }
    for finished in shared(teach, todo, jobs):
        tqdm.write(finished)


if __name__ == "__main__":
    typer.run(main)
