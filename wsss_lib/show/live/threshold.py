"""A threshold to drag: the mask that it cuts from a score, its IoU, the point on the curve."""

from torch import Tensor

from wsss_lib.core import IGNORE, InputError
from wsss_lib.show.live.figure import LiveFigure, jpeg, text_of
from wsss_lib.show.panels import Panel, show_panels


def live_threshold(
    image: Tensor, score: Tensor, truth: Tensor, name: str, start: float = 0.5
) -> LiveFigure:
    """A threshold to drag over a score.

    Args:
        image: (3, H, W) RGB in [0, 1].
        score: (H, W) in [0, 1] of one class; shown in steps of 1/255.
        truth: (H, W), 1 on the class, 0 elsewhere, 255 where nobody can tell.
        name: of the class.
        start: threshold to begin with.

    Raises:
        InputError: sizes differ, or a score is NaN.
    """
    if not image.shape[1:] == score.shape == truth.shape:
        raise InputError(
            f"live_threshold: image {tuple(image.shape[1:])}, score {tuple(score.shape)} and truth "
            f"{tuple(truth.shape)} must have one size."
        )
    if score.isnan().any():
        raise InputError("live_threshold: the score holds NaN; give a number for each pixel.")
    levels = (score.clamp(0, 1) * 255).round().byte()
    cuts = [
        Panel(image, region=score > t, title=f"above {t:.1f}") for t in (0.1, 0.3, 0.5, 0.7)
    ] + [Panel(image, region=(truth == 1) & (truth != IGNORE), title="truth")]
    data = {
        "width": image.shape[2], "height": image.shape[1], "name": name,
        "start": round(start * 100), "image": jpeg(image),
        "score": text_of(levels.numpy().tobytes()),
        "truth": text_of(truth.byte().numpy().tobytes()),
    }  # fmt: skip
    alt = (
        f"The photograph five times, with a line around where the score of {name} exceeds 0.1, "
        f"0.3, 0.5 and 0.7, and around the {name} itself."
    )
    return LiveFigure("threshold", data, show_panels(cuts), alt)
