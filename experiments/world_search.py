"""Looks at candidate worlds: ``python -m experiments.world_search '{"two_tone": 1.0}' '{}'``.

CAM and PAMR alone, in world 0 with seed 0: a world is chosen for the failures that CAM must show in
it, before any other system is trained there. Each look is added to ``results/search.json``.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from experiments.contenders import Place, contend
from experiments.doses import Dose
from wsss_lib.data.atomic import one_at_a_time
from wsss_lib.data.toy import VERSION
from wsss_lib.evaluate import choose_threshold, evaluate, layer_recall, nearest
from wsss_lib.results import commit, write_json

RECORD = Path("results/search.json")


def look(knobs: dict, folder: Path) -> dict:
    """What CAM and PAMR find in a world; thresholds are the best of the scored images."""
    place, figures, seconds = Place(0, Dose(0.0, knobs), folder), {}, 0.0
    for name in ("cam", "pamr"):
        stage = contend(name, place)
        threshold = choose_threshold(stage.scores, place.train)
        found = evaluate(stage.scores, place.train, threshold)
        head, body = layer_recall(stage.scores, place.train)[nearest(threshold)]
        precision = float(found.precision_curve[nearest(threshold)])
        figures[name] = {
            **found.figures(), "head_recall": head, "body_recall": body,
            "foreground_precision": precision,
        }  # fmt: skip
        seconds += stage.seconds
    return {"knobs": knobs, "world": 0, "seed": 0, "figures": figures, "seconds": seconds}


def main(
    knobs: Annotated[list[str], typer.Argument(help="Fields of Knobs, as JSON; {} turns none.")],
    folder: Annotated[Path, typer.Option(help="Worlds and checkpoints.")] = Path("runs/evidence"),
) -> None:
    """Look at worlds."""
    for text in knobs:
        found = {
            **look(json.loads(text), folder),
            "data_version": VERSION,
            "commit": commit(),
        }
        with one_at_a_time(RECORD):
            record = json.loads(RECORD.read_text(encoding="utf-8"))
            write_json(RECORD, {**record, "entries": [*record["entries"], found]})
        cam = found["figures"]["cam"]
        typer.echo(f"{text}: CAM {cam['miou']:.3f}, body {cam['body_recall']:.2f}")


if __name__ == "__main__":
    typer.run(main)
