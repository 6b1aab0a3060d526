"""A network that paints an image again from features of which a part is hidden."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from wsss_lib.blocks.maps.class_maps import resize, resize_like
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.heads.classifier import Classifier


class UNet(nn.Module):
    """Strided convolutions down, transposed ones up, and a shortcut between maps of one size.

    Source: Isola et al. (CVPR 2017), the generator, without dropout.

    Args:
        d_in: channels of the input.
        d_out: channels of the output.
        widths: channels after each halving; sides that cannot be halved so often are enlarged.
    """

    def __init__(self, d_in: int, d_out: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.downs = nn.ModuleList(
            nn.Conv2d(a, b, 4, 2, 1, bias=False) for a, b in pairwise((d_in, *widths))
        )
        # All but the deepest map stand beside a shortcut that is as wide.
        joined = [2 * width for width in widths[:-1]] + [widths[-1]]
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(joined[level], widths[level - 1], 4, 2, 1, bias=False)
            for level in range(len(widths) - 1, 0, -1)
        )
        self.out = nn.Conv2d(joined[0], d_out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, d_in, H, W) -> (B, d_out, H, W)."""
        height, width = x.shape[-2:]
        step = 2 ** len(self.downs)
        size = (-(-height // step) * step, -(-width // step) * step)
        maps = [resize(x, size)]
        for number, down in enumerate(self.downs):
            found = down(maps[-1])
            maps.append(F.leaky_relu(_even(found) if number else found, 0.2))
        found = maps[-1]
        for up, shortcut in zip(self.ups, maps[-2:0:-1], strict=True):
            found = torch.cat([_even(up(found)).relu(), shortcut], dim=1)
        return resize(self.out(resize(found, size)), (height, width))


def _even(maps: Tensor) -> Tensor:
    # A single cell has no spread to divide by.
    return F.instance_norm(maps) if maps.shape[-2] * maps.shape[-1] > 1 else maps


class Reconstructor(nn.Module):
    """A classifier of its own whose features a decoder turns into the image again.

    Source: ACR (Kweon et al., CVPR 2023), section 3.2, with the layers of the released code.

    Args:
        backbone: features of three depths are read.
        num_classes: C, without background; classifying keeps the features meaningful.
        widths: channels that the features of each depth, shallow to deep, are reduced to.
        unet: channels of the decoder after each halving.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        widths: Sequence[int] = (64, 128, 256),
        unet: Sequence[int] = (64, 128, 256, 512, 512, 512, 512, 512),
    ) -> None:
        super().__init__()
        self.classifier = Classifier(backbone, num_classes)
        self.reduce = nn.ModuleList(
            nn.Conv2d(channels, width, 1, bias=False)
            for channels, width in zip(backbone.channels[-len(widths) :], widths, strict=True)
        )
        self.decoder = UNet(sum(widths), 3, unet)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Look at images (B, 3, H, W) in [0, 1].

        Returns:
            maps: (B, C, h, w) raw class maps.
            features: (B, D, H, W), as large as the image.
        """
        levels = self.classifier.backbone(image)
        pairs = zip(self.reduce, levels[-len(self.reduce) :], strict=True)
        reduced = [resize_like(layer(level), levels[-1]) for layer, level in pairs]
        return self.classifier.head(levels[-1]), resize_like(torch.cat(reduced, dim=1), image)

    def paint(self, features: Tensor) -> Tensor:
        """Features (B, D, H, W), parts of them zero -> (B, 3, H, W), standardised colours."""
        return self.decoder(features)

    def paint_for_another(self, features: Tensor) -> Tensor:
        """As ``paint``; the gradient passes to the features and leaves the decoder alone."""
        weights = {name: weight.detach() for name, weight in self.decoder.named_parameters()}
        return functional_call(self.decoder, weights, (features,))
