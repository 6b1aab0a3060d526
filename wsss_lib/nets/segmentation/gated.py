"""A segmentation network whose shallow features pass a stochastic gate."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wsss_lib.blocks.augment.gate import stochastic_gate
from wsss_lib.blocks.maps.class_maps import resize_like
from wsss_lib.nets.backbones.backbone import Backbone


class GatedDeepLab(nn.Module):
    """Atrous spatial pyramid on deep features, joined by shallow ones through a stochastic gate.

    Global cue injection: the strongest deep features of the whole image set mean and spread of the
    shallow channels (adaptive instance normalisation) before the gate.

    Source: Araslanov and Roth, CVPR 2020, section 3.5.

    Args:
        backbone: any backbone of the library.
        num_classes: C; there is no map for the background.
        rates: dilations of the 3x3 branches.
        width: channels of the pyramid.
        shallow: which feature map joins the pyramid.
        gate: share of shallow values, see ``stochastic_gate``.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        rates: Sequence[int] = (6, 12, 18, 24),
        width: int = 256,
        shallow: int = 1,
        gate: float = 0.3,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.shallow, self.gate = shallow, gate
        deep = backbone.channels[-1]
        self.pyramid = nn.ModuleList(
            [nn.Conv2d(deep, width, 3, padding=rate, dilation=rate) for rate in rates]
        )
        self.reduce = nn.Conv2d(backbone.channels[shallow], width, 1)
        self.style = nn.Linear(width, 2 * width)
        self.decoder = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def inject(self, shallow: Tensor, deep: Tensor) -> Tensor:
        """Shallow features (B, width, h, w) with mean and spread taken from the deep ones."""
        gain, bias = self.style(deep.amax(dim=(2, 3)))[:, :, None, None].chunk(2, dim=1)
        centred = shallow - shallow.mean(dim=(2, 3), keepdim=True)
        spread = (centred.square().mean(dim=(2, 3), keepdim=True) + 1e-5).sqrt()
        return (centred / spread * (1 + gain) + bias).relu()

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, C, h, w) logits at the size of the shallow features."""
        features = self.backbone(image)
        deep = torch.stack([branch(features[-1]) for branch in self.pyramid]).sum(dim=0).relu()
        shallow = self.inject(self.reduce(features[self.shallow]), deep)
        mixed = stochastic_gate(resize_like(deep, shallow), shallow, self.gate, self.training)
        return self.classifier(self.decoder(mixed))

    def extra_repr(self) -> str:
        """What the weights do not show."""
        return f"shallow={self.shallow}, gate={self.gate}"
