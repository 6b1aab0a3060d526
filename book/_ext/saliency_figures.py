"""Pictures of what saliency does to seeds, on maps that are made up."""

import torch

from wsss_lib.core import Batch
from wsss_lib.methods.image_level.extra_supervision.guided_labels import GuidedLabels
from wsss_lib.show import Panel, Picture, show_grid

PARTS = {
    "one class": (slice(2, 22), slice(4, 20)),
    "two classes": (slice(2, 22), slice(28, 60)),
    "no class": (slice(34, 44), slice(6, 24)),
}
"""Rows and columns of the regions that stand out, by what lies on them."""
SEEDS = (
    (0, slice(4, 9), slice(8, 13)),
    (0, slice(5, 10), slice(30, 36)),
    (1, slice(12, 18), slice(52, 57)),
    (1, slice(34, 40), slice(40, 46)),
)
"""Class, rows and columns of what a class map is sure of; the last lies on nothing salient."""
CLASSES = ("cat", "boat")
LINE = 44
"""Column at which the object of the second region changes its colour."""


def made_up() -> Batch:
    """One picture 48 x 64 with three regions that stand out, and four seeds of two classes."""
    image, saliency = torch.full((3, 48, 64), 0.6), torch.zeros(1, 1, 48, 64)
    for place in PARTS.values():
        image[:, *place] = 0.9
        saliency[0, 0][place] = 0.9
    rows, columns = PARTS["two classes"]
    image[:, rows, LINE : columns.stop] = 0.25
    scores = torch.zeros(1, 2, 48, 64)
    for kind, rows, columns in SEEDS:
        scores[0, kind, rows, columns] = 1.0
    return Batch(("made up",), image[None], torch.ones(1, 2), scores, saliency=saliency)


def rule_figure() -> Picture:
    """What is given, and what three rules make of it."""
    batch, method = made_up(), GuidedLabels.toy(2)
    image, saliency = batch.image[0], batch.saliency
    assert batch.scores is not None
    assert saliency is not None
    seeds = method.seeds(batch.scores, batch.tags)[0]
    guide = (method.predict(batch)[0] * torch.tensor([1, 2]).view(2, 1, 1)).sum(dim=0).long()
    product = torch.where(saliency[0, 0] >= method.salient, seeds, 0)
    panels = [
        Panel(image, saliency[0, 0], title="saliency"),
        Panel(image, labels=seeds, title="seeds"),
        Panel(image, labels=product, title="seeds where\nsalient"),
        Panel(image, labels=guide, title="guide labels"),
    ]
    return show_grid(
        {"": panels}, [panel.title for panel in panels], classes=CLASSES, tint="saliency"
    )
