"""Box2Seg: a box is a noisy label, and the network learns where to believe it.

Every pixel of a box teaches its class, but counts only as much as an attention map of the class
says. The map costs nothing where it doubts, so it would doubt everything; it must fill as much of
the box as the mask of GrabCut does, and picks itself where.
"""

from typing import Self

from torch import Tensor

from wsss_lib.blocks.labels.paint import fill_boxes
from wsss_lib.blocks.maps.bap import outside_boxes
from wsss_lib.blocks.maps.class_maps import (
    foreground_scores,
    from_labels,
    keep_present,
    to_labels,
)
from wsss_lib.blocks.regions.filling import mean_inside
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.pairs import embedding_pair_loss
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.attended import AttendedNet
from wsss_lib.nets.segmentation.deeplab import toy_deeplab

CARD = Card(
    id="box2seg",
    name="Box2Seg",
    title="Box2Seg: Attention Weighted Loss and Discriminative Feature Learning for Weakly "
    "Supervised Segmentation",
    authors="Kulharia, Chandra, Agrawal, Torr, Tyagi",
    venue="ECCV",
    year=2020,
    supervision=("boxes",),
    family="box",
    paper="doi:10.1007/978-3-030-58583-9_18",
    survey_section="3.1",
    needs_scores=True,
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reconstruction",
    differs=(
        "no code was released; weights of the terms, the share of the filling rate and the "
        "schedule are ours",
        "attention and embeddings are read from the decoder of the segmentation, where the paper "
        "gives each a decoder of its own",
        "pairs of a grid of 16 x 16 pixels are compared, not all pairs",
        "terms are means over images, and within an image over the pixels of the boxes of a class",
        "no dense CRF after the network",
    ),
)


class Box2Seg(Method):
    """A segmentation network that learns which pixels of a box to learn from.

    Args:
        net: answers with (B, K, H, W) logits, and reads attention and embeddings as well.
        share: of GrabCut's filling rate that attention must reach, in [0, 1].
        fill: weight of that demand; below log K, attention to a box may die before the network
            has learned anything.
        alike: weight of the affinity of embeddings.
    """

    card = CARD
    recipe = Recipe(steps=20_000, batch_size=10, lr=2.5e-4, crop=321, scale=(0.5, 1.5))

    def __init__(
        self, net: AttendedNet, share: float = 0.8, fill: float = 4.0, alike: float = 1.0
    ) -> None:
        super().__init__()
        self.net, self.backbone = net, net.get_submodule("backbone")
        self.share, self.fill, self.alike = share, fill, alike

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(AttendedNet(toy_deeplab(num_classes, backbone), num_classes, dim=16))
        method.recipe = Recipe.toy(steps=400, lr=4e-3, head_factor=1.25)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """GrabCut's masks, boxes that are believed in part, how much of them, and affinities."""
        boxes, scores = batch.require("boxes", CARD.name), batch.require("scores", CARD.name)
        logits, attention, embedding = self.net.read(batch.image)
        size, count = (logits.shape[-2], logits.shape[-1]), attention.shape[1]
        inside, outside = fill_boxes(boxes, count, size), outside_boxes(boxes, size)
        labels, logs = to_labels(scores, 0.5), logits.log_softmax(dim=1)
        rates = mean_inside(from_labels(labels, count), inside)
        missing = (self.share * rates - mean_inside(attention, inside)).relu()
        return {
            "grabcut": pixel_loss(logits, labels),
            "foreground": -mean_inside(attention * logs[:, 1:], inside).sum(dim=1).mean(),
            "background": -mean_inside(logs[:, :1], outside).mean(),
            "filling": self.fill * missing.sum(dim=1).mean(),
            "affinity": self.alike * embedding_pair_loss(embedding, logs.exp()),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        probabilities = self.net(batch.image).softmax(dim=1)
        return keep_present(foreground_scores(probabilities), batch.tags)
