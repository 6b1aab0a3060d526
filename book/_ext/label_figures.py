"""Pictures of the labels themselves, drawn from the masks of the toy world."""

import numpy as np
from matplotlib.patches import Rectangle
from scipy.ndimage import distance_transform_edt
from skimage.morphology import skeletonize
from toy_figures import toy

from wsss_lib.show import COLOURS, Picture, overlay


def label_types(id: str) -> Picture:
    """One image under five kinds of label."""
    world = toy()
    image, mask = world.image(id), world.mask(id)
    instances = world.layer("SegmentationObject", id)
    pixels = image.permute(1, 2, 0).numpy()
    figure = Picture(figsize=(10, 2.6), layout="constrained")
    names = ("tags", "points", "scribbles", "boxes", "masks")
    axes = dict(zip(names, figure.subplots(1, 5), strict=True))
    for name, axis in axes.items():
        axis.imshow(overlay(image, mask) if name == "masks" else pixels)
        axis.set_title(name, fontsize=11)
        axis.set_xticks([])
        axis.set_yticks([])
    present = [world.classes[c] for c in world.tags(id).nonzero().flatten().tolist()]
    axes["tags"].set_xlabel(", ".join(present), fontsize=11)
    for number in np.unique(instances[(instances > 0) & (instances < 255)]):
        inside = (instances == number).numpy()
        label = int(mask[inside].mode().values)
        colour = COLOURS[(label - 1) % len(COLOURS)]
        depth = distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        axes["points"].plot(x, y, "o", ms=8, color=colour, mec="black")
        rows, columns = np.nonzero(skeletonize(depth > 1.5))
        axes["scribbles"].plot(columns, rows, "s", ms=2.5, color=colour, mec="black", mew=0.3)
        rows, columns = np.nonzero(inside)
        axes["boxes"].add_patch(
            Rectangle(
                (columns.min() - 0.5, rows.min() - 0.5), np.ptp(columns) + 1, np.ptp(rows) + 1,
                fill=False, edgecolor=colour, linewidth=2.5,
            )
        )  # fmt: skip
    return figure
