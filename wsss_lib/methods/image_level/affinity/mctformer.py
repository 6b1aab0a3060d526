"""MCTformer: a vision transformer with one class token per class.

Each class token gathers evidence for its own class, so its attention to the patches is a map of
that class. The attention between patches is an affinity that nobody had to train for, and one step
along it completes the maps.
"""

from collections.abc import Sequence
from typing import Any, Literal, Self

from torch import Tensor, nn

from wsss_lib.blocks.affinity.class_tokens import class_attention, patch_affinity, spread
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import min_max
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.toy import toy_vit
from wsss_lib.nets.heads.class_tokens import ClassTokens

CARD = Card(
    id="mctformer",
    name="MCTformer",
    title="Multi-class Token Transformer for Weakly Supervised Semantic Segmentation",
    authors="Xu, Ouyang, Bennamoun, Boussaid, Xu",
    venue="CVPR",
    year=2022,
    supervision=("tags",),
    family="image_level/affinity",
    paper="arXiv:2203.02891",
    official="https://github.com/xulianuwa/MCTformer",
    survey_section="2.1.4",
    differs=(
        "version 2 of the paper's two, the one that also reads a CAM from the patch tokens",
        "the toy transformer has 6 layers of width 96 and patches of 8 pixels, not DeiT-S/16, and "
        "was pretrained without a class token, so that class tokens start at random there; class "
        "attention is averaged over all of its layers, not over a quarter of them, and maps take "
        "no step along the attention between patches, which ruins them",
        "rows of the patch affinity are made to sum to one; the released code adds them up as they "
        "are",
        "the learning rate falls by the poly rule, not along a cosine",
        "training pictures are cut out and mirrored as the authors' are, but their colours "
        "are not changed, nothing is erased from them, and no path of the network is dropped",
        "the stage behind it, AffinityNet trained on these maps, is a system of its own here",
    ),
    fidelity="reduced",
)


class MCTformer(Method):
    """Class tokens whose attention maps are fused with a CAM and refined by patch attention.

    Args:
        backbone: a vision transformer.
        num_classes: C, without background.
        last: how many layers, counted from the deepest, class attention is averaged over.
        scales: sizes at which an image is looked at when predicting.
        flip: also look at its mirror image.
        answer: which map is answered: the "attention" of the class tokens, that "fused" with the
            CAM, or the fused map "refined" along the patches. It may be changed after training.
    """

    card = CARD
    recipe = Recipe(
        10_000, 64, 6.25e-5, 1.0, 0.05, "adamw", warmup=0.08, crop=224, area=(0.08, 1.0)
    )  # the rate of the paper is one for batches of 512: 5e-4 * 64 / 512

    def __init__(
        self,
        backbone: Any,
        num_classes: int,
        last: int = 3,
        scales: Sequence[float] = (1.0,),
        flip: bool = True,
        answer: Literal["attention", "fused", "refined"] = "refined",
    ) -> None:
        super().__init__()
        self.answer = answer
        self.backbone, self.last, self.scales, self.flip = backbone, last, scales, flip
        self.transformer = ClassTokens(backbone, num_classes)
        self.head = nn.Conv2d(backbone.channels[-1], num_classes, 3, padding=1)

    @classmethod
    def toy(cls, num_classes: int, backbone: Any = None) -> Self:
        """The sizes and the recipe of the toy world."""
        # Refined, the maps are far worse in the world that settings come from (results/rates.json).
        method = cls(backbone or toy_vit(), num_classes, 6, (1.0, 1.5), answer="fused")
        method.recipe = Recipe.toy(steps=300, lr=1e-3, head_factor=2)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Classify twice: by the mean of each class token, and by the pooled class maps."""
        tags = batch.require("tags", CARD.name)
        tokens, patches, _ = self.transformer(batch.image)
        return {
            "tokens": tag_loss(tokens.mean(dim=2), tags),
            "patches": tag_loss(self.head(patches).mean(dim=(2, 3)), tags),
        }

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, h, w): class attention, times CAM, spread along the patches."""
        tokens, patches, attention = self.transformer(image)
        cam, c = self.head(patches).relu(), tokens.shape[1]
        deep = attention[-self.last :].mean(dim=0)
        maps = class_attention(deep, c, (cam.shape[-2], cam.shape[-1]))
        if self.answer != "attention":
            maps = maps * cam
        if self.answer == "refined":
            maps = spread(maps, self.affinity(patches, attention))
        return maps

    def affinity(self, patches: Tensor, attention: Tensor) -> Tensor:
        """(B, N, N): attention between patches, averaged over (layers, B, C + N, C + N)."""
        return patch_affinity(attention.mean(dim=0), self.head.out_channels)

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): maps added over scales and flips, then min-max normalised."""
        maps = multi_scale_flip(self.class_maps, batch.image, self.scales, self.flip)
        return min_max(maps, batch.tags, eps=1e-8)
