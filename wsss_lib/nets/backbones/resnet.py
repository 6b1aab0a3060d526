"""ResNet backbones of torchvision with an adjustable output stride."""

from typing import Literal
from urllib.error import URLError

import torch
import torchvision.models as models
from torch import Tensor, nn

from wsss_lib.core import InputError
from wsss_lib.nets.backbones.backbone import Standardize

_DILATED = {32: (False, False, False), 16: (False, False, True), 8: (False, True, True)}


class ResNet(nn.Module):
    """ResNet (He et al., CVPR 2016): five feature maps, at strides 2, 4, 8, 16, 32 or dilated.

    Args:
        depth: 50 or 101.
        stride: 32, 16 or 8; the strides that are taken away become dilations, so weights fit.
        pretrained: load torchvision's ImageNet weights (downloaded once, then cached).

    Raises:
        InputError: unknown stride, or the weights can neither be found nor downloaded.
    """

    def __init__(
        self, depth: Literal[50, 101] = 50, stride: int = 16, pretrained: bool = True
    ) -> None:
        super().__init__()
        if stride not in _DILATED:
            raise InputError(f"ResNet: stride={stride} is not one of {sorted(_DILATED)}.")
        name = f"resnet{depth}"
        weights = models.get_model_weights(name).IMAGENET1K_V1 if pretrained else None
        try:
            net = models.get_model(
                name, weights=weights, replace_stride_with_dilation=list(_DILATED[stride])
            )
        except (URLError, OSError) as error:
            assert weights is not None
            raise InputError(
                f"The ImageNet weights of {name} are not here and could not be downloaded "
                f"({error}). Put {weights.url.rsplit('/', 1)[-1]} from torchvision's model zoo "
                f"into {torch.hub.get_dir()}/checkpoints, or use pretrained=False (`--weights "
                "random` on the command line)."
            ) from error
        self.standardize = Standardize()
        self.stem = nn.Sequential(net.conv1, net.bn1, net.relu)
        self.stages = nn.ModuleList(
            [nn.Sequential(net.maxpool, net.layer1), net.layer2, net.layer3, net.layer4]
        )
        self.channels = [64, 256, 512, 1024, 2048]
        self.strides = [2, 4, 8, min(16, stride), stride]

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in [0, 1] -> five feature maps, shallow to deep."""
        features = [self.stem(self.standardize(image))]
        for stage in self.stages:
            features.append(stage(features[-1]))
        return features
