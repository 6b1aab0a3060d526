"""PAMR's steps to drag: the map and its mask after each, and the IoU of all as a curve."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import InputError
from wsss_lib.evaluate import confusion_of, ious
from wsss_lib.show.live.figure import LiveFigure, decoded, jpeg, runs_of, text_of
from wsss_lib.show.panels import Panel, show_panels

DILATIONS, SHARPNESS = (1, 2, 4, 8, 12, 24), 0.1
STEPS, START = 20, 10
"""Steps that the slider offers, and where it begins: PAMR's own number."""


@dataclass(frozen=True)
class Mapped:
    """A photograph with a map to refine.

    Attributes:
        name: of the object.
        image: (3, H, W) RGB in [0, 1].
        score: (H, W) in [0, 1] of the object; used in steps of 1/255.
        truth: (H, W), 1 on the object, 0 elsewhere, 255 where nobody can tell.
        threshold: where the map is cut, whatever the number of steps.
    """

    name: str
    image: Tensor
    score: Tensor
    truth: Tensor
    threshold: float

    def __post_init__(self) -> None:
        if not self.image.shape[1:] == self.score.shape == self.truth.shape:
            raise InputError(
                f"{self.name}: image {tuple(self.image.shape[1:])}, score "
                f"{tuple(self.score.shape)} and truth {tuple(self.truth.shape)} must have one size."
            )


def live_pamr(photographs: Sequence[Mapped]) -> LiveFigure:
    """PAMR on maps of photographs, from 0 to 20 steps, computed in the page.

    Args:
        photographs: at least one; the first is shown at the start.

    Raises:
        InputError: there is none.
    """
    if not photographs:
        raise InputError("live_pamr: no photograph to refine a map of.")
    data = {
        "steps": STEPS, "start": START, "dilations": DILATIONS, "sharpness": SHARPNESS,
        "photographs": [_data(one) for one in photographs],
    }  # fmt: skip
    first = photographs[0]
    seen = decoded(_picture(first))
    panels = []
    for steps in (0, 1, 5, START, STEPS):
        score = pamr(
            seen[None], _levels(first.score)[None, None] / 255, DILATIONS, steps, SHARPNESS
        )
        region = score[0, 0] > first.threshold
        iou = ious(confusion_of(first.truth, region.long(), 1))[1]
        panels.append(
            Panel(
                first.image,
                score[0, 0],
                region=region,
                title=f"{steps} step{'s' * (steps != 1)}",
                note=f"IoU {iou:.2f}",
            )
        )
    panels.append(Panel(first.image, region=first.truth == 1, title="truth"))
    alt = (
        f"The photograph of a {first.name} with the map that came in and after 1, 5, {START} and "
        f"{STEPS} steps of PAMR; a line surrounds the mask, its IoU stands below. The last line is "
        "the truth."
    )
    return LiveFigure("pamr", data, show_panels(panels, columns=6), alt)


def _picture(one: Mapped) -> str:
    return jpeg(one.image, quality=92)  # PAMR sees what a coarser one does to smooth walls


def _data(one: Mapped) -> dict[str, object]:
    return {
        "name": one.name, "width": one.image.shape[2], "height": one.image.shape[1],
        "threshold": one.threshold, "image": _picture(one),
        "score": text_of(_levels(one.score).byte().numpy().tobytes()),
        "truth": runs_of(one.truth),
    }  # fmt: skip


def _levels(score: Tensor) -> Tensor:
    """Scores in [0, 1] as whole numbers up to 255."""
    return (score.float().clamp(0, 1) * 255).round()
