"""CLIP: images and sentences in one space, with what weak supervision asks of it.

The same wrapper holds OpenAI's models and a tiny one for the toy world. Beside the similarity of
images and prompts it shows the patches, the attention, and the place where CLIP-ES takes its class
maps: behind the first layer norm of the last layer. No hook is needed::

    view = clip.look(image)
    text = clip.text_features(["a photo of a cat", "a photo of the water"])
    maps = grad_cam(lambda f: clip.logits(view.embed(f), text).softmax(dim=1), view.normed)

**Hidden supervision.** The tiny CLIP has read 12,288 captions of other toy worlds than those that
are measured, which name every class and ground; OpenAI's has read 400 million.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.core import InputError
from wsss_lib.nets.backbones.backbone import Standardize
from wsss_lib.nets.backbones.vit import ConvStem
from wsss_lib.nets.large.hub import fill, from_hub
from wsss_lib.nets.large.vocabulary import CONTEXT, END, START, VOCABULARY, toy_tokens

_FILES = "config.json, model.safetensors, preprocessor_config.json and the tokenizer's files"
Tokenizer = Callable[[Sequence[str]], Tensor]


@dataclass(frozen=True)
class ClipView:
    """What a CLIP sees of a batch, with h = ceil(H / patch) rows and w columns of patches.

    Attributes:
        features: (B, D) embeddings of the images, of unit length.
        tokens: (B, D, h, w) embeddings of the patches, of unit length: the projection that CLIP
            learned for whole images, applied to each patch of the last layer.
        attentions: (B, heads, 1 + N, 1 + N) of each layer, first to last; rows sum to one, and the
            class token comes first. Row i is what token i looks at.
        normed: (B, E, h, w) patches behind the first layer norm of the last layer, E channels.
        embed: (B, E, h, w) in the place of ``normed`` -> (B, D) features; differentiable.
    """

    features: Tensor
    tokens: Tensor
    attentions: tuple[Tensor, ...]
    normed: Tensor
    embed: Callable[[Tensor], Tensor]


class Clip(nn.Module):
    """A frozen CLIP that takes RGB images of any size.

    Images whose sides are no multiples of the patch are stretched to the next ones; positions are
    interpolated when the grid is not that of the training. Gradients flow to the image, never to
    the weights.

    Source: Radford et al., ICML 2021; the read-outs are those of CLIP-ES (Lin et al., CVPR 2023).

    Args:
        model: a ``transformers.CLIPModel`` with eager attention.
        tokenize: n sentences -> (n, L) token numbers, padded behind the end mark.
        mean: RGB mean that its training subtracted.
        std: RGB deviation that its training divided by.

    Attributes:
        patch: side of a patch in pixels.
        size: side of the images of its training in pixels.
    """

    def __init__(
        self, model: Any, tokenize: Tokenizer, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        self.model = model
        self.tokenize = tokenize
        self.standardize = Standardize(tuple(mean), tuple(std))
        self.patch: int = model.config.vision_config.patch_size
        self.size: int = model.config.vision_config.image_size

    def image_features(self, image: Tensor) -> Tensor:
        """Embeddings of whole images.

        Args:
            image: (B, 3, H, W) RGB in [0, 1].

        Returns:
            (B, D) of unit length.
        """
        answer = self.model.get_image_features(self._pixels(image), interpolate_pos_encoding=True)
        return _unit(answer.pooler_output, 1)

    def text_features(self, prompts: Sequence[str]) -> Tensor:
        """Embeddings of sentences.

        Args:
            prompts: n sentences.

        Returns:
            (n, D) of unit length.

        Raises:
            InputError: no sentence, or the tiny CLIP does not know a word or the length.
        """
        if isinstance(prompts, str) or not prompts:
            raise InputError(f"text_features needs a list of sentences, not {prompts!r}.")
        # No mask: attention is causal, and the end mark, which is read off, sees no padding.
        answer = self.model.get_text_features(self.tokenize(prompts).to(self.device))
        return _unit(answer.pooler_output, 1)

    def logits(self, image_features: Tensor, text_features: Tensor) -> Tensor:
        """Cosines times CLIP's learned temperature: (B, D) and (n, D), unit length -> (B, n)."""
        if text_features.is_inference():
            # Methods predict in inference mode, whose tensors no gradient may pass by; a copy may.
            text_features = text_features.clone()
        return self.model.logit_scale.exp() * image_features @ text_features.t()

    def look(self, image: Tensor) -> ClipView:
        """Everything that one pass over images (B, 3, H, W), RGB in [0, 1], shows."""
        vision = self.model.vision_model
        pixels = self._pixels(image)
        grid = (pixels.shape[-2] // self.patch, pixels.shape[-1] // self.patch)
        x = vision.pre_layrnorm(vision.embeddings(pixels, interpolate_pos_encoding=True))
        *layers, last = vision.encoder.layers
        attentions = []
        for layer in layers:
            x, attention = _finish(layer, x, layer.layer_norm1(x))
            attentions.append(attention)
        normed = last.layer_norm1(x)  # (B, 1 + N, E)
        end, attention = _finish(last, x, normed)
        embedded = _unit(self._project(end), 2)

        def embed(patches: Tensor) -> Tensor:
            tokens = torch.cat([normed[:, :1], patches.flatten(2).transpose(1, 2)], dim=1)
            return _unit(self._project(_finish(last, x, tokens)[0][:, 0]), 1)

        return ClipView(
            embedded[:, 0], _as_map(embedded, grid), (*attentions, attention),
            _as_map(normed, grid), embed,
        )  # fmt: skip

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.logit_scale.device

    def _pixels(self, image: Tensor) -> Tensor:
        if image.ndim != 4 or image.shape[1] != 3 or image.numel() == 0:
            raise InputError(f"CLIP takes (B, 3, H, W) images, not {tuple(image.shape)}.")
        h, w = (-(-side // self.patch) * self.patch for side in image.shape[-2:])
        return self.standardize(resize(image, (h, w)))

    def _project(self, tokens: Tensor) -> Tensor:
        return self.model.visual_projection(self.model.vision_model.post_layernorm(tokens))


def load_clip(name: str | Path = "toy") -> Clip:
    """A CLIP, frozen and in eval mode.

    Args:
        name: "toy" for the one of the toy world, an identifier on huggingface.co such as
            "openai/clip-vit-base-patch16", or a folder with the files of such a model.

    Raises:
        InputError: the files are not here and cannot be fetched, or are those of another model.
    """
    if name == "toy":
        return toy_clip().requires_grad_(False).eval()
    from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer

    # Only eager attention can show its weights.
    model = from_hub("clip", name, CLIPModel, _FILES, attn_implementation="eager")
    pictures = from_hub("clip", name, CLIPImageProcessor, _FILES)
    words = from_hub("clip", name, CLIPTokenizer, _FILES)
    longest = model.config.text_config.max_position_embeddings

    def tokenize(prompts: Sequence[str]) -> Tensor:
        options = {"padding": True, "truncation": True, "max_length": longest}
        return words(list(prompts), return_tensors="pt", **options)["input_ids"]

    clip = Clip(model, tokenize, pictures.image_mean, pictures.image_std)
    return clip.requires_grad_(False).eval()


def toy_clip(pretrained: bool = True) -> Clip:
    """The tiny CLIP: 64 x 64 images, 8 x 8 patches cut by a ``ConvStem``, 6 layers; not frozen.

    Args:
        pretrained: load the weights that come with the library; False starts at random.

    Raises:
        InputError: the weight file is missing.
    """
    from transformers import CLIPConfig, CLIPModel

    shared = {
        "hidden_size": 96, "intermediate_size": 192, "num_attention_heads": 4, "projection_dim": 64
    }  # fmt: skip
    text = {
        **shared, "num_hidden_layers": 2, "vocab_size": len(VOCABULARY),
        "max_position_embeddings": CONTEXT,
        "bos_token_id": START, "eos_token_id": END, "pad_token_id": END,
    }  # fmt: skip
    vision = {**shared, "num_hidden_layers": 6, "image_size": 64, "patch_size": 8}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=64)
    config._attn_implementation = "eager"
    model = CLIPModel(config)
    model.vision_model.embeddings.patch_embedding = ConvStem(96, 8)
    clip = Clip(model, toy_tokens, (0.5,) * 3, (0.25,) * 3)
    if pretrained:
        fill(clip.model, "clip")
    return clip


def _finish(layer: Any, x: Tensor, normed: Tensor) -> tuple[Tensor, Tensor]:
    """The rest of a transformer layer behind its first layer norm; the attention beside it."""
    mixed, attention = layer.self_attn(hidden_states=normed)
    x = x + mixed
    return x + layer.mlp(layer.layer_norm2(x)), attention


def _as_map(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """(B, 1 + N, D) tokens -> (B, D, h, w) of the patches."""
    return tokens[:, 1:].transpose(1, 2).unflatten(2, grid)


def _unit(x: Tensor, dim: int) -> Tensor:
    return x / x.norm(dim=dim, keepdim=True)
