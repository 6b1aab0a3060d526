"""What labels cost and what the same network learns from them."""

import numpy as np
import torch
from IPython.display import Markdown
from measured import results_folder, table
from photograph_figures import photographs
from wsss_book import look_up, summary_of

from experiments.one_photograph import seen
from wsss_lib.core import IGNORE
from wsss_lib.data.costs import seconds_per_image
from wsss_lib.results import read_result
from wsss_lib.show.live import LiveFigure, live_clock
from wsss_lib.show.picture import FONT, INK, WIDTH, Picture, drawn_on, line_colour

NETWORKS = (
    ("tags", "standard/segmenter_pamr:val_miou", "tags: CAM, PAMR"),
    ("points", "standard/whats_the_point:val_miou", "points: What's the Point"),
    ("scribble", "standard/pce:val_miou", "scribbles: partial cross-entropy"),
    ("scribble", "standard/ncut_loss:val_miou", "scribbles: normalised cut"),
    ("boxes", "standard/segmenter_bbox_rect:val_miou", "boxes: filled"),
    ("boxes", "standard/segmenter_grabcut:val_miou", "boxes: GrabCut"),
    ("masks", "standard/ceiling:val_miou", "masks"),
)
"""Kind of label, where the figure of its network is stored, and what to call it."""
MARKERS = "os^vDXP"
CLOCK = 480
"""Pixels of the longest side of the photograph that is labelled against the clock."""


def cost_figure(source: str = "bearman") -> Picture:
    """Mean IoU on new images over the seconds that labelling an image takes a person."""
    figure, axes = drawn_on(WIDTH, 3.6)
    kinds = list(dict.fromkeys(kind for kind, _, _ in NETWORKS))
    for (kind, target, name), marker in zip(NETWORKS, MARKERS, strict=True):
        found = summary_of(*look_up(target))
        axes.errorbar(
            seconds_per_image(kind, source), found["mean"], yerr=found["sd"], marker=marker,
            color=line_colour(kinds.index(kind)), linestyle="", markersize=7, capsize=4, label=name,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlabel("seconds of a person for an image (VOC)", fontsize=FONT)
    axes.set_ylabel("mean IoU, new images", fontsize=FONT)
    axes.set_xticks([20, 50, 100, 200], ["20", "50", "100", "200"], minor=False)
    axes.set_xticks([], minor=True)
    axes.legend(
        fontsize=FONT, frameon=False, labelcolor=INK, loc="center left", bbox_to_anchor=(1.01, 0.5)
    )
    return figure


BOUGHT = {
    "tags": "tags", "points": "points", "scribble": "scribbles: normalised cut",
    "boxes": "boxes: GrabCut", "masks": "masks", "mixture": "half of the hours masks, half tags",
}  # fmt: skip
"""Kinds of label in ``results/ten_hours.json``, and what to call them."""


def bought() -> dict[str, dict[float, list[dict]]]:
    """The networks of ``results/ten_hours.json``, by label and hours."""
    runs = read_result(results_folder() / "ten_hours.json")["runs"]
    return {
        kind: {
            hours: [run for run in runs if (run["label"], run["hours"]) == (kind, hours)]
            for hours in sorted({run["hours"] for run in runs})
        }
        for kind in BOUGHT
    }


def hours_figure() -> Picture:
    """Mean IoU on new images over the hours that labelling the training images takes people.

    The boxes stand there twice: at the price of drawing them, and at that of four extreme clicks.
    """
    figure, axes = drawn_on(WIDTH, 4.2)
    for number, (kind, found) in enumerate(bought().items()):
        hours = np.array(list(found))
        values = [[run["miou"] for run in runs] for runs in found.values()]
        means = [np.mean(here) for here in values]
        style = {"color": line_colour(number), "marker": MARKERS[number]}
        axes.plot(hours, means, markersize=7, label=BOUGHT[kind], **style)
        for paid, here in zip(hours, values, strict=True):
            axes.plot(
                [paid] * len(here), here, linestyle="", markersize=4, markerfacecolor="white",
                zorder=3, **style,
            )  # fmt: skip
        if kind == "boxes":
            cheaper = seconds_per_image("extremes") / seconds_per_image("boxes")
            axes.plot(
                hours * cheaper, means, markersize=7, linestyle=":", markerfacecolor="none",
                label="the same boxes, by four extreme clicks", **style,
            )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_xticks(hours, [f"{paid:g}" for paid in hours])
    axes.set_xlabel("hours of people", fontsize=FONT)
    axes.set_ylabel("mean IoU, new images", fontsize=FONT)
    axes.legend(
        fontsize=FONT, frameon=False, labelcolor=INK, loc="center left", bbox_to_anchor=(1.01, 0.5)
    )
    return figure


def clock_figure(id: str, about: str) -> LiveFigure:
    """A photograph to label against the clock, and what ten hours buy at that speed.

    Args:
        id: of a photograph of the book with one class.
        about: which object is meant.
    """
    data = photographs()
    image = seen(data, id, CLOCK)[0]
    rows, columns = (
        torch.linspace(0.5, side - 0.5, small).long()
        for side, small in zip(data.mask(id).shape, image.shape[1:], strict=True)
    )
    mask = data.mask(id)[rows][:, columns]
    label = int(data.tags(id).argmax()) + 1
    truth = torch.where(mask == IGNORE, mask, (mask == label).long())
    curves = {
        kind: [(hours, float(np.mean([run["miou"] for run in runs]))) for hours, runs in by.items()]
        for kind, by in bought().items()
    }
    return live_clock(image, truth, data.classes[label - 1], about, data.classes, curves)


def hours_table() -> Markdown:
    """Mean IoU by label and hours, and how many images were bought."""
    found = bought()
    hours = list(found["tags"])
    lines = []
    for kind, by_hours in found.items():
        cells = [
            f"{np.mean([run['miou'] for run in runs]):.3f} ({runs[0]['images']})"
            for runs in by_hours.values()
        ]
        lines.append([BOUGHT[kind], *cells])
    return table(["label", *(f"{paid:g} h" for paid in hours)], lines)
