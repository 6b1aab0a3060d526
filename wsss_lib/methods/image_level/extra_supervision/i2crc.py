"""I2CRC: a class map should have one value on what stands out, another on the rest, far apart.

Where a picture shows a single class, all that stands out is of this class. So the values of the
class maps there are pulled to their centre, those of the rest to another, and the map of the class
that is present has to be higher on the object than around it.
"""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import foreground_scores, normalize, resize_like
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.centres import centre, scatter
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.classifier import map_head

CARD = Card(
    id="i2crc",
    name="I2CRC",
    title="Saliency Guided Inter- and Intra-Class Relation Constraints for Weakly Supervised "
    "Semantic Segmentation",
    authors="Chen, Yao, Zhang, Wang, Xie, Shen",
    venue="TMM",
    year=2023,
    supervision=("tags", "saliency"),
    family="image_level/extra_supervision",
    paper="arXiv:2206.09554",
    official="https://github.com/NUST-Machine-Intelligence-Laboratory/I2CRC",
    survey_section="2.1.5",
    fidelity="reduced",
    needs=("saliency, from a network that has seen masks of other classes",),
    own_background=True,
    differs=(
        "the classifier and its first labels; no object guided label refinement, which corrects "
        "them by a network that they have taught",
        "the strongest of the class maps and of 1 - saliency wins everywhere; the released code "
        "leaves pixels out where no class exceeds .3, where two exceed .9, and where what stands "
        "out would become background",
        "class maps are added up over sizes and mirror images, as CAM's are here; the paper looks "
        "once",
        "a squared distance is weighed by the saliency; the released code squares the saliency "
        "with it, which is the same for a map of zeros and ones",
        "images keep their shape, where the released code stretches them to a square; no jitter "
        "of colours",
        "batch normalisation keeps its ImageNet statistics; the paper's VGG-16 has none",
        "the toy network reads its features with one 1x1 convolution, like CAM there, and not with "
        "three 3x3 convolutions in front of it; it sees images mirrored and moved, as CAM does",
        "on the toy world 1 - saliency counts two fifths, which is best in the tuning world: the "
        "toy saliency network is less sure of what stands out than those of the papers",
    ),
)


class I2CRC(Method):
    """A classifier whose maps are drawn together on each side of a saliency map, and apart.

    Args:
        backbone: features that the head reads.
        num_classes: C, without background.
        convs: 3x3 convolutions of 512 channels in front of the classifier.
        weights: of the scatter on what is salient, of that on the rest, and of the gap between the
            centres of both.
        scales: sizes at which an image is looked at when predicting.
        background: what 1 - saliency counts against a class map.
    """

    card = CARD
    recipe = Recipe(
        63_510, 5, 1e-3, flip=False, crop=256, long_side=(256, 256), drops=(1 / 6, 1 / 3),
        freeze_norm=True,
    )  # fmt: skip

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        convs: int = 3,
        weights: tuple[float, float, float] = (0.01, 0.025, 0.1),
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
        background: float = 1.0,
    ) -> None:
        super().__init__()
        self.backbone, self.weights = backbone, weights
        self.scales, self.background = scales, background
        self.head = map_head(backbone.channels[-1], num_classes, convs, 512, bias=True)

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, convs=0, scales=(1.0, 1.5), background=0.4)
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw class maps (B, C, h, w), any real values."""
        return self.head(self.backbone(image)[-1])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Classification; and for images of one class, what the two distance modules ask."""
        tags, saliency = batch.require("tags", CARD.name), batch.require("saliency", CARD.name)
        maps, (near, rest, apart) = self.class_maps(batch.image), self.weights
        large, others = resize_like(maps, saliency), 1 - saliency
        alone = (tags.sum(dim=1) == 1).to(maps)

        def mean(of_each: Tensor) -> Tensor:
            return (of_each.mean(dim=1) * alone).sum() / alone.sum().clamp(min=1)

        return {
            "cls": tag_loss(maps.mean(dim=(2, 3)), tags),
            "intra_fg": near * mean(scatter(large, saliency)),
            "intra_bg": rest * mean(scatter(large, others)),
            "inter": apart * mean(tags * (centre(large, others) - centre(large, saliency))),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class map, over its maximum, against what does not stand out."""
        saliency = batch.require("saliency", CARD.name)
        maps = normalize(multi_scale_flip(self.class_maps, batch.image, self.scales), batch.tags)
        return foreground_scores(torch.cat([self.background * (1 - saliency), maps], dim=1))
