"""A segmentation network whose patterns of several sizes tell each other what they are."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.blocks.maps.class_maps import resize_like
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import DeepLab, toy_deeplab


class PatternNet(nn.Module):
    """A DeepLab, and a graph of the cells of several grids whose votes are added to its logits.

    The pattern of a cell is the mean of its features. All cells of all grids are the nodes of one
    graph; a node takes from others in proportion to ``softmax_j <a x_i, b x_j> / sqrt(D)``, and
    ``x_i <- x_i + relu(sum_j A_ij W x_j)``, layer by layer. Then each node votes for classes, and
    the votes of each grid, at the size of the image, are added up.

    Source: a reconstruction of what PSI (Xu et al., ICCV 2021) calls contextual pattern
    propagation.

    Args:
        deeplab: the network whose features are pooled.
        num_classes: C, without background.
        grids: sides of the grids, in cells.
        layers: how often nodes take from each other.
    """

    def __init__(
        self,
        deeplab: DeepLab,
        num_classes: int,
        grids: Sequence[int] = (2, 4, 8),
        layers: int = 2,
    ) -> None:
        super().__init__()
        self.deeplab, self.backbone, self.grids = deeplab, deeplab.backbone, tuple(grids)
        width = deeplab.width
        self.ask, self.show = nn.Linear(width, width), nn.Linear(width, width)
        self.take = nn.ModuleList([nn.Linear(width, width) for _ in range(layers)])
        self.vote = nn.Linear(width, num_classes + 1)

    def patterns(self, features: Tensor) -> Tensor:
        """(B, D, h, w) -> (B, n, D): means over the cells of each grid, row by row."""
        pooled = [F.adaptive_avg_pool2d(features, side).flatten(2) for side in self.grids]
        return torch.cat(pooled, dim=2).transpose(1, 2)

    def propagate(self, nodes: Tensor) -> Tensor:
        """(B, n, D) -> (B, n, D): what nodes are once they have taken from those like them."""
        links = self.ask(nodes) @ self.show(nodes).transpose(1, 2) / nodes.shape[2] ** 0.5
        share = links.softmax(dim=2)
        for layer in self.take:
            nodes = nodes + (share @ layer(nodes)).relu()
        return nodes

    def look(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) in [0, 1] -> logits (B, K, H, W), and the features (B, D, h, w) below."""
        features = self.deeplab.embed(self.backbone(image))
        logits = self.deeplab.classify(features, image)
        votes = self.vote(self.propagate(self.patterns(features))).transpose(1, 2)
        parts = votes.split([side**2 for side in self.grids], dim=2)
        for side, part in zip(self.grids, parts, strict=True):
            logits = logits + resize_like(part.unflatten(2, (side, side)), image)
        return logits, features

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, K, H, W) logits, background first."""
        return self.look(image)[0]

    def extra_repr(self) -> str:
        """What the weights do not show."""
        return f"grids={self.grids}"


def toy_pattern_net(num_classes: int, backbone: Backbone | None = None) -> PatternNet:
    """The network of the toy world.

    Args:
        num_classes: C, without background.
        backbone: None takes the toy backbone.
    """
    return PatternNet(toy_deeplab(num_classes, backbone), num_classes)
