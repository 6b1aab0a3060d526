"""A segmentation network that refines its answer step by step, guided by features of boundaries."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wsss_lib.blocks.maps.class_maps import resize_like
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.relation import RelationHead


class Refinement(nn.Module):
    """One step: up to the size of shallower features, those added, mixed, and classes read again.

    Args:
        shallow: channels of the shallower features.
        width: channels of the features that are refined.
        edges: channels of the features of boundaries that join before they are mixed; 0 for none.
        num_classes: C, without background.
    """

    def __init__(self, shallow: int, width: int, edges: int, num_classes: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(shallow, width, 1)
        self.mix = nn.Sequential(
            nn.Conv2d(width + edges, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.classifier = nn.Conv2d(width, num_classes + 1, 1)

    def forward(
        self, coarse: Tensor, shallow: Tensor, edges: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Features (B, width, h, w), shallower (B, D, H, W) and of boundaries, of any size.

        Returns:
            Refined features (B, width, H, W) and logits (B, K, H, W).
        """
        fused = resize_like(coarse, shallow) + self.project(shallow)
        if edges is not None:
            fused = torch.cat([fused, resize_like(edges, fused)], dim=1)
        refined = self.mix(fused)
        return refined, self.classifier(refined)


class GuidedNet(nn.Module):
    """Prediction refinement and boundary regression on one backbone.

    Source: BPG (Wang et al., IJCAI 2019): an atrous pyramid on the deepest features is brought to
    the size of shallower ones, which are added element by element, and predicts at each step; the
    features of the boundary branch join at each step.

    Args:
        backbone: any backbone of the library.
        num_classes: C, without background.
        rates: dilations of the pyramid's 3x3 branches.
        width: channels of the pyramid and of what is refined.
        levels: feature maps that are added, deepest first.
        detail: channels of a 3x3 convolution of the image itself, for a last step at the size of
            the image; 0 leaves it out.
        edges: channels of the features of boundaries; 0 leaves that branch out.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        rates: Sequence[int] = (6, 12, 18, 24),
        width: int = 256,
        levels: Sequence[int] = (1, 0),
        detail: int = 0,
        edges: int = 64,
    ) -> None:
        super().__init__()
        self.backbone, self.levels = backbone, tuple(levels)
        deep = backbone.channels[-1]
        self.pyramid = nn.ModuleList(
            [nn.Conv2d(deep, width, 3, padding=rate, dilation=rate) for rate in rates]
        )
        self.classifier = nn.Conv2d(width, num_classes + 1, 1)
        shallow = [backbone.channels[level] for level in levels] + [detail] * (detail > 0)
        self.refinement = nn.ModuleList(
            [Refinement(channels, width, edges, num_classes) for channels in shallow]
        )
        self.detail = (
            nn.Sequential(nn.Conv2d(3, detail, 3, padding=1), nn.ReLU()) if detail else None
        )
        self.perception = RelationHead(backbone, edges, size_of=0) if edges else None
        self.boundary = nn.Conv2d(edges, 1, 1) if edges else None

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, K, H, W) logits of the last step, background first."""
        return resize_like(self.read(image)[0][-1], image)

    def read(self, image: Tensor) -> tuple[list[Tensor], Tensor | None]:
        """Everything that the network says of (B, 3, H, W) images in [0, 1].

        Returns:
            logits: (B, K, h, w) of each step, coarse to fine, background first.
            boundary: (B, 1, h, w) logits; None without that branch.
        """
        maps = self.backbone(image)
        seen = None if self.perception is None else self.perception(maps).relu()
        refined = torch.stack([branch(maps[-1]) for branch in self.pyramid]).sum(dim=0).relu()
        answers = [self.classifier(refined)]
        shallower = [maps[level] for level in self.levels]
        if self.detail is not None:
            shallower.append(self.detail(image))
        for step, shallow in zip(self.refinement, shallower, strict=True):
            refined, answer = step(refined, shallow, seen)
            answers.append(answer)
        return answers, None if self.boundary is None else self.boundary(seen)


def toy_guided(num_classes: int, backbone: Backbone | None = None, edges: int = 16) -> GuidedNet:
    """The network of the toy world, on the toy backbone or another.

    Args:
        num_classes: C, without background.
        backbone: None takes the toy backbone.
        edges: channels of the features of boundaries; 0 leaves that branch out.
    """
    return GuidedNet(
        backbone or toy_cnn(), num_classes, (1, 2, 4), width=48, levels=(0,), detail=12, edges=edges
    )
