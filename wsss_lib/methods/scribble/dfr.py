"""DFR: two pixels are alike if they look alike to the network, not to the camera alone.

A loss that knows colours draws a border wherever colours change, and none where they do not. The
network's own features know what belongs together, once they have learned it; they enter the kernel
of the loss, and change with every step. A head of their own teaches them.
"""

from typing import Self

import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.blocks.affinity.relations import token_relations
from wsss_lib.blocks.labels.trust import known_cells
from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.pairs import pair_loss
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.losses.regularised import crf_loss, ncut_loss, on_kernel, only_drawn, small_kernel
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import DeepLab, toy_deeplab

CARD = Card(
    id="dfr",
    name="DFR",
    title="Dynamic Feature Regularized Loss for Weakly Supervised Semantic Segmentation",
    authors="Zhang, Xiao, Zhao",
    venue="arXiv",
    year=2021,
    supervision=("scribble",),
    family="scribble",
    paper="arXiv:2108.01296",
    survey_section="3.2",
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reconstruction",
    differs=(
        "written from the abstract: no code could be found; kernel, head, weights and thresholds "
        "are ours",
        "deep features of three channels and unit length, so that a lattice can hold them beside "
        "place and colour",
        "pairs of the head are those of a grid of 16 x 16 cells that were drawn in, or that the "
        "network is sure of",
        "a DeepLab on a convolutional backbone, where the survey's line has a Swin transformer",
        "energies are divided by sums of the kernel, on a picture half as high and wide",
        "on the toy world the kernel stands in both energies of KernelCut, which join after three "
        "eighths of the training: nothing but kernel and head differs from its control",
    ),
)


class DFR(Method):
    """A segmentation network whose own features say which of its pixels should agree.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits; ``net.backbone`` learns slowly.
        crf: weight of the dense CRF's energy beside partial cross-entropy.
        ncut: weight of the normalised cut.
        agree: weight of the feature consistency.
        sxy: how far pixels see each other, in pixels of the image.
        srgb: how alike they must be, in grey levels.
        sdeep: how alike their deep features must be; those have a length of one.
        sure: from which mean probability on an answer teaches the features.
        start: share of the training without energies.
        scale: of the picture on which the energies are computed.
        dim: channels of the deep features.

    Attributes:
        side: rows and columns, at most, of the grid whose cells are compared.
    """

    card = CARD
    recipe = Recipe(steps=20_000, batch_size=10, lr=2.5e-4, crop=321, scale=(0.5, 1.5))
    side = 16

    def __init__(
        self, net: DeepLab, crf: float = 1.0, ncut: float = 0.0, agree: float = 1.0,
        sxy: float = 100.0, srgb: float = 15.0, sdeep: float = 0.5, sure: float = 0.9,
        start: float = 0.0, scale: float = 0.5, dim: int = 3,
    ) -> None:  # fmt: skip
        super().__init__()
        self.net, self.backbone = net, net.get_submodule("backbone")
        self.head = nn.Conv2d(net.width, dim, 1)
        self.crf, self.ncut, self.agree, self.sure = crf, ncut, agree, sure
        self.sxy, self.srgb, self.sdeep = sxy, srgb, sdeep
        self.start, self.scale = start, scale

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(toy_deeplab(num_classes, backbone), 1.0, 0.5, sxy=10.0, start=0.375)
        method.recipe = Recipe.toy(steps=400, lr=4e-3, head_factor=1.25)
        return method

    def consistency(self, deep: Tensor, logits: Tensor, scribble: Tensor) -> Tensor:
        """Deep features (B, D, h, w) point one way in cells of one class, apart in those of two."""
        grid = (min(self.side, deep.shape[-2]), min(self.side, deep.shape[-1]))
        known = known_cells(logits.softmax(dim=1), scribble, grid, self.sure)
        cells = F.normalize(F.adaptive_avg_pool2d(deep, grid), dim=1).flatten(2)
        alike, related = (1 + cells.transpose(1, 2) @ cells) / 2, token_relations(known)
        together = pair_loss(alike, related == 1, together=True)
        return (together + pair_loss(alike, related == 0, together=False)) / 2

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Partial cross-entropy, consistent features, and energies by a kernel of these."""
        scribble, image = batch.require("scribble", CARD.name), batch.image
        decoded = self.net.embed(self.backbone(image))
        logits, deep = self.net.classify(decoded, image), F.normalize(self.head(decoded), dim=1)
        terms = {
            "seg": pixel_loss(logits, scribble),
            "consistent": self.agree * self.consistency(deep, logits, scribble),
        }
        if self.progress >= self.start:
            kernel = small_kernel(image, self.sxy, self.srgb, self.scale, deep / self.sdeep)
            scores = on_kernel(kernel, logits)
            terms["crf"] = self.crf * crf_loss(kernel, scores)
            terms["cut"] = self.ncut * ncut_loss(kernel, only_drawn(scores, scribble))
        return terms

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        probabilities = self.net(batch.image).softmax(dim=1)
        return keep_present(foreground_scores(probabilities), batch.tags)
