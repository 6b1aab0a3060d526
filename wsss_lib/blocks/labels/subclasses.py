"""Sub-categories: what the images of a class fall into when nobody has named it."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.maps.prototypes import k_means
from wsss_lib.core import InputError

ABSENT = -1
"""Sub-category of a class that is not in the image."""


def find_subclasses(features: Tensor, tags: Tensor, count: int, seed: int = 0) -> Tensor:
    """Cluster the images of each class, class by class; a cluster is a sub-category.

    An image of two classes is clustered twice, each time among other images.

    Source: Chang et al. (CVPR 2020), section 3.2.

    Args:
        features: (n, D), one of each image, any real values.
        tags: (n, C), 1 where the class is present.
        count: S, sub-categories of a class; a class with fewer images has fewer.
        seed: of the first centres of k-means.

    Returns:
        (n, C) numbers in 0..S - 1, ``ABSENT`` where the class is not in the image.

    Raises:
        InputError: features and tags of different numbers of images, or a count below 1.
    """
    if len(features) != len(tags):
        raise InputError(
            f"find_subclasses: {len(features)} features and tags of {len(tags)} images: there must "
            "be one feature of each image."
        )
    found = torch.full(tags.shape, ABSENT, device=features.device)
    for c in range(tags.shape[1]):
        own = tags[:, c] > 0
        _, found[own, c] = k_means(features[own], count, seed, cosine=False)
    return found


def subclass_tags(subclasses: Tensor, count: int) -> Tensor:
    """Sub-categories as tags: of the S of a present class exactly one is there.

    Args:
        subclasses: (B, C) numbers in 0..S - 1, ``ABSENT`` where the class is not in the image.
        count: S.

    Returns:
        (B, C * S) of zeros and ones; sub-category k of class c stands at ``c * S + k``.
    """
    return F.one_hot(subclasses + 1, count + 1)[..., 1:].flatten(1).float()


class Subclasses:
    """What was seen of each image, and the sub-categories that came of it, on the CPU.

    It is no module: a method that owns one puts ``state()`` into its extra state, so that
    checkpoints carry it.

    Attributes:
        seen: (D,) feature and (C,) tags by image, of its last visit.
        found: (C,) sub-categories by image, as of the last division.
        round: the one that goes on; there are no sub-categories in round 0.
    """

    def __init__(self) -> None:
        self.round = 0
        self.seen: dict[str, tuple[Tensor, Tensor]] = {}
        self.found: dict[str, Tensor] = {}

    def state(self) -> dict[str, Any]:
        """Everything in it."""
        return {"seen": dict(self.seen), "found": dict(self.found), "round": self.round}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put back what a checkpoint has carried."""
        self.seen, self.found = dict(state["seen"]), dict(state["found"])
        self.round = state["round"]

    def remember(self, ids: Sequence[str], features: Tensor, tags: Tensor) -> None:
        """Keep the features (B, D) and the tags (B, C) of a visit, without their gradients."""
        kept = zip(features.detach().float().cpu(), tags.cpu(), strict=True)
        self.seen.update(zip(ids, kept, strict=True))

    def begin(self, round: int, count: int) -> bool:
        """At the start of a new round, cluster the images seen so far; see ``find_subclasses``.

        It waits until something was seen. The number of the round is the seed.

        Returns:
            Whether there are new sub-categories, whose numbers mean something else than before.
        """
        if round <= self.round or not self.seen:
            return False
        features, tags = map(torch.stack, zip(*self.seen.values(), strict=True))
        found = find_subclasses(features, tags, count, seed=round)
        self.found, self.round = dict(zip(self.seen, found, strict=True)), round
        return True

    def recall(self, ids: Sequence[str], like: Tensor) -> tuple[Tensor, Tensor]:
        """The sub-categories of some images, as far as they are known.

        Args:
            ids: of the B images.
            like: (B, C), for the device and the number of classes.

        Returns:
            subclasses: (B, C), ``ABSENT`` everywhere in an image that is not known.
            known: (B,) booleans.
        """
        none = torch.full_like(like[0], ABSENT, dtype=torch.long)
        kept = torch.stack([self.found.get(id, none).to(none) for id in ids])
        return kept, torch.tensor([id in self.found for id in ids], device=like.device)
