"""PSI: patterns of the picture propagate, strokes spread, and a small network decides how far.

Cells of several sizes tell each other what they show, so that a pixel is sure for reasons that lie
far from it. From the strokes, labels spread over sure pixels, round by round. Whether a pixel is
sure enough is not a threshold that somebody chose: it is learned from strokes that were put aside.
"""

from typing import Self

import torch
from torch import Tensor, nn

from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present
from wsss_lib.blocks.refine.seed_diffusion import diffuse_seeds, evidence, held_out
from wsss_lib.core import IGNORE, Batch, Card, Method, Recipe
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.marks.patterns import PatternNet, toy_pattern_net

CARD = Card(
    id="psi",
    name="PSI",
    title="Scribble-Supervised Semantic Segmentation Inference",
    authors="Xu, Zhou, Cui, Xu, Huang, Shen, Li, Yang",
    venue="ICCV",
    year=2021,
    supervision=("scribble",),
    family="scribble",
    paper="doi:10.1109/ICCV48922.2021.01507",
    survey_section="3.2",
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reconstruction",
    differs=(
        "no code was released, and we know the abstract alone: every equation is ours",
        "patterns are the cells of three grids, linked by one learned affinity",
        "a seed spreads by one pixel a round; the decision reads the probability of the likeliest "
        "class, the entropy, and how alike pixel and seeds are",
        "decisions are learned from a fifth of the strokes, put aside anew in each step, so that "
        "the network has met all of them in other steps",
        "the loop closes over the training: what has spread teaches the network, whose answers "
        "let more spread in later steps",
    ),
)


class PSI(Method):
    """A segmentation network that learns from strokes as far as it trusts itself to spread them.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits; ``net.backbone`` learns slowly.
        rounds: in which labels spread at the end of the training, by a pixel each; none at first.
        aside: share of the strokes from which decisions are learned.
        block: side of what is put aside together, in pixels.
        trust: least chance of being right, as the decision sees it, for a pixel to join.
    """

    card = CARD
    recipe = Recipe(steps=20_000, batch_size=10, lr=2.5e-4, crop=321, scale=(0.5, 1.5))

    def __init__(
        self,
        net: PatternNet,
        rounds: int = 80,
        aside: float = 0.2,
        block: int = 32,
        trust: float = 0.9,
    ) -> None:
        super().__init__()
        self.net, self.backbone = net, net.get_submodule("backbone")
        self.rounds, self.aside, self.block, self.trust = rounds, aside, block, trust
        verdict = nn.Conv2d(32, 2, 1)
        # It begins by trusting: while it still learns, nothing spreads yet.
        verdict.bias = nn.Parameter(torch.tensor([0.0, 3.0]))
        self.decision = nn.Sequential(nn.Conv2d(3, 32, 1), nn.ReLU(), verdict)

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(toy_pattern_net(num_classes, backbone), rounds=16, block=8)
        method.recipe = Recipe.toy(steps=400, lr=4e-3, head_factor=1.25)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Strokes, what they spread to, and whether the decision is right where they are aside."""
        scribble = batch.require("scribble", CARD.name)
        logits, features = self.net.look(batch.image)
        aside = held_out(scribble, self.aside, self.block)
        seeds = scribble.masked_fill(aside, IGNORE)
        winner, chances = logits.argmax(dim=1), logits.softmax(dim=1)
        judged = self.decision(evidence(chances, features, seeds))
        sure = judged.softmax(dim=1)[:, 1] > self.trust
        grown = diffuse_seeds(seeds, winner, sure, round(self.progress * self.rounds))
        right = (winner == scribble).long().masked_fill(~aside, IGNORE)
        return {
            "seg": pixel_loss(logits, seeds),
            "spread": pixel_loss(logits, grown.masked_fill(seeds != IGNORE, IGNORE)),
            "decision": pixel_loss(judged, right),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        probabilities = self.net(batch.image).softmax(dim=1)
        return keep_present(foreground_scores(probabilities), batch.tags)
