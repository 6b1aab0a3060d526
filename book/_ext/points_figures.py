"""Pictures of clicks and of the objectness prior; nothing is trained here."""

from stored_figures import world

from wsss_lib.blocks.regions.objectness import objectness_prior
from wsss_lib.data.view import WeakView
from wsss_lib.show import Panel, Picture, show_panels


def click_figure(id: str) -> Picture:
    """The clicks on an image, the prior, and the truth."""
    data = world()
    batch = WeakView(data, ("points",))[data.ids.index(id)]
    assert batch.points is not None
    image = batch.image[0]
    prior = objectness_prior(batch.image, 60)[0, 0]
    panels = [
        Panel(image, title="clicks"),
        Panel(image, prior, title="objectness prior"),
        Panel(image, labels=data.mask(id), title="truth"),
    ]
    figure = show_panels(panels, classes=data.classes)
    for x, y, kind in batch.points[0].tolist():
        figure.axes[0].plot(x, y, "o", ms=9, color="white", mec="black", mew=1.5)
        figure.axes[0].annotate(
            data.classes[kind - 1], (x, y), (6, 6), textcoords="offset points", fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "black", "pad": 1.5},
        )  # fmt: skip
    return figure
