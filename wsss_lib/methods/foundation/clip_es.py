"""CLIP-ES: class maps from a CLIP that is used as it comes, without any training.

Names of classes become sentences. The softmax over the sentences of the image's classes and of
backgrounds makes them rivals, and Grad-CAM asks what each class owes its probability to. CLIP's own
attention then carries the maps over the object.
"""

from collections.abc import Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.blocks.affinity.attention import class_aware_affinity
from wsss_lib.blocks.maps.class_maps import min_max, normalize, resize_like
from wsss_lib.blocks.maps.gradcam import grad_cam
from wsss_lib.core import Batch, Card, Method
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.large.clip import Clip, load_clip
from wsss_lib.nets.large.vocabulary import CLASSES, PLACES

CARD = Card(
    id="clip_es",
    name="CLIP-ES",
    title="CLIP is Also an Efficient Segmenter: A Text-Driven Approach for Weakly Supervised "
    "Semantic Segmentation",
    authors="Lin, Chen, Wang, Wu, Li, Lin, Liu, He",
    venue="CVPR",
    year=2023,
    supervision=("tags",),
    family="foundation",
    paper="arXiv:2212.09506",
    official="https://github.com/linyq2117/CLIP-ES",
    survey_section="4",
    needs=("pairs of images and sentences, by CLIP",),
    differs=(
        "no dense CRF behind the maps, and no loss that leaves out pixels of little confidence: "
        "a refiner and a network can follow as later stages",
        "one name for each class; the paper adds synonyms for some, and words for a person",
        "boxes reach to the last row and column of what is strong; the released code's end one "
        "before, and it cuts maps of eight bits",
        "on the toy world CLIP is tiny and the attention of all its six layers is averaged",
    ),
    reads_names=True,
    fidelity="reduced",
)


class ClipES(Method):
    """Softmax Grad-CAM from CLIP, and affinity from its attention.

    Args:
        clip: frozen; ``load_clip("openai/clip-vit-base-patch16")`` is the paper's.
        classes: sentences, one for each of the C classes.
        backgrounds: sentences of what is no class; without any, a lone class has no rival.
        layers: how many of the last layers the attention is averaged over; 0 leaves the maps as
            Grad-CAM makes them.
        strong: the attention starts in boxes around scores above it.
    """

    card = CARD

    def __init__(
        self,
        clip: Clip,
        classes: Sequence[str],
        backgrounds: Sequence[str],
        layers: int = 8,
        strong: float = 0.4,
    ) -> None:
        super().__init__()
        self.clip, self.num_classes = clip, len(classes)
        self.layers, self.strong = layers, strong
        with torch.no_grad():
            text = clip.text_features([*classes, *backgrounds])
        self.text = nn.Buffer(text, persistent=False)

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The tiny CLIP and the names of the toy world; there is no backbone to choose."""
        classes = [f"a photo of a {name}" for name in CLASSES[:num_classes]]
        places = [f"a photo of the {name}" for name in PLACES]
        with torch.inference_mode(
            False
        ):  # through weights made in inference mode no gradient flows
            clip = load_clip()
        return cls(clip, classes, places, layers=6)

    def judge(self, images: Tensor, tags: Tensor) -> Tensor:
        """(B, E) embedded images, (B, C) tags -> (B, C) probabilities among present and grounds."""
        logits = self.clip.logits(images, self.text)
        absent = F.pad(tags <= 0, (0, logits.shape[1] - self.num_classes))
        return logits.masked_fill(absent, -torch.inf).softmax(dim=1)[:, : self.num_classes]

    def class_maps(self, image: Tensor, tags: Tensor) -> Tensor:
        """(B, 3, H, W) images, (B, C) tags -> (B, C, h, w) maps of the present classes."""
        view = self.clip.look(image)
        found = grad_cam(lambda seen: self.judge(view.embed(seen), tags), view.normed, tags)
        # A sure probability has a tiny gradient, whose map counts as much as any other.
        maps = normalize(found, eps=1e-12)
        if self.layers:
            attentions = [seen[..., 1:, 1:] for seen in view.attentions[-self.layers :]]
            maps = class_aware_affinity(maps, attentions, self.strong)
        return min_max(maps)

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): the maps of the present classes, each divided by its maximum."""
        tags = batch.tags
        if tags is None:
            tags = batch.image.new_ones(len(batch.image), self.num_classes)
        return normalize(resize_like(self.class_maps(batch.image, tags), batch.image))
