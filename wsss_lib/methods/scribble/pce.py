"""Partial cross-entropy: train on the labelled pixels alone. The floor of scribbles.

A network that has seen only the middle of things fills in the rest by itself, because a pixel looks
like its neighbours; it has no reason to know where a thing ends.
"""

from typing import Self

from torch import Tensor

from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import DeepLab, toy_deeplab

CARD = Card(
    id="pce",
    name="Partial cross-entropy",
    title="Normalized Cut Loss for Weakly-supervised CNN Segmentation",
    authors="Tang, Djelouah, Perazzi, Boykov, Schroers",
    venue="CVPR",
    year=2018,
    supervision=("scribble",),
    family="scribble",
    paper="arXiv:1804.01346",
    official="https://github.com/meng-tang/rloss",
    survey_section="3.2",
    uses_tags_at_inference=False,
    own_background=True,
    differs=("no dense CRF after the network",),
)


class PartialCrossEntropy(Method):
    """A segmentation network that learns from scribbled pixels.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits; ``net.backbone`` learns slowly.
    """

    card = CARD
    recipe = Recipe(steps=20_000, batch_size=10, lr=2.5e-4, crop=321, scale=(0.5, 1.5))

    def __init__(self, net: DeepLab) -> None:
        super().__init__()
        self.net, self.backbone = net, net.backbone

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(toy_deeplab(num_classes, backbone))
        method.recipe = Recipe.toy(steps=400, lr=4e-3, head_factor=1.25)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The mean cross-entropy of the pixels that somebody drew on."""
        return {"seg": pixel_loss(self.net(batch.image), batch.require("scribble", CARD.name))}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        probabilities = self.net(batch.image).softmax(dim=1)
        return keep_present(foreground_scores(probabilities), batch.tags)
