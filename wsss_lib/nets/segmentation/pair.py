"""Two segmentation networks that learn side by side."""

import torch
from torch import Tensor, nn


class Pair(nn.Module):
    """Two networks of one kind, from two starts, and what they say together.

    Source: BECO (Rong et al., CVPR 2023): a co-training pair that answers with its mean logits.

    Args:
        one: (B, 3, H, W) images -> (B, K, H, W) logits, with a ``backbone``.
        other: the same, with weights of its own.
    """

    def __init__(self, one: nn.Module, other: nn.Module) -> None:
        super().__init__()
        self.nets = nn.ModuleList([one, other])
        self.backbone = nn.ModuleList([net.get_submodule("backbone") for net in (one, other)])

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) -> the logits (B, K, H, W) of each."""
        one, other = (net(image) for net in self.nets)
        return one, other

    def probabilities(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, K, H, W): the softmax of the mean of both logits."""
        one, other = self(image)
        return ((one + other) / 2).softmax(dim=1)

    @torch.no_grad()
    def online(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Labels (B, H, W) of (B, 3, H, W) images, and their probabilities, without a gradient.

        As both would answer now: their normalisation uses its statistics and takes no note.
        """
        modes = [(part, part.training) for part in self.modules()]
        best, labels = self.eval().probabilities(image).max(dim=1)
        for part, mode in modes:
            part.training = mode
        return labels, best
