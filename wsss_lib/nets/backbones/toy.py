"""Small backbones for the toy world: a residual CNN and two small vision transformers.

All follow the backbone contract: ``backbone(image)`` takes (B, 3, H, W) RGB in [0, 1] and answers
a list of maps from shallow to deep; ``channels`` and ``strides`` describe them.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from wsss_lib.core import InputError
from wsss_lib.nets.backbones.backbone import Standardize
from wsss_lib.nets.backbones.mit import MiT
from wsss_lib.nets.backbones.vit import ViT

WEIGHTS = Path(__file__).parents[1] / "weights"


class _Residual(nn.Module):
    """One 3 x 3 convolution beside a shortcut."""

    def __init__(self, d_in: int, d_out: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(d_in, d_out, 3, stride, dilation, dilation, bias=False)
        self.norm = nn.BatchNorm2d(d_out)
        self.stride = stride
        self.skip = nn.Identity() if d_in == d_out else nn.Conv2d(d_in, d_out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)) + self.skip(x[..., :: self.stride, :: self.stride]))


def _stem(d_in: int, d_out: int) -> nn.Sequential:
    conv = nn.Conv2d(d_in, d_out, 3, 2, 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(d_out), nn.ReLU())


class ToyCNN(nn.Module):
    """Two strided convolutions and four residual ones; 0.33 M weights, receptive field 55 pixels.

    Args:
        stride: pixels per step of the deepest map, 4 or 8. The weights are the same: at 8 the
            third block strides and the one behind it dilates half as far, which gives every
            second value of the finer map.

    Attributes:
        channels: width of each of the four maps.
        strides: pixels per step of each map.

    Raises:
        InputError: another stride.
    """

    def __init__(self, stride: int = 4) -> None:
        super().__init__()
        if stride not in (4, 8):
            raise InputError(f"ToyCNN(stride={stride}): choose 4 or 8.")
        self.channels = [32, 64, 96, 128]
        self.strides = [2, 4, 4, stride]
        self.standardize = Standardize((0.5,) * 3, (0.25,) * 3)
        self.stem = _stem(3, 32)
        self.stages = nn.ModuleList(
            [
                nn.Sequential(_stem(32, 64), _Residual(64, 64)),
                _Residual(64, 96),
                nn.Sequential(
                    _Residual(96, 96, stride=stride // 4, dilation=2),
                    _Residual(96, 128, dilation=8 // stride),
                ),
            ]
        )
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Maps (B, channels[i], H / strides[i], W / strides[i]), shallow to deep."""
        x = self.standardize(image).contiguous(memory_format=torch.channels_last)
        maps = [self.stem(x)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps


def _load(net: nn.Module, name: str) -> None:
    """Fill a network from ``weights/<name>.safetensors``."""
    path = WEIGHTS / f"{name}.safetensors"
    if not path.is_file():
        raise InputError(
            f"the pretrained weights {path.name} are missing: make them with "
            f"`python -m experiments.pretrain_toy {name}`, or ask for pretrained=False."
        )
    # Stored in half precision; copying into the parameters brings them back to float32.
    net.load_state_dict(load_file(path))


def toy_cnn(pretrained: bool = True, stride: int = 4) -> ToyCNN:
    """A ``ToyCNN``, pretrained on the toy ImageNet.

    Args:
        pretrained: load the weights that come with the library; False starts at random.
        stride: see ``ToyCNN``.

    Raises:
        InputError: the weight file is missing.
    """
    net = ToyCNN(stride)
    if pretrained:
        _load(net, "toy_cnn")
    return net


def toy_vit(pretrained: bool = True) -> ViT:
    """A ``ViT`` of width 96 with 6 layers of 4 heads on 8 x 8 pixels, behind a convolutional stem.

    Pretrained on the toy ImageNet, where each patch also learned what ``toy_cnn`` sees there
    (distillation).

    Args:
        pretrained: load the weights that come with the library; False starts at random.

    Raises:
        InputError: the weight file is missing.
    """
    net = ViT(96, 6, 4, patch=8, grid=8, mean=(0.5,) * 3, std=(0.25,) * 3, stem=True)
    if pretrained:
        _load(net, "toy_vit")
    return net


def toy_mit(pretrained: bool = True) -> MiT:
    """A ``MiT`` of six layers whose maps have strides of 2, 4, 8 and 8 pixels.

    The last two stages share a grid, as in the one-stage systems that read its attention. It is
    pretrained as ``toy_vit`` is.

    Args:
        pretrained: load the weights that come with the library; False starts at random.

    Raises:
        InputError: the weight file is missing.
    """
    net = MiT(
        (24, 48, 96, 96), (1, 1, 2, 2), (1, 2, 4, 4), (4, 2, 1, 1), (2, 2, 2, 1),
        mean=(0.5,) * 3, std=(0.25,) * 3,
    )  # fmt: skip
    if pretrained:
        _load(net, "toy_mit")
    return net
