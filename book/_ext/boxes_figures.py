"""Pictures of boxes and clicks becoming masks."""

from functools import cache
from typing import Any

import torch
from matplotlib.patches import Rectangle
from skimage.data import astronaut, chelsea, coffee
from torch import Tensor
from toy_figures import fresh, stages, toy

from wsss_lib.blocks.maps.class_maps import resize, to_labels
from wsss_lib.blocks.refine.grabcut import box_trimap, grabcut
from wsss_lib.blocks.regions.clicks import extreme_trimap
from wsss_lib.blocks.regions.superpixels import edge_map
from wsss_lib.core import Batch
from wsss_lib.data.view import WeakView
from wsss_lib.methods.box.bana import BANA
from wsss_lib.methods.box.bbox_rect import BBoxRect
from wsss_lib.methods.box.grabcut import GrabCut
from wsss_lib.methods.point.extreme_clicking import ExtremeClicking
from wsss_lib.show import COLOURS, Picture, overlay, show_labels

PHOTOGRAPHS = {
    "a head": (astronaut, (34, 0, 80, 55)),
    "an eye": (chelsea, (55, 35, 85, 68)),
    "a cup": (coffee, (22, 2, 156, 120)),
    "an astronaut": (astronaut, (3, 0, 100, 128)),
}
"""Photographs that come with scikit-image, and a box drawn by hand at a height of 128 pixels."""


@cache
def photograph(name: str) -> tuple[Tensor, Tensor]:
    """A photograph (3, 128, W) in [0, 1] and its box (4,)."""
    load, box = PHOTOGRAPHS[name]
    image = torch.from_numpy(load()).permute(2, 0, 1)[None] / 255
    width = round(128 * image.shape[-1] / image.shape[-2])
    return resize(image, (128, width))[0].clamp(0, 1), torch.tensor(box)


def photographs() -> Picture:
    """Photographs with a box, and what GrabCut cuts out of it."""
    figure = Picture(figsize=(10, 4.2), layout="constrained")
    axes = figure.subplots(2, len(PHOTOGRAPHS))
    for column, name in zip(axes.T, PHOTOGRAPHS, strict=True):
        image, box = photograph(name)
        mask, _ = grabcut(image, box_trimap((image.shape[1], image.shape[2]), box))
        x0, y0, x1, y1 = box.tolist()
        column[0].imshow(image.permute(1, 2, 0).numpy())
        column[0].add_patch(
            Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False, ec=COLOURS[0], lw=2.5)
        )
        column[1].imshow(overlay(image, mask.long()))
        column[0].set_title(name, fontsize=11)
    for axis in axes.ravel():
        axis.set_axis_off()
    return figure


def view_of(id: str) -> Batch:
    """One toy image with its boxes and clicks."""
    view = WeakView(toy(), ("tags", "boxes", "extremes"))
    return view[view.ids.index(id)]


def masks_figure(id: str, *kinds: Any) -> Picture:
    """What systems make of the boxes or clicks of an image; those that learn are trained first."""
    batch = view_of(id)
    labels = {}
    for kind in kinds:
        method = fresh(kind)
        if method.recipe.steps:
            learned = stages(kind)[-1]
            scores, threshold = learned.scores[id][None], learned.threshold or 0.5
        else:
            scores, threshold = method.predict(batch), 0.5
        labels[kind.card.name] = to_labels(scores, threshold)[0]
    return show_labels(toy().image(id), {**labels, "truth": toy().mask(id)}, toy().classes)


def clicks_figure(id: str, number: int = 0) -> Picture:
    """Four clicks, the edges, the trimap that they give, and the mask."""
    batch = view_of(id)
    image, clicks = batch.image[0], batch.extremes[0][number]
    edges = edge_map(image)
    trimap = extreme_trimap(edges, clicks)
    mask = ExtremeClicking.toy(len(toy().classes)).cut(image, clicks)
    figure = Picture(figsize=(10, 2.8), layout="constrained")
    axes = figure.subplots(1, 4)
    axes[0].imshow(image.permute(1, 2, 0).numpy())
    axes[0].plot(*clicks.T.tolist(), "o", ms=7, color=COLOURS[0], mec="black")
    axes[1].imshow(edges.numpy(), cmap="gray_r")
    # From dark to light: background, probably background, probably object, object.
    order = torch.tensor([0, 3, 1, 2])
    axes[2].imshow(order[trimap].numpy(), cmap="cividis", vmin=0, vmax=3)
    axes[3].imshow(overlay(image, 2 * mask.long()))
    for axis, title in zip(axes, ("clicks", "edges", "what they say", "mask"), strict=True):
        axis.set_title(title, fontsize=11)
        axis.set_axis_off()
    return figure


__all__ = [
    "BANA", "BBoxRect", "ExtremeClicking", "GrabCut",
    "clicks_figure", "masks_figure", "photographs", "view_of",
]  # fmt: skip
