"""WSSL (EM): the network that learns says itself which pixels of a box are the object.

The true labels are hidden. In each step they are guessed: what the network finds likeliest, among
what the boxes allow, once classes were given a boost (E-step). Then the network takes a step
towards the guess (M-step). The boost fills the boxes at first, and is overruled where the network
is sure of background.
"""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.labels.paint import fill_boxes
from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present
from wsss_lib.blocks.refine.expectation import adapted_boosts, likeliest_labels
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import DeepLab, toy_deeplab

CARD = Card(
    id="wssl_em",
    name="WSSL (EM)",
    title="Weakly- and Semi-Supervised Learning of a Deep Convolutional Network "
    "for Semantic Image Segmentation",
    authors="Papandreou, Chen, Murphy, Yuille",
    venue="ICCV",
    year=2015,
    supervision=("boxes",),
    family="box",
    paper="arXiv:1502.02734",
    official="https://bitbucket.org/deeplab/deeplab-public",
    survey_section="3.1",
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reduced",
    differs=(
        "EM-Fixed on boxes; EM-Adapt, which the paper has for tags alone, is there for boxes, "
        "with shares of the boxes in place of shares of the image",
        "EM-Adapt takes the classes in their order; the released code draws it by lot",
        "no images with masks beside those with boxes",
        "the network is that of the library's segmenter, not DeepLab-LargeFOV",
        "no dense CRF after the network",
    ),
)


class WSSLEM(Method):
    """A segmentation network that guesses its labels within the boxes, in each step anew.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits; ``net.backbone`` learns slowly.
        boosts: of classes within their boxes and of the background, in logits (EM-Fixed).
        shares: of the boxes of a class, and of all boxes, that the class and the background have
            at least, by boosts of each image (EM-Adapt); None keeps the boosts fixed.
    """

    card = CARD
    recipe = Recipe(steps=6000, batch_size=20, lr=1e-3, drops=(1 / 3, 2 / 3), crop=321)

    def __init__(
        self,
        net: DeepLab,
        boosts: tuple[float, float] = (5.0, 3.0),
        shares: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        self.net, self.backbone = net, net.backbone
        self.boosts, self.shares = boosts, shares

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(toy_deeplab(num_classes, backbone))
        method.recipe = Recipe.toy(steps=400, lr=4e-3, head_factor=1.25)
        return method

    def guess(self, logits: Tensor, boxes: tuple[Tensor, ...]) -> Tensor:
        """(B, K, H, W) logits -> (B, H, W) labels, the likeliest that the boxes allow."""
        within = fill_boxes(boxes, logits.shape[1] - 1, (logits.shape[2], logits.shape[3]))
        may = F.pad(within, (0, 0, 0, 0, 1, 0), value=1.0) > 0
        if self.shares is not None:
            return likeliest_labels(logits, may, adapted_boosts(logits, may, self.shares))
        foreground, background = self.boosts
        boosts = torch.full_like(logits[:, :, 0, 0], foreground)
        boosts[:, 0] = background
        return likeliest_labels(logits, may, boosts)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the plain answer with the labels that the boosted answer gives."""
        logits = self.net(batch.image)
        return {"seg": pixel_loss(logits, self.guess(logits, batch.require("boxes", CARD.name)))}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        probabilities = self.net(batch.image).softmax(dim=1)
        return keep_present(foreground_scores(probabilities), batch.tags)
