"""Strokes to draw on a photograph, and what the random walker or PAMR makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.blocks.refine.random_walker import colour_edges, random_walker
from wsss_lib.core import IGNORE, InputError
from wsss_lib.evaluate import confusion_of, ious
from wsss_lib.show.live.figure import LiveFigure, decoded, jpeg, runs_of
from wsss_lib.show.live.pamr import DILATIONS, SHARPNESS, START, STEPS
from wsss_lib.show.panels import Panel, show_panels

RADIUS = 1.0
"""Of the pen, in pixels of the truth."""

Stroke = tuple[int, Sequence[tuple[float, float]]]
"""A label (0 on the ground, 1 on the object) and the places (x, y) that the pen passes in turn, in
pixels of the truth: the middle of the first is (0.5, 0.5)."""


@dataclass(frozen=True)
class Scribbled:
    """A photograph to draw on.

    Attributes:
        name: of the object.
        image: (3, Z h, Z w) RGB in [0, 1], shown; refiners see the means of Z x Z pixels.
        truth: (h, w), 1 on the object, 0 elsewhere, 255 where nobody can tell.
        strokes: that are there at the start.
    """

    name: str
    image: Tensor
    truth: Tensor
    strokes: Sequence[Stroke]

    def __post_init__(self) -> None:
        if not all(len(places) for _, places in self.strokes):
            raise InputError(f"{self.name}: a stroke needs at least one place (x, y).")
        (height, width), (h, w) = self.image.shape[1:], self.truth.shape
        if height % h or width % w or height // h != width // w:
            raise InputError(
                f"{self.name}: the image {(height, width)} must be a whole number of times "
                f"as large as the truth {(h, w)}."
            )


def live_scribble(photographs: Sequence[Scribbled]) -> LiveFigure:
    """Photographs to draw on; a random walker or PAMR runs in the page from the strokes.

    The walker's mask is where it meets the object first with a chance above a half. PAMR starts
    from 1 on strokes on the object and -1 on those on the ground; its mask is what exceeds 0.

    Args:
        photographs: at least one; the first is shown at the start.

    Raises:
        InputError: there is none, or the first has no stroke.
    """
    if not photographs:
        raise InputError("live_scribble: no photograph to draw on.")
    data = {
        "steps": STEPS, "start": START, "dilations": DILATIONS, "sharpness": SHARPNESS,
        "radius": RADIUS, "photographs": [_data(one) for one in photographs],
    }  # fmt: skip
    first = photographs[0]
    zoom = first.image.shape[1] // first.truth.shape[0]
    size = (first.image.shape[1], first.image.shape[2])
    image = F.avg_pool2d(decoded(_picture(first)), zoom)[None]
    seeds = drawn(first.strokes, first.truth)
    chance = random_walker(colour_edges(image), seeds[None], 2)[:, 1:]
    signs = (seeds == 1).float() - (seeds == 0).float()
    spread = pamr(image, signs[None, None], DILATIONS, START, SHARPNESS)
    shown = torch.where(seeds == IGNORE, 0, 2 - seeds)  # the object in the first colour
    large = shown.repeat_interleave(zoom, 0).repeat_interleave(zoom, 1)
    panels = [Panel(first.image, labels=large, title="strokes")]
    for title, score, cut in (("random walker", chance, 0.5), (f"PAMR, {START} steps", spread, 0)):
        iou = ious(confusion_of(first.truth, (score[0, 0] > cut).long(), 1))[1]
        region = resize(score, size)[0, 0] > cut
        panels.append(Panel(first.image, region=region, title=title, note=f"IoU {iou:.3f}"))
    truth = resize((first.truth == 1)[None, None].float(), size)[0, 0] > 0.5
    panels.append(Panel(first.image, region=truth, title="drawn by hand"))
    alt = (
        f"The photograph of a {first.name} four times: with strokes on the {first.name} and on the "
        "ground; with a line around what a random walker and PAMR make of them, and their IoU; and "
        "with the outline drawn by hand."
    )
    picture = show_panels(panels, columns=4, classes=(first.name, "ground"))
    return LiveFigure("scribble", data, picture, alt)


def drawn(strokes: Sequence[Stroke], truth: Tensor, radius: float = RADIUS) -> Tensor:
    """Labels under strokes: (h, w), 255 where nobody drew; later strokes lie above earlier ones.

    Args:
        strokes: what was drawn, in turn.
        truth: (h, w); of the size of the answer.
        radius: a pixel is drawn on if its middle lies within this of the pen's way.
    """
    seeds = torch.full(truth.shape, IGNORE)
    rows, columns = (torch.arange(side, dtype=torch.float64) + 0.5 for side in truth.shape)
    for label, places in strokes:
        for (x0, y0), (x1, y1) in zip([places[0], *places[:-1]], places, strict=True):
            dx, dy = x1 - x0, y1 - y0
            x, y = columns[None] - x0, rows[:, None] - y0
            along = ((x * dx + y * dy) / max(dx**2 + dy**2, 1e-9)).clamp(0, 1)
            seeds[(x - along * dx) ** 2 + (y - along * dy) ** 2 <= radius**2] = label
    return seeds


def _picture(one: Scribbled) -> str:
    return jpeg(one.image)


def _data(one: Scribbled) -> dict[str, object]:
    height, width = one.truth.shape
    return {
        "name": one.name, "width": width, "height": height, "image": _picture(one),
        "truth": runs_of(one.truth),
        "strokes": [{"label": label, "places": places} for label, places in one.strokes],
    }  # fmt: skip
