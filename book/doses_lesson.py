"""What the notebooks that compare a family at its doses have in common.

Stored measurements (``row``), two pictures of them, a guess that is checked against them, and a
system and its control trained in a world that the book does not report. How a response is read off
a measurement stands in the notebooks.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

sys.path.append(str(Path(__file__).with_name("_ext")))

from dose_figures import picture
from exercises import Verdict
from lesson import DATA, shorten
from measured import called, curves_of, error_of, gains_of, results_folder

from experiments.contenders import Place, contend, threshold_of
from experiments.doses import FAMILIES, Dose, Family
from wsss_lib.core import InputError, Method
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.toy import KINDS, toy_scene
from wsss_lib.engine import Stage
from wsss_lib.evaluate import evaluate, ious, layer_recall
from wsss_lib.results import read_result
from wsss_lib.show import Panel, Picture, show_grid
from wsss_lib.show.picture import FONT, INK, drawn_on, line_colour, make_plain

WORLD = 7
"""Where notebooks train; no figure of the book comes from it."""
PICTURES = 256
"""How many it has here: half of a world, so that nobody waits long."""
SHARE = 1 / 3
"""Of a recipe that is trained in ``fast`` mode, by the system and its control alike."""
AMONG = 60
"""Pictures of world 0 among which those are chosen that show what a dose is."""
MARKERS = "osD^vPX"
LINES = ("-", "--", "-.", ":")

Measured = dict[str, Any]
Line = tuple[Sequence[float], Sequence[float], tuple[float, float]]
"""Values across and up, and the point of them that is compared."""


def curves(family: str) -> dict[str, dict[str, Any]]:
    """Stored curves of a family by system: everything that was measured so far."""
    return {curve["system"]: curve for curve in curves_of(family)}


def row(name: str, dose: Dose, world: int) -> Measured:
    """What was measured of a system or a control in a world at a dose.

    Returns:
        ``threshold``, the figures at it, such as ``miou`` and ``iou`` (K,), and ``curves``: by
        name 101 values, at the thresholds 0, 0.01, ..., 1.

    Raises:
        InputError: it was not measured there.
    """
    found = read_result(results_folder() / "rows" / dose.where / f"{name}.json")
    if str(world) not in found:
        raise InputError(f"{name} was measured in the worlds {', '.join(found)}, not in {world}.")
    measured: Measured = found[str(world)]
    return measured


def words(family: Family, number: int) -> str:
    """A dose in the head of a picture, such as "0.7 (home)"."""
    return f"{family.doses[number].value:g}" + " (home)" * (number == family.home)


def changed(family: str, kind: str = "") -> dict[str, float]:
    """How much the knob of a family changes pictures of world 0, by id.

    Args:
        family: of ``experiments.doses``.
        kind: name of a class that the pictures must show, if any.

    Returns:
        The mean difference of a pixel between the first and the last dose, in [0, 1].
    """
    first, *_, last = FAMILIES[family].doses
    scene = partial(toy_scene, 0, "standard", "train", knobs=first.knobs)
    return {
        f"train_{number:04}": float((picture(first, number) - picture(last, number)).abs().mean())
        for number in range(AMONG)
        if not kind or [*KINDS].index(kind) in scene(number).classes
    }


def show_doses(family: str, names: Mapping[str, str]) -> Picture:
    """The same pictures of world 0, one a row, at each dose of a family.

    Args:
        family: of ``experiments.doses``.
        names: "largest", "median", "smallest" with ids, as ``ranked`` chooses among ``changed``.
    """
    found = FAMILIES[family]
    rows = {
        f"{name} change": [Panel(picture(dose, int(id.rpartition("_")[2]))) for dose in found.doses]
        for name, id in names.items()
    }
    return show_grid(rows, [words(found, number) for number in range(len(found.doses))])


def guess_dose(family: str, system: str, guess: float | None) -> Verdict:
    """Whether a system gains most at the dose that was guessed, in the stored runs.

    Args:
        family: of ``experiments.doses``.
        system: with a stored curve.
        guess: value of a dose; None before anything was guessed.
    """
    doses = [dose.value for dose in FAMILIES[family].doses]
    if guess is None:
        return Verdict(False, "Not guessed yet: write one of the three doses instead of None.")
    if guess not in doses:
        listed = ", ".join(f"{value:g}" for value in doses)
        return Verdict(False, f"{guess!r} is no dose of this chapter: choose one of {listed}.")
    means = [float(np.mean(gains)) for gains in gains_of(curves(family)[system])]
    number, name = doses.index(guess), called(system)
    if number == int(np.argmax(means)):
        return Verdict(True, f"{name} did gain most at {guess:g}. Why? And do the worlds agree?")
    less = ("smaller", "larger")[number > int(np.argmax(means))]
    return Verdict(
        False,
        f"{name} gained most at a {less} value. Look at the pictures again: what is there to mend "
        f"at {guess:g}, and what has the control to work with?",
    )


def show_lines(
    panels: Mapping[str, Mapping[str, Line]], x: str, y: str, along: Literal["x", "y"]
) -> Picture:
    """Stored lines of a control and a system, one plot below another; a ring is what is compared.

    Args:
        panels: by the head of a plot, by name, what is drawn; the control comes first.
        x: what the horizontal axis is.
        y: what the vertical axis is.
        along: the axis on which the gain lies, the distance of the rings in the head of a plot. A
            dotted line shows what both have in common where it is the horizontal one.
    """
    figure = Picture(figsize=(5.0, 0.7 + 2.0 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axis, (head, lines) in zip(axes, panels.items(), strict=True):
        make_plain(axis)
        for number, (name, (across, up, point)) in enumerate(lines.items()):
            colour, style = line_colour(number), LINES[number % len(LINES)]
            axis.plot(across, up, color=colour, linestyle=style, linewidth=1.8, label=name)
            axis.plot(
                *point, "o", markersize=11, markerfacecolor="none",
                markeredgecolor=colour, markeredgewidth=2.2,
            )  # fmt: skip
        control, system = (point for _, _, point in lines.values())
        if along == "x":
            axis.axhline(control[1], color=INK, linewidth=0.9, linestyle=":")
        index = "xy".index(along)
        gain = f"{system[index] - control[index]:+.3f}".replace("-", "\N{MINUS SIGN}")
        axis.set_title(f"{head}, gain {gain}", fontsize=FONT + 1, color=INK, loc="left")
        axis.set_ylabel(y, fontsize=FONT)
    axes[0].legend(fontsize=FONT, frameon=False, labelcolor=INK, loc="lower left")
    axes[-1].set_xlabel(x, fontsize=FONT)
    axes[-1].set_xlim(0, 1)
    return figure


def show_classes(
    panels: Mapping[str, Mapping[str, Sequence[float]]], names: Sequence[str]
) -> Picture:
    """The IoU of each class by a control and by a system, one plot below another.

    Args:
        panels: by the head of a plot, by name, (C,) IoU of the foreground classes; the control
            comes first.
        names: of the classes.
    """
    figure = Picture(
        figsize=(5.0, 0.7 + (0.5 + 0.22 * len(names)) * len(panels)), layout="constrained"
    )
    axes = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    places = np.arange(len(names))
    for axis, (head, found) in zip(axes, panels.items(), strict=True):
        make_plain(axis)
        axis.hlines(places, *found.values(), color=INK, linewidth=1.4)
        for number, (name, values) in enumerate(found.items()):
            axis.plot(
                values, places, MARKERS[number], color=line_colour(number), markersize=7, label=name
            )
        axis.set_yticks(places, names, fontsize=FONT)
        axis.invert_yaxis()
        axis.set_title(head, fontsize=FONT + 1, color=INK, loc="left")
    axes[0].legend(
        fontsize=FONT, frameon=False, labelcolor=INK, ncols=2, loc="lower right",
        bbox_to_anchor=(1, 1),
    )  # fmt: skip
    axes[-1].set_xlabel("IoU", fontsize=FONT)
    axes[-1].set_xlim(0, 1)
    return figure


def show_gains(
    family: str,
    gains: Mapping[str, Sequence[Sequence[float]]],
    here: Mapping[int, float] | None = None,
) -> Picture:
    """Gains over the control at each dose: a dot is a world, a line joins the means.

    At the home dose a bar of two standard errors stands on the mean.

    Args:
        family: of ``experiments.doses``.
        gains: by system, for each dose those of its worlds.
        here: by number of a dose, a gain that was measured in this notebook.
    """
    found = FAMILIES[family]
    figure, axis = drawn_on(5.2, 3.2 + 0.2 * len(gains))
    axis.axhline(0, color=INK, linewidth=1)
    for number, (system, each) in enumerate(gains.items()):
        colour, aside = line_colour(number), 0.09 * (number - (len(gains) - 1) / 2)
        places = np.arange(len(each)) + aside
        axis.plot(
            places, [np.mean(one) for one in each], color=colour, linewidth=1.8,
            linestyle=LINES[number % len(LINES)], marker=MARKERS[number % len(MARKERS)],
            markersize=7, label=f"{called(system)} over {called(found.controls[system])}",
        )  # fmt: skip
        for place, one in zip(places, each, strict=True):
            axis.plot([place] * len(one), one, ".", color=colour, markersize=6, alpha=0.7)
        home = each[found.home]
        axis.errorbar(
            places[found.home], np.mean(home), yerr=error_of(home), color=colour, capsize=4,
            linewidth=1.6,
        )  # fmt: skip
    for number, (dose, gain) in enumerate((here or {}).items()):
        axis.plot(
            dose + 0.2, gain, "*", color=line_colour(4), markersize=17, markeredgecolor=INK,
            label="trained here" if number == 0 else None,
        )  # fmt: skip
    doses = range(len(found.doses))
    axis.set_xticks(doses, [words(found, number) for number in doses], fontsize=FONT)
    axis.set_xlim(-0.4, len(doses) - 0.6)
    axis.set_xlabel(found.axis, fontsize=FONT)
    axis.set_ylabel("gain over the control", fontsize=FONT)
    axis.legend(
        fontsize=FONT, frameon=False, labelcolor=INK, loc="lower left", bbox_to_anchor=(0, 1.0)
    )
    return figure


@dataclass(frozen=True)
class ShortPlace(Place):
    """A world in which all trainings take the steps that the mode allows."""

    def run(self, method: Method, supervision: tuple[str, ...], scores: Any = None) -> Stage:
        """Train a method for its share of its recipe, and ask it about the training images."""
        if method.recipe.steps:
            shorten(method, round(SHARE * method.recipe.steps))
        return super().run(method, supervision, scores)


@dataclass(frozen=True)
class Pair:
    """A control and a system, trained in the same world; by their names, the control first.

    Attributes:
        data: the world, with its masks.
        measured: what was measured, as in ``row``; among the curves, those of ``iou`` (101, K).
        scores: (C, H, W) by image id.
        thresholds: where labels are cut from them.
    """

    data: SegmentationFolder
    measured: dict[str, Measured]
    scores: dict[str, Any]
    thresholds: dict[str, float]


def train_pair(family: str, system: str, dose: int) -> Pair:
    """Train a system of a family and its control at a dose, in a world that is not reported.

    Whatever the two build on is trained as well, once; a second call finds it done. Thresholds are
    those of the book, chosen in yet another world.

    Args:
        family: of ``experiments.doses``.
        system: of the family.
        dose: 0, 1 or 2.

    Raises:
        InputError: the family has no such system or dose.
    """
    found = FAMILIES[family]
    if system not in found.controls:
        raise InputError(f"{family} has no {system!r}; choose from {', '.join(found.controls)}.")
    if dose not in range(len(found.doses)):
        raise InputError(f"doses are numbered 0 to {len(found.doses) - 1}, there is no {dose!r}.")
    place = ShortPlace(WORLD, found.doses[dose], DATA / "doses", PICTURES)
    names = (found.controls[system], system)
    scores = {name: contend(name, place).scores for name in names}
    cuts = {name: threshold_of(name, place.folder) for name in names}
    measured = {name: _measured(scores[name], place.train, cuts[name]) for name in names}
    return Pair(place.train, measured, scores, cuts)


def _measured(scores: Any, data: SegmentationFolder, threshold: float) -> Measured:
    found = evaluate(scores, data, threshold, boundary=False)
    precision = np.nan_to_num(found.precision_curve, nan=1.0)  # of nothing, as in stored rows
    recall = layer_recall(scores, data)[:, 1]
    each = np.array([ious(counts) for counts in found.confusion])
    return {
        **found.figures(),
        "curves": {
            "miou": found.curve, "precision": precision, "body_recall": recall, "iou": each,
        },
    }  # fmt: skip
