"""A classifier and a segmentation network on one trunk: the first makes labels for the second."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from wsss_lib.blocks.labels.reliable import reliable_labels
from wsss_lib.blocks.maps.class_maps import (
    foreground_scores,
    keep_present,
    normalize,
    rescale,
    resize_like,
)
from wsss_lib.blocks.refine.dense_crf import CRF, PRESETS, dense_crf
from wsss_lib.losses.balanced import halves_loss
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.segmentation.deeplab import DeepLab


def crf_at(image: Tensor, probabilities: Tensor, settings: CRF, scale: float = 1.0) -> Tensor:
    """A dense CRF on an image of another size.

    Args:
        image: (B, 3, H, W) in [0, 1].
        probabilities: (B, K, H, W), non-negative.
        settings: for the size at which it works.
        scale: factor by which both are resized before, and what it answers afterwards.

    Returns:
        (B, K, H, W), each pixel summing to one.
    """
    small = rescale(image, scale).clamp(0, 1)
    return resize_like(dense_crf(small, resize_like(probabilities, small), settings), probabilities)


COLOURS = partial(crf_at, settings=PRESETS["rrm_labels"])
"""The dense CRF of RRM's labels."""
TOY_COLOURS = partial(
    crf_at, settings=CRF(bilateral=10, sxy=6, srgb=13, gxy=0.25, iterations=5), scale=0.5
)
"""The same on the toy world, in the proportions of an image of 448 pixels."""


@dataclass(frozen=True)
class Lesson:
    """What one step of training begins with.

    Attributes:
        terms: losses of both branches, "cls" and "seg".
        logits: (B, K, H, W) of the segmentation branch.
        embedding: (B, D, h, w), the features that they are read from.
        labels: (B, H, W) that the classification branch made, 255 where there is none.
        confidence: (B, H, W) in [0, 1], how sure the colours are.
    """

    terms: dict[str, Tensor]
    logits: Tensor
    embedding: Tensor
    labels: Tensor
    confidence: Tensor


class TwoBranches(nn.Module):
    """A trunk, a classification branch and a segmentation branch that learns from its labels.

    A method that is such a network inherits from it before ``Method``.

    Source: RRM (Zhang et al., AAAI 2020).

    Args:
        net: the segmentation branch; its backbone is the trunk.
        num_classes: C, without background.
        others: sizes, beside its own, at which an image is looked at for its class maps.
        refine: (image, probabilities) -> probabilities that follow the colours, for the labels.
    """

    def __init__(
        self,
        net: DeepLab,
        num_classes: int,
        others: Sequence[float] = (0.5, 1.5, 2.0),
        refine: Callable[[Tensor, Tensor], Tensor] = COLOURS,
    ) -> None:
        super().__init__()
        self.net, self.backbone = net, net.get_submodule("backbone")
        deep = net.backbone.channels[-1]
        self.classifier = nn.Conv2d(deep, num_classes, 1, bias=False)
        self.others, self.refine = tuple(others), refine

    @torch.no_grad()
    def own_labels(self, image: Tensor, maps: Tensor, tags: Tensor) -> tuple[Tensor, Tensor]:
        """What the segmentation branch will be taught next.

        Args:
            image: (B, 3, H, W) in [0, 1].
            maps: (B, C, h, w) raw class maps of it.
            tags: (B, C), 1 where the class is present.

        Returns:
            (B, H, W) labels, 255 where nothing is sure, and their confidence (B, H, W).
        """
        looks = [maps.relu()]
        for scale in self.others:
            features = self.backbone(rescale(image, scale))
            looks.append(resize_like(self.classifier(features[-1]).relu(), maps))
        mean = torch.stack(looks).mean(dim=0)
        scores = normalize(resize_like(mean, image), tags)
        return reliable_labels(scores, tags, partial(self.refine, image))

    def teach(self, image: Tensor, tags: Tensor) -> Lesson:
        """The classifier learns the tags (B, C) of (B, 3, H, W) images, the other its labels.

        Background and classes are averaged apart, and both means are added.
        """
        features = self.backbone(image)
        maps, embedding = self.classifier(features[-1]), self.net.embed(features)
        logits = self.net.classify(embedding, image)
        labels, confidence = self.own_labels(image, maps, tags)
        terms = {
            "cls": tag_loss(maps.mean(dim=(2, 3)), tags),
            "seg": 2 * halves_loss(logits, labels),
        }
        return Lesson(terms, logits, embedding, labels, confidence)

    def foreground_scores(self, image: Tensor, tags: Tensor | None) -> Tensor:
        """(B, 3, H, W) -> (B, C, H, W): what the segmentation branch says of each class.

        0.5 is its own argmax; classes that ``tags`` (B, C) lack score 0.
        """
        return keep_present(foreground_scores(self.net(image).softmax(dim=1)), tags)
