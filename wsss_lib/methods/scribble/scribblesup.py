"""ScribbleSup: a graph cut carries scribbles over the picture, a network learns from the result.

The cut knows where colours and textures change; the network knows what classes look like in all
other pictures. They take turns: the network's opinion enters the energy of the next cut, and the
next cut's labels teach the network.
"""

from typing import Self

import torch
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present
from wsss_lib.blocks.refine.propagation import spread_scribble
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import DeepLab, toy_deeplab

CARD = Card(
    id="scribblesup",
    name="ScribbleSup",
    title="ScribbleSup: Scribble-Supervised Convolutional Networks for Semantic Segmentation",
    authors="Lin, Dai, Jia, He, Sun",
    venue="CVPR",
    year=2016,
    supervision=("scribble",),
    family="scribble",
    paper="arXiv:1604.05144",
    survey_section="3.2",
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reduced",
    differs=(
        "after a third of the training, each batch is cut anew with the network as it is then, "
        "where the paper cuts all images two more times and trains again after each",
        "superpixels by SLIC, not by Felzenszwalb and Huttenlocher",
        "histograms sum to one, and the widths of the likeness are scaled to that",
        "no dense CRF after the network",
    ),
)


class ScribbleSup(Method):
    """A segmentation network that learns from scribbles as far as a graph cut carries them.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits; ``net.backbone`` learns slowly.
        count: superpixels of an image.
        colour: width of the colour term of the likeness of two superpixels.
        texture: width of its texture term.
        trust: weight of the network's opinion in the cut.
        start: share of the training before the network has a say in the cut.
    """

    card = CARD
    recipe = Recipe(steps=20_000, batch_size=10, lr=2.5e-4, crop=321, scale=(0.5, 1.5))

    def __init__(
        self,
        net: DeepLab,
        count: int = 500,
        colour: float = 0.25,
        texture: float = 1.0,
        trust: float = 1.0,
        start: float = 1 / 3,
    ) -> None:
        super().__init__()
        self.net, self.backbone = net, net.backbone
        self.count, self.colour, self.texture = count, colour, texture
        self.trust, self.start = trust, start

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        network = toy_deeplab(num_classes, backbone)
        method = cls(network, count=60, colour=0.25, texture=1.0)
        method.recipe = Recipe.toy(steps=400, lr=4e-3, head_factor=1.25)
        return method

    def spread(self, image: Tensor, scribble: Tensor, logits: Tensor) -> Tensor:
        """(B, H, W) labels: the cut of each image, with the network's opinion once it has one."""
        known = self.progress >= self.start
        scores = logits.softmax(dim=1) if known else [None] * len(image)
        # Cutting the batch as it was mirrored and shifted keeps labels and pixels together.
        cuts = [
            spread_scribble(*triple, self.count, self.colour, self.texture, self.trust)
            for triple in zip(image, scribble, scores, strict=True)
        ]
        return torch.stack(cuts)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy with the labels that the cut gives."""
        scribble, logits = batch.require("scribble", CARD.name), self.net(batch.image)
        return {"seg": pixel_loss(logits, self.spread(batch.image, scribble, logits))}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        probabilities = self.net(batch.image).softmax(dim=1)
        return keep_present(foreground_scores(probabilities), batch.tags)
