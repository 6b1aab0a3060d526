"""Pictures of the chapter on co-occurrence: a world where nearly all boats are on water."""

import json

import numpy as np
import torch
from IPython.display import Markdown
from measured import called, home_of, results_folder, table
from stored_figures import gallery, maps_figure, world

from experiments.dose_maps import contenders
from experiments.doses import FAMILIES
from wsss_lib.data.toy import toy_scene
from wsss_lib.data.view import WeakView, collate
from wsss_lib.engine import seed_everything
from wsss_lib.evaluate import confusion_of, ious
from wsss_lib.gallery import ranked
from wsss_lib.methods.image_level.cooccurrence.cda import CDA
from wsss_lib.results import read_result
from wsss_lib.show import Panel, Picture, show_grid
from wsss_lib.show.picture import FONT, INK, WIDTH, line_colour, make_plain

WORLD = home_of("cooccurrence")
CLASSIFIERS = {
    "cam_600": "CAM, 600 steps",
    "cda": "CDA",
    "cda_masks": "CDA that cuts along the true masks",
}
SAID = {
    "logit_boat_on_water": "boat on water", "logit_boat_on_land": "boat on land",
    "logit_water_alone": "water, no boat", "logit_neither": "neither",
}  # fmt: skip
FOUND = {"precision": "precision", "recall": "recall", "iou": "IoU"}


def pasted_figure(count: int = 5) -> Picture:
    """Images, and the same images with objects that CAM's labels cut out of each other.

    The first of the stored images that receive something; a line surrounds what was pasted.
    """
    data, stored = world(WORLD), gallery("cam_600", WORLD)
    classes = data.classes
    scores = {id: stored.scores(id, len(classes)) for id in stored.common}
    view = WeakView(data.subset(stored.common), ("tags",), scores)
    batch = collate([view[place] for place in range(len(view))])
    method = CDA.toy(len(classes))
    method.threshold = stored.threshold
    seed_everything(1)
    with torch.inference_mode():
        pasted, tags = method.decouple(batch)

    def names(of_image: torch.Tensor) -> str:
        return " + ".join(classes[c] for c in of_image.nonzero().flatten().tolist())

    rows: dict[str, list[Panel]] = {"image": [], "with an object": []}
    for i in (tags != batch.tags).any(dim=1).nonzero().flatten().tolist()[:count]:
        new = (pasted[i] - batch.image[i]).abs().amax(dim=0) > 1e-3
        rows["image"].append(Panel(batch.image[i], note=names(batch.tags[i])))
        added = f"+ {names(tags[i] - batch.tags[i])}"
        rows["with an object"].append(Panel(pasted[i], region=new, note=added))
    return show_grid(rows)


def boat_figure() -> Picture:
    """Boats by CAM and by CDA: those on which CDA gains most, median and least."""
    data, cam, cda = world(WORLD), gallery("cam_600", WORLD), gallery("cda", WORLD)
    boat = data.classes.index("boat") + 1
    gains = {}
    for id in cam.common:
        if data.tags(id)[boat - 1]:
            truth, count = data.mask(id), len(data.classes)
            own, least = (
                ious(confusion_of(truth, one.labels(id, count), count))[boat] for one in (cda, cam)
            )
            gains[id] = float(own - least)
    shown = {id: place for place, id in reversed(ranked(gains).items())}  # two boats are no three
    columns = [(f"{place} gain", id, boat) for id, place in reversed(shown.items())]
    return maps_figure(("cam_600", "cda"), columns, WORLD)


def slices_figure(count: int = 5) -> Picture:
    """The first slices of the toy body at the three doses, and where their organs are."""
    family, rows = FAMILIES["organs"], {}
    for dose in family.doses:
        panels = []
        for number in range(count):
            scene = toy_scene(0, dose.variant, "train", number, dose.knobs)
            image = torch.from_numpy(scene.image / 255).permute(2, 0, 1).float()
            panels.append(Panel(image, labels=torch.from_numpy(scene.label.astype(int))))
        home = ", home" * (dose is family.doses[family.home])
        rows[f"overlap {dose.value:g}{home}"] = panels
    return show_grid(rows, classes=family.classes)


def dice_table() -> Markdown:
    """Dice of each organ by C-CAM and its control at the home dose, means of the worlds there."""
    family, head = FAMILIES["organs"], ["system", *FAMILIES["organs"].classes, "mean Dice"]
    lines = []
    for name in contenders(family):
        path = results_folder() / "rows" / home_of("organs") / f"{name}.json"
        if path.is_file():
            worlds = json.loads(path.read_text(encoding="utf-8")).values()
            iou = np.array([row["iou"][1:] for row in worlds])
            dice = (2 * iou / (1 + iou)).mean(axis=0)
            lines.append([called(name), *(f"{value:.3f}" for value in (*dice, dice.mean()))])
    return table(head, lines) if lines else Markdown("*Not measured yet.*")


def closer_figure() -> Picture:
    """What three classifiers say of boats and water, and how well they find boats."""
    runs = read_result(results_folder() / "cooccurrence.json")["runs"]
    figure = Picture(figsize=(WIDTH, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(4, 3))
    for axis, asked in ((left, SAID), (right, FOUND)):
        make_plain(axis)
        for number, (system, name) in enumerate(CLASSIFIERS.items()):
            mine = [[run[key] for key in asked] for run in runs if run["system"] == system]
            places = np.arange(len(asked)) + 0.2 * (number - 1)
            style = {"color": line_colour(number), "marker": "osD"[number], "linestyle": ""}
            axis.plot(places, np.mean(mine, axis=0), markersize=8, label=name, **style)
            axis.plot(places, np.transpose(mine), markersize=4, alpha=0.6, **style)
        axis.set_xticks(range(len(asked)), list(asked.values()), fontsize=FONT)
    left.axhline(0, color=INK, linewidth=1)
    left.set_ylabel('mean logit of "boat" on new pictures', fontsize=FONT)
    right.set_ylabel("boats of the training pictures", fontsize=FONT)
    right.set_ylim(0, 1)
    handles, names = left.get_legend_handles_labels()
    figure.legend(
        handles[: len(names)], names, fontsize=FONT, frameon=False, labelcolor=INK, ncols=3,
        loc="lower center", bbox_to_anchor=(0.5, 1.0),
    )  # fmt: skip
    return figure
