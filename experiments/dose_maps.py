"""The same pictures at every dose: ``python -m experiments.dose_maps``, after the evidence.

For each family of ``experiments.doses``, what its systems and their controls say of three training
pictures of world 0 at its three doses, and the weak labels that they learn from, go to
``results/doses/<family>.npz``. The pictures are drawn again by whoever shows them.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor

from experiments.contenders import Place, card_of, contend, threshold_of
from experiments.doses import FAMILIES, Family
from wsss_lib.blocks.maps.class_maps import to_labels
from wsss_lib.core import IGNORE
from wsss_lib.data.toy import Scene, toy_scene
from wsss_lib.evaluate import confusion_of, ious
from wsss_lib.gallery import common_ids, image_iou, ranked
from wsss_lib.results import write_arrays

RESULTS = Path("results")
LEVELS = 15
"""Steps of a stored score between 0 and 1."""
INSIDE = LEVELS + 1
"""Added to the byte of a pixel that the class wins above the threshold."""
SMALLEST = 1 / 20
"""Of a boat that is shown, as a share of its picture: readers have to see what was missed."""
GIVEN = ("scribble", "points", "extremes", "boxes", "saliency")
"""Weak labels that can be drawn; of several that a family reads, the first."""


def contenders(family: Family) -> list[str]:
    """Each control, followed by the systems that stand beside it; what is both stands once."""
    named = [
        name
        for control in dict.fromkeys(family.controls.values())
        for name in (control, *(id for id, own in family.controls.items() if own == control))
    ]
    return list(dict.fromkeys(named))


def scene_of(family: Family, dose: int, id: str) -> Scene:
    """A training picture of world 0 at a dose of a family, by its id, such as "train_0007"."""
    number, chosen = int(id.removeprefix("train_")), family.doses[dose]
    return toy_scene(0, chosen.variant, "train", number, chosen.knobs)


def given(place: Place, family: Family, id: str) -> tuple[str, np.ndarray] | None:
    """The weak label of a picture that the family learns from: its name, and what can be drawn.

    Class indices with 255 where nothing was given; saliency is stored as scores are.
    """
    read = {kind for name in family.controls for kind in card_of(name).supervision}
    kind = next((one for one in GIVEN if one in read), None)
    if kind is None:
        return None
    view = place.view((kind,))
    batch = view[view.ids.index(id)]
    value = batch.require(kind, "a picture of a dose")
    if kind == "saliency":
        return kind, (value[0, 0] * LEVELS).round().byte().numpy()
    if kind == "scribble":
        return kind, value[0].byte().numpy()
    drawn = torch.full(batch.image.shape[-2:], IGNORE)
    if kind == "boxes":
        for x0, y0, x1, y1, c in value[0].long().tolist():
            drawn[y0:y1, [x0, x1 - 1]] = c
            drawn[[y0, y1 - 1], x0:x1] = c
    else:
        # Extreme points have no class of their own: those of the boxes in the same order.
        kinds = place.view(("boxes",))[view.ids.index(id)].require("boxes", "extreme points")[0]
        clicks = (
            value[0].tolist()
            if kind == "points"
            else [(x, y, c) for four, c in zip(value[0], kinds[:, 4], strict=True) for x, y in four]
        )
        for x, y, c in clicks:
            x, y = int(x), int(y)
            drawn[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = int(c)
    return kind, drawn.byte().numpy()


def class_shown(truth: Tensor, wanted: int) -> int:
    """The class whose maps are shown: the wanted one where the picture has it, or the largest."""
    found = truth[(truth > 0) & (truth < IGNORE)].bincount(minlength=wanted + 1)
    return wanted if found[wanted] else max(1, int(found.argmax()))


def telling_class(labels: dict[str, Tensor], family: Family, truth: Tensor) -> int:
    """The class of a picture whose gain, over all systems, is nearest to that of the picture.

    If there is one, it is a class that gains where the picture gains, or loses where it loses.

    Args:
        labels: by contender, (H, W) class indices.
        family: the systems and their controls.
        truth: (H, W) class indices.
    """
    count = len(family.classes)
    each = {name: ious(confusion_of(truth, one, count)) for name, one in labels.items()}
    whole = {name: image_iou(truth, one, count) for name, one in labels.items()}

    def gain(values: dict[str, Any]) -> Any:
        pairs = [(id, control) for id, control in family.controls.items() if id in values]
        return np.mean([values[id] - values[control] for id, control in pairs], axis=0)

    shown = [int(c) for c in truth.unique() if 0 < c < IGNORE]
    of_class, of_picture = gain(each), gain(whole)
    return min(shown, key=lambda c: (of_class[c] * of_picture < 0, abs(of_class[c] - of_picture)))


def pictures(family: Family, place: Place, said: dict[str, Any]) -> dict[str, tuple[str, int]]:
    """Images of the largest, median and smallest gain, the mean over systems, and their class.

    They are chosen at the home dose, among the images that all systems store; where boats are
    asked for, by the gain in IoU of the boat, among all training images with one that is
    larger than ``SMALLEST``.

    Args:
        family: the systems and their controls.
        place: its home, in world 0.
        said: by contender, labels (H, W) by image id.
    """
    boat = 1 + family.classes.index("boat") if family.response == "boat_iou" else None
    gains, classes = {}, {}
    for id in place.train.ids if boat else common_ids(place.train):
        truth = place.train.mask(id)
        wanted = truth == boat if boat else truth % IGNORE > 0
        if wanted.float().mean() <= (SMALLEST if boat else 0):
            continue
        labels, count = {name: one(id) for name, one in said.items()}, len(family.classes)
        iou = {
            name: ious(confusion_of(truth, one, count))[boat]
            if boat
            else image_iou(truth, one, count)
            for name, one in labels.items()
        }
        gains[id] = float(np.mean([iou[name] - iou[c] for name, c in family.controls.items()]))
        classes[id] = boat or telling_class(labels, family, truth)
    return {place: (id, classes[id]) for place, id in ranked(gains).items()}


def stored(scores: Tensor, threshold: float, truth: Tensor, c: int) -> tuple[np.ndarray, float]:
    """Scores (C, H, W) of a class in bytes, with the region that it wins, and its IoU."""
    region = to_labels(scores[None], threshold)[0] == c
    counts = confusion_of(truth, region.long() * c, len(scores))
    byte = (scores[c - 1] * LEVELS).round().byte() + INSIDE * region
    return byte.numpy(), float(np.nan_to_num(ious(counts)[c]))


def measure(name: str, folder: Path) -> None:
    """Ask the systems of a family that were measured, and store what they say."""
    curves = RESULTS / "curves" / name
    controls = FAMILIES[name].controls.items()
    known = {id: control for id, control in controls if (curves / f"{id}.json").is_file()}
    family = replace(FAMILIES[name], controls=known)
    places = [Place(0, dose, folder) for dose in family.doses]
    names = contenders(family)
    cuts = {id: threshold_of(id, folder, family.variant) for id in names}
    scores = [{id: contend(id, place).scores for id in names} for place in places]

    def labels(id: str) -> Any:
        found = scores[family.home][id]
        return lambda image: to_labels(found[image][None].float(), cuts[id])[0]

    chosen = pictures(family, places[family.home], {id: labels(id) for id in names})
    arrays: dict[str, np.ndarray] = {}
    entries = []
    for title, (image, wanted) in chosen.items():
        for number, place in enumerate(places):
            truth = place.train.mask(image)
            c = class_shown(truth, wanted)
            iou = {}
            for id in names:
                found = scores[number][id][image].float()
                arrays[f"{number}/{image}/{id}"], iou[id] = stored(found, cuts[id], truth, c)
            label = given(place, family, image)
            if label:
                arrays[f"{number}/{image}/given"] = label[1]
            entries.append(
                {"picture": title, "id": image, "dose": number, "class": c, "iou": iou,
                 "given": label[0] if label else ""}
            )  # fmt: skip
    about = {
        "system": f"doses of {name}", "family": name, "world": 0, "seed": 0, "split": "train",
        "contenders": names, "thresholds": cuts, "pictures": entries,
        "doses": [dose.value for dose in family.doses],
    }  # fmt: skip
    write_arrays(RESULTS / "doses" / f"{name}.npz", arrays, about)


def main(
    families: Annotated[list[str] | None, typer.Argument(help="Families; none takes all.")] = None,
    folder: Annotated[Path, typer.Option(help="Worlds and checkpoints.")] = Path("runs/evidence"),
) -> None:
    """Store pictures and maps of every dose."""
    for name in families or FAMILIES:
        measure(name, folder)


if __name__ == "__main__":
    typer.run(main)
