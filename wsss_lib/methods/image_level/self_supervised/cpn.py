"""CPN: what two complementary copies of an image show, added up, is more than the image shows.

Each copy hides what the other shows. The copy without the head has to be classified by the body,
so its map finds the body. The map of the whole image is taught the sum of both, and a correlation
module, which lets pixels and whole regions ask pixels, is held to the same sum and to the rest.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import torch
from torch import Tensor, nn

from wsss_lib.blocks.affinity.correlation import evidence, stretch
from wsss_lib.blocks.augment.views import drawn_cells, hidden_pair
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import keep_present
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.agreement import quietest, remainder_gaps
from wsss_lib.losses.tags import pooled_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.correlation import RegionCorrelation

CARD = Card(
    id="cpn",
    name="CPN",
    title="Complementary Patch for Weakly Supervised Semantic Segmentation",
    authors="Zhang, Gu, Zhang, Dai",
    venue="ICCV",
    year=2021,
    supervision=("tags",),
    family="image_level/self_supervised",
    paper="arXiv:2108.03852",
    official="https://github.com/Ferenas/CPN",
    survey_section="2.1.6",
    fidelity="reduced",
    differs=(
        "cells of a grid are hidden, the simpler of the paper's two ways; its best hides "
        "superpixels, about 300 an image, of which the released code hides some 40 per cent; its "
        "grid has cells of half the image's side or all of it, and here of an eighth",
        "maps are compared at the size of the feature map, not of the image",
        "no dropout in front of the classifier and no colour jitter",
        "on the toy world, the cross agreement compares classes alone: where nothing is found, the "
        "released code pushes refined maps up, and at the toy recipe this flattens them",
        "the toy world looks at two sizes, as CAM does there, not at four",
        "the stage behind it, IRNet trained on these maps, is a system of its own here",
    ),
)


class CPN(Method):
    """Complementary patches, and a correlation of pixels and regions.

    Args:
        backbone: features whose last map the classifier reads.
        num_classes: C, without background.
        correlation: refines (B, K, h, w) evidence by the image and its features.
        cells: of the grid along each side of the image; a coin says which copy hides each of them.
        hardest: share of the values on which the cross agreement is taught.
        scales: sizes at which an image and its mirror image are looked at when predicting.

    Attributes:
        background: the cross agreement compares the maps of the background as well.
    """

    card, background = CARD, True
    recipe = replace(Recipe.like_psa(21_164, crop=448, long_side=(448, 768)), batch_size=4)

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        correlation: RegionCorrelation,
        cells: int = 8,
        hardest: float = 0.2,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.backbone, self.correlation = backbone, correlation
        self.classifier = nn.Conv2d(backbone.channels[-1], num_classes, 1, bias=False)
        self.cells, self.hardest, self.scales = cells, hardest, scales

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        net = backbone or toy_cnn()
        method = cls(net, num_classes, RegionCorrelation(net, widths=(32, 32)), scales=(1, 1.5))
        method.background, method.recipe = False, Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def look(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Class maps of (B, 3, H, W) images, and what the correlation module makes of them.

        Returns:
            raw: (B, C, h, w), any real values.
            refined: (B, C, h, w), at least 0; no gradient reaches ``raw`` from it.
        """
        features = self.backbone(image)
        raw = self.classifier(features[-1])
        return raw, self.correlation.refine(image, features, evidence(raw))[:, 1:]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Classify all three views, and make the sum of the pair and the whole image agree."""
        tags, image = batch.require("tags", CARD.name), batch.image
        mask = drawn_cells(image, self.cells, share=0.5)
        pair = hidden_pair(image, mask, self.backbone.standardize.mean.flatten().tolist())
        raw, found = zip(*(self.look(view) for view in (image, *pair)), strict=True)
        shown = mask.mean(dim=(1, 2, 3), keepdim=True)
        shares = (torch.ones_like(shown), shown, 1 - shown)
        plain = [share * stretch(one, tags) for share, one in zip(shares, raw, strict=True)]
        refined = [share * stretch(one, tags) for share, one in zip(shares, found, strict=True)]
        return {
            "cls": pooled_loss(raw, [tags] * 3),
            "quiet": torch.stack([quietest(keep_present(one, tags)) for one in found]).mean(),
            "pair": (plain[0] - (plain[1] + plain[2]).detach()).abs().mean(),
            "pair_refined": (refined[0] - refined[1] - refined[2]).abs().mean(),
            "cross": remainder_gaps(plain, refined, self.hardest, self.background),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): refined maps over scales and flips, stretched to [0, 1]."""
        found = multi_scale_flip(lambda x: self.look(x)[1], batch.image, self.scales)
        return stretch(found, batch.tags)
