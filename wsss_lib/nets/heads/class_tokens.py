"""A vision transformer that also carries one token for each class."""

from typing import Any

import torch
from torch import Tensor, nn

from wsss_lib.core import InputError
from wsss_lib.nets.backbones.vit import ViT


class ClassTokens(nn.Module):
    """Class tokens in front of the patches of a vision transformer.

    Source: MCTformer (Xu et al., CVPR 2022), section 3.1. A class token and its position are one
    weight, for only their sum is ever seen. All start from the class token of the pretraining where
    there was one, at random elsewhere; each has a label of its own, which parts equal ones too.

    Args:
        backbone: a ``ViT``.
        num_classes: C, without background.

    Raises:
        InputError: the backbone is no transformer.
    """

    def __init__(self, backbone: Any, num_classes: int) -> None:
        super().__init__()
        if not isinstance(backbone, ViT):
            raise InputError(
                f"Class tokens need a vision transformer, not a {type(backbone).__name__}: leave "
                "the network out to use the toy transformer."
            )
        self.backbone = backbone
        self.backbone.norm.requires_grad_(False)  # patches are read before it
        start = nn.init.trunc_normal_(torch.empty(num_classes, backbone.channels[-1]), std=0.02)
        if backbone.class_token is not None:
            start = backbone.class_token.repeat(num_classes, 1)
        self.tokens = nn.Parameter(start)

    def forward(self, image: Tensor, more: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Images -> what comes out behind the last layer, and how.

        Args:
            image: (B, 3, H, W).
            more: (B, M, D) further tokens, which come between class tokens and patches; M is 0
                without any.

        Returns:
            tokens: (B, C + M, D), not normalised.
            patches: (B, D, h, w), not normalised either.
            attention: (layers, B, C + M + N, C + M + N), mean over heads; rows sum to one.
        """
        patches = self.backbone.embedding(image)
        size = (patches.shape[-2], patches.shape[-1])
        own = self.tokens.expand(len(image), -1, -1)
        if more is not None:
            own = torch.cat([own, more], dim=1)
        count = own.shape[1]
        tokens = torch.cat([own, patches.flatten(2).transpose(1, 2)], dim=1)
        attentions = []
        for layer in self.backbone.layers:
            tokens, attention = layer(tokens, show=True)
            attentions.append(attention.mean(dim=1))
        own, rest = tokens.tensor_split([count], dim=1)
        return own, rest.transpose(1, 2).unflatten(2, size), torch.stack(attentions)
