"""What labels cost and what the same network learns from them."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from wsss_book import look_up, summary_of

from wsss_lib.data.costs import seconds_per_image

NETWORKS = (
    ("tags", "toy/segmenter_pamr:miou", "tags: CAM, PAMR"),
    ("points", "toy/whats_the_point:val_miou", "points: What's the Point"),
    ("scribble", "toy/pce:val_miou", "scribbles: partial cross-entropy"),
    ("scribble", "toy/ncut_loss:val_miou", "scribbles: normalised cut"),
    ("boxes", "toy/bbox_rect:network_miou", "boxes: filled"),
    ("boxes", "toy/grabcut:network_miou", "boxes: GrabCut"),
    ("boxes", "toy_gpu/bana:network_miou", "boxes: BANA"),
    ("masks", "toy/ceiling:miou", "masks"),
)
"""Kind of label, where the figure of its network is stored, and what to call it."""
BOXES = "#d55e00"
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#009e73", BOXES, BOXES, BOXES, "#000000")
MARKERS = "os^vDXhP"


def cost_figure(source: str = "bearman") -> Figure:
    """Mean IoU on new images over the seconds that labelling an image takes a person."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for (kind, target, name), colour, marker in zip(NETWORKS, COLOURS, MARKERS, strict=True):
        found = summary_of(*look_up(target))
        axes.errorbar(
            seconds_per_image(kind, source),
            found["mean"],
            yerr=found["sd"],
            color=colour,
            marker=marker,
            linestyle="",
            capsize=3,
            label=name,
        )
    axes.set(
        xscale="log", xlabel="seconds of a person for an image (VOC)", ylabel="mean IoU, new images"
    )
    axes.set_xticks([20, 50, 100, 200], ["20", "50", "100", "200"], minor=False)
    axes.set_xticks([], minor=True)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    plt.close(figure)
    return figure
