"""SPML: pixels learn which segments they belong with, from any kind of weak label.

An embedding of pixels is taught by relations to segments: those of the same region of colour, of
the same label, of images that share a class. Labels enter as one of these relations, so it is the
same whether somebody drew strokes, clicked, drew boxes or named what is there.
"""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.labels.paint import Kind, weak_labels
from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present, rescale
from wsss_lib.blocks.regions.grouping import Segments, segment
from wsss_lib.core import IGNORE, Batch, Card, Method, Recipe
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.losses.regions import segment_contrast, similarity_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.heads.memory import SegmentMemory
from wsss_lib.nets.marks.embedded import EmbeddingNet, toy_embedding_net

CARD = Card(
    id="spml",
    name="SPML",
    title="Universal Weakly Supervised Segmentation by Pixel-to-Segment Contrastive Learning",
    authors="Ke, Hwang, Yu",
    venue="ICLR",
    year=2021,
    supervision=("scribble",),
    family="scribble",
    paper="arXiv:2105.00957",
    official="https://github.com/twke18/SPML",
    survey_section="3.2",
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reduced",
    differs=(
        "one of its four kinds of labels stands on this card, as in the survey; "
        "SPML(..., kind=...) learns from the others as well",
        "the classifier learns from labelled pixels beside the embedding, as in the first stage of "
        "the released scripts; their second stage teaches one anew, from labels that a random walk "
        "on the embedding and a dense CRF spread",
        "regions of colour by Felzenszwalb and Huttenlocher; the released ones come from HED, "
        "which learned from drawn boundaries",
        "the fourth relation, feature affinity, is left out; its weight is 0 in the released "
        "scripts for PASCAL VOC",
        "co-occurrence is asked of a sample of the pixels of a batch",
        "strokes and clicks fill a cell of the grid, and are not widened by 3 and 6 pixels",
        "the memory holds so many segments, not those of so many batches",
        "no dense CRF after the network",
    ),
)


RELATIONS: dict[Kind, tuple[float, float, float, float]] = {
    "scribble": (1.0, 0.5, 0.1, 12.0), "points": (0.1, 0.1, 0.1, 8.0),
    "boxes": (0.3, 0.3, 0.1, 8.0), "tags": (0.3, 0.3, 0.1, 8.0),
}  # fmt: skip
"""Weights of annotation, co-occurrence and similarity, and the concentration of the second."""


class SPML(Method):
    """An embedding taught by segments, and a classifier that reads it and teaches it nothing.

    Args:
        net: embeds (B, 3, H, W) images pixel by pixel; ``net.backbone`` learns slowly.
        kind: of labels. Boxes and tags need ``batch.scores``, which say where in them to look.
        stride: pixels per step of the grid on which pixels and segments are compared.
        side: clusters along each side of an image, at first.
        room: segments in the memory.
        anchors: pixels of a batch that are asked for co-occurrence.
    """

    card = CARD
    recipe = Recipe(steps=30_000, batch_size=16, lr=3e-3, crop=512, scale=(0.5, 1.5))

    def __init__(
        self, net: EmbeddingNet, kind: Kind = "scribble", stride: int = 4, side: int = 6,
        room: int = 8192, anchors: int = 8192,
    ) -> None:  # fmt: skip
        super().__init__()
        self.net, self.backbone, self.kind = net, net.get_submodule("backbone"), kind
        self.stride, self.side, self.anchors = stride, side, anchors
        self.memory = SegmentMemory(net.num_classes, net.width, room)

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(toy_embedding_net(num_classes, backbone), "scribble", 2, 3, 2048, 1024)
        method.recipe = Recipe.toy(steps=400, lr=4e-3, head_factor=1.25)
        return method

    def relations(self, parts: Segments, tags: Tensor) -> dict[str, Tensor]:
        """What pixels owe segments of their label, of images of their tags, of their region."""
        own, new = parts.owner, (parts.prototypes, parts.label, tags[parts.image])
        prototypes, labels, shown = self.memory.joined(*new)
        self.memory.write(*new)
        same, shared = parts.label[:, None] == labels, tags[parts.image] @ shown.T > 0

        def pull(chosen: Tensor, yes: Tensor, no: Tensor, concentration: float) -> Tensor:
            mine, v = own[chosen], parts.pixels[chosen]
            return segment_contrast(v, prototypes, mine, yes[mine], no[mine], concentration)

        weights, marked = RELATIONS[self.kind], (parts.label[own] != IGNORE).nonzero()[:, 0]
        asked = torch.randperm(len(own), device=own.device)[: self.anchors]
        near = similarity_loss(parts.placed, own, parts.image, parts.region, 16.0)
        return {
            "annotation": weights[0] * pull(marked, same, ~same & (labels != IGNORE), 6.0),
            "cooccurrence": weights[1] * pull(asked, shared, ~shared, weights[3]),
            "similarity": weights[2] * near,
        }

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The relations teach the embedding, labels a classifier that only reads it."""
        count, v = self.net.num_classes, self.net.embed(batch.image)
        labels, tags = weak_labels(batch, count, self.kind, CARD.name)
        small = F.normalize(rescale(v, 1 / self.stride), dim=1)
        parts = segment(small, batch.image, labels, count + 1, self.side)
        seg = RELATIONS[self.kind][0] * pixel_loss(self.net.classify(v), labels)
        return {"seg": seg, **self.relations(parts, tags)}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        probabilities = self.net(batch.image).softmax(dim=1)
        return keep_present(foreground_scores(probabilities), batch.tags)
