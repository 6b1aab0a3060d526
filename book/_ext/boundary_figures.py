"""Pictures of boundary labels, made by the library from stored maps: nothing is trained."""

import torch
from stored_figures import chosen, gallery, world
from torch import Tensor

from wsss_lib.blocks.labels.boundaries import boundary_labels
from wsss_lib.blocks.labels.trust import trusted_labels
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import IGNORE
from wsss_lib.show import Panel, Picture, show_grid

TRUST, WINDOW, EVEN, DILATIONS = (0.3, 0.15), 7, (0.3, 0.15), (1, 2, 4)
"""As ``BENet.toy`` has them."""


def sure_and_boundary(image: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """(3, H, W) image and (C, H, W) scores -> trusted labels and boundary labels, (H, W) each."""
    sure = trusted_labels(pamr(image[None], scores[None], DILATIONS), *TRUST)
    return sure[0], boundary_labels(sure, len(scores), WINDOW, *EVEN)[0]


def from_scores_to_boundaries() -> Picture:
    """CAM, what is sure of it, and where it says that a boundary is; images in columns.

    They are those of the largest, the median and the smallest gain of PAMR over CAM.
    """
    data, stored, found = world(), gallery("cam"), chosen("pamr", over="cam")
    rows: dict[str, list[Panel]] = {
        name: [] for name in ("CAM", "sure", "boundary labels", "truth")
    }
    for id in found.values():
        image, scores = data.image(id), stored.scores(id, len(data.classes)).float()
        sure, edges = sure_and_boundary(image, scores)
        either = torch.where(sure == IGNORE, IGNORE, (sure > 0).long())
        rows["CAM"].append(Panel(image, scores.amax(dim=0)))
        rows["sure"].append(Panel(image, labels=either))
        rows["boundary labels"].append(Panel(image, labels=edges))
        rows["truth"].append(Panel(image, region=data.mask(id) > 0))
    heads = [f"{place} gain" for place in found]
    return show_grid(rows, heads, classes=("object", "boundary"))
