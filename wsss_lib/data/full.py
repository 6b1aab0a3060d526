"""Full supervision in the place of a stage's scores: the ceiling of every comparison."""

from torch import Tensor

from wsss_lib.blocks.maps.class_maps import from_labels
from wsss_lib.data.folder import SegmentationFolder


class MaskScores:
    """The masks of a data set as scores by image id; give it to a view to train with full masks."""

    def __init__(self, dataset: SegmentationFolder) -> None:
        self._dataset = dataset

    def digest(self) -> str:
        """Stands for the content of the masks."""
        return self._dataset.digest([self._dataset.masks.name])

    def __getitem__(self, id: str) -> Tensor:
        """(C, H, W) scores of an image, 0.5 where its mask is void."""
        return from_labels(self._dataset.mask(id)[None], len(self._dataset.classes))[0]
