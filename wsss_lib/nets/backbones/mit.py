"""Mix transformers: four stages of attention, from fine maps to coarse ones."""

from collections.abc import Sequence
from itertools import accumulate
from operator import mul
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.nets.backbones.backbone import IMAGENET_MEAN, IMAGENET_STD, Standardize
from wsss_lib.nets.large.hub import from_hub

PATCHES = (7, 3, 3, 3)
"""Sides of the overlapping patches, one a stage."""


def _as_map(tokens: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, N, D) -> (B, D, h, w)."""
    return tokens.transpose(1, 2).unflatten(2, size)


def _as_tokens(maps: Tensor) -> Tensor:
    """(B, D, h, w) -> (B, N, D)."""
    return maps.flatten(2).transpose(1, 2)


class _Attention(nn.Module):
    """Self-attention whose keys and values come from a coarser grid than its queries."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads, self.reduction = heads, reduction
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        if reduction > 1:
            self.reduce = nn.Conv2d(width, width, reduction, reduction)
            self.norm = nn.LayerNorm(width)

    def _coarse(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """One token for each cell of ``reduction`` times ``reduction`` tokens."""
        maps = _as_map(tokens, size)
        down, right = (max(0, self.reduction - side) for side in size)
        if down or right:  # a map smaller than one cell
            maps = F.pad(maps, (0, right, 0, down), mode="replicate")
        coarse: Tensor = self.norm(_as_tokens(self.reduce(maps)))
        return coarse

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        seen = tokens if self.reduction == 1 else self._coarse(tokens, size)
        q, k, v = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(tokens), self.key(seen), self.value(seen))
        )
        products = q @ k.mT * q.shape[-1] ** -0.5
        mixed = products.softmax(dim=-1) @ v
        return self.out(mixed.transpose(1, 2).flatten(2)), products


class _Layer(nn.Module):
    """Attention, then a network for each token that also sees the tokens beside it (Mix-FFN)."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = _Attention(width, heads, reduction)
        self.grow, self.shrink = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.mix = nn.Conv2d(4 * width, 4 * width, 3, padding=1, groups=4 * width)

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        mixed, products = self.attention(self.norm1(tokens), size)
        tokens = tokens + mixed
        hidden = self.mix(_as_map(self.grow(self.norm2(tokens)), size))
        return tokens + self.shrink(_as_tokens(F.gelu(hidden))), products


class _Stage(nn.Module):
    """Overlapping patches of the map before, and layers that look at them."""

    def __init__(
        self,
        d_in: int,
        width: int,
        layers: int,
        heads: int,
        reduction: int,
        patch: int,
        step: int,
    ) -> None:
        super().__init__()
        self.embed = nn.Conv2d(d_in, width, patch, step, patch // 2)
        self.start, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.layers = nn.ModuleList([_Layer(width, heads, reduction) for _ in range(layers)])

    def forward(self, maps: Tensor) -> tuple[Tensor, list[Tensor]]:
        maps = self.embed(maps)
        size, shown = (maps.shape[-2], maps.shape[-1]), []
        tokens = self.start(_as_tokens(maps))
        for layer in self.layers:
            tokens, products = layer(tokens, size)
            shown.append(products)
        return _as_map(self.norm(tokens), size), shown


class MiT(nn.Module):
    """The encoder of SegFormer: a transformer that answers maps at four sizes, as a CNN does.

    Tokens are patches that overlap. Where a stage has many of them, its keys and values come from a
    grid that is coarser by ``reductions``. Positions are not learned: the depthwise convolution of
    each layer sees where the map ends. Sizes are those of MiT-B1; stochastic depth is left out.

    Source: Xie et al., SegFormer, NeurIPS 2021.

    Args:
        widths: channels of a token, one for each of the four stages, as all that follows.
        layers: how many there are.
        heads: attention heads of a layer.
        reductions: sides of the cells that give one key and one value.
        strides: steps between patches on the map before.
        mean: RGB mean that is subtracted.
        std: RGB deviation that is divided by.

    Attributes:
        channels: ``widths``.
        strides: pixels of the image per cell of each map.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 320, 512),
        layers: Sequence[int] = (2, 2, 2, 2),
        heads: Sequence[int] = (1, 2, 5, 8),
        reductions: Sequence[int] = (8, 4, 2, 1),
        strides: Sequence[int] = (4, 2, 2, 2),
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.channels = list(widths)
        self.strides = list(accumulate(strides, mul))
        self.standardize = Standardize(tuple(mean), tuple(std))
        before = [3, *widths[:-1]]
        sizes = zip(before, widths, layers, heads, reductions, PATCHES, strides, strict=True)
        self.stages = nn.ModuleList([_Stage(*size) for size in sizes])

    def forward(self, image: Tensor) -> list[Tensor]:
        """Maps (B, channels[i], ceil(H / strides[i]), ceil(W / strides[i])), shallow to deep."""
        return self.attend(image)[0]

    def attend(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The maps of ``forward``, and how well the tokens of the last stage answer each other.

        Returns:
            The maps of ``forward``, and (B, heads, N, N) products, any real values, for each layer
            of the last stage: queries times keys over the root of their length, whose softmax over
            the last axis is the attention. Row i is what token i looks at. N is smaller on the last
            axis if the last stage has a reduction.
        """
        maps = [self.standardize(image)]
        products: list[Tensor] = []
        for stage in self.stages:
            found, products = stage(maps[-1])
            maps.append(found)
        return maps[1:], products


def load_mit(name: str | Path = "nvidia/mit-b1", strides: Sequence[int] = (4, 2, 2, 2)) -> MiT:
    """A published mix transformer.

    Args:
        name: identifier on huggingface.co, or a folder with the files of such a model.
        strides: see ``MiT``; patches that are cut more densely have the same weights.

    Raises:
        InputError: the files are not here and cannot be fetched, or are those of another model.
    """
    from transformers import SegformerImageProcessor, SegformerModel

    files = "config.json, model.safetensors (or pytorch_model.bin) and preprocessor_config.json"
    model = from_hub("segformer", name, SegformerModel, files)
    pictures = from_hub("segformer", name, SegformerImageProcessor, files)
    config = model.config
    net = MiT(
        config.hidden_sizes, config.depths, config.num_attention_heads, config.sr_ratios, strides,
        pictures.image_mean, pictures.image_std,
    )  # fmt: skip
    with torch.no_grad():
        net.load_state_dict({_ours(key): value for key, value in model.state_dict().items()})
    return net


_NAMES = {
    "patch_embeddings.proj": "embed", "patch_embeddings.layer_norm": "start", "blocks": "layers",
    "layernorm_before": "norm1", "layernorm_after": "norm2",
    "q_proj": "query", "k_proj": "key", "v_proj": "value", "o_proj": "out",
    "sequence_reduction.sequence_reduction": "reduce", "sequence_reduction.layer_norm": "norm",
    "mlp.fc1": "grow", "mlp.dwconv.dwconv": "mix", "mlp.fc2": "shrink", "layer_norm": "norm",
}  # fmt: skip


def _ours(key: str) -> str:
    """The name of a weight of ``transformers`` here."""
    for theirs, name in _NAMES.items():
        key = key.replace(theirs, name)
    return key
