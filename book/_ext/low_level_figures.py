"""Pictures of rank pooling and of seeds that grow, computed from drawn maps."""

import numpy as np
import torch

from wsss_lib.blocks.refine.region_growing import grow_seeds
from wsss_lib.core import IGNORE
from wsss_lib.show import Panel, Picture, show_panels
from wsss_lib.show.picture import FONT, INK, drawn_on, line_colour

SIDE = 41
"""Of the maps of the paper."""
DECAYS = {"present class, d = 0.996": 0.996, "background, d = 0.999": 0.999, "mean, d = 1": 1.0}


def weights_figure() -> Picture:
    """What each pixel of a map counts in rank pooling, the largest value first."""
    figure, axis = drawn_on(6.0, 2.8)
    ranks = np.arange(SIDE**2)
    for number, (name, decay) in enumerate(DECAYS.items()):
        axis.plot(
            100 * ranks / len(ranks), decay**ranks, color=line_colour(number), linewidth=2,
            linestyle=("-", "--", ":")[number], label=name,
        )  # fmt: skip
    axis.plot([0], [1], "o", color=INK, markersize=7, label="maximum, d = 0")
    axis.set_xlabel("share of the map with larger values (%)", fontsize=FONT)
    axis.set_ylabel("weight", fontsize=FONT)
    axis.set_xlim(-2, 100)
    axis.set_ylim(0, 1.08)
    axis.legend(fontsize=FONT, frameon=False, labelcolor=INK)
    return figure


def drawn_probability() -> torch.Tensor:
    """(h, w) of an object: a sure body, a doubtful waist, a sure part behind it, an island."""
    probability = torch.full((12, 18), 0.04)
    probability[3:9, 2:8] = 0.93
    probability[5:7, 8:10] = 0.7
    probability[4:8, 10:13] = 0.93
    probability[2:4, 15:17] = 0.93
    return probability


def growth_figure() -> Picture:
    """Seeds, probabilities with an island, and what grows, with and without the doubtful waist."""
    probability = drawn_probability()
    seeds = torch.full(probability.shape, IGNORE)
    seeds[5:7, 3:5] = 1
    seeds[10:, :] = 0

    def large(values: torch.Tensor) -> torch.Tensor:
        return values.repeat_interleave(8, 0).repeat_interleave(8, 1)

    paper = torch.full((3, 8 * seeds.shape[0], 8 * seeds.shape[1]), 0.5)
    both = torch.stack([1 - probability, probability])[None]
    shown = {
        "seeds": seeds,
        "grown above 0.85": grow_seeds(both, seeds[None])[0],
        "grown above 0.6": grow_seeds(both, seeds[None], theta_fg=0.6)[0],
    }
    panels = [Panel(paper, large(probability), title="probability")]
    panels += [Panel(paper, labels=large(labels), title=title) for title, labels in shown.items()]
    return show_panels(panels, columns=4, classes=("object",), tint="probability")
