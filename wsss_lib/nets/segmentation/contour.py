"""Classes and boundaries from one trunk."""

import torch.nn as nn
from torch import Tensor

from wsss_lib.nets.heads.relation import RelationHead
from wsss_lib.nets.segmentation.deeplab import DeepLab


class ContourNet(nn.Module):
    """A segmentation network, and a head that reads boundaries from its backbone's features.

    Source: SANCE (Li, Fan and Zhang, CVPR 2022): two branches share a backbone, and both teach it.

    Args:
        segmenter: (B, 3, H, W) images -> (B, K, H, W) logits.
        width: channels to which the boundary head reduces each feature map, a multiple of 4.
        size_of: the feature map whose resolution the boundaries have.
    """

    def __init__(self, segmenter: DeepLab, width: int = 32, size_of: int = 1) -> None:
        super().__init__()
        self.segmenter = segmenter
        self.backbone = segmenter.get_submodule("backbone")
        self.edge = RelationHead(segmenter.backbone, 1, width, size_of)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) -> logits (B, K, H, W), boundaries (B, 1, h, w) in [0, 1]."""
        features = self.backbone(image)
        return self.segmenter.decode(features, image), self.edge(features).sigmoid()
