"""ScribbleSup's labels before any network has learned from them: ``python -m experiments.cuts``.

At each length of the strokes: the labels that the cut makes of strokes alone, the same with a say
for a network that partial cross-entropy has taught, and that network's own answer, all on the
training images, with the classes that were drawn. Writes ``results/cuts.json``.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from tqdm.auto import tqdm

from experiments.contenders import Place, contend
from experiments.doses import FAMILIES, FEWEST
from wsss_lib.core import IGNORE
from wsss_lib.evaluate import confusion_of, ious
from wsss_lib.methods.scribble.scribblesup import ScribbleSup
from wsss_lib.results import commit, device_name, write_json

OUT = Path("results/cuts.json")


def look(place: Place) -> dict[str, float]:
    """Mean IoU of the three, on all training images of a place."""
    cutter, taught = place.make(ScribbleSup), contend("pce", place).method.cpu().eval()
    view, count = place.view(("scribble",)), len(place.train.classes)
    found: dict[str, Any] = {"strokes": 0, "strokes_and_network": 0, "network": 0}
    for number in tqdm(range(len(view)), desc="cuts", leave=False):
        batch = view[number]
        drawn = batch.require("scribble", cutter.card.name)
        kinds = drawn[drawn != IGNORE].unique()
        with torch.inference_mode():
            logits = taught.net(batch.image)  # type: ignore[operator]
        said = {"network": kinds[logits[0, kinds].argmax(dim=0)]}
        for cutter.progress, name in ((0.0, "strokes"), (1.0, "strokes_and_network")):
            said[name] = cutter.spread(batch.image, drawn, logits)[0]
        truth = place.train.mask(view.ids[number])
        for name, labels in said.items():
            found[name] = found[name] + confusion_of(truth, labels, count)
    return {name: float(np.nanmean(ious(total))) for name, total in found.items()}


def main(
    folder: Annotated[Path, typer.Option(help="Worlds and checkpoints.")] = Path("runs/evidence"),
) -> None:
    """Train what is missing, cut, and score."""
    runs = []
    work = [(dose, world) for dose in FAMILIES["scribble"].doses for world in range(FEWEST)]
    for dose, world in tqdm(work, desc="lengths"):
        place = Place(world, dose, folder)
        runs.append({"length": dose.value, "world": world, "seed": world, **look(place)})
    about = {"split": "train", "labels_at_inference": True, "device": device_name()}
    write_json(OUT, {**about, "commit": commit(), "runs": runs})


if __name__ == "__main__":
    typer.run(main)
