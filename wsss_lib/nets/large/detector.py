"""An open-vocabulary detector: boxes for whatever a sentence names.

The same wrapper holds Google's OWL-ViT and a tiny one for the toy world.

**Hidden supervision.** Detectors have learned from boxes, so masks that grow from their boxes are
not supervised by image labels alone. The tiny one has seen the boxes and class names of all objects
of 12,288 pictures of another toy world than those that are measured, and its towers begin as those
of the tiny CLIP.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import batched_nms, box_convert

from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.core import InputError
from wsss_lib.nets.backbones.backbone import Standardize
from wsss_lib.nets.backbones.vit import ConvStem
from wsss_lib.nets.large.hub import fill, from_hub
from wsss_lib.nets.large.vocabulary import CONTEXT, END, START, VOCABULARY, toy_tokens

_FILES = "config.json, model.safetensors, preprocessor_config.json and the tokenizer's files"


class Detector(nn.Module):
    """A frozen detector that takes RGB images of any size, and any sentences as its classes.

    Every patch answers with one box and a score for each sentence.

    Source: Minderer et al., ECCV 2022 (OWL-ViT).

    Args:
        model: a ``transformers.OwlViTForObjectDetection``.
        tokenize: n sentences -> (n, L) token numbers; the end mark must have the highest.
        mean: RGB mean that its training subtracted.
        std: RGB deviation that its training divided by.

    Attributes:
        size: side of the square that images are stretched to, in pixels.
    """

    def __init__(
        self,
        model: Any,
        tokenize: Callable[[Sequence[str]], Tensor],
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__()
        self.model = model
        self.tokenize = tokenize
        self.standardize = Standardize(tuple(mean), tuple(std))
        self.size: int = model.config.vision_config.image_size

    def forward(self, image: Tensor, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """What every patch answers.

        Args:
            image: (B, 3, H, W) RGB in [0, 1].
            prompts: n sentences, the same for all images.

        Returns:
            logits: (B, N, n), of independent yes-or-no questions.
            boxes: (B, N, 4) centre x, y, width and height as shares of the image, in [0, 1].

        Raises:
            InputError: another shape, no sentence, or a word that the tiny detector does not know.
        """
        if image.ndim != 4 or image.shape[1] != 3 or image.numel() == 0:
            raise InputError(f"a detector takes (B, 3, H, W) images, not {tuple(image.shape)}.")
        if isinstance(prompts, str) or not prompts:
            raise InputError(f"a detector needs a list of sentences, not {prompts!r}.")
        pixels = self.standardize(resize(image, (self.size, self.size)))
        grid, _ = self.model.image_embedder(pixels)
        patches = grid.flatten(1, 2)  # (B, N, E)
        numbers = self.tokenize(prompts).to(image.device)
        text = self.model.owlvit.get_text_features(numbers).pooler_output
        logits, _ = self.model.class_predictor(patches, text.expand(len(image), -1, -1))
        return logits, self.model.box_predictor(patches, grid)

    @torch.no_grad()
    def detect(
        self, image: Tensor, prompts: Sequence[str], threshold: float = 0.3, overlap: float = 0.5
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The boxes of one image that score enough, without doubles.

        Args:
            image: (3, H, W) RGB in [0, 1].
            prompts: n sentences; none answers no box.
            threshold: lowest score in [0, 1].
            overlap: largest IoU between two boxes of the same sentence that both stay.

        Returns:
            boxes: (m, 4) x0, y0, x1, y1, half-open, pixels, inside the image.
            scores: (m,) in [0, 1], falling.
            which: (m,) index of the sentence of each.

        Raises:
            InputError: another shape, or a word that the tiny detector does not know.
        """
        if not prompts:
            return image.new_zeros(0, 4), image.new_zeros(0), torch.zeros(0, dtype=torch.long)
        logits, shares = self(image[None], prompts)
        height, width = image.shape[-2:]
        extent = torch.tensor([width, height, width, height]).to(shares)
        boxes = box_convert(shares[0], "cxcywh", "xyxy").clamp(0, 1) * extent
        patch, which = (logits[0].sigmoid() >= threshold).nonzero(as_tuple=True)
        scores = logits[0].sigmoid()[patch, which]
        kept = batched_nms(boxes[patch], scores, which, overlap)
        return boxes[patch][kept], scores[kept], which[kept]


def load_detector(name: str | Path = "toy") -> Detector:
    """A detector, frozen and in eval mode.

    Args:
        name: "toy" for the one of the toy world, an identifier on huggingface.co such as
            "google/owlvit-base-patch32", or a folder with the files of such a model.

    Raises:
        InputError: the files are not here and cannot be fetched, or are those of another model.
    """
    if name == "toy":
        return toy_detector().requires_grad_(False).eval()
    from transformers import CLIPTokenizer, OwlViTForObjectDetection, OwlViTImageProcessor

    model = from_hub("owlvit", name, OwlViTForObjectDetection, _FILES)
    pictures = from_hub("owlvit", name, OwlViTImageProcessor, _FILES)
    words = from_hub("owlvit", name, CLIPTokenizer, _FILES)
    longest = model.config.text_config.max_position_embeddings

    def tokenize(prompts: Sequence[str]) -> Tensor:
        options = {"padding": "max_length", "truncation": True, "max_length": longest}
        return words(list(prompts), return_tensors="pt", **options)["input_ids"]

    detector = Detector(model, tokenize, pictures.image_mean, pictures.image_std)
    return detector.requires_grad_(False).eval()


def toy_detector(pretrained: bool = True) -> Detector:
    """The tiny detector: the towers of the tiny CLIP, two heads; 0.68 M weights, not frozen.

    Args:
        pretrained: load the weights that come with the library; False starts at random.

    Raises:
        InputError: the weight file is missing.
    """
    from transformers import OwlViTConfig, OwlViTForObjectDetection

    shared = {"hidden_size": 96, "intermediate_size": 192, "num_attention_heads": 4}
    text = {
        **shared, "num_hidden_layers": 2, "vocab_size": len(VOCABULARY) + 1,
        "max_position_embeddings": CONTEXT, "bos_token_id": START, "eos_token_id": len(VOCABULARY),
        "pad_token_id": END,
    }  # fmt: skip
    vision = {**shared, "num_hidden_layers": 6, "image_size": 64, "patch_size": 8}
    # The class head compares with sentences as they leave the projection. Unless told otherwise,
    # transformers draws the heads with deviation 1, which saturates boxes and scores at once.
    heads: dict[str, Any] = {"initializer_range": 0.02}
    config = OwlViTConfig(text_config=text, vision_config=vision, projection_dim=96, **heads)
    model: Any = OwlViTForObjectDetection(config)
    model.owlvit.vision_model.embeddings.patch_embedding = ConvStem(96, 8)
    detector = Detector(model, _toy_tokens, (0.5,) * 3, (0.25,) * 3)
    if pretrained:
        fill(detector.model, "detector")
    else:
        # Logits start near 10 (cosine - .4): few patches show an object, so most answer no.
        head = detector.model.class_head
        nn.init.constant_(head.logit_scale.bias, 9.0)
        nn.init.constant_(head.logit_shift.bias, -0.4)
    return detector


def _toy_tokens(prompts: Sequence[str]) -> Tensor:
    """OWL-ViT looks for the end mark by the highest number."""
    numbers = toy_tokens(prompts)
    return numbers.masked_fill(numbers == END, len(VOCABULARY))
