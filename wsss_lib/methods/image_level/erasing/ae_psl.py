"""Adversarial erasing: paint over what a classifier has found, train on, and look again.

Each round finds another part of the object; their union teaches a segmentation network. The
prohibitive part multiplies the network's maps by the classifier's probabilities, so that a class
that is not in the image can never become its label.
"""

import copy
from typing import Self

import torch
from torch import Tensor, nn

from wsss_lib.blocks.augment.erase import look_again, mined_labels
from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.losses.prohibitive import prohibitive_loss
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.classifier import Classifier
from wsss_lib.nets.segmentation.deeplab import DeepLab

CARD = Card(
    id="ae_psl",
    name="AE-PSL",
    title="Object Region Mining with Adversarial Erasing: A Simple Classification to Semantic "
    "Segmentation Approach",
    authors="Wei, Feng, Liang, Cheng, Zhao, Yan",
    venue="CVPR",
    year=2017,
    supervision=("tags",),
    family="image_level/erasing",
    paper="arXiv:1703.08448",
    survey_section="2.1.2",
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reduced",
    differs=(
        "background labels are pixels that stayed cold in every round; the paper takes pixels of "
        "low saliency, which needs a network that has seen masks",
        "the number of rounds is fixed, and they share the first two thirds of the training; the "
        "paper stops when the classifier no longer converges",
        "a round goes on from the weights of the round before; the paper trains again",
        "the segmentation network learns alongside the rounds, from the regions found so far, and "
        "from its own permitted labels when they are over; the paper trains it with both after "
        "the rounds",
        "hot is what exceeds four fifths of a map's maximum, our reading of 'top 20%'; in the toy "
        "world, three fifths",
        "the class probabilities are those of the classifier of the first round",
        "no dense CRF after the network",
    ),
)


class AdversarialErasing(Method):
    """Rounds of erasing and training, and a segmentation network that learns what they find.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits: the segmentation network.
        backbone: features whose last map the classifier reads.
        num_classes: C, without background.
        rounds: how often the classifier looks.
        hot: a pixel is found where its score exceeds this.
        cold: a pixel is background where no score of any round exceeds this.
        mining: share of the training that the rounds take together. Before it is over no classifier
            can say what is improbable, and the prohibitive part waits.
    """

    card = CARD
    recipe = Recipe(steps=24_000, batch_size=30, lr=1e-3, crop=321)
    done: Tensor

    def __init__(
        self,
        net: DeepLab,
        backbone: Backbone,
        num_classes: int,
        rounds: int = 3,
        hot: float = 0.8,
        cold: float = 0.2,
        mining: float = 2 / 3,
    ) -> None:
        super().__init__()
        self.net, self.live = net, Classifier(backbone, num_classes)
        self.backbone = nn.ModuleList([part.get_submodule("backbone") for part in (net, self.live)])
        copies = (copy.deepcopy(self.live) for _ in range(rounds))
        self.past = nn.ModuleList(copies).requires_grad_(False)
        self.register_buffer("done", torch.tensor(0))
        self.hot, self.cold, self.mining = hot, cold, mining

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        backbone = backbone or toy_cnn()
        net = DeepLab(copy.deepcopy(backbone), num_classes, rates=(1, 2, 4), width=48)
        method = cls(net, backbone, num_classes, hot=0.6)
        method.recipe = Recipe.toy(steps=360, lr=5e-3, head_factor=2)
        return method

    def classifiers(self) -> list[nn.Module]:
        """Those of the rounds so far, in order; while it mines, the last is the one that learns."""
        return [*self.past[: int(self.done)].eval(), self.live][: len(self.past)]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Classification of erased images and what was found; then what is permitted."""
        tags, rounds = batch.require("tags", CARD.name), len(self.past)
        while int(self.done) < min(int(self.progress / self.mining * rounds), rounds):
            self.past[int(self.done)].load_state_dict(self.live.state_dict())
            self.done += 1
        maps, regions, heat = look_again(self.classifiers(), batch.image, tags, self.hot)
        found, logits = torch.stack(regions).sum(dim=0), self.net(batch.image)
        seg = pixel_loss(logits, mined_labels(found, heat, self.cold))
        if int(self.done) < rounds:
            return {"cls": tag_loss(maps[-1].mean(dim=(2, 3)), tags), "seg": seg}
        present = maps[0].mean(dim=(2, 3)).sigmoid()
        return {"seg": seg, "psl": prohibitive_loss(logits, present)}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        probabilities = self.net(batch.image).softmax(dim=1)
        return keep_present(foreground_scores(probabilities), batch.tags)
