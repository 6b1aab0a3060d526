"""MMCST: two tokens for each class, one that is learned and one that is a sentence of CLIP.

Both pass through a transformer beside the patches of an image, look around there, and then classify
every patch. What a sentence brings was learned elsewhere; the image tells both how to adapt.
"""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from wsss_lib.blocks.affinity.class_tokens import looked_at
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.toy import toy_vit
from wsss_lib.nets.heads.class_tokens import ClassTokens
from wsss_lib.nets.large.clip import Clip, load_clip
from wsss_lib.nets.large.text_tokens import TextTokens
from wsss_lib.nets.large.vocabulary import CLASSES

CARD = Card(
    id="mmcst",
    name="MMCST",
    title="Learning Multi-Modal Class-Specific Tokens for Weakly Supervised Dense Object "
    "Localization",
    authors="Xu, Ouyang, Bennamoun, Boussaid, Xu",
    venue="CVPR",
    year=2023,
    supervision=("tags",),
    family="foundation",
    paper="https://openaccess.thecvf.com/content/CVPR2023/html/Xu_Learning_Multi-Modal_Class-"
    "Specific_Tokens_for_Weakly_Supervised_Dense_Object_Localization_CVPR_2023_paper.html",
    official="https://github.com/xulianuwa/MMCST",
    survey_section="4",
    needs=("pairs of images and sentences, by CLIP",),
    differs=(
        "written from the abstract, since neither text nor code could be read: two kinds of class "
        "tokens in one transformer, both enriched by two contexts of the image and used as dense "
        "classifiers, are the authors'; how each of these is computed is ours",
        "the image-language context is the product of CLIP's embeddings of image and sentence, "
        "coordinate by coordinate, and joins a textual token before the transformer",
        "the visual context is the mean of the patches that a token looks at; it joins the token "
        "as it was before the transformer, and no gradient passes: a classifier that may learn "
        "how to follow the image could answer for whole images, and its maps would say nothing",
        "maps are pooled by their mean, multiplied by the attention of their token as in "
        "MCTformer, and averaged over both kinds",
        "no term asks for maps that follow colours, which the paper is believed to have",
        "AffinityNet is taken to stand behind the maps, as behind those of MCTformer, whose "
        "training recipe is taken too",
        "the toy transformer has 6 layers of width 96 and was pretrained without a class token; "
        "CLIP is tiny there, and attention is averaged over all layers",
    ),
    reads_names=True,
    fidelity="reconstruction",
)


class MMCST(Method):
    """Visual and textual class tokens that classify each patch.

    Args:
        backbone: a vision transformer.
        clip: frozen.
        classes: sentences, one for each of the C classes.
        last: how many layers, counted from the deepest, the attention of tokens is averaged over.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = Recipe(
        10_000, 64, 6.25e-5, 1.0, 0.05, "adamw", warmup=0.08, crop=224, area=(0.08, 1.0)
    )  # that of MCTformer

    def __init__(
        self,
        backbone: Any,
        clip: Clip,
        classes: Sequence[str],
        last: int = 3,
        scales: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__()
        self.backbone, self.last, self.scales = backbone, last, scales
        self.transformer = ClassTokens(backbone, len(classes))
        self.text_tokens: nn.Module = TextTokens(clip, classes, backbone.channels[-1])

    @classmethod
    def toy(cls, num_classes: int, backbone: Any = None) -> Self:
        """The sizes and the recipe of the toy world."""
        classes = [f"a photo of a {name}" for name in CLASSES[:num_classes]]
        method = cls(backbone or toy_vit(), load_clip(), classes, last=6, scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=1e-3, head_factor=2)
        return method

    def look(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What visual and textual tokens find, the visual ones first.

        Args:
            image: (B, 3, H, W).

        Returns:
            tokens: (B, 2C, D), behind the transformer.
            attention: (B, 2, C, h, w), how much a token looks at each patch; sums to one.
            maps: (B, 2, C, h, w), what its dense classifier says of the patch, any real values.
        """
        words, fit = self.text_tokens(image)
        tokens, patches, attention = self.transformer(image, words + fit)
        attention = attention[-self.last :].mean(dim=0)
        looks, context = looked_at(attention, patches, tokens.shape[1])
        # A gradient could make the context say yes or no for the whole image.
        scale = patches.shape[1] ** -0.5
        classifiers = torch.cat([self.transformer.tokens, words]) + scale * context.detach()
        maps = scale * torch.einsum("bkd,bdhw->bkhw", classifiers, patches)
        return tokens, looks.unflatten(1, (2, -1)), maps.unflatten(1, (2, -1))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Classify by the mean of each token, and by the pooled class maps of either kind."""
        tags = batch.require("tags", CARD.name)
        tokens, _, maps = self.look(batch.image)
        pooled = maps.mean(dim=(3, 4))
        return {
            "tokens": tag_loss(tokens.mean(dim=2), tags.repeat(1, 2)),
            "visual": tag_loss(pooled[:, 0], tags),
            "textual": tag_loss(pooled[:, 1], tags),
        }

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, h, w): rectified maps times attention, the mean of both kinds."""
        _, attention, maps = self.look(image)
        return (maps.relu() * attention).mean(dim=1)

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): maps added over scales and flips, then divided by their maximum."""
        return normalize(multi_scale_flip(self.class_maps, batch.image, self.scales), batch.tags)
