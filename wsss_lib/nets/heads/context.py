"""What a classifier remembers of all images: the mean mask of each class, round by round."""

import torch
from torch import Tensor, nn

from wsss_lib.blocks.maps.class_maps import resize_like
from wsss_lib.blocks.maps.confounders import context_map, mask_sums


class Context(nn.Module):
    """The confounder set, and the attention of an image's own mask to it.

    Masks are gathered while a round goes on, later ones counting more, since whoever makes them is
    still learning. Their means take effect when the next round begins; in the first there are none,
    and the context is 0 everywhere.

    Source: CONTA (Zhang et al., NeurIPS 2020), section 3.3.

    Args:
        num_classes: C, without background, and the width of the space of the attention.
        side: height and width in pixels at which masks are kept.
        keep: share of what was gathered that each new batch leaves.
        gain: factor of the context where it stands beside features.
    """

    means: Tensor
    sums: Tensor
    counts: Tensor
    round: Tensor

    def __init__(self, num_classes: int, side: int, keep: float = 0.98, gain: float = 1.0) -> None:
        super().__init__()
        self.query = nn.Linear(side * side, num_classes, bias=False)
        self.key = nn.Linear(side * side, num_classes, bias=False)
        for name in ("means", "sums"):
            self.register_buffer(name, torch.zeros(num_classes, side, side))
        self.register_buffer("counts", torch.zeros(num_classes))
        self.register_buffer("round", torch.tensor(0))
        self.side, self.keep, self.gain = side, keep, gain

    @torch.no_grad()
    def begin(self, round: int) -> None:
        """From a new round on, the means of what the last one gathered are the confounders.

        It waits until something was gathered.
        """
        if round <= int(self.round) or not self.counts.any():
            return
        seen = self.counts[:, None, None]
        self.means = torch.where(seen > 0, self.sums / seen.clamp(min=1e-6), self.means)
        self.sums, self.counts = torch.zeros_like(self.sums), torch.zeros_like(self.counts)
        self.round = torch.full_like(self.round, round)

    @torch.no_grad()
    def gather(self, labels: Tensor) -> None:
        """Add the masks of (B, H, W) labels."""
        sums, counts = mask_sums(labels, len(self.means), self.side)
        self.sums = self.keep * self.sums + sums
        self.counts = self.keep * self.counts + counts

    def forward(self, mask: Tensor) -> Tensor:
        """(B, 1, H, W) masks in [0, 1], of any class -> the context, (B, 1, side, side)."""
        seen = resize_like(mask, self.means[None]).flatten(1)
        return context_map(self.query(seen), self.key(self.means.flatten(1)), self.means)

    def beside(self, features: Tensor, mask: Tensor) -> Tensor:
        """(B, D, h, w) features and (B, 1, H, W) masks -> (B, D + 1, h, w), the context last."""
        return torch.cat([features, self.gain * resize_like(self(mask), features)], dim=1)

    def extra_repr(self) -> str:
        """What the weights do not show."""
        return f"side={self.side}, keep={self.keep}, gain={self.gain}"
