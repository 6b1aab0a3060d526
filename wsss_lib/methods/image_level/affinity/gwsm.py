"""GWSM: the images of a group tell each other what they have found of their common class.

Images are nodes of a graph, and their class maps the states. In a few rounds each node asks the
others by co-attention and takes up the answers. Where a map is strongest it is hidden at times, so
that fainter parts have to be passed on too.
"""

from typing import Self

from torch import Tensor

from wsss_lib.blocks.affinity.coattention import in_groups
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.classifier import map_head
from wsss_lib.nets.heads.coattention import GroupGraph

CARD = Card(
    id="gwsm",
    name="GWSM",
    title="Group-Wise Semantic Mining for Weakly Supervised Semantic Segmentation",
    authors="Li, Zhou, Li, Zhou, Zhang",
    venue="AAAI",
    year=2021,
    supervision=("tags",),
    family="image_level/affinity",
    paper="arXiv:2012.05007",
    official="https://github.com/Lixy1997/Group-WSSS",
    survey_section="2.1.4",
    fidelity="reduced",
    differs=(
        "maps are read off after training, with the image in all places of its group; the released "
        "code keeps, over all epochs, the maximum of the maps of training images in their groups",
        "the strongest area is hidden in training alone; the released code also hides it in the "
        "maps that it keeps",
        "images of a group share a class; the released code prefers those that share all classes",
        "no saliency marks the background of the labels; the threshold does",
        "images keep their shape: the longer side has 256 pixels and the edge is continued; the "
        "released code draws every image out to a square",
        "no jitter of colours, and momentum without look-ahead (Nesterov); new layers begin as "
        "PyTorch's do",
        "batch normalisation keeps its ImageNet statistics; the released code's VGG-16 has none",
        "on the toy world, five groups a step, images mirrored, moved and looked at as for CAM, "
        "and features read with one 1x1 convolution, without three 3x3 ones before it",
    ),
)


class GWSM(Method):
    """Class maps that the images of a group refine together.

    Args:
        backbone: features that the head reads.
        num_classes: C, without background.
        convs: 3x3 convolutions in front of the classifier.
        images: of a group, as many as the recipe's.
        early: weight of the maps before any message, beside those after the last.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = Recipe(
        158_700, 3, 1e-3, crop=256, long_side=(256, 256), flip=False, drops=(1 / 3, 2 / 3),
        freeze_norm=True, group=3,
    )  # fmt: skip

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        convs: int = 3,
        images: int = 3,
        early: float = 0.4,
        scales: tuple[float, ...] = (1.0,),
    ) -> None:
        super().__init__()
        self.backbone, self.early, self.scales = backbone, early, scales
        self.head = map_head(backbone.channels[-1], num_classes, convs, bias=True)
        self.graph = GroupGraph(num_classes, images)

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, convs=0, scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2, size=15, group=3)
        return method

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw class maps (B, C, h, w), before any message."""
        return self.head(self.backbone(image)[-1])

    def alone(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, h, w): the mean of the maps before and after all messages.

        The image has all places of its group.
        """
        maps = self.class_maps(image)
        return (maps + self.graph.alone(maps)) / 2

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Classes by the maps of each image, and by those after the messages of its group."""
        tags, maps = batch.require("tags", CARD.name), self.class_maps(batch.image)
        joined = self.graph(in_groups(maps, self.graph.images)).flatten(0, 1)
        return {
            "cls": self.early / 2 * tag_loss(maps.mean(dim=(2, 3)), tags),
            "group": tag_loss(joined.mean(dim=(2, 3)), tags) / 2,
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): rectified maps over scales and flips, divided by their maximum."""
        return normalize(multi_scale_flip(self.alone, batch.image, self.scales), batch.tags)
