"""Full supervision in the place of a stage's scores: the ceiling of every comparison."""

import torch
from torch import Tensor

from wsss_lib.core import IGNORE
from wsss_lib.data.folder import SegmentationFolder


def scores_of_mask(mask: Tensor, num_classes: int) -> Tensor:
    """Scores that give a mask back at the threshold 0.5, void pixels included.

    Args:
        mask: (H, W) class indices, 255 = void.
        num_classes: C.

    Returns:
        (C, H, W): 1 in the class, 0 elsewhere, 0.5 where nothing is known.
    """
    classes = torch.arange(1, num_classes + 1, device=mask.device).view(-1, 1, 1)
    return torch.where(mask == IGNORE, 0.5, (mask == classes).float())


class MaskScores:
    """The masks of a data set as scores by image id; give it to a view to train with full masks."""

    def __init__(self, dataset: SegmentationFolder) -> None:
        self._dataset = dataset

    def __getitem__(self, id: str) -> Tensor:
        """(C, H, W) scores of an image."""
        return scores_of_mask(self._dataset.mask(id), len(self._dataset.classes))
