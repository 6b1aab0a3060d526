"""OAA+: what a memory has collected image by image, one network learns to draw from all of them.

The accumulated maps of OAA become targets of a second network, at every pixel. A part that was
found in some images of a class is then found in the others as well. Faint areas of a map teach
little and forbid nothing.
"""

from dataclasses import replace
from typing import Self

from torch import Tensor

from wsss_lib.blocks.maps.class_maps import normalize, resize_like
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.pixels import hybrid_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.classifier import map_head

CARD = Card(
    id="oaa_plus",
    name="OAA+",
    title="Integral Object Mining via Online Attention Accumulation",
    authors="Jiang, Hou, Cao, Cheng, Wei, Xiong",
    venue="ICCV",
    year=2019,
    supervision=("tags",),
    family="image_level/ensemble",
    paper="doi:10.1109/ICCV.2019.00216",
    official="https://github.com/PengtaoJiang/OAA-PyTorch",
    survey_section="2.1.1",
    needs_scores=True,
    fidelity="reduced",
    differs=(
        "the integral attention model alone; it learns from whatever scores stand before it, and "
        "from those of OAA in the book",
        "no saliency marks the background of the labels; the threshold does",
        "targets come at the size of the image, and are shrunk to that of the class maps, which "
        "smooths them a little; the official code keeps them at the size of the class maps, in 8 "
        "bits",
        "the gradients of five images are averaged, as in OAA; the official code adds them up here",
        "no colour jitter; images keep their size, where the paper shrinks their shorter side to "
        "224 pixels",
        "batch normalisation keeps its ImageNet statistics, since a batch is one image; the "
        "paper's VGG-16 has none",
        "on the toy world, scores up to .2 say that nothing was found, not up to .001: its class "
        "maps are faint nearly everywhere, and nothing would be held down",
        "the toy network reads its features with one 1x1 convolution, like OAA there, and not with "
        "three 3x3 convolutions in front of it",
    ),
)


class OAAPlus(Method):
    """The integral attention model: a network that is taught accumulated maps.

    Args:
        backbone: features that the head reads.
        num_classes: C, without background.
        convs: 3x3 convolutions in front of the classifier.
        least: accumulated scores up to it say that nothing was ever found there.
    """

    card = CARD
    recipe = Recipe(31_700, 1, 1e-3, accumulate=5, flip=False, drops=(2 / 3,), freeze_norm=True)

    def __init__(
        self, backbone: Backbone, num_classes: int, convs: int = 3, least: float = 1e-3
    ) -> None:
        super().__init__()
        self.backbone, self.least = backbone, least
        self.head = map_head(backbone.channels[-1], num_classes, convs, bias=True)

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        # Its maps are seldom 0: at .001, most of what is no object would count as found.
        method = cls(backbone or toy_cnn(), num_classes, convs=0, least=0.2)
        method.recipe = replace(Recipe.toy(steps=300, lr=5e-3, head_factor=2), flip=False, shift=0)
        return method

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw class maps (B, C, h, w), the logits of each pixel."""
        return self.head(self.backbone(image)[-1])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The hybrid loss with the scores of the stage before; absent classes are 0 in them."""
        maps = self.class_maps(batch.image)
        target = resize_like(batch.require("scores", CARD.name), maps)
        return {"hybrid": hybrid_loss(maps, target, self.least)}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): its own class maps, rectified; the scores are no longer needed."""
        maps = self.class_maps(batch.image).relu()
        return normalize(resize_like(maps, batch.image), batch.tags)
