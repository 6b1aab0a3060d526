"""What the tiny CLIP learns: which sentence belongs to which picture."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import Generator, Tensor

from experiments.foundation.pictures import drawn, stacked
from experiments.pretrain_toy import augment
from wsss_lib.data.toy import KINDS
from wsss_lib.data.toy.textures import GROUNDS
from wsss_lib.nets.large.clip import Clip
from wsss_lib.nets.large.vocabulary import VOCABULARY, toy_tokens


def mentions(numbers: Tensor) -> Tensor:
    """(n, L) token numbers -> (n, words) bool, which things and places a sentence names."""
    said = F.one_hot(numbers, len(VOCABULARY)).amax(dim=1).bool()
    kept = [VOCABULARY[word] for word in (*KINDS, *GROUNDS, "sky", "nothing")]
    return said[:, kept]


def excerpt(caption: Tensor, chance: Generator) -> str:
    """A caption, or a photo of some of what it names, as people caption only what they care for."""
    words = [list(VOCABULARY)[number] for number in caption.tolist()]
    things = [f"a {word}" for word in words if word in KINDS]
    places = [f"the {word}" for word in words if word in GROUNDS or word == "sky"]
    if torch.rand((), generator=chance) < 0.3:
        return " ".join(word for word in words if word not in ("<start>", "<end>"))
    named = things + places or ["nothing"]
    keep = torch.rand(len(named), generator=chance)
    chosen = [name for name, value in zip(named, keep.tolist(), strict=True) if value < 0.4]
    return "a photo of " + " and ".join(chosen or [named[int(keep.argmin())]])


def half_hidden(images: Tensor, chance: Generator) -> Tensor:
    """Half of the images (B, 3, H, W) without half of their 8 x 8 patches, so that bodies count.

    Without it CLIP looks at the parts that give a class away, and at nothing else.
    """
    batch, _, height, width = images.shape
    some = torch.rand(batch, 1, 1, 1, generator=chance) < 0.5
    hidden = some & (torch.rand(batch, 1, height // 8, width // 8, generator=chance) < 0.5)
    return images.masked_fill(hidden.repeat_interleave(8, 2).repeat_interleave(8, 3), 0.5)


def clip_loss(
    clip: Clip, data: dict[str, Tensor], chance: Generator, batch: int = 48, sentences: int = 1
) -> Tensor:
    """Contrastive loss in both directions; a sentence belongs to every picture it is true of.

    Args:
        clip: in training.
        data: what ``pool`` answers.
        chance: source of all that is drawn.
        batch: pictures.
        sentences: how many are made of each caption.
    """
    chosen = torch.randint(0, len(data["image"]), (batch,), generator=chance)
    image = half_hidden(augment(data["image"][chosen] / 255, chance), chance)
    captions = data["caption"][chosen]
    prompts = [excerpt(caption, chance) for caption in captions for _ in range(sentences)]
    named, there = mentions(toy_tokens(prompts)), mentions(captions)
    true = (named[None] & ~there[:, None]).sum(dim=2) == 0  # (images, sentences)
    target = true / true.sum(dim=1, keepdim=True), true.t() / true.sum(dim=0)[:, None]
    logits = clip.logits(clip.image_features(image), clip.text_features(prompts)).float()
    return (F.cross_entropy(logits, target[0]) + F.cross_entropy(logits.t(), target[1])) / 2


@torch.no_grad()
def clip_figures(clip: Clip, images: int = 256) -> dict[str, Any]:
    """Zero-shot recognition on the validation pictures of world 0.

    Returns:
        ``auc`` of the cosine for each class, their mean ``mean_auc``, and ``ground_accuracy``.
    """
    scenes = drawn(0, "standard", "val", images)
    features = torch.cat([clip.image_features(x / 255) for x in stacked(scenes).split(64)])
    of_class = features @ clip.text_features([f"a photo of a {name}" for name in KINDS]).t()
    of_ground = features @ clip.text_features([f"a photo of the {name}" for name in GROUNDS]).t()
    tags = np.array([[k in scene.classes for k in range(len(KINDS))] for scene in scenes])
    ground = torch.tensor([list(GROUNDS).index(scene.ground) for scene in scenes])
    auc = {
        name: float(roc_auc_score(tags[:, k], of_class[:, k].numpy()))
        for k, name in enumerate(KINDS)
    }
    return {
        "auc": auc,
        "mean_auc": float(np.mean(list(auc.values()))),
        "ground_accuracy": (of_ground.argmax(dim=1) == ground).float().mean().item(),
    }
