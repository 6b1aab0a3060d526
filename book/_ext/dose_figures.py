"""Pictures of doses: what a knob does to a picture, and what all ideas gain at their home."""

from itertools import count

import numpy as np
import torch
from measured import called, error_of, every_curve, gains_of
from torch import Tensor

from experiments.doses import FAMILIES, RESPONSES, Dose
from wsss_lib.data.toy import toy_scene
from wsss_lib.show import Panel, Picture, show_grid
from wsss_lib.show.picture import FONT, INK, WIDTH, drawn_on, line_colour

TURNED = ("erasing", "affinity", "cooccurrence", "online", "box")
"""Families whose doses change the pictures themselves, each in its own way."""
MARKERS = "osD^"


def picture(dose: Dose, number: int) -> Tensor:
    """(3, H, W) of a training picture of world 0 at a dose, in [0, 1]."""
    scene = toy_scene(0, "standard", "train", number, dose.knobs)
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
            marker=MARKERS[number], markersize=6, capsize=3, linewidth=1.6,
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
