"""Guided Labelling: seeds say what an object is, saliency says how far it reaches.

A class map is hot on some part of an object, a saliency map draws objects whole and has no names
for them. Whatever stands out and hangs together takes the name of the seeds that lie on it.
"""

from functools import partial
from typing import Self

import torch
from torch import Tensor

from wsss_lib.blocks.labels.guide import guide_labels, share_by_crf
from wsss_lib.blocks.maps.class_maps import from_labels, normalize
from wsss_lib.blocks.refine.dense_crf import CRF, PRESETS
from wsss_lib.core import Batch, Card, Method
from wsss_lib.nets.backbones.backbone import Backbone

CARD = Card(
    id="guided_labels",
    name="Guided Labelling",
    title="Exploiting Saliency for Object Segmentation from Image Level Labels",
    authors="Oh, Benenson, Khoreva, Akata, Fritz, Schiele",
    venue="CVPR",
    year=2017,
    supervision=("tags", "saliency"),
    family="image_level/extra_supervision",
    paper="arXiv:1701.08261",
    official="https://github.com/coallaoh/GuidedLabelling",
    survey_section="2.1.5",
    fidelity="reduced",
    needs=("saliency, from a network that has seen masks of other classes",),
    needs_scores=True,
    own_background=True,
    differs=(
        "the guide labeller alone, which learns nothing; the network that the paper teaches with "
        "the guide labels is a stage of its own here",
        "seeds come from the scores of the stage before, which look at several sizes and at mirror "
        "images; the paper's seeder, GAP-HighRes, is a VGG-16 with finer maps and looks once",
        "pixels that touch at a corner hang together; the released code leaves that to a library "
        "which it does not hold",
        "on the toy world the Gaussian and the kernels of the CRF are as much narrower as its "
        "images are smaller, and what has a saliency of a tenth stands out: there the toy saliency "
        "network is right most often in the tuning world",
    ),
)


class GuidedLabels(Method):
    """The guide labeller: rule G2, training-free.

    Args:
        seed: share of its maximum that a class map must reach to be a seed.
        salient: saliency that counts as standing out.
        least: share of the image that a salient region must cover.
        blur: standard deviation, in pixels, of the Gaussian over the seeds of classes that meet.
        settings: of the dense CRF that shares out a region among classes that meet.
    """

    card = CARD

    def __init__(
        self,
        seed: float = 0.2,
        salient: float = 0.5,
        least: float = 0.01,
        blur: float = 10.0,
        settings: CRF = PRESETS["guided_labels"],
    ) -> None:
        super().__init__()
        self.seed, self.salient, self.least = seed, salient, least
        self.blur, self.settings = blur, settings

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """Widths that suit 64 x 64 pixels; neither ``num_classes`` nor a backbone matters."""
        return cls(salient=0.1, blur=1.5, settings=CRF(sxy=8, srgb=8))

    def seeds(self, scores: Tensor, tags: Tensor | None) -> Tensor:
        """(B, C, H, W) scores -> (B, H, W) the strongest class where it is strong enough, or 0."""
        peak, winner = normalize(scores, tags).max(dim=1)
        return torch.where(peak >= self.seed, winner + 1, 0)

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): 1 where the guide labels have the class, 0 elsewhere."""
        scores = batch.require("scores", CARD.name)
        salient = batch.require("saliency", CARD.name)[:, 0] >= self.salient
        guides = []
        for image, seeds, stands_out in zip(
            batch.image, self.seeds(scores, batch.tags), salient, strict=True
        ):
            share = partial(share_by_crf, image, seeds, blur=self.blur, settings=self.settings)
            guides.append(guide_labels(seeds, stands_out, share, self.least))
        return from_labels(torch.stack(guides), scores.shape[1])
