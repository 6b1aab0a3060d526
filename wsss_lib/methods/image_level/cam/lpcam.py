"""LPCAM: what an object looks like is more than what gives it away.

The weights of a classifier point at what tells its class from others, so that the rest of an object
stays dark in their map. Clusters of the features themselves know the rest as well: a map of
similarity to all local prototypes of a class, without the weights, lights up the whole object.
"""

import copy
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.blocks.maps.prototypes import KINDS, VOC, Clustering, likeness, local_prototypes
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn

CARD = Card(
    id="lpcam",
    name="LPCAM",
    title="Extracting Class Activation Maps from Non-Discriminative Features as well",
    authors="Chen, Sun",
    venue="CVPR",
    year=2023,
    supervision=("tags",),
    family="image_level/cam",
    paper="arXiv:2303.10334",
    official="https://github.com/zhaozhengChen/LPCAM",
    survey_section="1",
    fidelity="reduced",
    differs=(
        "features are those of the views that the last steps of the training see, by the weights "
        "before the very last step; the paper looks once more at the whole images afterwards",
        "the map that divides object from context is that of this one view; the official code "
        "takes CAM's, of several sizes and mirror images",
        "clusters are searched until no feature changes sides; the official code stops earlier",
        "where no cluster of a class is recognised clearly enough, the clearest one is kept",
    ),
)


class LPCAM(Method):
    """CAM's classifier, and what it has seen of each class.

    Args:
        backbone: features whose last map the classifier reads.
        num_classes: C, without background.
        scales: sizes at which an image is looked at when predicting.
        clusters: how prototypes are found.
        gather: steps at the end of the training whose features are clustered.
    """

    card = CARD
    recipe = Recipe.like_irn(steps=3000)

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
        clusters: Clustering = VOC,
        gather: int = 92,
    ) -> None:
        super().__init__()
        self.backbone, self.scales, self.clusters, self.gather = backbone, scales, clusters, gather
        self.classifier = nn.Conv2d(backbone.channels[-1], num_classes, 1, bias=False)
        self._seen: list[tuple[Tensor, Tensor]] = []
        self._prototypes: dict[str, Tensor] = {}

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, scales=(1.0, 1.5), gather=32)
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def get_extra_state(self) -> dict[str, Any]:
        """Images and tags that wait for the end, and prototypes: checkpoints carry them."""
        return {"seen": list(self._seen), "prototypes": dict(self._prototypes)}

    def set_extra_state(self, state: Any) -> None:
        """Put them back."""
        self._seen, self._prototypes = list(state["seen"]), dict(state["prototypes"])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """CAM's loss; at the end of the training, what is seen is kept, then clustered."""
        tags, steps = batch.require("tags", CARD.name), self.recipe.steps
        left = steps - round(self.progress * steps)
        if left <= self.gather:
            self._seen.append((batch.image.half(), tags))
        if left == 1:
            self.find_prototypes()
        maps = self.classifier(self.backbone(batch.image)[-1])
        return {"cls": tag_loss(maps.mean(dim=(2, 3)), tags)}

    def find_prototypes(self) -> None:
        """Cluster the features of what was seen, as the trained network has them."""
        backbone = copy.deepcopy(self.get_submodule("backbone")).eval()  # the training goes on
        looks = ((backbone(image.float())[-1], tags) for image, tags in self._seen)
        self._prototypes = local_prototypes(looks, self.classifier.weight.flatten(1), self.clusters)
        self._seen = []

    def alike(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> (B, C, h, w) in [-1, 1] for each kind: like the class, or its context."""
        features = self.backbone(image)[-1] + self.backbone(image.flip(-1))[-1].flip(-1)
        weights = self.classifier.weight.flatten(1)
        return [likeness(features, self._prototypes, kind, weights) for kind in KINDS]

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, h, w) in [-2, 2]: more like the class than like its context."""
        return torch.sub(*self.alike(image))

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): added up over sizes, each divided by its maximum."""
        added = multi_scale_flip(self.class_maps, batch.image, self.scales, flip=False)
        return normalize(added, batch.tags)
