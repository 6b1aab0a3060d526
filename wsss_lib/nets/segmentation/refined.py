"""A segmentation network that is taught to agree with what colours make of its answer."""

from collections.abc import Callable
from functools import partial
from math import ceil

import torch
from torch import Tensor, nn

from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present, resize, resize_like
from wsss_lib.blocks.refine.dense_crf import PRESETS, dense_crf
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.losses.seed_expand_constrain import constrain_loss, floored_softmax

COLOURS = partial(dense_crf, settings=PRESETS["sec"])
"""The dense CRF of SEC, which DSRG has taken over."""
TOY_COLOURS = partial(pamr, dilations=(1, 2, 4), iterations=5)
"""What takes its place on the toy world."""


class RefinedNet(nn.Module):
    """A segmentation network and its refinement: what SEC and DSRG are, beside their seeds.

    A method that is such a network inherits from it before ``Method``.

    Source: Kolesnikov and Lampert (ECCV 2016), section 3.3.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits, with a ``backbone``.
        refine: (image, probabilities) -> probabilities that follow the colours.
        shrink: the losses see answers and images smaller by this factor.
        weight: of the divergence from what the colours make of the answer.
    """

    def __init__(
        self,
        net: nn.Module,
        refine: Callable[[Tensor, Tensor], Tensor] = COLOURS,
        shrink: int = 8,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.net, self.backbone = net, net.get_submodule("backbone")
        self.refine, self.shrink, self.weight = refine, shrink, weight

    def answers(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """What the network says, and what the colours make of it.

        Args:
            image: (B, 3, H, W) in [0, 1].

        Returns:
            Two tensors (B, K, h, w) of probabilities above 0, at the size of the losses, which is
            rounded up. The second is a target: no gradient passes through the refinement.
        """
        h, w = (ceil(side / self.shrink) for side in image.shape[-2:])
        answer = floored_softmax(resize(self.net(image), (h, w)))
        with torch.no_grad():
            return answer, self.refine(resize_like(image, answer), answer)

    def by_colours(self, answer: Tensor, refined: Tensor) -> Tensor:
        """The divergence of an answer (B, K, h, w) from the refined one, times its weight."""
        return self.weight * constrain_loss(answer, refined)

    def foreground_scores(self, image: Tensor, tags: Tensor | None) -> Tensor:
        """(B, 3, H, W) -> (B, C, H, W), each class against the background, without refinement.

        0.5 is the network's own argmax; classes that ``tags`` (B, C) lack score 0.
        """
        return keep_present(foreground_scores(self.net(image).softmax(dim=1)), tags)
