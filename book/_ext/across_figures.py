"""Pictures of what the images of one class have in common."""

from collections import Counter

import torch
import torch.nn.functional as F
from scipy.ndimage import distance_transform_edt
from stored_figures import gallery, maps_figure, shown_classes, world

from wsss_lib.evaluate import confusion_of, ious
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.show import Panel, Picture, show_grid
from wsss_lib.show.picture import FONT, drawn_on, line_colour


def commonest() -> tuple[int, list[str]]:
    """The class that most of the stored images show, and these images, its best IoU first."""
    stored, data = gallery("cam"), world()
    counts = Counter(c for id in stored.common for c in shown_classes(id))
    c, count = counts.most_common(1)[0][0], len(data.classes)
    having = [id for id in stored.common if c in shown_classes(id)]

    def iou(id: str) -> float:
        return float(ious(confusion_of(data.mask(id), stored.labels(id, count), count))[c])

    return c, sorted(having, key=iou, reverse=True)


def one_class_figure(most: int = 5) -> Picture:
    """CAM's maps of one class in several images, and the truth."""
    c, images = commonest()
    return maps_figure(("cam",), [("", id, c) for id in images[:most]])


def asked_figure() -> Picture:
    """A place of an object, and how much every place of this and of another image is like it.

    The features are those that all toy systems begin with. The place is the one deepest inside the
    object of the best image, the other image is the second.
    """
    c, images = commonest()
    data = world()
    seen = torch.stack([data.image(id) for id in images[:2]])
    with torch.inference_mode():
        features = F.normalize(toy_cnn().eval()(seen)[-1], dim=1)
    size, side = features.shape[-1], seen.shape[-1]
    inside = distance_transform_edt((data.mask(images[0]) == c).numpy())
    row, column = divmod(int(inside.argmax()), side)
    asks = features[0, :, row * size // side, column * size // side]
    alike = torch.einsum("bdhw,d->bhw", features, asks)
    alike = alike.clamp(min=0)
    mark = torch.zeros(side, side)
    mark[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3] = 1
    rows = {
        "image": [Panel(seen[0], region=mark), Panel(seen[1])],
        "alike": [Panel(image, m) for image, m in zip(seen, alike, strict=True)],
    }
    return show_grid(rows, ("who asks", "another image"), tint="cosine of the features")


def momentum_figure(visits: int = 60) -> Picture:
    """How much of what a slot began with is left after so many visits."""
    figure, axis = drawn_on(6.0, 2.8)
    for number, (momentum, line) in enumerate(((0.99, "-"), (0.9, "--"), (0.5, ":"))):
        left = [momentum**visit for visit in range(visits + 1)]
        axis.plot(left, line, label=f"{momentum}", color=line_colour(number), linewidth=1.8)
    axis.set_xlim(0, visits)
    axis.set_ylim(0, 1)
    axis.set_xlabel("regions that came to the slot since it was filled", fontsize=FONT)
    axis.set_ylabel("share of the first one", fontsize=FONT)
    axis.legend(title="momentum", fontsize=FONT, frameon=False)
    return figure
