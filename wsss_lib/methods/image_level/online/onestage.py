"""One stage: the segmentation itself is pooled for the tags, refined, and taught to itself.

A network draws a mask of each class; the score of a class is the mean logit inside its mask. After
a while of learning from tags alone, the masks, sharpened by the colours of the image, become labels
for the next step of the same network.
"""

from collections.abc import Sequence
from typing import Self

from torch import Tensor

from wsss_lib.blocks.maps import class_maps as maps
from wsss_lib.blocks.maps.cam import multi_scale_mean
from wsss_lib.blocks.maps.ngwp import ngwp, peak_labels, size_focal
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.balanced import class_balanced_loss
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.segmentation.gated import GatedDeepLab

CARD = Card(
    id="onestage",
    name="1-stage WSSS",
    title="Single-Stage Semantic Segmentation from Image Labels",
    authors="Araslanov, Roth",
    venue="CVPR",
    year=2020,
    supervision=("tags",),
    family="image_level/online",
    paper="arXiv:2005.08104",
    official="https://github.com/visinf/1-stage-wseg",
    survey_section="2.2",
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reduced",
    differs=(
        "one pyramid, one 3x3 convolution and one linear style in the decoder; the paper's has a "
        "skip of shallow features before the cue injection, three convolutions in it, and dropout",
        "the pyramid's branches are summed and there is none of the whole image",
        "on the toy world the backbone's batch norms learn; the authors keep them fixed",
        "the settings are those of the paper's ResNet-38; the authors' ResNet-50 has crops of 448, "
        "half the rate, 20 epochs and scales of 0.75 to 1.5",
        "without tags, classes whose own score is below 0.1 are erased, as in the paper; the score "
        "is that of one look, the authors take the largest of all. Where tags are given, they take "
        "the place of these scores",
        "pooling, PAMR and the labels work at the size of the masks, not of the image",
        "no dense CRF after the network",
        "the toy world looks at two sizes and refines with fewer steps",
    ),
)


class OneStage(Method):
    """A segmentation network that is classifier, teacher and pupil in one.

    Args:
        net: (B, 3, H, W) images -> (B, C, h, w) logits of the classes.
        warmup: share of the training in which only tags teach.
        dilations: distances in pixels at which PAMR sees neighbours.
        iterations: how often PAMR averages.
        present: without tags, classes with a lower probability are erased.
        power: of the mean background mask when predicting; a large one makes it smaller.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = Recipe(15_900, lr=0.001, power=0.0, crop=321, scale=(0.9, 1.0), freeze_norm=True)

    def __init__(
        self,
        net: GatedDeepLab,
        warmup: float = 5 / 24,
        dilations: tuple[int, ...] = (1, 2, 4, 8, 12, 24),
        iterations: int = 10,
        present: float = 0.1,
        power: float = 3.0,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.net, self.backbone = net, net.backbone
        self.warmup, self.dilations, self.iterations = warmup, dilations, iterations
        self.present, self.power, self.scales = present, power, scales

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        net = GatedDeepLab(backbone or toy_cnn(), num_classes, (1, 2, 4), 48, shallow=0)
        method = cls(net, dilations=(1, 2, 4), iterations=5, scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def masks(self, logits: Tensor) -> Tensor:
        """Logits (B, C, h, w) -> masks (B, K, h, w); the background's logit is always 1."""
        return maps.with_background(logits, constant=1.0).softmax(dim=1)

    def tag_logits(self, logits: Tensor) -> Tensor:
        """Scores (B, C) of the tags from the logits (B, C, h, w) of the masks."""
        masks = self.masks(logits)[:, 1:]
        return ngwp(logits, masks) + size_focal(masks)

    def own_labels(self, image: Tensor, logits: Tensor, tags: Tensor) -> Tensor:
        """What the network will be taught next: its refined masks as labels (B, h, w)."""
        present = maps.with_background(tags[:, :, None, None], constant=1.0)
        masks = self.masks(logits.detach()) * present
        image = maps.resize_like(image, masks)
        return peak_labels(pamr(image, masks, self.dilations, self.iterations))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The tags; after the warm-up, the network's own refined masks as well."""
        tags, logits = batch.require("tags", CARD.name), self.net(batch.image)
        terms = {"cls": tag_loss(self.tag_logits(logits), tags)}
        if self.progress >= self.warmup:
            labels = self.own_labels(batch.image, logits, tags)
            whole = maps.with_background(logits, constant=1.0)
            terms["mask"] = class_balanced_loss(whole, labels, tags)
        return terms

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background, at 0.5 where it wins.

        Masks are averaged over scales and flips, and the background's is raised to ``power``.
        """
        tags = batch.tags
        if tags is None:
            tags = self.tag_logits(self.net(batch.image)).sigmoid() > self.present
        masks = multi_scale_mean(lambda x: self.masks(self.net(x)), batch.image, self.scales)
        return maps.keep_present(maps.foreground_scores(masks, self.power), tags)
