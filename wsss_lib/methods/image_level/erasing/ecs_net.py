"""ECS-Net: what a classifier finds once the obvious is erased labels pixels of the whole image.

Erasing rounds cost a training each, and what they find stays outside the network. Here one network
looks twice in each step: at the image, and at the image without what the first look found. The
second look labels pixels for a segmentation head, which sees the image whole.
"""

from collections.abc import Sequence
from typing import Self

from torch import Tensor, nn

from wsss_lib.blocks.augment.erase import MEAN_COLOUR, erase
from wsss_lib.blocks.labels.erased import labels_of_two_looks
from wsss_lib.blocks.maps.cam import multi_scale_mean
from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present, normalize, resize_like
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn

CARD = Card(
    id="ecs_net",
    name="ECS-Net",
    title="ECS-Net: Improving Weakly Supervised Semantic Segmentation by Using Connections Between "
    "Class Activation Maps",
    authors="Sun, Shi, Zhang, Huang",
    venue="ICCV",
    year=2021,
    supervision=("tags",),
    family="image_level/erasing",
    paper="doi:10.1109/ICCV48922.2021.00719",
    survey_section="2.1.2",
    own_background=True,
    fidelity="reconstruction",
    differs=(
        "there is no code, and the paper could not be read whole: the direction (the erased image "
        "labels the original one, after one erasing) is its own, the losses and the rule against "
        "noise are ours",
        "the rule against noise is a guess: a pixel that is found on the erased image counts where "
        "a path of such pixels leads to what was erased for its class",
        "the borders (erased above 0.5, found above 0.3, background up to 0.05) are guesses",
        "erased images are classified too, with a weight of 1, as in adversarial erasing",
        "the segmentation head is one linear layer beside the classifier, on the same features",
        "the training settings are those of AffinityNet's code, whose ResNet-38 the paper has",
        "no random walk and no CRF after the head",
    ),
)


class ECSNet(Method):
    """One network that looks twice, and a head that is taught by the second look.

    Args:
        backbone: features whose last map classifier and head read.
        num_classes: C, without background.
        hot: what scores above it is erased.
        found: what scores above it on the erased image, and is joined to the erased, is found.
        cold: background is what scores no higher at either look.
        colour: what erased pixels become.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = Recipe.like_psa(steps=20_000, crop=448, long_side=(448, 768))

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        hot: float = 0.5,
        found: float = 0.3,
        cold: float = 0.05,
        colour: Sequence[float] = MEAN_COLOUR,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.backbone, width = backbone, backbone.channels[-1]
        self.classifier = nn.Conv2d(width, num_classes, 1, bias=False)
        self.head = nn.Conv2d(width, num_classes + 1, 1)
        self.hot, self.found, self.cold = hot, found, cold
        self.colour, self.scales = colour, scales

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def without_the_obvious(self, image: Tensor, scores: Tensor) -> Tensor:
        """Images (B, 3, H, W) in which all is painted over that scores (B, C, h, w) call hot."""
        heat = resize_like(scores, image).amax(dim=1, keepdim=True)
        return erase(image, (heat > self.hot).to(image), self.colour)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Both looks are classified, and together they label the image for the head."""
        tags, features = batch.require("tags", CARD.name), self.backbone(batch.image)[-1]
        maps = self.classifier(features)
        whole = normalize(maps, tags)
        rest = self.without_the_obvious(batch.image, whole)
        left = self.classifier(self.backbone(rest)[-1])
        erased = normalize(left, tags)
        labels = labels_of_two_looks(whole, erased, tags, self.hot, self.found, self.cold)
        return {
            "cls": tag_loss(maps.mean(dim=(2, 3)), tags),
            "erased": tag_loss(left.mean(dim=(2, 3)), tags),
            "seg": pixel_loss(self.head(features), labels),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the head's own argmax."""
        chances = multi_scale_mean(
            lambda x: self.head(self.backbone(x)[-1]).softmax(dim=1), batch.image, self.scales
        )
        return keep_present(foreground_scores(chances), batch.tags)
