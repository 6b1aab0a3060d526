"""A memory of class maps: one of each image and class, joined over the visits of a training."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import normalize, resize_like


def trusted(logits: Tensor, tags: Tensor) -> Tensor:
    """Classes that are present, and among as many best as are present.

    Source: the released code of OAA (Jiang et al., ICCV 2019).

    Args:
        logits: (B, C).
        tags: (B, C), 1 where the class is present.

    Returns:
        (B, C), 1 where what the classifier points at may be believed.
    """
    better = (logits[:, :, None] < logits[:, None]).sum(dim=2)
    return tags * (better < tags.sum(dim=1, keepdim=True))


def latest(kept: Tensor, new: Tensor) -> Tensor:
    """The new map (C, h, w): a memory that joins like this holds what was trusted last."""
    return new


class Accumulator:
    """Normalised class maps by image, in half precision and on the CPU.

    A map changes only when an image is visited and its class is trusted. All maps of an image must
    have one size and lie on top of each other. It is no module: a method that owns one puts
    ``maps`` into its extra state, so that checkpoints carry it.

    Source: Jiang et al. (ICCV 2019), section 3.2.

    Args:
        join: the map kept so far, the new one -> what is kept; both are (C, h, w).

    Attributes:
        maps: (C, h, w) in [0, 1] by image; classes that were never trusted are 0.
    """

    def __init__(self, join: Callable[[Tensor, Tensor], Tensor] = torch.maximum) -> None:
        self.join = join
        self.maps: dict[str, Tensor] = {}

    def restore(self, maps: Mapping[str, Tensor]) -> None:
        """Put maps back that a checkpoint has carried."""
        self.maps = dict(maps)

    def remember(self, ids: Sequence[str], maps: Tensor, tags: Tensor) -> None:
        """Join what a visit shows; the means of the maps are the logits that decide on trust.

        Args:
            ids: of the images.
            maps: (B, C, h, w), raw, without a gradient.
            tags: (B, C), 1 where the class is present.
        """
        accepted = trusted(maps.mean(dim=(2, 3)), tags)
        new = normalize(maps, accepted).half().cpu()
        sure = accepted.bool().cpu()[:, :, None, None]
        for place, id in enumerate(ids):
            kept = self.maps.get(id, torch.zeros_like(new[place]))
            self.maps[id] = torch.where(sure[place], self.join(kept, new[place]), kept)

    def recall(self, ids: Sequence[str], otherwise: Tensor) -> Tensor:
        """What is remembered, resized; other maps where an image or a class has nothing.

        Args:
            ids: of the images.
            otherwise: (B, C, H, W).

        Returns:
            (B, C, H, W).
        """
        found = otherwise.clone()
        for place, id in enumerate(ids):
            if id in self.maps:
                kept = resize_like(self.maps[id][None].to(found), found)[0]
                bright = kept.amax(dim=(1, 2), keepdim=True) > 0
                found[place] = torch.where(bright, kept, found[place])
        return found
