"""Pictures of what boxes can be filled with; nothing is trained here."""

import torch
from matplotlib.patches import Rectangle
from stored_figures import chosen, world

from wsss_lib.blocks.labels.paint import boxes_to_labels, shrink_boxes
from wsss_lib.blocks.maps.class_maps import to_labels
from wsss_lib.core import IGNORE
from wsss_lib.data.view import WeakView
from wsss_lib.methods.box.bbox_rect import BBoxRect
from wsss_lib.methods.box.bbox_seg import BBoxSeg
from wsss_lib.methods.box.grabcut import GrabCut
from wsss_lib.methods.box.sdi import SDI
from wsss_lib.show import COLOURS, Panel, Picture, show_panels


def known_figure() -> Picture:
    """What boxes tell, what a dense CRF makes of it, and the truth; of one image."""
    data = world()
    id = chosen("grabcut", over="bbox_rect")["median"]
    batch = WeakView(data, ("boxes",))[data.ids.index(id)]
    assert batch.boxes is not None
    image, boxes, count = batch.image[0], batch.boxes[0], len(data.classes)
    size = (image.shape[1], image.shape[2])
    filled = to_labels(BBoxRect(count).predict(batch), 0.5)[0]
    method = BBoxSeg.toy(count)
    middle = boxes_to_labels([shrink_boxes(boxes, method.centre)], size)[0]
    told = torch.where(middle > 0, middle, torch.where(filled > 0, IGNORE, 0))
    panels = [
        Panel(image, title="boxes"),
        Panel(image, labels=told, title="what they tell"),
        Panel(image, labels=to_labels(method.predict(batch), 0.5)[0], title="Bbox-Seg"),
        Panel(image, labels=data.mask(id), title="truth"),
    ]
    figure = show_panels(panels, columns=4, classes=data.classes)
    for x0, y0, x1, y1 in boxes[:, :4].tolist():
        figure.axes[0].add_patch(
            Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False, ec=COLOURS[0], lw=2.5)
        )
    return figure


def agreement_figure() -> Picture:
    """What a proposal, a cut and both call the object, and the truth; of two images."""
    data, panels = world(), []
    count, places = len(data.classes), chosen("grabcut", over="bbox_rect")
    sdi, grabcut = SDI.toy(count), GrabCut.toy(count)
    for place in ("largest", "median"):
        id = places[place]
        batch = WeakView(data, ("boxes",))[data.ids.index(id)]
        assert batch.boxes is not None
        image, cut = batch.image[0], to_labels(grabcut.predict(batch), 0.5)
        shown = {
            "best proposal": sdi.proposed(image, batch.boxes[0]),
            "GrabCut": cut[0],
            "both": sdi.agreed(cut, batch.image, batch.boxes)[0],
            "truth": data.mask(id),
        }
        panels += [Panel(image, labels=labels, title=title) for title, labels in shown.items()]
    return show_panels(panels, columns=4, classes=data.classes)
