"""MobileNetV2 of torchvision, and a converter for weights with the batch norm folded in."""

from pathlib import Path
from urllib.error import URLError

import numpy as np
import torch
import torchvision.models as models
from torch import Tensor, nn

from wsss_lib.core import InputError
from wsss_lib.nets.backbones.backbone import Standardize, after, dilate, pad_one_side

_LEVELS = {2: 1, 4: 3, 8: 6, 16: 13, 32: 18}  # stride -> last block of torchvision's list


class MobileNetV2(nn.Module):
    """MobileNetV2 (Sandler et al., CVPR 2018): feature maps at strides 2, 4, 8, 16, 32 or dilated.

    Args:
        stride: 32, 16 or 8; strides that are taken away become dilations, so weights fit.
        weights: "imagenet" for torchvision's own (downloaded once), a path to an ``.npz`` of
            folded arrays (``00.weight``, ``00.bias``, ... in network order), or None.

    Attributes:
        classifier: (classes, 1280, 1, 1) weights and biases of the ImageNet classifier.

    Raises:
        InputError: unknown stride, missing file, or arrays that do not fit.
    """

    def __init__(self, stride: int = 16, weights: str | Path | None = "imagenet") -> None:
        super().__init__()
        if stride not in (8, 16, 32):
            raise InputError(f"MobileNetV2: stride={stride} is not one of [8, 16, 32].")
        self.channels = [16, 24, 32, 96, 1280]
        self.strides = [min(s, stride) for s in _LEVELS]
        folded = weights not in (None, "imagenet")
        if not folded:
            net = _torchvision_net(pretrained=weights is not None)
            self.standardize = Standardize()
            linear = net.classifier[1]
            self.classifier = nn.Conv2d(1280, linear.out_features, 1)
            self.classifier.load_state_dict(
                {"weight": linear.weight.detach()[:, :, None, None], "bias": linear.bias.detach()}
            )
        else:
            net = models.mobilenet_v2()
            self.standardize = Standardize((128 / 255,) * 3, (128 / 255,) * 3)
            self.classifier = _load_folded(net, Path(str(weights)))
        self.blocks = net.features
        dilate(self.blocks, stride)
        if folded:
            pad_one_side(self.blocks)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in [0, 1] -> five feature maps, shallow to deep."""
        return after(self.blocks, self.standardize(image), _LEVELS.values())


def _torchvision_net(pretrained: bool) -> models.MobileNetV2:
    weights = models.MobileNet_V2_Weights.IMAGENET1K_V1 if pretrained else None
    try:
        return models.mobilenet_v2(weights=weights)
    except (URLError, OSError) as error:
        raise InputError(
            f"The ImageNet weights of MobileNetV2 could not be downloaded ({error}). Put "
            f"mobilenet_v2-b0353104.pth from torchvision's model zoo into "
            f"{torch.hub.get_dir()}/checkpoints, pass weights=PATH.npz, or weights=None "
            "(`--weights PATH.npz` or `--weights random` on the command line)."
        ) from error


def _load_folded(net: models.MobileNetV2, path: Path) -> nn.Conv2d:
    """Fill ``net`` with folded weights; return its classifier as a 1x1 convolution."""
    if not path.is_file():
        raise InputError(f"No weights at {path}: expected an .npz of folded MobileNetV2 arrays.")
    convolutions = [m for m in net.features.modules() if isinstance(m, nn.Conv2d)]
    arrays = _arrays(path, len(convolutions) + 1)
    classes = arrays[f"{len(convolutions):02d}.bias"].size
    classifier = nn.Conv2d(1280, classes, 1)
    for index, module in enumerate([*convolutions, classifier]):
        weight = torch.from_numpy(arrays[f"{index:02d}.weight"])
        bias = torch.from_numpy(arrays[f"{index:02d}.bias"])
        if weight.numel() != module.weight.numel() or bias.numel() != module.out_channels:
            raise InputError(
                f"{path}: array {index:02d}.weight has shape {tuple(weight.shape)} and its bias "
                f"{tuple(bias.shape)}, the network needs {tuple(module.weight.shape)} and "
                f"({module.out_channels},); these are not MobileNetV2 1.0 weights."
            )
        module.weight.data = weight.reshape(module.weight.shape).float()
        module.bias = nn.Parameter(bias.reshape(-1).float())
    for block in net.features.modules():
        for name, child in block.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(block, name, nn.Identity())
    return classifier


def _arrays(path: Path, layers: int) -> dict[str, np.ndarray]:
    """Weights and biases by name; nothing of the file is ever run."""
    names = [f"{index:02d}.{part}" for index in range(layers) for part in ("weight", "bias")]
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in names}
        numbers = all(np.issubdtype(array.dtype, np.floating) for array in arrays.values())
    except Exception as error:  # a web page, a pickle, half a download, another network, ...
        raise _foreign(path) from error
    if not numbers:
        raise _foreign(path)
    return arrays


def _foreign(path: Path) -> InputError:
    return InputError(
        f"{path} holds no folded MobileNetV2 arrays. Expected is an .npz of 00.weight, 00.bias, "
        "... in network order; for torchvision's own weights leave --weights out."
    )
