"""CONTA: show a classifier every context at once, so that none has to be guessed from the image.

What surrounds a class confounds image and label. The mean mask of every class stands for a context;
an attention-weighted mixture of all of them joins the features, whatever the image shows. The masks
come from a segmentation network, which learns from the classifier's maps: round by round, both
improve each other.
"""

import copy
from collections.abc import Sequence
from typing import Self

from torch import Tensor, nn

from wsss_lib.blocks.labels.trust import trusted_labels
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize, resize_like
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.context import Context
from wsss_lib.nets.segmentation.deeplab import DeepLab

CARD = Card(
    id="conta",
    name="CONTA",
    title="Causal Intervention for Weakly-Supervised Semantic Segmentation",
    authors="Zhang, Zhang, Tang, Hua, Sun",
    venue="NeurIPS",
    year=2020,
    supervision=("tags",),
    family="image_level/cooccurrence",
    paper="arXiv:2009.12547",
    official="https://github.com/ZHANGDONG-NJUST/CONTA",
    survey_section="2.1.3",
    fidelity="reduced",
    differs=(
        "the attention and the three rounds are written from the paper alone; the authors' public "
        "code shows the module only in part",
        "classifier and segmentation network learn side by side, and a round goes on from the "
        "weights of the round before; the paper trains one after the other, and again in each "
        "round",
        "an image's mask is what the segmentation network now calls foreground; the paper takes "
        "its mask of the round before",
        "pseudo-masks are class maps after PAMR with two thresholds; the paper expands them with "
        "SEAM, IRNet and others, and the survey's figures belong to SEAM with CONTA",
        "class means are of pseudo-masks as the recipe mirrors and moves them, later batches "
        "counting more",
        "it answers with the class maps of the last round; the paper trains a last segmentation "
        "network on them",
        "on the toy world the context map is multiplied by ten, since it is far smaller than the "
        "features beside it; the paper does not say how its size is kept",
    ),
)


class CONTA(Method):
    """A classifier with a context map among its features, and the network that draws the masks.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits: the segmentation network.
        backbone: features whose last map the classifier reads.
        num_classes: C, without background.
        rounds: how often the class means are made anew.
        trust: scores above the first are labels, scores at or below the second background.
        dilations: distances in pixels at which PAMR, which sharpens the scores, sees neighbours.
        side: height and width in pixels at which masks are averaged.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = Recipe.like_irn(steps=9000)

    def __init__(
        self,
        net: DeepLab,
        backbone: Backbone,
        num_classes: int,
        rounds: int = 3,
        trust: tuple[float, float] = (0.30, 0.05),
        dilations: tuple[int, ...] = (1, 2, 4, 8, 12, 24),
        side: int = 32,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.net, self.features = net, backbone
        parts = map(self.get_submodule, ("net.backbone", "features"))
        self.backbone = nn.ModuleList(parts)
        self.classifier = nn.Conv2d(backbone.channels[-1] + 1, num_classes, 1, bias=False)
        self.context = Context(num_classes, side)
        self.rounds, self.trust, self.dilations, self.scales = rounds, trust, dilations, scales

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        backbone = backbone or toy_cnn()
        net = DeepLab(copy.deepcopy(backbone), num_classes, rates=(1, 2, 4), width=48)
        method = cls(net, backbone, num_classes, side=16)
        method.trust, method.dilations, method.scales = (0.3, 0.1), (1, 2, 4), (1.0, 1.5)
        method.context.gain, method.recipe = 10.0, Recipe.toy(steps=600, lr=5e-3, head_factor=2)
        return method

    def class_maps(self, image: Tensor, logits: Tensor | None = None) -> Tensor:
        """(B, 3, H, W) -> raw class maps (B, C, h, w); the network's logits, if they are known."""
        logits = self.net(image) if logits is None else logits
        found = 1 - logits.detach().softmax(dim=1)[:, :1]
        return self.classifier(self.context.beside(self.features(image)[-1], found))

    def pseudo_masks(self, image: Tensor, maps: Tensor, tags: Tensor) -> Tensor:
        """Class maps (B, C, h, w) -> (B, H, W) class indices, 255 where nothing is trusted."""
        scores = resize_like(normalize(maps.detach(), tags), image)
        return trusted_labels(pamr(image, scores, self.dilations), *self.trust)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The tags of the classifier, and its pseudo-masks for the segmentation network."""
        tags, logits = batch.require("tags", CARD.name), self.net(batch.image)
        self.context.begin(int(self.progress * self.rounds))
        maps = self.class_maps(batch.image, logits)
        labels = self.pseudo_masks(batch.image, maps, tags)
        self.context.gather(labels)
        return {"cls": tag_loss(maps.mean(dim=(2, 3)), tags), "seg": pixel_loss(logits, labels)}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): class maps with their context, each divided by its maximum."""
        return normalize(multi_scale_flip(self.class_maps, batch.image, self.scales), batch.tags)
