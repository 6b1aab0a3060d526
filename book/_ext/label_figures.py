"""Pictures of the labels themselves, and of what systems make of each kind."""

from textwrap import fill

import numpy as np
from matplotlib.patches import Rectangle
from scipy.ndimage import distance_transform_edt
from skimage.morphology import skeletonize
from stored_figures import called, gain_columns, system_panels, world

from wsss_lib.gallery import PLACES, common_ids
from wsss_lib.show import (
    COLOURS,
    Panel,
    Picture,
    contact_sheet,
    show_grid,
    show_panels,
    truth_panel,
)

KINDS = {
    "cam": "image labels",
    "whats_the_point": "points",
    "ncut_loss": "scribbles",
    "grabcut": "boxes",
}
"""Kinds of label, from cheap to dear, and a system that learns from each."""


def from_each_label() -> Picture:
    """Images in rows, by the gain of boxes over image labels; systems of each label in columns."""
    data = world()
    first, *_, last = KINDS
    rows = {}
    for place, id, c in gain_columns(last, first, most=len(PLACES)):
        said = [system_panels(system, [("", id, c)])[0] for system in KINDS]
        truth = truth_panel(data.image(id), data.mask(id), c)
        rows[f"{place}\n{data.classes[c - 1]}"] = [*said, truth]
    heads = [f"{kind}:\n{fill(called(id), 14)}" for id, kind in KINDS.items()]
    return show_grid(rows, [*heads, "truth"])


def example(least: int = 2) -> str:
    """The first of the images that all systems store on which at least so many classes are."""
    data = world()
    return next(id for id in common_ids(data) if data.tags(id).sum() >= least)


def one_of_each() -> Picture:
    """A picture of each class, of three, two and no classes; the first that is not yet there."""
    data = world()
    tags = {id: data.tags(id) for id in data.ids}
    ids: list[str] = []
    for c in range(len(data.classes)):
        ids.append(next(id for id in tags if tags[id][c] and id not in ids))
    for count in (3, 2, 0):
        ids.append(next(id for id in tags if tags[id].sum() == count and id not in ids))
    return contact_sheet(data, ids, columns=6)


def label_types(id: str) -> Picture:
    """One image under five kinds of label."""
    data = world()
    image, mask = data.image(id), data.mask(id)
    instances = data.layer("SegmentationObject", id)
    present = ", ".join(data.classes[c] for c in data.tags(id).nonzero().flatten().tolist())
    panels = [
        Panel(image, title="image labels", note=present),
        *[Panel(image, title=title) for title in ("points", "scribbles", "boxes")],
        Panel(image, labels=mask, title="masks"),
    ]
    figure = show_panels(panels, classes=data.classes)
    points, scribbles, boxes = figure.axes[1:4]
    for number in np.unique(instances[(instances > 0) & (instances < 255)]):
        inside = (instances == number).numpy()
        label = int(mask[inside].mode().values)
        colour = COLOURS[(label - 1) % len(COLOURS)]
        depth = distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        points.plot(x, y, "o", ms=8, color=colour, mec="black")
        rows, columns = np.nonzero(skeletonize(depth > 1.5))
        scribbles.plot(columns, rows, "s", ms=3, color=colour, mec="black", mew=0.3)
        rows, columns = np.nonzero(inside)
        boxes.add_patch(
            Rectangle(
                (columns.min() - 0.5, rows.min() - 0.5), np.ptp(columns) + 1, np.ptp(rows) + 1,
                fill=False, edgecolor=colour, linewidth=2.5,
            )
        )  # fmt: skip
    return figure
