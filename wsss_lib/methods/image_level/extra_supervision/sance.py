"""SANCE: a network that knows what an object is does not take its stripes for its outline.

A contour branch learns boundaries from pairs of sure pixels, as IRNet's does. A segmentation branch
on the same trunk learns classes. It helps twice: through the features that both share, and with
labels that it makes while it learns. In the end its own map walks, and contours stop it.
"""

from typing import Self

from torch import Tensor

from wsss_lib.blocks.affinity.pairs import half_disc
from wsss_lib.blocks.affinity.paths import path_affinity
from wsss_lib.blocks.affinity.stopped_walk import stopped_walk
from wsss_lib.blocks.labels.trust import trusted_labels
from wsss_lib.blocks.maps import class_maps as maps
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.pairs import labelled_pair_loss
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.contour import ContourNet
from wsss_lib.nets.segmentation.deeplab import toy_deeplab

CARD = Card(
    id="sance",
    name="SANCE",
    title="Towards Noiseless Object Contours for Weakly Supervised Semantic Segmentation",
    authors="Li, Fan, Zhang",
    venue="CVPR",
    year=2022,
    supervision=("tags",),
    family="image_level/extra_supervision",
    paper="doi:10.1109/CVPR52688.2022.01635",
    official="https://github.com/BraveGroup/SANCE",
    survey_section="2.1.5",
    fidelity="reconstruction",
    needs_scores=True,
    own_background=True,
    differs=(
        "known from what its authors say of it in brief: shared features, online labels for the "
        "contours, and the segmentation map instead of CAM as what walks; the losses, thresholds "
        "and the schedule below are ours",
        "the contour loss is IRNet's on pairs of pixels; its displacement field is left out",
        "online labels are the refined probabilities of the present classes, cut by two "
        "thresholds; they teach both branches, after the first quarter of the training",
        "PAMR, not a dense CRF, sharpens the scores of the stage before, and refines those of the "
        "segmentation branch; after the walk it refines once more, as the control's PAMR does: "
        "whether the authors end with a CRF we do not know",
        "the background walks with the classes, so that one half is the border",
        "ours looks at an image once, at one size, when it answers",
        "the recipe is that of the book's DeepLab segmenter",
    ),
)


class SANCE(Method):
    """A contour branch and a segmentation branch on one trunk, which teach each other.

    Args:
        net: images -> logits and boundaries.
        radii: on the map of boundaries training pairs lie closer than the first, and steps of the
            walk are shorter than the second.
        seeds: scores of the stage before: above the first foreground is trusted, up to the second
            background.
        online: the same for what the segmentation branch says of a class against the background.
        warmup: share of the training in which the seeds teach alone.
        beta: exponent of the affinities.
        walk: steps of the walk.
        dilations: distances in pixels at which PAMR sees neighbours.
    """

    card = CARD
    recipe = Recipe(steps=20_000, batch_size=10, lr=2.5e-4, crop=321, scale=(0.5, 1.5))

    def __init__(
        self,
        net: ContourNet,
        radii: tuple[int, int] = (10, 5),
        seeds: tuple[float, float] = (0.30, 0.05),
        online: tuple[float, float] = (0.7, 0.3),
        warmup: float = 0.25,
        beta: float = 10.0,
        walk: int = 256,
        dilations: tuple[int, ...] = (1, 2, 4, 8, 12, 24),
    ) -> None:
        super().__init__()
        self.net, self.backbone = net, net.backbone
        self.offsets, self.near = (half_disc(radius) for radius in radii)
        self.seeds, self.online, self.warmup = seeds, online, warmup
        self.beta, self.walk, self.dilations = beta, walk, dilations

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        net = ContourNet(toy_deeplab(num_classes, backbone), 16, 0 if backbone is None else 1)
        method = cls(net, (5, 4), (0.4, 0.1), walk=16, dilations=(1, 2, 4))
        method.recipe = Recipe.toy(steps=200, lr=4e-3, head_factor=1.25)
        return method

    def contours(self, boundary: Tensor, scores: Tensor, trust: tuple[float, float]) -> Tensor:
        """What scores (B, C, H, W) teach the boundaries (B, 1, h, w), where they are trusted."""
        labels = trusted_labels(maps.resize_like(scores, boundary), *trust)
        return labelled_pair_loss(path_affinity(boundary, self.offsets), labels, self.offsets)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Both branches, from the seeds; later also from what the segmentation branch says."""
        tags, scores = batch.require("tags", CARD.name), batch.require("scores", CARD.name)
        logits, boundary = self.net(batch.image)
        seeds = pamr(batch.image, scores, self.dilations)
        refined = pamr(batch.image, logits.detach().to(batch.image).softmax(dim=1), self.dilations)
        said = maps.keep_present(maps.foreground_scores(refined), tags)
        late = self.progress >= self.warmup
        return {
            "contour": self.contours(boundary, seeds, self.seeds),
            "seg": pixel_loss(logits, trusted_labels(seeds, *self.seeds)),
            "online_contour": late * self.contours(boundary, said, self.online),
            "online_seg": late * pixel_loss(logits, trusted_labels(said, *self.online)),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): the segmentation branch's map, walked and refined, class by background."""
        logits, boundary = self.net(batch.image)
        walked = stopped_walk(logits.softmax(dim=1), boundary, self.near, self.beta, self.walk)
        refined = pamr(batch.image, walked, self.dilations)
        return maps.keep_present(maps.foreground_scores(refined), batch.tags)
