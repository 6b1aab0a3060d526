"""L2G: a network that sees crops teaches one that sees the whole image, place by place.

In a crop, a part that is small in the image is large, and a head is often left out. The maps of
many crops know more details than the map of the image. The global network learns what each crop
knows of its classes (knowledge transfer), cut by a saliency map to the shape of what stands out,
and that all the rest is background (shape transfer).
"""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from torch import Tensor, nn

from wsss_lib.blocks.augment.views import crops, drawn_windows
from wsss_lib.blocks.labels.shape import shaped_target
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.correlation import CorrelatedClassifier

CARD = Card(
    id="l2g",
    name="L2G",
    title="L2G: A Simple Local-to-Global Knowledge Transfer Framework for Weakly Supervised "
    "Semantic Segmentation",
    authors="Jiang, Yang, Hou, Wei",
    venue="CVPR",
    year=2022,
    supervision=("tags", "saliency"),
    family="image_level/self_supervised",
    paper="arXiv:2204.03206",
    official="https://github.com/PengtaoJiang/L2G",
    survey_section="2.1.6",
    fidelity="reduced",
    needs=("saliency, from a network that has seen masks of other classes",),
    differs=(
        "the local network has no channel for the background; the released code has one that no "
        "loss teaches, and wherever it happens to be strongest, no class is transferred",
        "the target of the background is what is not salient, in the whole crop",
        "windows begin at cells of the feature map, so that cutting it needs no ROIAlign",
        "features are rectified in front of the correlation, as in SEAM",
        "what is not positive counts as 0 before the sum over scales and flips, not after",
        "images are resized by their longer side, to what makes the shorter one 512 if the sides "
        "are as 4 to 3; no colour jitter; the momentum is not Nesterov's",
        "the toy world has four windows of 5/8 of its images' side, and no random ones; it looks "
        "at two sizes, as CAM does there, not at four",
    ),
)


class L2G(Method):
    """A global classifier that learns the attention of a local one.

    Args:
        whole: images -> C + 1 raw maps, background first.
        local: windows -> C raw maps.
        windows: on each image, at least four: one in each corner, the others at random.
        share: side of a window, as a share of the image's side.
        transfer: weight of what the global network is taught.
        faint: normalised scores up to it say that a window shows no class here.
        scales: sizes at which an image and its mirror image are looked at when predicting.
    """

    card = CARD
    recipe = replace(
        Recipe.like_psa(35_273, crop=448, long_side=(683, 683), lr=1e-3), batch_size=3, flip=False,
        drops=(0.5,),
    )  # fmt: skip

    def __init__(
        self,
        whole: CorrelatedClassifier,
        local: CorrelatedClassifier,
        windows: int = 6,
        share: float = 5 / 7,
        transfer: float = 10.0,
        faint: float = 1e-3,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.whole, self.local = whole, local
        self.backbone = nn.ModuleList([n.get_submodule("backbone") for n in (whole, local)])
        self.windows, self.share, self.scales = windows, share, scales
        self.transfer, self.faint = transfer, faint

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        net, widths = backbone or toy_cnn(), (32, 32)
        whole = CorrelatedClassifier(copy.deepcopy(net), num_classes + 1, widths)
        local = CorrelatedClassifier(net, num_classes, widths)
        method = cls(whole, local, windows=4, share=0.625, scales=(1.0, 1.5))
        # Faster, the head overshoots to background everywhere, where a softmax has no slope left.
        method.recipe = Recipe.toy(steps=300, lr=1e-3, head_factor=0.3)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Classify windows by the local network, and teach the global one what it found there."""
        tags, saliency = batch.require("tags", CARD.name), batch.require("saliency", CARD.name)
        stride = self.whole.backbone.strides[-1]
        h, w = (side // stride for side in batch.image.shape[-2:])
        corners, window = drawn_windows(len(tags), self.windows, (h, w), self.share)
        image, shape = (crops(x, corners, window, stride) for x in (batch.image, saliency))
        local, labels = self.local(image), tags.repeat_interleave(self.windows, dim=0)
        said = crops(self.whole(batch.image), corners, window).softmax(dim=1)
        gap = (said - shaped_target(local, labels, shape, self.faint)) ** 2 / said.numel()
        return {
            "cls": tag_loss(local.mean(dim=(2, 3)), labels),
            "knowledge": self.transfer * gap[:, 1:].sum(),
            "shape": self.transfer * gap[:, :1].sum(),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): object maps of the global network, read as those of CAM, alone."""
        maps = multi_scale_flip(lambda x: self.whole(x)[:, 1:], batch.image, self.scales)
        return normalize(maps, batch.tags)
