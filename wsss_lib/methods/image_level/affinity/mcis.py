"""MCIS: what two pictures of one class have in common is the class, all of it.

A pair of images looks at each other. What one finds of itself in the other must be told by the
classes that both show; what is left of it, by the classes that it alone shows. Parts that no single
image needs to be classified are needed to find the partner.
"""

from typing import Literal, Self

from torch import Tensor

from wsss_lib.blocks.affinity.coattention import in_groups
from wsss_lib.blocks.augment.views import copies
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import min_max, normalize, resize_like
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import pooled_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.coattention import PairHead

CARD = Card(
    id="mcis",
    name="MCIS",
    title="Mining Cross-Image Semantics for Weakly Supervised Semantic Segmentation",
    authors="Sun, Wang, Dai, Van Gool",
    venue="ECCV",
    year=2020,
    supervision=("tags",),
    family="image_level/affinity",
    paper="arXiv:2007.01947",
    official="https://github.com/GuoleiSun/MCIS_wsss",
    survey_section="2.1.4",
    fidelity="reduced",
    differs=(
        "when it answers, an image looks at copies of itself alone; the released code also takes "
        "the mean of the maps that three partners of each class give, which are not at hand here",
        "no saliency marks the background of the labels; the threshold does",
        "images keep their shape: the longer side has 256 pixels and the edge is continued; the "
        "released code draws every image out to a square",
        "no jitter of colours, and momentum without look-ahead (Nesterov)",
        "batch normalisation keeps its ImageNet statistics; the released code's VGG-16 has none",
        "on the toy world, the mirror image is the only copy, images are mirrored and moved as for "
        "CAM, features are read with one 1x1 convolution, without three 3x3 ones before it, and an "
        "image is asked alone, which the paper does too",
    ),
)


class MCIS(Method):
    """A classifier that has to explain what two images share, and what each has alone.

    Args:
        backbone: features that the head reads.
        num_classes: C, without background.
        convs: 3x3 convolutions in front of the classifiers.
        scales: sizes of the copies that an image is paired with, beside its mirror image.
        start: share of the training from which what is left has to be told as well.
        trust: copies whose pooled map is less likely than this have no say in an answer.
        answer: what an image "shared" with its copies, or the class maps that it has "alone", with
            its mirror image. It may be changed after training.
    """

    card = CARD
    recipe = Recipe(
        31_700, 10, 1e-3, crop=256, long_side=(256, 256), flip=False, drops=(1 / 3, 2 / 3),
        freeze_norm=True, group=2,
    )  # fmt: skip

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        convs: int = 3,
        scales: tuple[float, ...] = (0.75, 2.0),
        start: float = 2 / 15,
        trust: float = 0.1,
        answer: Literal["shared", "alone"] = "shared",
    ) -> None:
        super().__init__()
        self.answer = answer
        self.backbone, self.scales, self.start, self.trust = backbone, scales, start, trust
        self.pairs = PairHead(backbone.channels[-1], num_classes, convs)

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        # What is shared spreads too far in the world that settings come from (results/rates.json).
        method = cls(backbone or toy_cnn(), num_classes, convs=0, scales=(), answer="alone")
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2, group=2)
        return method

    def features(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, D, h, w)."""
        return self.pairs.embed(self.backbone(image)[-1])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Classes of each image, of what two of them share, and of what is left of each."""
        tags, maps_of = batch.require("tags", CARD.name), self.pairs.classifier
        both = in_groups(tags, 2).prod(dim=1)
        features = self.features(batch.image)
        first, second = in_groups(features, 2).unbind(dim=1)
        shared, left = self.pairs(first, second)
        cls, co = pooled_loss([maps_of(features)], [tags]), pooled_loss(shared, [both, both])
        for copy in copies(batch.image[::2], self.scales):  # the first is its own partner too
            own, twice = self.features(copy), [tags[::2]] * 2
            cls = cls + pooled_loss([maps_of(first), maps_of(own)], twice)
            co = co + pooled_loss(self.pairs(first, own)[0], twice)
        alone = [pooled_loss([left[m]], [tags[m::2] - both]) for m in (0, 1)]
        there = [(tags[m::2] > both).any() and self.progress >= self.start for m in (0, 1)]
        return {"cls": cls, "co": co, "contrast": alone[0] * there[0] + alone[1] * there[1]}

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw class maps (B, C, h, w) of each image alone."""
        return self.pairs.classifier(self.features(image))

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): rectified class maps, divided by their maximum, or what copies share."""
        if self.answer == "alone":
            return normalize(multi_scale_flip(self.class_maps, batch.image, (1.0,)), batch.tags)
        seen = [self.features(one) for one in (batch.image, *copies(batch.image, self.scales))]
        maps = self.pairs.with_copies(seen[0], seen[1:], self.trust)
        return min_max(resize_like(maps, batch.image), batch.tags)
