"""What labels cost and what the same network learns from them."""

from wsss_book import look_up, summary_of

from wsss_lib.data.costs import seconds_per_image
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
