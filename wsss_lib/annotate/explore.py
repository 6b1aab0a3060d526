"""Scores under a threshold: choose a picture, a class and where to cut."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import ipywidgets
import torch
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import resize_like
from wsss_lib.core import IGNORE, InputError
from wsss_lib.evaluate import confusion_of, ious
from wsss_lib.show.panels import Panel, show_panels
from wsss_lib.show.picture import Picture


class Explorer(ipywidgets.VBox):
    """Controls with a picture; pages without Python show the picture alone."""

    still: Picture

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The widget, and for pages without Python what it shows first, as a still."""
        data = super()._repr_mimebundle_(**kwargs) or {}
        picture, about = self.still._repr_png_()
        png = b64encode(picture).decode()
        return {**data, "image/png": png}, {"image/png": about}


def explore(
    images: Mapping[str, Tensor],
    scores: Mapping[str, Tensor],
    masks: Mapping[str, Tensor] | None = None,
    classes: Sequence[str] = (),
) -> Explorer:
    """Controls for picture, class and threshold, and the picture with a line around what is cut.

    Args:
        images: (3, H, W) RGB in [0, 1], by id.
        scores: (C, h, w) in [0, 1], by id; brought to the size of the image.
        masks: (H, W) class indices in 0..C, 255 = void, by id; where there is one, the IoU of the
            class is printed.
        classes: names of the C classes; without them, they are called by their numbers.

    Returns:
        A widget whose children are the three controls, the picture and a line of text; it begins
        with the first picture and the class that scores most in it.

    Raises:
        InputError: no image has scores, or there are not as many names as scores.
    """
    ids = [id for id in images if id in scores]
    if not ids:
        raise InputError("explore: no image has scores under the same id.")
    count = len(scores[ids[0]])
    if classes and len(classes) != count:
        raise InputError(f"explore: {len(classes)} names for scores of {count} classes.")
    names = classes or [f"class {label}" for label in range(1, count + 1)]
    picture = ipywidgets.Dropdown(options=ids, description="picture")
    brightest = int(scores[ids[0]].float().mean(dim=(1, 2)).argmax())
    label = ipywidgets.Dropdown(
        options=[(name, number) for number, name in enumerate(names)],
        value=brightest,
        description="class",
    )
    threshold = ipywidgets.FloatSlider(
        value=0.5, min=0, max=1, step=0.01, description="threshold", continuous_update=False
    )
    shown, said = ipywidgets.Image(format="png"), ipywidgets.HTML()
    explorer = Explorer([picture, label, threshold, shown, said])

    def look(_: object = None) -> None:
        id, number = picture.value, label.value
        image = images[id]
        score = resize_like(scores[id][None].float(), image[None])[0, number]
        region = score > threshold.value
        title = f"{names[number]} above {threshold.value:.2f}"
        explorer.still = show_panels([Panel(image, region=region, title=title)])
        shown.value = explorer.still.png()
        text = f"{escape(names[number])}: {region.float().mean():.0%} of the picture"
        if masks is not None and id in masks:
            mask = masks[id]
            truth = torch.where(mask == IGNORE, mask, (mask == number + 1).long())
            text += f", IoU {ious(confusion_of(truth, region.long(), 1))[1]:.3f}"
        said.value = text

    for control in (picture, label, threshold):
        control.observe(look, "value")
    look()
    return explorer
