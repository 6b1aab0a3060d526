"""Ideas on photographs: ``python -m experiments.tagged_horses HORSES OTHERS``.

Horses alone teach nobody what a horse is. Here two thirds of 228 photographs of horses are mixed
with others, tags say which show a horse and which a person, and EfficientNet-Lite0 learns these two
words: once for CAM, and once for the strongest system of each family that learns from tags, by one
recipe for all. Systems that need scores learn from those of CAM, and PAMR on these stands beside.

HORSES is a folder with ``images/`` and ``masks/``; OTHERS is in the format of YOLO, such as the
first photographs of COCO. Of the photographs of horses the first tenth (with masks) chooses
thresholds; the figures, ``results/tagged_horses/*.json``, are read off on the rest. Beside them
stands what the best threshold of all would give: how far a system's maps lie above its answers.
"""

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import log
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from tqdm.auto import tqdm

from experiments.imagenet import LONGEST
from experiments.record import Bench, Record
from wsss_lib.core import Method, Recipe
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.view import WeakView
from wsss_lib.engine import seed_everything
from wsss_lib.evaluate import Protocol, evaluate
from wsss_lib.methods.image_level.affinity.sec import SEC
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.methods.image_level.cam.lpcam import LPCAM
from wsss_lib.methods.image_level.ensemble.oaa_drop import OAADrop
from wsss_lib.methods.image_level.erasing.ecs_net import ECSNet
from wsss_lib.methods.image_level.extra_supervision.sance import SANCE
from wsss_lib.methods.refine.pamr import PAMR
from wsss_lib.nets.backbones.efficientnet import EfficientNetLite0
from wsss_lib.nets.segmentation.contour import ContourNet
from wsss_lib.nets.segmentation.deeplab import DeepLab
from wsss_lib.results import write_json
from wsss_lib.survey import find_methods

WORDS = {"horse": 17, "person": 0}
"""Classes, and their numbers in COCO's list of eighty. Masks call the first one 1."""
SCALES = (1.0, 1.5)
RECIPE = Recipe(
    120, 8, lr=5e-5, head_factor=20, weight_decay=0.01, optimizer="adamw", warmup=0.1, crop=224,
    scale=(0.7, 1.1), freeze_norm=True,
)  # fmt: skip
WHOLE = replace(RECIPE, batch_size=1, accumulate=8, crop=None, scale=(1.0, 1.0), flip=False)
"""The same for a system that remembers a map of each photograph."""
RECIPES = {"oaa_drop": WHOLE}
"""Of systems that do not take that of all."""
USUAL = 0.2
"""Where the papers' maps are cut, about; their borders of what is sure lie around it."""
Move = Callable[[float], float]
MAKERS: dict[str, Callable[[EfficientNetLite0, Move], Method]] = {
    "cam": lambda net, _: CAM(net, len(WORDS), SCALES),
    "lpcam": lambda net, _: LPCAM(net, len(WORDS), SCALES, gather=40),
    "oaa_drop": lambda net, _: OAADrop(net, len(WORDS), convs=0, start=0.2, scales=SCALES),
    "ecs_net": lambda net, move: ECSNet(
        net, len(WORDS), hot=move(0.5), found=move(0.3), cold=move(0.05), scales=SCALES
    ),
    "pamr": lambda net, _: PAMR(),
    "sec": lambda net, move: SEC(DeepLab(net, len(WORDS)), foreground=move(0.2)),
    "sance": lambda net, move: SANCE(
        ContourNet(DeepLab(net, len(WORDS))), radii=(5, 4), seeds=(move(0.30), move(0.05))
    ),
}
"""CAM first, whose scores others need. Radii of SANCE are those of the toy world: at those of the
paper a step takes ten seconds on a CPU.
"""


def moved(border: float, threshold: float) -> float:
    """Where a border in (0, 1) lies on maps that are cut at a threshold, and not at ``USUAL``.

    The power that takes one threshold to the other takes the borders along. On these maps CAM is
    cut at a half: at the papers' own borders most of a photograph would be sure to be a horse.
    """
    return float(border ** (log(threshold) / log(USUAL)))


def mixed(horses: SegmentationFolder, others: Path, root: Path) -> SegmentationFolder:
    """Photographs of horses and others as one data set, in the plain layout.

    Args:
        horses: photographs that show horses and no people, with masks.
        others: folder with ``images/`` and ``labels/``, a text file for each image, whose lines
            begin with the number of a class; images without a file show nothing.
        root: where it is written.
    """
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    tags = {id: [1, 0] for id in horses.ids}
    for id in horses.ids:
        shutil.copy(horses.pictures.path(id), root / "images")
        shutil.copy(horses.mask_path(id), root / "masks")
    for image in sorted((others / "images").iterdir()):
        table = others / "labels" / f"{image.stem}.txt"
        lines = table.read_text(encoding="utf-8").splitlines() if table.is_file() else []
        shown = {int(line.split()[0]) for line in lines if line.strip()}
        tags[image.stem] = [int(number in shown) for number in WORDS.values()]
        shutil.copy(image, root / "images")
    with (root / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", *WORDS], *([id, *row] for id, row in tags.items())])
    write_json(root / "dataset.json", {"name": "horses and others", "allows_empty": True})
    return SegmentationFolder(root, None)


def maker(name: str, threshold: float = USUAL) -> Method:
    """A system on EfficientNet-Lite0, with the recipe of all, beside a CAM cut at a threshold."""
    method = MAKERS[name](EfficientNetLite0(16), partial(moved, threshold=threshold))
    if method.recipe.steps:
        method.recipe = replace(RECIPES.get(name, RECIPE), group=type(method).recipe.group)
    return method


def main(
    horses: Annotated[Path, typer.Argument(help="Folder with images/ and masks/ of horses.")],
    others: Annotated[Path, typer.Argument(help="Photographs in the format of YOLO.")],
    folder: Annotated[Path, typer.Option(help="Checkpoints.")] = Path("runs/tagged_horses"),
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("results/tagged_horses"),
    seeds: Annotated[int, typer.Option(help="Training seeds 0, 1, ...")] = 3,
) -> None:
    """Measure the strongest systems on photographs, beside CAM."""
    every = SegmentationFolder(horses, None, classes=["horse"])
    test = set(every.ids[2::3])
    ridden = every.subset([id for id in every.ids if id not in test])
    data = mixed(ridden, others, folder / "photographs")
    held_out, rest = data.subset(ridden.ids).held_out()
    view, record = WeakView(data, ("tags",), longest=LONGEST), Record()
    for seed in tqdm(range(seeds), desc="horses"):
        scores: Any = None
        threshold = USUAL
        for name in tqdm(MAKERS, desc="systems", leave=False):
            seed_everything(seed)
            method = maker(name, threshold)
            given = scores if method.card.needs_scores else None
            stage = Bench(view, held_out, folder, seed).run(method, given)
            if name == "cam":
                scores, threshold = stage.scores, stage.threshold or USUAL
            cut = 0.5 if method.card.own_background else stage.threshold
            found = evaluate(stage.scores, rest, cut or 0.5)
            best = float(np.nanmax(found.curve))
            record.note(name, stage, found, seed=seed, oracle_miou=best)
    for name in MAKERS:
        card = find_methods()[name].card
        protocol = Protocol(
            data="horses", split="train, last nine tenths", labels_at_inference=True,
            threshold_rule="argmax" if card.own_background else "held-out",
            supervision=("tags",), needs=("ImageNet classes",),
        )  # fmt: skip
        floors = {"gain_over_cam": "cam"} | (
            {"gain_over_pamr": "pamr"} if card.needs_scores else {}
        )
        extra = {key: record.gains(name, floor) for key, floor in floors.items() if floor != name}
        record.write(out, name, protocol, **extra)


if __name__ == "__main__":
    typer.run(main)
