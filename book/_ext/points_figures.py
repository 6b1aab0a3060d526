"""Pictures of clicks and of the objectness prior; nothing is trained here."""

from toy_figures import toy

from wsss_lib.blocks.regions.objectness import objectness_prior
from wsss_lib.data.view import WeakView
from wsss_lib.show import Picture, overlay


def click_figure(id: str) -> Picture:
    """The clicks on an image, the prior, and the truth."""
    batch = WeakView(toy(), ("points",))[toy().ids.index(id)]
    assert batch.points is not None
    image = batch.image[0]
    figure = Picture(figsize=(7.5, 2.7), layout="constrained")
    axes = figure.subplots(1, 3)
    axes[0].imshow(image.permute(1, 2, 0))
    for x, y, kind in batch.points[0].tolist():
        axes[0].plot(x, y, "o", ms=9, color="white", mec="black", mew=1.5)
        axes[0].annotate(
            toy().classes[kind - 1], (x, y), (6, 6), textcoords="offset points", fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "black", "pad": 1.5},
        )  # fmt: skip
    shown = axes[1].imshow(objectness_prior(batch.image, 60)[0, 0], vmin=0, vmax=1)
    axes[2].imshow(overlay(image, toy().mask(id)))
    for axis, title in zip(axes, ("clicks", "objectness prior", "truth"), strict=True):
        axis.set_title(title, fontsize=9, pad=3)
        axis.set_axis_off()
    figure.colorbar(shown, ax=axes[1], fraction=0.046, pad=0.02)
    return figure
