"""Boats and their water, closer: ``python -m experiments.boats``.

Where nearly all boats of the training pictures are on water, three classifiers: CAM with twice the
steps, CDA, and CDA whose objects are cut out along the true masks, which no system may see. What
they call boat on training pictures with boats, and what they say of whole new pictures: of boats on
land, and of water without a boat. Writes ``results/cooccurrence.json``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from sklearn.metrics import roc_auc_score
from torch import Tensor
from tqdm.auto import tqdm

from experiments.contenders import Place, contend, threshold_of
from experiments.doses import FAMILIES, FEWEST
from wsss_lib.blocks.maps.class_maps import to_labels
from wsss_lib.data.full import MaskScores
from wsss_lib.data.toy import KINDS
from wsss_lib.engine import Stage
from wsss_lib.methods.image_level.cooccurrence.cda import CDA
from wsss_lib.results import commit, device_name, write_json

BOAT = list(KINDS).index("boat")
OUT = Path("results/cooccurrence.json")


def cut_along_masks(place: Place) -> Stage:
    """CDA with scissors that never slip."""
    method = place.make(CDA)
    method.threshold = 0.5
    return place.run(method, CDA.card.supervision, MaskScores(place.train))


CLASSIFIERS: dict[str, tuple[Callable[[Place], Stage], str]] = {
    "cam_600": (lambda place: contend("cam_600", place), "cam_600"),
    "cda": (lambda place: contend("cda", place), "cda"),
    "cda_masks": (cut_along_masks, "cda"),
}
"""How each is trained, and whose threshold cuts its scores."""


def look(stage: Stage, threshold: float, place: Place) -> dict[str, float]:
    """What a classifier makes of boats, and of water without them."""
    right = called = there = 0
    for id in place.train.ids:
        if place.train.tags(id)[BOAT]:
            said = to_labels(stage.scores[id][None], threshold)[0] == BOAT + 1
            boat = place.train.mask(id) == BOAT + 1
            right, called, there = (
                total + int(found.sum())
                for total, found in ((right, said & boat), (called, said), (there, boat))
            )
    images = torch.stack([place.val.image(id) for id in place.val.ids])
    look_at: Callable[[Tensor], Tensor] = stage.method.eval().class_maps  # type: ignore[assignment]
    with torch.inference_mode():
        maps = [look_at(some) for some in images.split(64)]
    logits: Tensor = torch.cat(maps).mean(dim=(2, 3))[:, BOAT]
    wet = torch.tensor(["on the water" in place.val.caption(id) for id in place.val.ids])
    boats = torch.stack([place.val.tags(id)[BOAT] for id in place.val.ids]) > 0
    return {
        "precision": right / max(called, 1),
        "recall": right / max(there, 1),
        "iou": right / max(called + there - right, 1),
        "auc_on_water": float(roc_auc_score(boats[wet], logits[wet])),
        "logit_boat_on_land": float(logits[~wet & boats].mean()),
        "logit_boat_on_water": float(logits[wet & boats].mean()),
        "logit_water_alone": float(logits[wet & ~boats].mean()),
        "logit_neither": float(logits[~wet & ~boats].mean()),
    }


def main(
    folder: Annotated[Path, typer.Option(help="Worlds and checkpoints.")] = Path("runs/evidence"),
) -> None:
    """Train, and look."""
    family, runs = FAMILIES["cooccurrence"], []
    dose = family.doses[family.home]
    work = [(world, name) for world in range(FEWEST) for name in CLASSIFIERS]
    for world, name in tqdm(work, desc="boats"):
        place = Place(world, dose, folder)
        train, ruler = CLASSIFIERS[name]
        found: dict[str, Any] = look(train(place), threshold_of(ruler, folder), place)
        runs.append({"system": name, "world": world, "seed": world, **found})
    about = {"place": dose.where, "device": device_name(), "commit": commit()}
    write_json(OUT, {**about, "runs": runs})


if __name__ == "__main__":
    typer.run(main)
