"""Pictures of boxes and clicks becoming masks; nothing is trained here."""

from functools import cache

import torch
from matplotlib.patches import Rectangle
from skimage.data import astronaut, chelsea, coffee
from stored_figures import world
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.blocks.refine.grabcut import box_trimap, grabcut
from wsss_lib.blocks.regions.clicks import extreme_trimap
from wsss_lib.blocks.regions.superpixels import edge_map
from wsss_lib.data.view import WeakView
from wsss_lib.methods.point.extreme_clicking import ExtremeClicking
from wsss_lib.show import COLOURS, Panel, Picture, show_panels

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
    drawn, cut = [], []
    for name in PHOTOGRAPHS:
        image, box = photograph(name)
        mask, _ = grabcut(image, box_trimap((image.shape[1], image.shape[2]), box))
        drawn.append(Panel(image, title=name))
        cut.append(Panel(image, labels=mask.long()))
    figure = show_panels([*drawn, *cut], len(drawn), classes=("what GrabCut calls the object",))
    for axis, name in zip(figure.axes, PHOTOGRAPHS, strict=False):
        x0, y0, x1, y1 = photograph(name)[1].tolist()
        axis.add_patch(
            Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False, ec=COLOURS[0], lw=2.5)
        )
    return figure


def clicks_figure(id: str, number: int = 0) -> Picture:
    """Four clicks on an object, the edges, the trimap that they give, the mask, and the truth."""
    data = world()
    batch = WeakView(data, ("extremes", "boxes"))[data.ids.index(id)]
    assert batch.extremes is not None
    assert batch.boxes is not None
    image, clicks = batch.image[0], batch.extremes[0][number]
    kind = int(batch.boxes[0][number][4])
    edges = edge_map(image)
    trimap = extreme_trimap(edges, clicks)
    mask = ExtremeClicking.toy(len(data.classes)).cut(image, clicks)
    # From dark to light: background, probably background, probably object, object.
    shade = torch.tensor([0.0, 1.0, 1 / 3, 2 / 3])[trimap]
    panels = [
        Panel(image, title="clicks"),
        Panel((1 - edges).expand(3, -1, -1), title="edges"),
        Panel(shade.expand(3, -1, -1), title="what they say"),
        Panel(image, labels=kind * mask.long(), title="mask"),
        Panel(image, region=data.mask(id) == kind, title=f"truth: {data.classes[kind - 1]}"),
    ]
    figure = show_panels(panels, classes=data.classes)
    figure.axes[0].plot(*clicks.T.tolist(), "o", ms=7, color=COLOURS[0], mec="black")
    return figure
