"""Pictures of label formats and of what metrics count, on a photograph."""

import numpy as np
import torch
from matplotlib.patches import Rectangle
from photograph_figures import found, photographs, truth
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.core import IGNORE
from wsss_lib.data.photographs import drawn
from wsss_lib.evaluate import boundary_counts, confusion_of, ious
from wsss_lib.show import COLOURS, Panel, Picture, show_panels

COUNTS = ("called so and is (TP)", "called so and is not (FP)", "is and was missed (FN)")


def formats_figure(id: str) -> Picture:
    """One photograph under the five kinds of label, as they were drawn."""
    data, about, image = photographs(), drawn()[id], photographs().image(id)
    name, label = about["class"], int(data.tags(id).argmax()) + 1
    mask = data.mask(id)
    panels = [
        Panel(image, title="image label", note=name),
        Panel(image, title="point"),
        Panel(image, title="scribbles"),
        Panel(image, title="box"),
        Panel(
            image, labels=torch.where(mask == IGNORE, mask, (mask == label).long()), title="mask"
        ),
    ]
    figure = show_panels(panels, classes=(name,))
    _, points, scribbles, boxes, _ = figure.axes
    for x, y in about["points"]:
        points.plot(x, y, "o", ms=8, color=COLOURS[0], mec="black")
    for strokes, colour in ((about["strokes"], COLOURS[0]), (about["ground"], "white")):
        for stroke in strokes:
            scribbles.plot(*np.transpose(stroke), color="black", linewidth=5)
            scribbles.plot(*np.transpose(stroke), color=colour, linewidth=3)
    for outline in about["objects"]:
        (x0, y0), (x1, y1) = np.min(outline, axis=0), np.max(outline, axis=0)
        boxes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, ec=COLOURS[0], lw=2.5))
    return figure


def called(way: str, id: str) -> tuple[Tensor, Tensor]:
    """(H, W) of what a way calls the object, 0 or 1, and of the mask: 0, 1 or 255."""
    region, mask = found(way, id).region, photographs().mask(id)
    assert region is not None
    full = resize(region[None, None].float(), (mask.shape[0], mask.shape[1]))[0, 0] > 0.5
    label = int(photographs().tags(id).argmax()) + 1
    return full.long(), torch.where(mask == IGNORE, mask, (mask == label).long())


def counted_figure(ways: tuple[str, ...], id: str) -> Picture:
    """What is right, too much and missed, painted; IoU and boundary IoU below."""
    panels = []
    for way in ways:
        said, mask = called(way, id)
        painted = (said & (mask == 1)) + 2 * (said & (mask == 0)) + 3 * ((1 - said) & (mask == 1))
        inside, union = boundary_counts(mask.numpy(), said.numpy(), 1)[:, 1]
        note = f"IoU {ious(confusion_of(mask, said, 1))[1]:.2f}\nboundary IoU {inside / union:.2f}"
        panels.append(
            Panel(photographs().image(id), labels=painted, title=found(way, id).title, note=note)
        )
    return show_panels([*panels, truth(id)], classes=COUNTS)
