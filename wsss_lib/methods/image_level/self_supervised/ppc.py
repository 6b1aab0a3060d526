"""PPC: pixels of one class are alike, in one view of an image and across two.

SEAM asks two views for the same maps. Here their features are compared as well: every class of a
batch has a prototype, the mean of its surest pixels, and each pixel is pulled to that of its class
and away from the others. Views lend each other prototypes, and labels.
"""

from collections.abc import Sequence
from typing import Self

from torch import Tensor, nn

from wsss_lib.blocks.affinity.correlation import asked_around, stretch
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import rescale
from wsss_lib.blocks.maps.prototypes import labelled_pixels
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.agreement import equivariance
from wsss_lib.losses.regions import prototype_contrast, semi_hard_contrast
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.correlation import PixelCorrelation

CARD = Card(
    id="ppc",
    name="PPC",
    title="Weakly Supervised Semantic Segmentation by Pixel-to-Prototype Contrast",
    authors="Du, Fu, Liu, Wang",
    venue="CVPR",
    year=2022,
    supervision=("tags",),
    family="image_level/self_supervised",
    paper="arXiv:2110.07110",
    official="https://github.com/usr922/wseg",
    survey_section="2.1.6",
    differs=(
        "on SEAM, not on EPS, which needs saliency; the survey's row is PPC on EPS",
        "the background's prototype is made where its own map is strongest; in the released code "
        "all places have the same background score, and whichever come first are taken",
        "a class takes part in its prototype only in images that show it, and has none in a batch "
        "without it; the released code also takes its largest values from images that do not",
        "a prototype is never among the negatives of its own pixels; in the released code it is "
        "passed over only where it is among the three that are most alike",
        "numbers of negatives and of hard pixels are rounded; the released code cuts them off",
        "what differs of SEAM here differs too: maps are compared at the size of the smaller "
        "view's feature map, ties stay, and there is neither dropout nor colour jitter",
        "the toy world's second view is half as large, not 2/7, and vectors have 32 channels",
        "the stage behind it, AffinityNet trained on these maps, is a system of its own here",
    ),
)


class PPC(Method):
    """SEAM with pixel-to-prototype contrast, across views and within each.

    Args:
        backbone: features that the classifier and the projection read.
        num_classes: C, without background.
        correlation: (B, 3, H, W) images and their features -> (B, N, N), rows sum to one.
        width: channels of the projection.
        scale: size of the second view.
        weight: of each of the three contrasts.
        scales: sizes at which an image and its mirror image are looked at when predicting.
    """

    card = CARD
    recipe = Recipe.like_psa(steps=10_582, crop=448, long_side=(448, 768))

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        correlation: PixelCorrelation,
        width: int = 128,
        scale: float = 2 / 7,
        weight: float = 0.1,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.backbone, self.correlation = backbone, correlation
        self.classifier = nn.Conv2d(backbone.channels[-1], num_classes, 1, bias=False)
        self.projection = nn.Conv2d(backbone.channels[-1], width, 1, bias=False)
        self.scale, self.weight, self.scales = scale, weight, scales

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        net = backbone or toy_cnn()
        pixels = PixelCorrelation(net, widths=(32, 32))
        method = cls(net, num_classes, pixels, 32, 0.5, scales=(1, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def look(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is made of (B, 3, H, W) images: raw and refined maps as in SEAM, and vectors.

        Returns:
            (B, C, h, w), any real values; (B, K, h, w) in [0, 1], background first, which gives
            the first no gradient; and (B, width, h, w), non-negative.
        """
        features = self.backbone(image)
        raw = self.classifier(features[-1])
        refined = asked_around(raw, self.correlation(image, features))
        return raw, refined, self.projection(features[-1]).relu()

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """What SEAM asks; and each view's pixels against its own and the other's prototypes."""
        tags = batch.require("tags", CARD.name)
        views = [self.look(image) for image in (batch.image, rescale(batch.image, self.scale))]
        sides = [labelled_pixels(*view[1:], views[1][2], tags) for view in views]
        pixels, labels, means, known = zip(*sides, strict=True)

        def across(i: int, j: int, k: int) -> Tensor:
            return prototype_contrast(pixels[i], labels[j], means[k], known[k]).mean()

        half = self.weight / 2
        return {
            **equivariance([view[:2] for view in views], tags, 0.2),
            "cross_prototype": half * (across(0, 0, 1) + across(1, 1, 0)),
            "cross_label": half * (across(0, 1, 0) + across(1, 0, 1)),
            "intra": half * (semi_hard_contrast(*sides[0]) + semi_hard_contrast(*sides[1])),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): SEAM's refined maps over scales and flips, stretched to [0, 1]."""
        maps = multi_scale_flip(lambda x: self.look(x)[1][:, 1:], batch.image, self.scales)
        return stretch(maps, batch.tags)
