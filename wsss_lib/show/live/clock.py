"""Label a photograph against the clock: own seconds beside published ones, and what they buy."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.colors import to_hex
from matplotlib.patches import Polygon, Rectangle
from torch import Tensor

from wsss_lib.core import IGNORE, InputError
from wsss_lib.data.costs import costs
from wsss_lib.data.weak import Annotator, boxes_from_masks, objects_from_mask
from wsss_lib.show.live.figure import LiveFigure, jpeg, text_of
from wsss_lib.show.panels import Panel, show_panels
from wsss_lib.show.picture import COLOURS, Picture

CALLED = {
    "tags": "tag", "points": "point", "boxes": "box", "extremes": "extreme points",
    "scribble": "scribble", "masks": "outline",
}  # fmt: skip
"""Kinds of label in the order in which they are asked for, and their names."""
INK = to_hex(COLOURS[1])
"""Of the reader's marks."""


def live_clock(
    image: Tensor,
    truth: Tensor,
    name: str,
    about: str,
    choices: Sequence[str],
    curves: Mapping[str, Sequence[tuple[float, float]]],
) -> LiveFigure:
    """A photograph to label in six ways, with the seconds that each takes and what they buy.

    Published seconds are those of ``wsss_lib.data.costs`` by "bearman": a second for each class
    that is looked for, and its own for each mark. An image of PASCAL VOC costs the reader their
    own time for a class in place of that second, and their own time for a mark.

    Args:
        image: (3, H, W) RGB in [0, 1].
        truth: (H, W), 1 on the object, 0 elsewhere, 255 where nobody can tell.
        name: of the object's class, one of ``choices``.
        about: which object is meant, such as "the cup without its saucer".
        choices: names of the classes to choose tags from.
        curves: mean IoU over hours by kind of label, rising in hours; extreme points buy boxes.

    Raises:
        InputError: sizes differ, or a kind has no curve or an empty one.
    """
    if image.shape[1:] != truth.shape:
        raise InputError(
            f"live_clock: image {tuple(image.shape[1:])} and truth {tuple(truth.shape)} must have "
            "one size."
        )
    tasks = [_task(kind, name, about, choices, curves) for kind in CALLED]
    hours = [hour for hour, _ in tasks[0]["curve"]]
    data = {
        "width": image.shape[2], "height": image.shape[1], "image": jpeg(image), "name": name,
        "truth": _packed(truth == 1), "unknown": _packed(truth == IGNORE),
        "choices": list(choices), "tasks": tasks, "colours": ["#f5f5f5", INK],
        "note": (
            "Seconds of an image of PASCAL VOC, by the published account: for tags, 20 classes at "
            "a second each; for any other label, the 18.5 classes that are absent, and a mark on "
            "each of 1.5 classes (points, scribbles) or 2.8 objects (boxes, extreme points, "
            f"outlines). Yours: what you took for one of the {len(choices)} classes, and for one "
            f"mark. † measured from {hours[0]:g} to {hours[-1]:g} hours at the published price; "
            "what lies beyond gets the value at the end."
        ),
    }  # fmt: skip
    alt = (
        f"The photograph of a {name} five times: with a point, a box, four extreme points, a "
        "stroke and an outline, and above each the published seconds that one such mark takes."
    )
    return LiveFigure("clock", data, _drawn(image, truth, tasks), alt)


def _task(
    kind: str,
    name: str,
    about: str,
    choices: Sequence[str],
    curves: Mapping[str, Sequence[tuple[float, float]]],
) -> dict[str, Any]:
    """What is asked, and what it costs and buys by the published account."""
    account = {one.kind: one for one in costs() if one.source == "bearman"}
    cost = account[kind]
    bought = "boxes" if kind == "extremes" else kind
    if bought not in curves:
        raise InputError(f"live_clock: no curve of {bought!r}; there are {', '.join(curves)}.")
    if not curves[bought]:
        raise InputError(f"live_clock: the curve of {bought!r} is empty; give (hours, mean IoU).")
    how = {
        "tags": f"Which of these is in the picture: {', '.join(choices)}?",
        "points": f"Click once on {about}.",
        "boxes": f"Drag a tight box around {about}, from corner to corner.",
        "extremes": f"Click the leftmost, rightmost, topmost and bottommost end of {about}.",
        "scribble": f"Draw one stroke through {about}.",
        "masks": (
            f"Draw around {about} in one go, or click from corner to corner and end on the first."
        ),
    }[kind]
    return {
        "kind": kind, "called": CALLED[kind], "how": how,
        "single": cost.each if cost.times else float(len(choices)),
        "fixed": cost.fixed, "each": cost.each, "times": cost.times,
        "priced": account[bought].seconds,
        "curve": [list(point) for point in curves[bought]],
    }  # fmt: skip


def _drawn(image: Tensor, truth: Tensor, tasks: Sequence[Mapping[str, Any]]) -> Picture:
    """The photograph with a mark of each kind, for paper."""
    mask = truth.long()
    person, objects = Annotator(), objects_from_mask(mask)
    marked = [task for task in tasks if task["kind"] != "tags"]
    figure = show_panels(
        [Panel(image, title=f"{one['called']}, {one['single']:g} s") for one in marked]
    )
    axes = dict(zip((one["kind"] for one in marked), figure.axes, strict=False))
    dots = {"marker": "o", "linestyle": "", "markersize": 6, "color": INK, "mec": "black"}
    x, y, _ = person.label("points", "", mask, objects).T
    axes["points"].plot(x, y, **dots)
    for x0, y0, x1, y1, _ in boxes_from_masks(mask, objects).tolist():
        axes["boxes"].add_patch(
            Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=INK, linewidth=2)
        )
    for clicks in person.label("extremes", "", mask, objects):
        axes["extremes"].plot(*clicks.T, **dots)
        axes["extremes"].add_patch(Polygon(clicks[[0, 2, 1, 3]], fill=False, edgecolor=INK))
    rows, columns = torch.nonzero(person.label("scribble", "", mask, objects) == 1).T
    axes["scribble"].plot(columns, rows, ".", markersize=3, color=INK)
    axes["masks"].contour((mask == 1).numpy(), [0.5], colors=[INK], linewidths=2)
    return figure


def _packed(region: Tensor) -> str:
    return text_of(np.packbits(region.numpy()).tobytes())
