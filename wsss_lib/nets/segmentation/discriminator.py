"""A network that tells masks that a network drew from masks that are labels."""

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from wsss_lib.blocks.maps.class_maps import resize, resize_like
from wsss_lib.core import IGNORE


class Discriminator(nn.Module):
    """Strided convolutions over masks, and one number for each place: is this a label?

    Source: Tsai et al. (CVPR 2018), as MDBA (Chen et al., TIP 2023) has it.

    Args:
        num_classes: C, without background.
        widths: channels after each halving but the last.
    """

    def __init__(self, num_classes: int, widths: Sequence[int] = (64, 128, 256, 512)) -> None:
        super().__init__()
        self.num_classes = num_classes
        layers: list[nn.Module] = []
        for d_in, d_out in pairwise((num_classes + 1, *widths)):
            layers += [nn.Conv2d(d_in, d_out, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 2, 1))
        self.step = 2 ** (len(widths) + 1)

    def forward(self, masks: Tensor) -> Tensor:
        """(B, K, H, W) probabilities or labels in one plane a class -> (B, 1, H, W) logits."""
        h, w = masks.shape[-2:]
        seen = resize(masks, (max(h, self.step), max(w, self.step)))
        return resize_like(self.layers(seen), masks)

    def for_another(self, masks: Tensor) -> Tensor:
        """As ``forward``; the gradient passes to the masks and leaves this network alone."""
        weights = {name: weight.detach() for name, weight in self.named_parameters()}
        judged: Tensor = functional_call(self, weights, (masks,))
        return judged

    def planes(self, labels: Tensor) -> Tensor:
        """(B, H, W) class indices -> (B, K, H, W), a plane a class, all 0 where 255."""
        known = labels != IGNORE
        one_hot = F.one_hot(labels.masked_fill(~known, 0), self.num_classes + 1)
        return (one_hot * known[..., None]).movedim(3, 1).float()
