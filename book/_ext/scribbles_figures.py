"""Pictures of scribbles and of what a graph cut makes of them; nothing is trained here."""

import torch
from measured import axis_of, results_folder
from stored_figures import label_panel, world
from torch import Tensor

from wsss_lib.blocks.refine.lattice import Lattice, bilateral_features
from wsss_lib.blocks.refine.propagation import spread_scribble
from wsss_lib.core import IGNORE
from wsss_lib.data.view import WeakView
from wsss_lib.results import read_result
from wsss_lib.show import Panel, Picture, plot_doses, show_panels


def drawn(id: str) -> tuple[Tensor, Tensor]:
    """(3, H, W) image and (H, W) scribble."""
    batch = WeakView(world(), ("scribble",))[world().ids.index(id)]
    assert batch.scribble is not None
    return batch.image[0], batch.scribble[0]


def cut_figure(id: str) -> Picture:
    """The strokes, the labels of the first cut, and the truth."""
    image, scribble = drawn(id)
    classes = (*world().classes, "stroke on the ground")
    strokes = torch.where(scribble == 0, len(classes), scribble)
    strokes[scribble == IGNORE] = 0
    cut = label_panel(id, spread_scribble(image, scribble, count=60))
    panels = [
        Panel(image, title="image"),
        Panel(image, labels=strokes, title="scribbles"),
        Panel(cut.image, labels=cut.labels, title="first cut", note=cut.note),
        Panel(image, labels=world().mask(id), title="truth"),
    ]
    return show_panels(panels, classes=classes)


def links_figure(id: str) -> Picture:
    """How strongly every pixel is linked to the middle of each stroke, by place and colour."""
    image, scribble = drawn(id)
    kernel = Lattice(bilateral_features(image[None], 10.0, 15.0))
    panels, places = [], []
    for kind in sorted(set(scribble.unique().tolist()) - {IGNORE}):
        pixels = (scribble == kind).nonzero()
        row, column = pixels[len(pixels) // 2].tolist()
        one = torch.zeros(1, 1, *image.shape[1:])
        one[..., row, column] = 1
        found = kernel.filter(one)[0, 0]
        name = "ground" if kind == 0 else world().classes[kind - 1]
        strongest = found.quantile(0.99)  # the pixel itself outshines all others
        panels.append(Panel(image, (found / strongest).clamp(max=1), title=f"from the {name}"))
        places.append((column, row))
    figure = show_panels(panels)
    for axis, place in zip(figure.axes, places, strict=False):
        axis.plot(*place, "o", ms=6, color="white", mec="black", mew=1.5)
    return figure


def teachers_figure() -> Picture:
    """How good the labels of ScribbleSup's cut are, and the network beside them."""
    runs = read_result(results_folder() / "cuts.json")["runs"]
    lengths = list(dict.fromkeys(run["length"] for run in runs))
    names = {
        "strokes": "cut of strokes alone", "strokes_and_network": "cut, the network has a say",
        "network": "the network of partial cross-entropy",
    }  # fmt: skip
    found = {
        name: [[run[key] for run in runs if run["length"] == length] for length in lengths]
        for key, name in names.items()
    }
    figure = plot_doses(
        found, lengths, len(lengths) - 1, axis_of("scribble"), "mean IoU, training images"
    )
    figure.axes[0].set_ylim(0.5, 0.85)
    return figure
