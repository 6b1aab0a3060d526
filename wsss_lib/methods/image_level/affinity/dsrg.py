"""DSRG: seeds grow to the connected pixels of which the network has become sure.

Seeds of a class map cover little of an object, and a network that learns from them alone stays
there. Here the network's own answer, refined by colours, extends them in each step, but only where
a way of sure pixels leads back to a seed. Growth always starts from the seeds of the class map.
"""

from collections.abc import Callable
from typing import Self

from torch import Tensor, nn

from wsss_lib.blocks.labels.trust import trusted_labels
from wsss_lib.blocks.maps.class_maps import resize_like
from wsss_lib.blocks.refine.region_growing import grow_seeds
from wsss_lib.core import IGNORE, Batch, Card, Method, Recipe
from wsss_lib.losses import seed_expand_constrain as losses
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import toy_deeplab
from wsss_lib.nets.segmentation.refined import COLOURS, TOY_COLOURS, RefinedNet

CARD = Card(
    id="dsrg",
    name="DSRG",
    title="Weakly-Supervised Semantic Segmentation Network with Deep Seeded Region Growing",
    authors="Huang, Wang, Wang, Liu, Wang",
    venue="CVPR",
    year=2018,
    supervision=("tags",),
    family="image_level/affinity",
    paper="doi:10.1109/CVPR.2018.00733",
    official="https://github.com/speedinghzl/DSRG",
    survey_section="2.1.4",
    needs_scores=True,
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reduced",
    differs=(
        "background seeds are pixels without a score above 0.05; the paper asks a detector of "
        "salient objects (DRFI), which likewise leaves most of an image to the background",
        "the CRF gets the logarithms of the probabilities, and the ratio in the boundary loss is "
        "not clipped; the released code hands it the probabilities themselves, and clips",
        "the refined answer is a target without a gradient; the released code lets one through, "
        "scaled by 1 - Q, which is small wherever the CRF is sure",
        "one round; the paper trains a second network on the masks of the first",
        "the network is that of the library's segmenter, not VGG-16 with dropout",
        "the rate falls to a tenth after each quarter of the training; in the released code to a "
        "third after each eighth, which is nearly the same",
        "training images keep their proportions; the authors squeeze them into squares",
        "no dense CRF after the network",
        "on the toy world, PAMR of five rounds takes the place of the dense CRF, all losses work "
        "at the size of the image, the boundary loss counts thirty times, and seeds of classes "
        "need a score of two fifths",
    ),
)


class DSRG(RefinedNet, Method):
    """A segmentation network that is taught by seeds which its own answer makes grow.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits; ``net.backbone`` learns slowly.
        foreground: scores above it are seeds of their class.
        background: where no score exceeds it are seeds of the background.
        grow: least refined probability at which a class grows, and at which the background does.
        refine: (image, probabilities) -> probabilities that follow the colours.
        shrink: the losses see answers and images smaller by this factor.
        weight: of the boundary loss.
    """

    card = CARD
    recipe = Recipe(8000, 20, 5e-4, drops=(0.25, 0.5, 0.75), crop=321, long_side=(321, 321))

    def __init__(
        self,
        net: nn.Module,
        foreground: float = 0.2,
        background: float = 0.05,
        grow: tuple[float, float] = (0.85, 0.99),
        refine: Callable[[Tensor, Tensor], Tensor] = COLOURS,
        shrink: int = 8,
        weight: float = 1.0,
    ) -> None:
        super().__init__(net, refine, shrink, weight)
        self.foreground, self.background, self.grow = foreground, background, grow

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world; half the rate of SEC, as in the papers."""
        net = toy_deeplab(num_classes, backbone)
        method = cls(net, foreground=0.4, refine=TOY_COLOURS, shrink=1, weight=30)
        method.recipe = Recipe.toy(steps=400, lr=2e-3, head_factor=1.25)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Seeds, as far as they have grown, and colours."""
        tags, scores = batch.require("tags", CARD.name), batch.require("scores", CARD.name)
        answer, refined = self.answers(batch.image)
        cues = trusted_labels(resize_like(scores, answer), self.foreground, self.background)
        some = bool((cues != IGNORE).any())
        seeds = grow_seeds(refined, cues, tags, *self.grow) if some else cues
        return {
            "seed": losses.balanced_seed_loss(answer, seeds),
            "boundary": self.by_colours(answer, refined),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        return self.foreground_scores(batch.image, batch.tags)
