"""USAGE: a temperature chooses how large a seed grows, and an adapted network is a second view.

Scores are pooled between the mean of a map, which makes it grow, and its maximum, which makes it
shrink. A network that lacks some of its channels sees the image differently; what is left of it
must draw the seed that all of it draws. The surer the network is, the more it has to do without.
"""

from collections.abc import Sequence
from typing import Self

from torch import Tensor, nn

from wsss_lib.blocks.augment.views import thinned
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.blocks.maps.rank_pooling import temperature_pool
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn

CARD = Card(
    id="usage",
    name="USAGE",
    title="USAGE: A Unified Seed Area Generation Paradigm for Weakly Supervised Semantic "
    "Segmentation",
    authors="Peng, Wang, Xie, Jiang, Shen, Tian",
    venue="ICCV",
    year=2023,
    supervision=("tags",),
    family="image_level/self_supervised",
    paper="arXiv:2303.07806",
    survey_section="2.1.6",
    fidelity="reconstruction",
    differs=(
        "its code was never released, and the equations are guessed from the paper's description",
        "guessed: the generation loss pools by a softmax over the map, divided by the temperature",
        "guessed: a network is adjusted by leaving out channels of its last features, at a rate "
        "that follows how sure it is of the tags",
        "guessed: the whole network teaches the adjusted one, and the distance is the mean "
        "absolute one, with weight 1",
        "guessed: the temperature, the highest rate, and the recipe, which is SEAM's",
        "the toy world looks at two sizes, as CAM does there",
        "the stage behind it, AffinityNet trained on these maps, is a system of its own here",
    ),
)


class USAGE(Method):
    """A seed whose size a temperature chooses, and which a thinned network draws as well.

    Args:
        backbone: features whose last map the classifier reads.
        num_classes: C, without background.
        temperature: of the pooling; high for a CNN, whose seeds are too small, low for a
            transformer, whose seeds are too large.
        rate: how likely a channel is left out by a network that is certain.
        agree: weight of the consistency.
        scales: sizes at which an image and its mirror image are looked at when predicting.
    """

    card = CARD
    recipe = Recipe.like_psa(steps=10_582, crop=448, long_side=(448, 768))

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        temperature: float = 30.0,
        rate: float = 0.5,
        agree: float = 1.0,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.backbone, self.scales = backbone, scales
        self.classifier = nn.Conv2d(backbone.channels[-1], num_classes, 1, bias=False)
        self.temperature, self.rate, self.agree = temperature, rate, agree

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Generation: classify by the temperature. Regularisation: two networks, one seed."""
        tags = batch.require("tags", CARD.name)
        features = self.backbone(batch.image)[-1]
        maps = self.classifier(features)
        scores = temperature_pool(maps, self.temperature)
        sure = (scores.detach().sigmoid() * tags).sum(dim=1) / tags.sum(dim=1).clamp(min=1)
        adjusted = self.classifier(thinned(features, self.rate * sure))
        seed, of_adjusted = normalize(maps.detach(), tags), normalize(adjusted, tags)
        return {
            "generation": tag_loss(scores, tags),
            "consistency": self.agree * (seed - of_adjusted).abs().mean(),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): seeds of the whole network over scales and flips, over their maximum."""

        def maps_of(image: Tensor) -> Tensor:
            return self.classifier(self.backbone(image)[-1])

        return normalize(multi_scale_flip(maps_of, batch.image, self.scales), batch.tags)
