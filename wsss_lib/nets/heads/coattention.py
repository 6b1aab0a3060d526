"""Networks between images: co-attention of two, and a graph of a whole group."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wsss_lib.blocks.affinity.coattention import co_attend
from wsss_lib.blocks.augment.drop import drop_or_weigh
from wsss_lib.blocks.maps.class_maps import normalize, resize_like
from wsss_lib.nets.heads.classifier import map_head


class CoAttention(nn.Module):
    """The features of two images, each rebuilt from those of the other.

    ``P = F_1^T W F_2``; a softmax over either side of it says where to look in the other image.

    Source: MCIS (Sun et al., ECCV 2020), section 3.2.

    Args:
        channels: D of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D, h, w) and (B, D, h', w') -> the same shapes, in the same order."""
        asking = self.weight(one)
        return co_attend(asking, other, other), co_attend(other, asking, one)


class PairHead(nn.Module):
    """What two images share, what is left of each, and what classifiers say of both.

    What an image shares, ``F'``, is its features rebuilt from the other image. A gate on it takes
    away what is shared: what is left is ``F (1 - sigmoid(w . F'))``. One classifier judges both.

    Source: MCIS (Sun et al., ECCV 2020), sections 3.2 and 3.3.

    Args:
        d_in: channels of the backbone's features.
        num_classes: C, without background.
        convs: 3x3 convolutions that make the features F of them.
    """

    def __init__(self, d_in: int, num_classes: int, convs: int) -> None:
        super().__init__()
        head = map_head(d_in, num_classes, convs, bias=True)
        self.embed, self.classifier = head[:-1], head[-1]
        self.attention = CoAttention(d_in)
        self.shared = nn.Conv2d(d_in, num_classes, 1, bias=False)
        self.gate = nn.Conv2d(d_in, 1, 1, bias=False)

    def forward(self, one: Tensor, other: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """(B, D, h, w) and (B, D, h', w'), embedded -> maps of what is shared, and of what is left.

        Each is a list of (B, C, h, w) and (B, C, h', w'), any real values.
        """
        found = self.attention(one, other)
        left = [
            features * (1 - self.gate(common).sigmoid())
            for features, common in zip((one, other), found, strict=True)
        ]
        return [self.shared(common) for common in found], [self.shared(rest) for rest in left]

    def with_copies(self, features: Tensor, copies: Sequence[Tensor], trust: float) -> Tensor:
        """What an image shares with its copies: the mean of all rectified maps over their maximum.

        Args:
            features: (B, D, h, w), embedded.
            copies: the same of the mirror image, and then of other sizes (B, D, h', w').
            trust: copies whose pooled map is less likely than this have no say.

        Returns:
            (B, C, h, w) in [0, 1].
        """
        maps = []
        for number, copy in enumerate(copies):
            own, other = self(features, copy)[0]
            sure = (other.mean(dim=(2, 3)).sigmoid() > trust).to(other)
            if number == 0:
                maps.append(normalize(own))
                other = other.flip(-1)
            maps.append(normalize(resize_like(other, features), sure))
        return torch.stack(maps).mean(dim=0)


class ConvGRU(nn.Module):
    """A gated recurrent unit at every place: how much of the old state gives way to a message.

    ``s' = (1 - z) s + z tanh(W [m, r s])`` with the gates ``z, r = sigmoid(W [m, s])``.

    Source: Ballas et al. (ICLR 2016), with 1x1 convolutions.

    Args:
        channels: C of the states and of the messages.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.candidate = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, message: Tensor, state: Tensor) -> Tensor:
        """Two (B, C, h, w) -> (B, C, h, w)."""
        update, reset = self.gates(torch.cat([message, state], dim=1)).sigmoid().chunk(2, dim=1)
        new = self.candidate(torch.cat([message, reset * state], dim=1)).tanh()
        return torch.lerp(state, new, update)


class GroupGraph(nn.Module):
    """The images of a group as nodes of a graph that send each other what they have in common.

    In each round a node asks every other one by co-attention, a gate closes where nothing fits, a
    convolution joins the answers in the order of the images, and a ConvGRU takes them up. In
    training, the strongest area of each new state may be hidden from the next round.

    Source: GWSM (Li et al., AAAI 2021), with the layers of the released code.

    Args:
        channels: C of the states.
        images: K of a group.
        rounds: of messages.
        rate: probability that the strongest area is hidden, while the module is in training mode.
        border: share of the largest mean above which a place belongs to it.
    """

    def __init__(
        self,
        channels: int,
        images: int = 3,
        rounds: int = 3,
        rate: float = 0.8,
        border: float = 0.7,
    ) -> None:
        super().__init__()
        self.images, self.rounds, self.rate, self.border = images, rounds, rate, border
        self.asking = nn.Conv2d(channels, max(1, channels // 2), 1)
        self.asked = nn.Conv2d(channels, max(1, channels // 2), 1)
        self.gate = nn.Conv2d(channels, 1, 1, bias=False)
        self.join = nn.Conv2d((images - 1) * channels, channels, 3, padding=1)
        self.cell = ConvGRU(channels)

    def message(self, one: Tensor, other: Tensor) -> Tensor:
        """What a state (B, C, h, w) finds of itself in another (B, C, h, w), gated."""
        found = co_attend(self.asking(one), self.asked(other), other)
        return found * self.gate(found).sigmoid()

    def forward(self, states: Tensor) -> Tensor:
        """(G, K, C, h, w) -> the same, after all rounds."""
        for _ in range(self.rounds):
            nodes = states.unbind(dim=1)
            new = []
            for place, own in enumerate(nodes):
                others = [*nodes[:place], *nodes[place + 1 :]]
                told = torch.cat([self.message(own, other) for other in others], dim=1)
                state = self.cell(self.join(told), own)
                new.append(drop_or_weigh(state, self.rate, self.border) if self.training else state)
            states = torch.stack(new, dim=1)
        return states

    def alone(self, states: Tensor) -> Tensor:
        """(B, C, h, w) -> the same, after all rounds of groups that hold one image K times.

        All nodes of such a group stay alike, so that one message stands for all; nothing is hidden.
        """
        for _ in range(self.rounds):
            told = [self.message(states, states)] * (self.images - 1)
            states = self.cell(self.join(torch.cat(told, dim=1)), states)
        return states

    def extra_repr(self) -> str:
        """What the weights do not show."""
        return f"rounds={self.rounds}, rate={self.rate}, border={self.border}"
