"""Small backbones for the toy world: a residual CNN and a plain vision transformer.

Both follow the backbone contract: ``backbone(image)`` takes (B, 3, H, W) RGB in [0, 1] and answers
a list of maps from shallow to deep; ``channels`` and ``strides`` describe them.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from wsss_lib.core import InputError

WEIGHTS = Path(__file__).parent / "weights"


def _normalise(image: Tensor) -> Tensor:
    """[0, 1] to about unit variance around zero."""
    return (image - 0.5) / 0.25


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
        x = _normalise(image).contiguous(memory_format=torch.channels_last)
        maps = [self.stem(x)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps


class _Attention(nn.Module):
    """Multi-head self-attention that can show its attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor, show: bool) -> tuple[Tensor, Tensor | None]:
        b, n, d = tokens.shape
        q, k, v = self.qkv(tokens).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        if show:
            attention = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(dim=-1)
            mixed = attention @ v
        else:
            attention, mixed = None, F.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(1, 2).reshape(b, n, d)), attention


class _Layer(nn.Module):
    """One pre-norm transformer layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = _Attention(width, heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, tokens: Tensor, show: bool) -> tuple[Tensor, Tensor | None]:
        mixed, attention = self.attention(self.norm1(tokens), show)
        tokens = tokens + mixed
        return tokens + self.mlp(self.norm2(tokens)), attention


class ToyViT(nn.Module):
    """A vision transformer on patches of 8 x 8 pixels.

    Images whose sides are no multiples of 8 are padded by their edges. Positions are learned on
    an 8 x 8 grid and resized to the grid of the image.

    Args:
        width: channels of a token.
        layers: number of layers.
        heads: attention heads of a layer.

    Attributes:
        channels: ``width``, once a layer.
        strides: 8, once a layer.
    """

    def __init__(self, width: int = 64, layers: int = 4, heads: int = 4) -> None:
        super().__init__()
        self.channels = [width] * layers
        self.strides = [8] * layers
        self.embed = nn.Conv2d(3, width, 8, 8)
        self.position = nn.Parameter(0.02 * torch.randn(1, width, 8, 8))
        self.layers = nn.ModuleList([_Layer(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)

    def embedding(self, image: Tensor) -> Tensor:
        """Patches with their positions, (B, width, ceil(H / 8), ceil(W / 8))."""
        h, w = image.shape[-2:]
        x = F.pad(_normalise(image), (0, -w % 8, 0, -h % 8), mode="replicate")
        x = self.embed(x)
        size = (x.shape[-2], x.shape[-1])
        if size == tuple(self.position.shape[-2:]):
            return x + self.position
        return x + F.interpolate(self.position, size, mode="bilinear", align_corners=False)

    def attend(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The maps of ``forward`` and the attention of every layer.

        Returns:
            maps: (B, width, h, w) a layer.
            attentions: (B, heads, N, N) a layer, rows sum to one; row i is what patch i looks at.
        """
        return self._run(image, show=True)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Maps (B, width, h, w), one a layer, h = ceil(H / 8)."""
        return self._run(image, show=False)[0]

    def _run(self, image: Tensor, show: bool) -> tuple[list[Tensor], list[Tensor]]:
        x = self.embedding(image)
        h, w = x.shape[-2:]
        tokens = x.flatten(2).transpose(1, 2)
        maps, attentions = [], []
        for layer in self.layers:
            tokens, attention = layer(tokens, show)
            maps.append(self.norm(tokens).transpose(1, 2).unflatten(2, (h, w)))
            if attention is not None:
                attentions.append(attention)
        return maps, attentions


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


def toy_vit(pretrained: bool = True) -> ToyViT:
    """A ``ToyViT`` of width 64 with 4 layers of 4 heads, pretrained on the toy ImageNet.

    Args:
        pretrained: load the weights that come with the library; False starts at random.

    Raises:
        InputError: the weight file is missing.
    """
    net = ToyViT()
    if pretrained:
        _load(net, "toy_vit")
    return net
