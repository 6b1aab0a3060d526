"""Pictures of things that touch; nothing is trained here."""

import torch
from stored_figures import world

from wsss_lib.data.toy import KINDS
from wsss_lib.data.view import WeakView
from wsss_lib.data.weak import Annotator, objects_from_mask
from wsss_lib.gallery import ranked
from wsss_lib.show import Panel, Picture, show_panels

FIRST = 96
"""Pictures among which one is chosen."""


def shared_regions() -> dict[str, float]:
    """By image, the share of the pixels of things whose connected region holds another thing too.

    Of the first pictures of the toy scenes that show two things of one class.
    """
    data, found = world("scenes"), {}
    things = torch.tensor([c + 1 for c, name in enumerate(data.classes) if name in KINDS])
    for id in data.ids[:FIRST]:
        mask, objects = data.mask(id), data.layer("SegmentationObject", id)
        classes = mask.where(torch.isin(mask, things), 0)
        kinds = [int(mask[objects == number][0]) for number in objects.unique().tolist() if number]
        if len(kinds) == len(set(kinds)):
            continue
        parts = objects_from_mask(classes)
        both = sum(
            int((parts == part).sum())
            for part in parts.unique().tolist()
            if part and len(objects[parts == part].unique()) > 1
        )
        found[id] = both / int((classes > 0).sum())
    return found


def shared_figure() -> Picture:
    """Clicks, classes, connected regions and objects, where regions are shared most."""
    data = world("scenes")
    id = ranked(shared_regions())["largest"]
    view = WeakView(data, ("points", "objects"), annotator=Annotator(points_each=20))
    batch = view[data.ids.index(id)]
    image, mask, objects = batch.image[0], data.mask(id), data.layer("SegmentationObject", id)
    regions = objects_from_mask(mask.where(objects > 0, 0))
    panels = [
        Panel(image, title="20 clicks on each"),
        Panel(image, labels=mask, title="classes"),
        Panel(image, labels=regions, title="connected regions"),
        Panel(image, labels=objects, title="things"),
    ]
    figure = show_panels(panels, columns=4)
    for legend in figure.legends:  # numbers of regions and of things are no classes
        legend.remove()
    points, whose = batch.require("points", "a picture"), batch.require("objects", "a picture")
    for number in whose[0].unique().tolist():
        x, y, _ = points[0][whose[0] == number].T.tolist()
        figure.axes[0].plot(x, y, "o", ms=3.5, mec="black", mew=0.4)
    return figure
