"""The second stage: a segmentation network that learns from the labels of the first.

It sees many noisy labels and cannot fit the noise that differs from image to image, so it can end
up better than what it was taught. It needs no image labels at inference.
"""

from typing import Self

from torch import Tensor, nn

from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present, to_labels
from wsss_lib.core import Batch, Card, InputError, Method, Recipe
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import toy_deeplab

CARD = Card(
    id="segmenter",
    name="DeepLab segmenter",
    title="DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, "
    "Atrous Convolution, and Fully Connected CRFs",
    authors="Chen, Papandreou, Kokkinos, Murphy, Yuille",
    venue="TPAMI",
    year=2018,
    supervision=("masks",),
    family="segmentation",
    paper="arXiv:1606.00915",
    official="https://bitbucket.org/aquariusjay/deeplab-public-ver2",
    needs_scores=True,
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reduced",
    differs=(
        "one shallow feature map joins the pyramid, as in DeepLabv3+",
        "single-scale training and inference, no CRF afterwards",
    ),
)


class Segmenter(Method):
    """A segmentation network taught by the scores of the stage before it.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits; ``net.backbone`` learns slowly.
        threshold: scores above it become labels; None lets ``engine.run`` choose it on the
            held-out part.
    """

    card = CARD
    recipe = Recipe(steps=20_000, batch_size=10, lr=2.5e-4, crop=321, scale=(0.5, 1.5))

    def __init__(
        self,
        net: nn.Module,
        threshold: float | None = None,
    ) -> None:
        super().__init__()
        self.net = net
        self.backbone = net.get_submodule("backbone")
        self.threshold = threshold

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(toy_deeplab(num_classes, backbone))
        method.recipe = Recipe.toy(steps=400, lr=4e-3, head_factor=1.25)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy with the labels that the scores give at the threshold."""
        if self.threshold is None:
            raise InputError(
                "Segmenter needs a threshold to turn scores into labels: pass threshold=..., "
                "or calibrate=... to run, which chooses it on the held-out part."
            )
        labels = to_labels(batch.require("scores", CARD.name), self.threshold)
        return {"seg": pixel_loss(self.net(batch.image), labels)}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        probabilities = self.net(batch.image).softmax(dim=1)
        return keep_present(foreground_scores(probabilities), batch.tags)
