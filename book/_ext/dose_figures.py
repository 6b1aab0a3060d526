"""Pictures of doses: what a knob does to a picture, what ideas gain at it, and at their home."""

from itertools import count

import numpy as np
import torch
from measured import axis_of, called, curves_of, error_of, every_curve, gains_of, results_folder
from torch import Tensor

from experiments.dose_maps import INSIDE, LEVELS, scene_of
from experiments.doses import FAMILIES, RESPONSES, Dose
from wsss_lib.data.toy import toy_scene
from wsss_lib.results import read_arrays
from wsss_lib.show import Panel, Picture, show_grid
from wsss_lib.show.live import Answer, LiveFigure, Seen, live_doses
from wsss_lib.show.picture import FONT, INK, WIDTH, drawn_on, line_colour

TURNED = ("erasing", "affinity", "cooccurrence", "online", "box")
"""Families whose doses change the pictures themselves, each in its own way."""
MARKERS = dict(zip(RESPONSES, "osD^vP", strict=True))


def picture(dose: Dose, number: int) -> Tensor:
    """(3, H, W) of a training picture of world 0 at a dose, in [0, 1]."""
    scene = toy_scene(0, dose.variant, "train", number, dose.knobs)
    return torch.from_numpy(scene.image / 255).permute(2, 0, 1).float()


def doses_sheet() -> Picture:
    """One picture at the three doses of a family; the first that the highest changes."""
    rows = {}
    for name in TURNED:
        family = FAMILIES[name]
        for number in count():
            seen = [picture(dose, number) for dose in family.doses]
            if (seen[0] != seen[-1]).any():
                break
        notes = [f"{dose.value:g}" for dose in family.doses]
        notes[family.home] += ", home"
        rows[family.axis] = [Panel(one, note=note) for one, note in zip(seen, notes, strict=True)]
    return show_grid(rows, ("failure weakest", "", "failure strongest"))


def home_figure() -> Picture:
    """What every idea gains over its control at its home dose, with two standard errors."""
    curves = every_curve()
    figure, axis = drawn_on(WIDTH, 0.8 + 0.27 * len(curves))
    axis.axvline(0, color=INK, linewidth=1)
    kinds, named = list(RESPONSES), set()
    for place, curve in enumerate(curves):
        gains, kind = gains_of(curve)[curve["home"]], curve["response"]
        number = kinds.index(kind)
        axis.errorbar(
            np.mean(gains), place, xerr=error_of(gains), color=line_colour(number),
            marker=MARKERS[kind], markersize=6, capsize=3, linewidth=1.6,
            label=None if kind in named else RESPONSES[kind],
        )  # fmt: skip
        axis.plot(gains, [place] * len(gains), "|", color=INK, markersize=7)
        named.add(kind)
    names = [f"{called(one['system'])} over {called(one['control'])}" for one in curves]
    axis.set_yticks(range(len(curves)), names, fontsize=FONT)
    axis.invert_yaxis()
    axis.set_xlabel("gain at the home dose", fontsize=FONT)
    axis.legend(
        fontsize=FONT, frameon=False, labelcolor=INK, loc="lower center", bbox_to_anchor=(0.3, 1.0)
    )
    return figure


def seen_at(family: str) -> dict[str, list[Seen]]:
    """The stored pictures of a family by title, at each of its doses."""
    arrays, about = read_arrays(results_folder() / "doses" / f"{family}.npz")
    found: dict[str, list[Seen]] = {}
    for entry in about["pictures"]:
        id, dose, c = entry["id"], entry["dose"], entry["class"]
        scene = scene_of(FAMILIES[family], dose, id)
        answers = []
        for name in about["contenders"]:
            byte = torch.from_numpy(arrays[f"{dose}/{id}/{name}"].astype(int))
            score, region = byte % INSIDE / LEVELS, byte >= INSIDE
            answers.append(Answer(called(name), score, region, entry["iou"][name]))
        label = (
            torch.from_numpy(arrays[f"{dose}/{id}/given"].astype(int)) if entry["given"] else None
        )
        if entry["given"] == "saliency" and label is not None:
            label = label / LEVELS
        image = torch.from_numpy(scene.image / 255).permute(2, 0, 1).float()
        truth = torch.from_numpy(scene.label == c)
        one = Seen(image, FAMILIES[family].classes[c - 1], truth, answers, entry["given"], label)
        found.setdefault(f"{entry['picture']} gain", []).append(one)
    return found


def live_dose_figure(family: str, alt: str) -> LiveFigure:
    """What the ideas of a family gain at each dose of the failure, and the same pictures there.

    Args:
        family: of ``experiments.doses``.
        alt: says in words what the curve shows.
    """
    curves = curves_of(family)
    first = curves[0]
    return live_doses(
        {f"{called(one['system'])} over {called(one['control'])}": gains_of(one) for one in curves},
        first["doses"], first["home"], axis_of(family), first["response_name"],
        seen_at(family), alt,
    )  # fmt: skip
