"""Large models in their published shapes, or small, with random weights: no file is needed.

What they answer is noise. They are for dry runs, and for measuring time and memory.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from wsss_lib.nets.large.clip import Clip
from wsss_lib.nets.large.detector import Detector
from wsss_lib.nets.large.sam import Sam

_HALF = (0.5,) * 3


def untrained_clip(patch: int = 16) -> Clip:
    """CLIP ViT-B with patches of 16 or 32 pixels."""
    from transformers import CLIPConfig, CLIPModel

    config = CLIPConfig(vision_config={"patch_size": patch})
    config._attn_implementation = "eager"
    return Clip(CLIPModel(config), _numbers, _HALF, _HALF).requires_grad_(False).eval()


def small_untrained_clip() -> Clip:
    """A CLIP of width 64 with patches of 16 pixels, which takes any sentence; made in no time."""
    from transformers import CLIPConfig, CLIPModel

    small = {
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3,
        "num_attention_heads": 4, "projection_dim": 64,
    }  # fmt: skip
    vision = {**small, "patch_size": 16}
    config = CLIPConfig(text_config=small, vision_config=vision, projection_dim=64)
    config._attn_implementation = "eager"
    return Clip(CLIPModel(config), _numbers, _HALF, _HALF).requires_grad_(False).eval()


def untrained_sam() -> Sam:
    """SAM ViT-B."""
    from transformers import SamConfig, SamModel

    return Sam(SamModel(SamConfig())).requires_grad_(False).eval()


def untrained_detector() -> Detector:
    """OWL-ViT B/32."""
    from transformers import OwlViTConfig, OwlViTForObjectDetection

    model = OwlViTForObjectDetection(OwlViTConfig())
    return Detector(model, _numbers, _HALF, _HALF).requires_grad_(False).eval()


def _numbers(prompts: Sequence[str]) -> Tensor:
    """Eight token numbers a sentence, the same for the same letters; 49407 marks the end."""
    rows = [
        [49406, *(sum(map(ord, text)) * n % 49000 for n in range(1, 7)), 49407] for text in prompts
    ]
    return torch.tensor(rows)
