"""SEC: sure pixels seed, tags make objects grow, and the colours of the image hold them.

A segmentation network learns from three losses at once. It must agree with few sure pixels; what it
finds, pooled over the image, must agree with the tags; and it must agree with what a refinement by
colours makes of its own answer. Colour acts while the network learns, not afterwards.
"""

from collections.abc import Callable
from typing import Self

from torch import Tensor, nn

from wsss_lib.blocks.labels.cues import localisation_cues
from wsss_lib.blocks.maps.class_maps import resize_like
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses import seed_expand_constrain as losses
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import toy_deeplab
from wsss_lib.nets.segmentation.refined import COLOURS, TOY_COLOURS, RefinedNet

CARD = Card(
    id="sec",
    name="SEC",
    title="Seed, Expand and Constrain: Three Principles for Weakly-Supervised Image Segmentation",
    authors="Kolesnikov, Lampert",
    venue="ECCV",
    year=2016,
    supervision=("tags",),
    family="image_level/affinity",
    paper="arXiv:1603.06098",
    official="https://github.com/kolesman/SEC",
    survey_section="2.1.4",
    needs_scores=True,
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reduced",
    differs=(
        "background seeds are the least scored tenth of the pixels, ties by lot; the paper takes "
        "the tenth that is least salient by the gradients of a classifier",
        "of two classes that claim a pixel as a seed, the one with the higher score has it, "
        "whatever the sizes of their regions",
        "the refined answer is a target without a gradient; the authors' code lets one through, "
        "scaled by 1 - Q, which is small wherever the CRF is sure",
        "the network is that of the library's segmenter, not DeepLab-LargeFOV with dropout",
        "training images keep their proportions, and some are mirrored; the authors squeeze them "
        "into squares",
        "no dense CRF after the network",
        "on the toy world, PAMR of five rounds takes the place of the dense CRF, all losses work "
        "at the size of the image, the constrain loss counts thirty times, and seeds of classes "
        "need a score of two fifths",
    ),
)


class SEC(RefinedNet, Method):
    """A segmentation network taught by seeds, by tags, and by the colours of the image.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits; ``net.backbone`` learns slowly.
        foreground: scores above it are seeds of their class.
        background: share of the pixels that are seeds of the background.
        decays: of the rank pooling of present classes and of the background, at 41 x 41 pixels.
        refine: (image, probabilities) -> probabilities that follow the colours.
        shrink: the losses see answers and images smaller by this factor.
        weight: of the constrain loss.
    """

    card = CARD
    recipe = Recipe(8000, 15, 1e-3, drops=(0.25, 0.5, 0.75), crop=321, long_side=(321, 321))

    def __init__(
        self,
        net: nn.Module,
        foreground: float = 0.2,
        background: float = 0.1,
        decays: tuple[float, float] = (0.996, 0.999),
        refine: Callable[[Tensor, Tensor], Tensor] = COLOURS,
        shrink: int = 8,
        weight: float = 1.0,
    ) -> None:
        super().__init__(net, refine, shrink, weight)
        self.foreground, self.background, self.decays = foreground, background, decays

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        net = toy_deeplab(num_classes, backbone)
        method = cls(net, foreground=0.4, refine=TOY_COLOURS, shrink=1, weight=30)
        method.recipe = Recipe.toy(steps=400, lr=4e-3, head_factor=1.25)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Seeds, tags and colours."""
        tags, scores = batch.require("tags", CARD.name), batch.require("scores", CARD.name)
        answer, refined = self.answers(batch.image)
        seeds = localisation_cues(resize_like(scores, answer), self.foreground, self.background)
        return {
            "seed": losses.seed_loss(answer, seeds),
            "expand": losses.expand_loss(answer, tags, self.decays),
            "constrain": self.by_colours(answer, refined),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        return self.foreground_scores(batch.image, batch.tags)
