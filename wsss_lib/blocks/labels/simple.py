"""Labels of images that show a single class, by what stands out in them, and which to believe."""

import math

import torch
from torch import Tensor, nn

from wsss_lib.core import IGNORE


def simple_labels(tags: Tensor, saliency: Tensor, salient: float) -> Tensor:
    """What stands out in an image of one class is of this class, and the rest is background.

    Source: MDBA (Chen et al., TIP 2023).

    Args:
        tags: (B, C), 1 where the class is present.
        saliency: (B, 1, H, W) in [0, 1].
        salient: saliency above it stands out.

    Returns:
        (B, H, W) class indices; 255 all over an image of no class or of several.
    """
    simple, kind = tags.sum(dim=1) == 1, tags.argmax(dim=1) + 1
    labels = kind[:, None, None] * (saliency[:, 0] > salient)
    return labels.masked_fill(~simple[:, None, None], IGNORE)


def foreground_overlap(said: Tensor, labels: Tensor) -> Tensor:
    """IoU of what two label images call an object, of whatever class.

    Args:
        said: (B, H, W) class indices.
        labels: (B, H, W) class indices, 255 = no label.

    Returns:
        (B,) in [0, 1]; 0 where neither shows an object.
    """
    one, other = said > 0, (labels > 0) & (labels != IGNORE)
    shared, either = (part.sum(dim=(1, 2)) for part in (one & other, one | other))
    return shared / either.clamp(min=1)


class UsualOverlap(nn.Module):
    """Which images of one class overlap with their labels as others of their class do.

    The threshold of a class is its mean overlap, an exponential moving average over the training,
    rounded down to tenths. If no image passes its threshold, thresholds are halved; if none passes
    then, all do.

    Source: MDBA (Chen et al., TIP 2023), its online noise filtering. That classes have thresholds
    of their own, and the halving, are in the released code, where they are numbers between 0 and
    0.7; the moving average makes such numbers.

    Args:
        num_classes: C, without background.
        momentum: share of the mean that stays after an image.
    """

    mean: Tensor

    def __init__(self, num_classes: int, momentum: float = 0.95) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(num_classes))

    @torch.no_grad()
    def follow(self, overlap: Tensor, tags: Tensor) -> None:
        """Take note of images, one after the other; those of several classes do not count."""
        for value, kinds in zip(overlap, tags, strict=True):
            if kinds.sum() == 1:
                kind = int(kinds.argmax())
                self.mean[kind] = self.momentum * self.mean[kind] + (1 - self.momentum) * value

    def forward(self, said: Tensor, labels: Tensor, tags: Tensor, strict: bool) -> Tensor:
        """Which images are believed; in training, their overlaps are taken note of before.

        Args:
            said: (B, H, W) class indices, what the network says.
            labels: (B, H, W) class indices, 255 = no label.
            tags: (B, C), 1 where the class is present.
            strict: whether thresholds count; else all images of one class are believed.

        Returns:
            (B,) bool, False where an image has no class or several.
        """
        simple, kind = tags.sum(dim=1) == 1, tags.argmax(dim=1)
        overlap = foreground_overlap(said, labels)
        if self.training:
            self.follow(overlap, tags)
        thresholds = (10 * self.mean + 1e-4).floor()[kind] / 10
        for share in (1.0, 0.5) if strict else ():
            passed = simple & (overlap > share * thresholds)
            if passed.any():
                return passed
        return simple


def eased(progress: float, shares: tuple[float, float], values: tuple[float, float]) -> float:
    """Infinity before the first share of the training; then from one value to another, evenly.

    Args:
        progress: share of the training that is done.
        shares: when the first value holds, and from when on the second one does.
        values: see above.
    """
    start, end = shares
    if progress < start:
        return math.inf
    return values[0] + (values[1] - values[0]) * min(1.0, (progress - start) / (end - start))
