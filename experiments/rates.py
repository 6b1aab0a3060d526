"""Settings of systems in the toy world: ``python -m experiments.rates``.

A network that is new to the toy world needs a learning rate of its own, and one with six layers
cannot take the last three of twelve. Systems on the toy transformer are trained at several rates in
the world that thresholds come from, which is never reported, and scored at its best threshold;
MCTformer is asked for each of its maps, with class attention averaged over its last 1, 2, ...
layers. AffinityNet is trained once and asked with walks of several lengths, from starts with
several powers of the background; it has a background of its own, and is cut at one half. Adds to
``results/rates.json``.
"""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from tqdm.auto import tqdm

from experiments.contenders import Place, contend
from experiments.doses import TUNING_WORLD, Dose
from wsss_lib.data.atomic import one_at_a_time
from wsss_lib.engine import infer
from wsss_lib.evaluate import evaluate
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.nets.backbones.toy import toy_vit
from wsss_lib.results import commit, device_name, write_json
from wsss_lib.survey import find_methods

RATES = (5e-3, 2e-3, 1e-3, 5e-4)
WALKS, POWERS = (16, 32, 64, 128, 256), (4.0, 8.0, 16.0)
ON_VIT = ("cam_vit", "mctformer", "toco")
RECORD = Path("results/rates.json")


def look(name: str, rate: float, folder: Path) -> dict[str, Any]:
    """What a system reaches at a rate; of MCTformer, what each of its maps reaches."""
    place = Place(TUNING_WORLD, Dose(0.0), folder)
    method = place.make(find_methods().get(name, CAM), backbone=toy_vit())
    method.recipe = replace(method.recipe, lr=rate)
    stage = place.run(method, ("tags",))
    scores = {"scores": stage.scores}
    if name == "mctformer":
        scores = {}
        for answer in ("attention", "fused", "refined"):
            for last in range(1, len(method.backbone.layers) + 1):
                method.answer, method.last = answer, last
                folder = stage.folder / f"{answer}_{last}"
                scores[f"{answer}, {last} layers"] = infer(method, place.view(("tags",)), folder)
    best = {
        what: float(np.nanmax(evaluate(one, place.train, boundary=False).curve))
        for what, one in scores.items()
    }
    return {"system": name, "rate": rate, "miou": best, "seconds": stage.seconds}


def look_at_walks(folder: Path) -> dict[str, Any]:
    """What AffinityNet reaches, by the steps of its walk and the power of the background."""
    place = Place(TUNING_WORLD, Dose(0.0), folder)
    stage = contend("affinitynet", place)
    method: Any = stage.method
    view = place.view(("tags",)).with_scores(contend("cam", place).scores)
    miou = {}
    for method.walk, method.background in product(WALKS, POWERS):
        name = f"{method.walk} steps, power {method.background:g}"
        scores = infer(method, view, stage.folder / f"walk_{method.walk}_{method.background:g}")
        miou[name] = evaluate(scores, place.train, 0.5, boundary=False).miou
    return {"system": "affinitynet", "threshold": 0.5, "miou": miou, "seconds": stage.seconds}


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Systems; none takes all.")] = None,
    rates: Annotated[list[float] | None, typer.Option(help="Learning rates.")] = None,
    folder: Annotated[Path, typer.Option(help="Worlds and checkpoints.")] = Path("runs/evidence"),
) -> None:
    """Look at every system at every rate, and at AffinityNet's walks."""
    work = [
        (name, rate)
        for name in names or (*ON_VIT, "affinitynet")
        for rate in (rates or RATES if name in ON_VIT else [0.0])
    ]
    for name, rate in tqdm(work, desc="rates"):
        found = look(name, rate, folder) if rate else look_at_walks(folder)
        found |= {"device": device_name(), "commit": commit()}
        with one_at_a_time(RECORD):
            known = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}
            entries = [*known.get("entries", []), found]
            write_json(
                RECORD,
                {"world": TUNING_WORLD, "seed": TUNING_WORLD, "split": "train", "threshold_rule":
                 "best of the scored images", "entries": entries},
            )  # fmt: skip
        typer.echo(f"{name}: {found['miou']}")


if __name__ == "__main__":
    typer.run(main)
