"""Self-attention over the images of a group, one class at a time."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.core import InputError


def sinusoids(count: int, width: int) -> Tensor:
    """Codes of the numbers 0 to ``count`` - 1, sines and cosines of falling frequencies.

    Source: Vaswani et al. (NeurIPS 2017), section 3.5.

    Args:
        count: N.
        width: channels of a code, an even number.

    Returns:
        (N, width) in [-1, 1].
    """
    rates = 10_000.0 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(count)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


class CollaborativeAttention(nn.Module):
    """What the images of a group show of a class, seen together, says whether each has the class.

    Reduced features are multiplied by the mask of a class. All places of all images of a group are
    the tokens of one sequence, in which a transformer block of this class compares them; the mean
    of an image's tokens gives its logit.

    Source: the collaborative multi-attention of EDAM (Wu et al., CVPR 2021), with the embeddings
    of the released code.

    Args:
        channels: D, of the features.
        num_classes: C, without background.
        group: images that are seen together.
        width: channels of the tokens, divisible by ``heads``, even.
        heads: attention heads.
        pool: side of the squares of places that are averaged to one token.
        dropout: share of the units that are dropped in training.
    """

    def __init__(
        self,
        channels: int,
        num_classes: int,
        group: int = 2,
        width: int = 128,
        heads: int = 2,
        pool: int = 1,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, width, 1, bias=False)
        self.member = nn.Embedding(group, width)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, 4 * width, dropout, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(num_classes)
        )
        self.read = nn.Linear(width, num_classes, bias=False)
        self.group, self.pool, self.drop = group, pool, nn.Dropout(dropout)

    def tokens(self, features: Tensor, mask: Tensor) -> Tensor:
        """Reduced features (B, d, h, w), a mask (B, 1, h, w) -> (B / group, group * N, d)."""
        seen = F.avg_pool2d(features * mask, self.pool, ceil_mode=True)
        seen = seen.flatten(2).transpose(1, 2).unflatten(0, (-1, self.group))
        place = sinusoids(seen.shape[2], seen.shape[3]).to(seen)
        return self.drop(seen + place + self.member.weight[:, None]).flatten(1, 2)

    def forward(self, features: Tensor, masks: Tensor) -> Tensor:
        """Features (B, D, h, w) and masks (B, C, h, w), groups in a row -> logits (B, C).

        Raises:
            InputError: images that are no number of whole groups.
        """
        if len(features) % self.group:
            raise InputError(
                f"{len(features)} images are no groups of {self.group}: let batch_size be a "
                f"multiple of {self.group} and the recipe's group {self.group}."
            )
        reduced, logits = self.reduce(features), []
        for c, block in enumerate(self.blocks):
            together = block(self.tokens(reduced, masks[:, c : c + 1]))
            of_image = together.unflatten(1, (self.group, -1)).mean(dim=2).flatten(0, 1)
            logits.append(of_image @ self.read.weight[c])
        return torch.stack(logits, dim=1)

    def extra_repr(self) -> str:
        """What the weights do not show."""
        return f"group={self.group}, pool={self.pool}"
