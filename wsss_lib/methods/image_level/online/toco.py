"""ToCo: two contrasts keep the tokens of a transformer apart, and a decoder learns from them.

Deep patch tokens grow alike, object and background too. A layer on the way still tells them
apart: its class map says which pairs of patches should differ. One vector for the whole image is
contrasted with crops of places where no class is sure.
"""

from collections.abc import Sequence
from typing import Self

from torch import Tensor

from wsss_lib.blocks.affinity import relations
from wsss_lib.blocks.labels.trust import refined_labels
from wsss_lib.blocks.maps import class_maps as maps
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.balanced import halves_loss
from wsss_lib.losses.tags import tag_loss
from wsss_lib.losses.tokens import patch_contrast, view_contrast
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.heads.contrast import ContrastNet, toy_contrast_net

CARD = Card(
    id="toco",
    name="ToCo",
    title="Token Contrast for Weakly-Supervised Semantic Segmentation",
    authors="Ru, Zheng, Zhan, Du",
    venue="CVPR",
    year=2023,
    supervision=("tags",),
    family="image_level/online",
    paper="arXiv:2303.01267",
    official="https://github.com/rulixiang/ToCo",
    survey_section="2.2",
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reduced",
    differs=(
        "the class token is a learned query that attends to the last layer's patches once, because "
        "the toy transformer was pretrained without a class token",
        "views are compared by the cosine of a two-layer projection; the released head multiplies "
        "the answers of a weight-normed layer of 1024, about four times sharper at one temperature",
        "one global view, the training image itself, instead of two",
        "PAMR at the size of the image refines the class maps; the paper's PAR, at half of it, "
        "also looks at positions",
        "class maps of an image and its mirror image are added; the released code takes the larger",
        "without the dense energy loss (weight 0.05) and without a dense CRF after the network",
        "the decoder of the toy world also sees the image itself through one 3x3 convolution, "
        "since a patch of 8 pixels is an eighth of an image",
        "the toy world looks at two sizes",
    ),
)


class ToCo(Method):
    """Patch token contrast and class token contrast around a segmentation decoder.

    Args:
        net: transformer, two classifiers, decoder and the head for views.
        trust: scores above the first are foreground, below the second background.
        crops: how many local crops of each image, and their side in pixels.
        warmup: share of the training in which the decoder waits.
        weights: of patch contrast, class contrast and segmentation.
        dilations: distances in pixels at which PAMR sees neighbours.
        scales: sizes at which an image is looked at, for its class maps and when predicting.
    """

    card = CARD
    recipe = Recipe(20_000, 4, 6e-5, 10.0, 0.01, "adamw", warmup=0.075, crop=448, scale=(0.5, 2.0))

    def __init__(
        self,
        net: ContrastNet,
        trust: tuple[float, float] = (0.7, 0.25),
        crops: tuple[int, int] = (8, 96),
        warmup: float = 0.1,
        weights: tuple[float, float, float] = (0.2, 0.5, 0.1),
        dilations: tuple[int, ...] = (1, 2, 4, 8, 12, 24),
        scales: Sequence[float] = (0.5, 1.0, 1.5),
    ) -> None:
        super().__init__()
        self.net, self.backbone = net, net.backbone
        self.trust, self.crops, self.warmup, self.weights = trust, crops, warmup, weights
        self.dilations, self.scales = dilations, scales

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        net = toy_contrast_net(num_classes, backbone)
        method = cls(net, crops=(4, 24), dilations=(1, 2, 4), scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=1e-3, head_factor=2)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Tags at two depths, the two contrasts, and the refined class maps for the decoder."""
        tags, image = batch.require("tags", CARD.name), batch.image
        final, middle = self.net.scores(image, tags, self.scales)
        sure = relations.two_threshold_labels(middle, *self.trust)
        crops, positive = relations.uncertain_crops(image, sure, *self.crops)
        tokens, early = self.net(image)
        whole, views = self.net.views(tokens, self.backbone(crops)[-1])
        hints = relations.two_threshold_labels(maps.resize_like(middle, tokens), *self.trust)
        labels = refined_labels(final, tags, *self.trust, lambda x: pamr(image, x, self.dilations))
        logits, (patch, view, decode) = self.net.tag_logits(tokens, early), self.weights
        seg = halves_loss(self.net.decoder(tokens, image), labels)
        return {
            "cls": tag_loss(logits[0], tags),
            "aux": tag_loss(logits[1], tags),
            "ptc": patch * patch_contrast(tokens, relations.token_relations(hints)),
            "ctc": view * view_contrast(whole, views, positive),
            "seg": decode * (self.progress >= self.warmup) * seg,
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the decoder's own argmax."""
        image, scales = batch.image, self.scales
        masks = multi_scale_flip(lambda x: self.net.segment(x).softmax(dim=1), image, scales)
        return maps.keep_present(maps.foreground_scores(masks), batch.tags)
