"""Pictures of what fills a box; nothing is trained here."""

from matplotlib.patches import Rectangle
from stored_figures import gallery, shown_classes, world

from wsss_lib.blocks.labels.paint import fill_boxes
from wsss_lib.blocks.maps.class_maps import from_labels
from wsss_lib.blocks.regions.filling import mean_inside
from wsss_lib.data.view import WeakView
from wsss_lib.show import COLOURS, Panel, Picture, show_grid


def rates_figure() -> Picture:
    """What GrabCut and the object fill of a box, where they differ most to either side, and least.

    The choice is among all images whose maps are stored, and their classes.
    """
    data, stored = world(), gallery("grabcut")
    view, found = WeakView(data, ("boxes",)), []
    for id in stored.common:
        boxes = view[view.ids.index(id)].require("boxes", "a picture of boxes")
        mask = data.mask(id)
        inside = fill_boxes(boxes, len(data.classes), (mask.shape[0], mask.shape[1]))
        masks = {
            "GrabCut": stored.labels(id, len(data.classes)),
            "object": mask.where(mask != 255, 0).long(),
        }
        rates = {
            name: mean_inside(from_labels(one[None], len(data.classes)), inside)[0]
            for name, one in masks.items()
        }
        for c in shown_classes(id):
            share = {name: float(rate[c - 1]) for name, rate in rates.items()}
            found.append((share["GrabCut"] - share["object"], id, c, masks, share, boxes[0]))
    found.sort(key=lambda one: one[:2])
    chosen = {
        "far too large": found[-1],
        "about right": min(found, key=lambda one: abs(one[0])),
        "far too small": found[0],
    }
    rows: dict[str, list[Panel]] = {"box": [], "GrabCut": [], "object": []}
    for _, id, c, masks, share, _ in chosen.values():
        rows["box"].append(Panel(data.image(id), note=data.classes[c - 1]))
        for name, one in masks.items():
            note = f"fills {100 * share[name]:.0f} %"
            rows[name].append(Panel(data.image(id), region=one == c, note=note))
    figure = show_grid(rows, list(chosen))
    for column, (_, _, c, _, _, boxes) in enumerate(chosen.values()):
        for x0, y0, x1, y1, kind in boxes.tolist():
            if kind == c:
                figure.axes[column].add_patch(
                    Rectangle(
                        (x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False, ec=COLOURS[0], lw=2.5
                    )
                )
    return figure
