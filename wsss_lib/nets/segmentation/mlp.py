"""A segmentation network with the lightest of decoders, and one that also reads its attention."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import min_max, rescale, resize_like
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_mit


class MLPDecoder(nn.Module):
    """Every map of a backbone, each made equally wide, side by side at the size of the finest.

    Source: SegFormer (Xie et al., NeurIPS 2021), section 3.2, without its dropout.

    Args:
        channels: of the maps.
        num_classes: C, without background.
        width: channels that each map is brought to, and all of them together.
    """

    def __init__(self, channels: Sequence[int], num_classes: int, width: int = 256) -> None:
        super().__init__()
        self.narrow = nn.ModuleList([nn.Conv2d(depth, width, 1) for depth in channels])
        self.fuse = nn.Sequential(
            nn.Conv2d(len(channels) * width, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.classifier = nn.Conv2d(width, num_classes + 1, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Maps (B, channels[i], h_i, w_i), the finest first -> logits (B, K, h_0, w_0)."""
        narrowed = [layer(maps) for layer, maps in zip(self.narrow, features, strict=True)]
        finest = narrowed[0]
        fused = self.fuse(torch.cat([resize_like(maps, finest) for maps in narrowed], dim=1))
        logits: Tensor = self.classifier(fused)
        return logits


class SegFormer(nn.Module):
    """A backbone and an ``MLPDecoder``.

    Args:
        backbone: any backbone of the library; a mix transformer makes it SegFormer.
        num_classes: C, without background.
        width: see ``MLPDecoder``.
    """

    def __init__(self, backbone: Backbone, num_classes: int, width: int = 256) -> None:
        super().__init__()
        self.backbone = backbone
        self.decoder = MLPDecoder(backbone.channels, num_classes, width)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, K, H, W) logits, background first."""
        return self.decode(self.backbone(image), image)

    def decode(self, features: Sequence[Tensor], image: Tensor) -> Tensor:
        """The backbone's maps of (B, 3, H, W) images, and these -> (B, K, H, W) logits."""
        return resize_like(self.decoder(features), image)


class AffinityFormer(SegFormer):
    """A ``SegFormer`` with a classifier, and affinities that are read off its attention.

    Source: the network of AFA (Ru et al., CVPR 2022).

    Args:
        backbone: a transformer that shows its attention (``attend``).
        num_classes: C, without background.
        heads: attention maps of its last two layers together.
        width: see ``MLPDecoder``.
    """

    backbone: Any

    def __init__(self, backbone: Any, num_classes: int, heads: int = 16, width: int = 256) -> None:
        super().__init__(backbone, num_classes, width)
        self.classifier = nn.Conv2d(backbone.channels[-1], num_classes, 1, bias=False)
        self.pairs = nn.Conv2d(heads, 1, 1)

    def attend(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        """Features and affinities, from one look.

        ``A = sigmoid(w . (S + S^T) + b)``, with S the attention of all heads of the last two layers
        and one weight for each head.

        Args:
            image: (B, 3, H, W) in [0, 1].

        Returns:
            The backbone's maps, and (B, N, N) affinities in (0, 1) between the cells of the last
            one, symmetric.
        """
        features, attention = self.backbone.attend(image)
        heads = torch.cat(attention[-2:], dim=1)
        return features, self.pairs(heads + heads.mT)[:, 0].sigmoid()

    @torch.no_grad()
    def look(
        self, image: Tensor, tags: Tensor, scales: Sequence[float]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What labels are made of: no gradient flows.

        Args:
            image: (B, 3, H, W) in [0, 1].
            tags: (B, C), 1 where the class is present.
            scales: sizes at which the image and its mirror image are looked at.

        Returns:
            Scores (B, C, H, W) in [0, 1], for which rectified class maps are added up over the
            looks and min-max normalised; the same (B, C, h, w) on the grid of the last map at the
            largest size; and the affinity (B, N, N) between the cells of this grid.
        """
        scores = min_max(multi_scale_flip(self.class_maps, image, scales), tags)
        features, affinity = self.attend(rescale(image, max(scales)))
        return scores, resize_like(scores, features[-1]), affinity

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw class maps (B, C, h, w)."""
        maps: Tensor = self.classifier(self.backbone(image)[-1])
        return maps

    def tag_logits(self, features: Sequence[Tensor]) -> Tensor:
        """Scores (B, C) of the tags: each channel's maximum over the last map, then classified."""
        logits: Tensor = self.classifier(F.adaptive_max_pool2d(features[-1], 1))[..., 0, 0]
        return logits


def toy_segformer(num_classes: int) -> SegFormer:
    """The network of the toy world, on the pretrained toy mix transformer."""
    return SegFormer(toy_mit(), num_classes, width=64)


def toy_affinity_net(num_classes: int, backbone: Any = None) -> AffinityFormer:
    """The network of the toy world.

    The heads begin with no weight: products of queries and keys are large there, so that weights
    that are drawn by chance make affinities of 0 and 1, which a short training cannot unlearn.

    Args:
        num_classes: C, without background.
        backbone: None takes the toy mix transformer; another transformer must have as many heads.
    """
    net = AffinityFormer(backbone or toy_mit(), num_classes, heads=8, width=64)
    nn.init.zeros_(net.pairs.weight)
    return net
