"""Pictures of clicks beside class maps and beside each other; nothing is trained here."""

from collections.abc import Sequence

import torch
from matplotlib.patches import Rectangle
from scipy import ndimage
from stored_figures import gallery, shown_classes, world
from torch import Tensor
from torch.nn.functional import normalize

from wsss_lib.blocks.maps.clicked import at_clicks
from wsss_lib.core import Batch
from wsss_lib.data.view import WeakView, collate
from wsss_lib.data.weak import Annotator
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.show import Panel, Picture, show_grid
from wsss_lib.show.picture import FONT, INK, drawn_on

PLACES = ("off the object", "on it, far from the click", "at the click")


def peaks() -> list[tuple[str, int, tuple[int, int], float, float]]:
    """Where the stored maps of CAM peak: image, class, (x, y), and distances in pixels.

    The first distance is that to the object, the second that to the nearest click on the class.
    """
    data, stored = world(), gallery("cam")
    view, found = WeakView(data, ("points",)), []
    for id in stored.common:
        points = view[view.ids.index(id)].require("points", "a picture of clicks")[0]
        for c in shown_classes(id):
            score = stored.scores(id, len(data.classes))[c - 1]
            y, x = divmod(int(score.argmax()), score.shape[-1])
            away = ndimage.distance_transform_edt((data.mask(id) != c).numpy())[y, x]
            clicks = points[points[:, 2] == c, :2]
            apart = (clicks - torch.tensor([x, y])).float().norm(dim=1)
            if len(clicks):
                found.append((id, c, (x, y), float(away), float(apart.min())))
    return found


def peaks_figure() -> Picture:
    """CAM's map, its peak and the clicks, where they agree least and best."""
    data, stored, found = world(), gallery("cam"), peaks()
    on = [one for one in found if one[3] == 0]
    columns = [
        max(found, key=lambda one: one[3]),
        max(on, key=lambda one: one[4]),
        min(on, key=lambda one: one[4]),
    ]
    rows: dict[str, list[Panel]] = {"CAM": [], "truth": []}
    for id, c, *_ in columns:
        score = stored.scores(id, len(data.classes))[c - 1]
        rows["CAM"].append(Panel(data.image(id), score, note=data.classes[c - 1]))
        rows["truth"].append(Panel(data.image(id), region=data.mask(id) == c))
    figure = show_grid(rows, PLACES)
    view = WeakView(data, ("points",))
    for axis, (id, c, (x, y), *_) in zip(figure.axes, columns, strict=False):
        for u, v, kind in view[view.ids.index(id)].require("points", "a picture")[0].tolist():
            if kind == c:
                axis.plot(u, v, "o", ms=9, color="white", mec="black", mew=1.5)
        axis.plot(x, y, "X", ms=10, color="black", mec="white", mew=1.5)
    return figure


def clicked_batch(ids: Sequence[str]) -> Batch:
    """Pictures with one click on each class that they show."""
    view = WeakView(world(), ("points",), annotator=Annotator(points_on="class"))
    return collate([view[view.ids.index(id)] for id in ids])


def distances(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Squared distances between clicks, by the features of the toy ImageNet.

    Returns:
        (n, n) distances, in [0, 4]; (n,) the classes of the clicks; (n,) numbers of their images.
    """
    points = batch.require("points", "a picture of distances")
    with torch.inference_mode():
        features = toy_cnn().eval()(batch.image)[-1]
    size = (batch.image.shape[-2], batch.image.shape[-1])
    directions = normalize(
        at_clicks(features - features.mean(dim=(0, 2, 3), keepdim=True), points, size)
    )
    owners = torch.cat([torch.full((len(one),), b) for b, one in enumerate(points)])
    apart = (2 - 2 * directions @ directions.T).clamp(0, 4)
    return apart, torch.cat([one[:, 2] for one in points]), owners


def pairs_figure(count: int = 8) -> Picture:
    """Distances between the clicks of the first stored pictures; pairs of one class are framed."""
    data = world()
    apart, kinds, owners = distances(clicked_batch(gallery("cam").common[:count]))
    figure, axis = drawn_on(5.4, 4.6)
    axis.grid(visible=False)
    shown = axis.imshow(apart.numpy(), cmap="plasma", vmin=0, vmax=2)
    bar = figure.colorbar(shown, ax=axis, label="squared distance")
    bar.ax.tick_params(labelsize=FONT, colors=INK)
    bar.ax.yaxis.label.set(color=INK, fontsize=FONT)
    for i, j in (kinds[:, None] == kinds).triu(1).nonzero().tolist():
        for row, column in ((i, j), (j, i)):
            axis.add_patch(
                Rectangle((column - 0.45, row - 0.45), 0.9, 0.9, fill=False, ec="white", lw=2)
            )
    for b in owners.unique().tolist():
        first, number = int((owners == b).nonzero()[0]), int((owners == b).sum())
        axis.add_patch(
            Rectangle((first - 0.5, first - 0.5), number, number, fill=False, ec="black", lw=2.5)
        )
    names = [data.classes[kind - 1] for kind in kinds.tolist()]
    axis.set_yticks(range(len(names)), names)
    axis.set_xticks(range(len(names)), names, rotation=90)
    return figure
