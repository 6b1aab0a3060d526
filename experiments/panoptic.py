"""Who tells objects apart: panoptic quality of an answer, and a control that knows no objects.

Classes 1..C of the toy scenes are ground, sky and things. Clutter, which is no class there, is left
out of the truth as void is.
"""

from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from wsss_lib.blocks.labels.paint import points_to_labels
from wsss_lib.blocks.maps.class_maps import to_labels
from wsss_lib.core import IGNORE, Batch, TellsObjects
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.toy import KINDS
from wsss_lib.data.view import WeakView, collate
from wsss_lib.data.weak import objects_from_mask
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.methods.point.panoptic_fcn_point import PanopticFCN
from wsss_lib.methods.segmentation.segmenter import Segmenter
from wsss_lib.metrics import panoptic_quality


class ConnectedComponents(Segmenter):
    """A segmentation network from the same clicks, whose connected regions are its objects.

    It is told neither which clicks lie on one thing nor which classes are things; what it answers
    is divided afterwards.
    """

    things: tuple[int, ...]
    card = replace(
        PanopticFCN.card, id="connected_components", supervision=("points",), needs_scores=False
    )

    @classmethod
    def toy(cls, num_classes: int, backbone: Any = None) -> Self:
        """The network of the toy world, at its own rate, for as many steps as its system takes."""
        method, system = super().toy(num_classes, backbone), PanopticFCN.toy(num_classes)
        method.recipe = replace(method.recipe, steps=system.recipe.steps)
        method.things = system.reading.things
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy at the clicked pixels."""
        points, logits = batch.require("points", self.card.name), self.net(batch.image)
        labels = points_to_labels(points, (logits.shape[-2], logits.shape[-1]))
        return {"seg": pixel_loss(logits, labels)}

    def panoptic(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, H, W) classes, and (B, H, W) numbers of the connected regions of things."""
        classes = to_labels(self.predict(replace(batch, tags=None)), 0.5)
        classes = classes.masked_fill(classes == IGNORE, 0)
        is_thing = torch.isin(classes, classes.new_tensor(self.things))
        objects = [objects_from_mask(one) for one in classes.where(is_thing, 0)]
        return classes, torch.stack(objects).to(classes)


def panoptic_figures(method: TellsObjects, data: SegmentationFolder) -> dict[str, Any]:
    """Panoptic quality on images of which a method knows nothing else.

    Args:
        method: trained, in evaluation mode, on the CPU.
        data: with numbered objects.

    Returns:
        ``pq``, the mean over classes, ``pq_things`` and ``pq_stuff`` over those of a sort, ``sq``
        and ``rq``, the means of its two factors over all classes, and ``pq_each``, of every class.
    """
    view, pairs = WeakView(data, ()), []
    for start in range(0, len(view), 16):
        batch = collate([view[index] for index in range(len(view))[start : start + 16]])
        with torch.inference_mode():
            answers = zip(batch.ids, *method.panoptic(batch), strict=True)
            for id, classes, objects in answers:
                mask = data.mask(id)
                truth = [mask.where(mask > 0, IGNORE), data.layer("SegmentationObject", id)]
                pairs.append((torch.stack(truth, dim=2), torch.stack([classes, objects], dim=2)))
    count = len(data.classes)
    things = [1 + c for c, name in enumerate(data.classes) if name in KINDS]
    stuff = [c for c in range(1, count + 1) if c not in things]
    found = panoptic_quality(pairs, count, things)

    def mean(values: np.ndarray, classes: list[int]) -> float:
        known = values[classes][~np.isnan(values[classes])]
        return float(known.mean()) if len(known) else 0.0

    every = [*stuff, *things]
    return {
        "pq": mean(found.pq, every), "pq_things": mean(found.pq, things),
        "pq_stuff": mean(found.pq, stuff), "sq": mean(found.sq, every),
        "rq": mean(found.rq, every), "pq_each": np.nan_to_num(found.pq[1:]).round(4).tolist(),
    }  # fmt: skip
