"""AdvCAM: an adversarial attack backwards. The image is changed until it shows *more* of a class.

A classifier is trained as for CAM. At test time the image climbs the class's score, and parts of
the object that the classifier had ignored begin to count; the maps along the climb are added up.
The parts that count already are held where they are, or they would take all the gain.
"""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from wsss_lib.blocks.maps.ascent import climb, differentiable, grad_cam_factor
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn

CARD = Card(
    id="advcam",
    name="AdvCAM",
    title="Anti-Adversarially Manipulated Attributions for Weakly and Semi-Supervised Semantic "
    "Segmentation",
    authors="Lee, Kim, Yoon",
    venue="CVPR",
    year=2021,
    supervision=("tags",),
    family="image_level/self_supervised",
    paper="arXiv:2103.08896",
    official="https://github.com/jbeomlee93/AdvCAM",
    survey_section="2.1.6",
    differs=(
        "the class maps themselves are differentiated instead of Grad-CAM, which is the same up to "
        "a factor for a classifier that averages; the brake's weight is divided by that factor, "
        "for which both views are taken to be positive at equally many places",
        "a step counts in the mean of the three channels' standard deviations, not in each's own",
        "every scale climbs equally often; the released code halves the climb at the smallest",
        "the map at the top of the climb is counted as well: n climbs give n + 1 maps",
        "the toy world looks at two sizes, as CAM does there, not at four, and goes as far as the "
        "paper in 9 climbs of three steps' length, not in 27",
        "the stage behind it, IRNet trained on these maps, is a system of its own here",
        "the weights of batch normalisation are frozen as its statistics are; IRNet's code, whose "
        "recipe this is, teaches them",
    ),
)


class AdvCAM(Method):
    """Class maps added up along anti-adversarial climbs.

    Args:
        backbone: features whose last map the classifier reads.
        num_classes: C, without background.
        climbs: how often an image is changed; 0 is plain CAM.
        step: how far the value moves that moves most, in standard deviations of the colours.
        hold: weight that keeps parts which count already from counting more, for the maps of the
            released code (see ``brake``).
        counts: these parts have more than this share of the map's maximum.
        scales: sizes at which an image and its mirror image climb.
    """

    card = CARD
    recipe = Recipe.like_irn(steps=3000)

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        climbs: int = 27,
        step: float = 0.08,
        hold: float = 7.0,
        counts: float = 0.5,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Conv2d(backbone.channels[-1], num_classes, 1, bias=False)
        self.climbs, self.hold, self.counts, self.scales = climbs, hold, counts, scales
        self.deviations, self.step = step, step * backbone.standardize.std.mean()  # for [0, 1]

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, 9, 0.24, scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw class maps (B, C, h, w), any real values."""
        return self.classifier(self.backbone(image)[-1])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The classification loss of the pooled maps: the training is that of CAM."""
        tags = batch.require("tags", CARD.name)
        return {"cls": tag_loss(self.class_maps(batch.image).mean(dim=(2, 3)), tags)}

    def look(self, views: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """What the network sees in n images and their mirror images, (n, 2, 3, H, W).

        Returns:
            maps: (n, h, w) rectified map of the class ``wanted`` (n,), summed over both views.
            gain: (n,) twice the score of that class minus the scores of all.
        """
        maps = self.class_maps(views.flatten(0, 1)).relu().unflatten(0, views.shape[:2])
        own = maps[torch.arange(len(views)), :, wanted]
        scores, one = maps.mean(dim=(3, 4)).sum(dim=(1, 2)), own.mean(dim=(2, 3)).sum(dim=1)
        return own[:, 0] + own[:, 1].flip(-1), 2 * one - scores

    def brake(self, wanted: Tensor) -> Tensor:
        """(n,) classes -> (n,) weight of the brake on their class maps, not on their Grad-CAM."""
        return self.hold * grad_cam_factor(self.classifier.weight[wanted])

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): maps along the climbs, over scales, each divided by its maximum."""
        tags, network = batch.tags, differentiable(self)

        @torch.inference_mode(False)
        def maps_of(image: Tensor) -> Tensor:
            shape = (len(image), self.classifier.out_channels)
            present = torch.ones(shape, device=image.device) if tags is None else tags
            which, wanted = present.nonzero(as_tuple=True)
            views = torch.stack([image, image.flip(-1)], dim=1)[which]
            settings = (self.climbs, self.step, network.brake(wanted), self.counts)
            total, _ = climb(lambda x: network.look(x, wanted), views, *settings)
            maps = total.new_zeros(*shape, *total.shape[1:])
            maps[which, wanted] = total
            return maps

        return normalize(multi_scale_flip(maps_of, batch.image, self.scales, flip=False))
