"""AFA: the attention of a transformer becomes an affinity, which corrects what the network learns.

Patches that look at each other often belong together, but not always: attention is no affinity
yet. So the network's own labels, where they are sure, teach a small layer which pairs of patches
do. One step along these affinities spreads the class maps before they become labels.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

from torch import Tensor

from wsss_lib.blocks.affinity.attention import affinity_step
from wsss_lib.blocks.affinity.relations import near_relations
from wsss_lib.blocks.labels.trust import refined_labels
from wsss_lib.blocks.maps.cam import multi_scale_max
from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present
from wsss_lib.blocks.refine.pamr import par, toy_par
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.balanced import halves_loss
from wsss_lib.losses.tags import tag_loss
from wsss_lib.losses.tokens import affinity_loss
from wsss_lib.nets.segmentation.mlp import AffinityFormer, toy_affinity_net

CARD = Card(
    id="afa",
    name="AFA",
    title="Learning Affinity from Attention: End-to-End Weakly-Supervised Semantic Segmentation "
    "with Transformers",
    authors="Ru, Zhan, Yu, Du",
    venue="CVPR",
    year=2022,
    supervision=("tags",),
    family="image_level/online",
    paper="arXiv:2203.02664",
    official="https://github.com/rulixiang/afa",
    survey_section="2.2",
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reduced",
    differs=(
        "attention is read before its softmax, as in the released code, but divided by the root of "
        "the length of a key, as in the paper",
        "class maps of an image and its mirror image are added; the released code takes the larger",
        "the layer norms of the transformer learn; the released code keeps them",
        "neither stochastic depth in the transformer nor dropout in the decoder",
        "it predicts from the sizes that class maps come from; the released code takes 0.5, 0.75 "
        "and 1 there",
        "no dense CRF after the network",
        "on the toy world a mix transformer of six layers whose last two stages have a stride of 8 "
        "pixels; one size; PAR at the size of the image, not at half of it, with "
        "fewer neighbours; pairs up to three patches apart, not eight; the step along affinities "
        "after half of the training, since 60 steps are too few to learn affinities, whose layer "
        "starts at zero",
    ),
)


class AFA(Method):
    """A transformer that learns affinities from its own labels, and better labels from these.

    Args:
        net: transformer, classifier, affinities and decoder.
        trust: scores above the first are foreground, below the second background.
        radius: rows and columns that two patches of a pair are apart at most.
        starts: share of the training after which own labels teach the decoder and the affinities,
            and after which class maps take a step along the affinities before they are labels.
        weights: of segmentation and affinity.
        refine: (B, 3, H, W) images, (B, R, h, w) maps -> (B, R, H, W): pulls maps to the colours.
        scales: sizes at which an image is looked at, for its class maps and when predicting.
    """

    card = CARD
    recipe = Recipe(20_000, 8, 6e-5, 10, 0.01, "adamw", 1, warmup=0.075, crop=512, scale=(0.5, 2))

    def __init__(
        self,
        net: AffinityFormer,
        trust: tuple[float, float] = (0.55, 0.35),
        radius: int = 8,
        starts: tuple[float, float] = (0.1, 0.3),
        weights: tuple[float, float] = (0.1, 0.1),
        refine: Callable[[Tensor, Tensor], Tensor] = par,
        scales: Sequence[float] = (0.5, 1.0, 1.5),
    ) -> None:
        super().__init__()
        self.net, self.backbone = net, net.backbone
        self.trust, self.radius, self.starts, self.weights = trust, radius, starts, weights
        self.refine, self.scales = refine, scales

    @classmethod
    def toy(cls, num_classes: int, backbone: Any = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy mix transformer or another one."""
        net, starts = toy_affinity_net(num_classes, backbone), (0.1, 0.5)
        method = cls(net, radius=3, starts=starts, refine=toy_par, scales=(1.0,))
        method.recipe = Recipe.toy(steps=300, lr=1e-3, head_factor=2)
        return method

    def own_labels(self, image: Tensor, tags: Tensor) -> tuple[Tensor, Tensor]:
        """Labels (B, H, W) of the class maps, and of the class maps after a step.

        Until it is time for the step, both are those of the class maps.
        """
        refine = partial(self.refine, image)
        scores, coarse, affinity = self.net.look(image, tags, self.scales)
        found = refined_labels(scores, tags, *self.trust, refine)
        if self.progress < self.starts[1]:
            return found, found
        step = partial(affinity_step, affinity=affinity, radius=self.radius)
        return found, refined_labels(coarse, tags, *self.trust, lambda odds: refine(step(odds)))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Tags; and after a while, which patches belong together, and what each pixel is."""
        tags, image = batch.require("tags", CARD.name), batch.image
        features, affinity = self.net.attend(image)
        found, stepped = self.own_labels(image, tags)
        relations = near_relations(found, features[-1].shape[-2:], self.radius)
        segment, pair = (weight * (self.progress >= self.starts[0]) for weight in self.weights)
        return {
            "cls": tag_loss(self.net.tag_logits(features), tags),
            "seg": segment * halves_loss(self.net.decode(features, image), stepped),
            "aff": pair * affinity_loss(affinity, relations),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background, by the largest logits of all looks."""
        logits = multi_scale_max(self.net, batch.image, self.scales)
        return keep_present(foreground_scores(logits.softmax(dim=1)), batch.tags)
