"""What a network remembers of the regions of all images, and how an image asks for it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.blocks.maps.prototypes import k_means
from wsss_lib.nets.heads.classifier import map_head


class RegionMemory(nn.Module):
    """Mean features of regions, so many for each class, and the centres of their clusters.

    The slots of a class are visited one after the other and begin again when all were. The first
    region that comes to a slot fills it; later ones move it a little. All of it are buffers, so
    that checkpoints carry it and a resumed training goes on with the same memory.

    Source: RCA (Zhou et al., CVPR 2022); there slots begin at random.

    Args:
        num_classes: C, without background.
        width: D, channels of the features.
        slots: n, regions that are kept of each class.
        clusters: k, centres of each class.
        momentum: share of a filled slot that stays when another region comes to it.

    Attributes:
        slots: (C, n, D).
        centres: (C, k, D), those of the last clustering; 0 where a class had fewer regions.
        visits: (C,), regions that came to each class so far.
    """

    slots: Tensor
    centres: Tensor
    visits: Tensor

    def __init__(
        self, num_classes: int, width: int, slots: int, clusters: int, momentum: float = 0.99
    ) -> None:
        super().__init__()
        self.register_buffer("slots", torch.zeros(num_classes, slots, width))
        self.register_buffer("centres", torch.zeros(num_classes, clusters, width))
        self.register_buffer("visits", torch.zeros(num_classes, dtype=torch.long))
        self.momentum = momentum

    @property
    def known(self) -> Tensor:
        """(C, n) booleans, True where a slot is filled."""
        places = torch.arange(self.slots.shape[1], device=self.visits.device)
        return places < self.visits[:, None]

    @torch.no_grad()
    def write(self, regions: Tensor, accepted: Tensor) -> None:
        """Let regions (B, C, D) come to the next slots of their classes, where (B, C) accepts."""
        count = self.slots.shape[1]
        for b, c in accepted.nonzero().tolist():
            turn, place = divmod(int(self.visits[c]), count)
            stays = self.momentum if turn else 0.0
            self.slots[c, place] = stays * self.slots[c, place] + (1 - stays) * regions[b, c]
            self.visits[c] += 1

    @torch.no_grad()
    def cluster(self) -> None:
        """Find the centres of each class anew, from what is remembered now; no chance is in it."""
        centres = torch.zeros_like(self.centres)
        for c, known in enumerate(self.known):
            found, _ = k_means(self.slots[c, known], centres.shape[1])
            centres[c, : len(found)] = found
        self.centres = centres

    def extra_repr(self) -> str:
        """What the shapes do not show."""
        return f"slots={tuple(self.slots.shape)}, momentum={self.momentum}"


class SegmentMemory(nn.Module):
    """The segments of the last batches: prototypes, labels, and the tags of their images.

    The oldest make room for new ones. All of it are buffers, so that a resumed training goes on
    with the same memory.

    Source: SPML (Ke et al., ICLR 2021), which keeps the segments of the last two batches.

    Args:
        num_classes: C, without background.
        width: D, channels of a prototype.
        room: how many segments are kept.
    """

    prototypes: Tensor
    labels: Tensor
    tags: Tensor
    count: Tensor

    def __init__(self, num_classes: int, width: int, room: int) -> None:
        super().__init__()
        self.register_buffer("prototypes", torch.zeros(room, width))
        self.register_buffer("labels", torch.zeros(room, dtype=torch.long))
        self.register_buffer("tags", torch.zeros(room, num_classes))
        self.register_buffer("count", torch.tensor(0))

    def joined(
        self, prototypes: Tensor, labels: Tensor, tags: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Segments (m, D), (m,) and (m, C), with what is remembered behind them; it learns none."""
        n = int(self.count)
        return (
            torch.cat([prototypes, self.prototypes[:n].to(prototypes)]),
            torch.cat([labels, self.labels[:n]]),
            torch.cat([tags, self.tags[:n].to(tags)]),
        )

    @torch.no_grad()
    def write(self, prototypes: Tensor, labels: Tensor, tags: Tensor) -> None:
        """Remember segments (m, D), (m,) and (m, C), the first of them longest."""
        room, joined = len(self.labels), self.joined(prototypes, labels, tags)
        n = min(room, len(joined[1]))
        for kept, new in zip((self.prototypes, self.labels, self.tags), joined, strict=True):
            kept[:n] = new[:n].to(kept)
        self.count.fill_(n)

    def extra_repr(self) -> str:
        """What the shapes do not show."""
        return f"room={len(self.labels)}"


class Aggregation(nn.Module):
    """Every place of an image takes from the centres of all classes, as far as it is like them.

    ``f' = mix [f ; back (1/K) sum_k cos(query f, key m_k) value m_k]`` over all K centres of all
    classes. No softmax is taken and no layer adds a constant, so that a memory without centres
    adds nothing, and neither does one that a place is not like.

    Source: RCA (Zhou et al., CVPR 2022), with the layers of the released code and the small weights
    with which they begin; there queries and keys are multiplied and not divided by their lengths.

    Args:
        channels: D, of the features and of the centres.
        width: of the space in which both are compared.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, width, 1, bias=False)
        self.key = nn.Linear(channels, width, bias=False)
        self.value = nn.Linear(channels, width, bias=False)
        self.back = nn.Conv2d(width, channels, 1, bias=False)
        self.mix = nn.Conv2d(2 * channels, channels, 1, bias=False)
        for layer in (self.query, self.back):
            nn.init.normal_(layer.weight, std=0.01)

    def forward(self, features: Tensor, centres: Tensor) -> Tensor:
        """Features (B, D, h, w) and centres (C, k, D) -> (B, D, h, w)."""
        means = centres.flatten(0, 1).to(features)
        asking = F.normalize(self.query(features), dim=1)
        alike = torch.einsum("bdhw,kd->bkhw", asking, F.normalize(self.key(means), dim=1))
        taken = torch.einsum("bkhw,kd->bdhw", alike / len(means), self.value(means))
        return self.mix(torch.cat([features, self.back(taken)], dim=1))


class RegionHeads(nn.Module):
    """What RCA puts on a backbone: a memory, what it is compared with, and two classifiers.

    Source: RCA (Zhou et al., CVPR 2022).

    Args:
        channels: D, of the features.
        num_classes: C, without background.
        slots: regions that the memory keeps of each class.
        clusters: centres of each class.
        momentum: share of a filled slot that stays when another region comes to it.
        width: channels inside the new layers.
        convs: 3x3 convolutions in front of each classifier.

    Attributes:
        memory: regions of all images.
        embed: features -> what is contrasted with the memory, of the same width.
        aggregate: features and centres -> features that the memory has joined.
        coarse: class maps of the features alone.
        refined: class maps of what the memory has joined.
    """

    def __init__(
        self,
        channels: int,
        num_classes: int,
        slots: int = 500,
        clusters: int = 10,
        momentum: float = 0.99,
        width: int = 512,
        convs: int = 3,
    ) -> None:
        super().__init__()
        self.memory = RegionMemory(num_classes, channels, slots, clusters, momentum)
        self.embed = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, channels, 3, padding=1),
        )
        self.aggregate = Aggregation(channels, width)
        self.coarse = map_head(channels, num_classes, convs, width)
        self.refined = map_head(channels, num_classes, convs, width)

    def forward(self, features: Tensor) -> Tensor:
        """(B, D, h, w) -> raw class maps (B, C, h, w), those of the second classifier."""
        return self.refined(self.aggregate(features, self.memory.centres))
