"""Vision transformers whose layers can show their attention."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.nets.backbones.backbone import IMAGENET_MEAN, IMAGENET_STD, Standardize
from wsss_lib.nets.large.hub import from_hub


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


class ConvStem(nn.Sequential):
    """Patches by 3 x 3 convolutions of stride 2, as many as halve ``patch`` down to 1.

    (B, 3, H, W) -> (B, width, H / patch, W / patch); channels double where the sides halve. Small
    transformers learn faster behind it than behind one projection.

    Source: Xiao et al., Early Convolutions Help Transformers See Better, NeurIPS 2021.

    Args:
        width: channels of a token.
        patch: side of a patch in pixels, a power of two.
    """

    def __init__(self, width: int, patch: int) -> None:
        halvings = patch.bit_length() - 1
        widths = [3, *(width >> left for left in reversed(range(halvings)))]
        layers: list[nn.Module] = []
        for d_in, d_out in pairwise(widths):
            conv = nn.Conv2d(d_in, d_out, 3, 2, 1, bias=False)
            layers += [conv, nn.BatchNorm2d(d_out), nn.ReLU()]
        super().__init__(*layers, nn.Conv2d(width, width, 1))

    @property
    def weight(self) -> Tensor:
        """Weights of the last convolution: CLIP asks its patches for their precision."""
        return self.get_parameter(f"{len(self) - 1}.weight")


class ViT(nn.Module):
    """A vision transformer without a class token.

    Source: Dosovitskiy et al., ICLR 2021. Images whose sides are no multiples of the patch are
    padded by their edges. Positions are learned on a square grid and resized to that of the image.
    The final layer norm belongs to the last map alone; those before it are the tokens as they are.

    Args:
        width: channels of a token.
        layers: number of layers.
        heads: attention heads of a layer.
        patch: side of a patch in pixels.
        grid: rows and columns of the learned positions.
        mean: RGB mean that is subtracted.
        std: RGB deviation that is divided by.
        stem: cut patches by a ``ConvStem`` in place of one projection.

    Attributes:
        class_token: (width,) class token of the pretraining with its position, for heads that start
            tokens of their own from it; None where there was none.
        channels: ``width``, once a layer.
        strides: ``patch``, once a layer.
    """

    def __init__(
        self,
        width: int = 768,
        layers: int = 12,
        heads: int = 12,
        patch: int = 16,
        grid: int = 14,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        stem: bool = False,
    ) -> None:
        super().__init__()
        self.patch = patch
        self.channels = [width] * layers
        self.strides = [patch] * layers
        self.standardize = Standardize(tuple(mean), tuple(std))
        self.embed = ConvStem(width, patch) if stem else nn.Conv2d(3, width, patch, patch)
        self.position = nn.Parameter(0.02 * torch.randn(1, width, grid, grid))
        self.layers = nn.ModuleList([_Layer(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.class_token: Tensor | None = None

    def embedding(self, image: Tensor) -> Tensor:
        """Patches with their positions, (B, width, ceil(H / patch), ceil(W / patch))."""
        h, w = image.shape[-2:]
        padding = (0, -w % self.patch, 0, -h % self.patch)
        x = self.embed(F.pad(self.standardize(image), padding, mode="replicate"))
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
        """Maps (B, width, h, w), one a layer, h = ceil(H / patch)."""
        return self._run(image, show=False)[0]

    def _run(self, image: Tensor, show: bool) -> tuple[list[Tensor], list[Tensor]]:
        x = self.embedding(image)
        h, w = x.shape[-2:]
        tokens = x.flatten(2).transpose(1, 2)
        maps, attentions = [], []
        for layer in self.layers:
            tokens, attention = layer(tokens, show)
            maps.append(tokens)
            if attention is not None:
                attentions.append(attention)
        maps[-1] = self.norm(tokens)
        return [seen.transpose(1, 2).unflatten(2, (h, w)) for seen in maps], attentions


def load_vit(name: str | Path = "facebook/deit-small-patch16-224") -> ViT:
    """A published transformer; its class token waits aside, see ``ViT``.

    Args:
        name: identifier on huggingface.co, or a folder with the files of such a model.

    Raises:
        InputError: the files are not here and cannot be fetched, or are those of another model.
    """
    from transformers import ViTImageProcessor, ViTModel

    files = "config.json, model.safetensors and preprocessor_config.json"
    model = from_hub("vit", name, ViTModel, files, add_pooling_layer=False)
    pictures = from_hub("vit", name, ViTImageProcessor, files)
    config = model.config
    net = ViT(
        config.hidden_size, config.num_hidden_layers, config.num_attention_heads,
        config.patch_size, config.image_size // config.patch_size,
        pictures.image_mean, pictures.image_std,
    )  # fmt: skip
    with torch.no_grad():
        positions = model.embeddings.position_embeddings[:, 1:].transpose(1, 2)
        net.position.copy_(positions.unflatten(2, net.position.shape[-2:]))
        net.class_token = (model.embeddings.cls_token + model.embeddings.position_embeddings)[0, 0]
    net.embed.load_state_dict(model.embeddings.patch_embeddings.projection.state_dict())
    net.norm.load_state_dict(model.layernorm.state_dict())
    for layer, theirs in zip(net.layers, model.layers, strict=True):
        layer.load_state_dict(_renamed(theirs.state_dict()))
    return net


_NAMES = {
    "layernorm_before": "norm1", "layernorm_after": "norm2", "attention.o_proj": "attention.out",
    "mlp.fc1": "mlp.0", "mlp.fc2": "mlp.2",
}  # fmt: skip


def _renamed(layer: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a layer of ``transformers`` under the names of ours."""
    found = {
        f"{ours}.{kind}": layer[f"{theirs}.{kind}"]
        for theirs, ours in _NAMES.items()
        for kind in ("weight", "bias")
    }
    for kind in ("weight", "bias"):
        parts = [layer[f"attention.{part}_proj.{kind}"] for part in "qkv"]
        found[f"attention.qkv.{kind}"] = torch.cat(parts)
    return found
