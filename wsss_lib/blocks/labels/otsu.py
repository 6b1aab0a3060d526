"""A threshold for each image that no mask has chosen."""

from skimage.filters import threshold_otsu
from torch import Tensor


def otsu(scores: Tensor) -> float:
    """The threshold that parts the pixels of an image best into two groups, without any mask.

    Source: Otsu, IEEE Transactions on Systems, Man, and Cybernetics 9(1), 1979.

    Args:
        scores: (C, H, W) in [0, 1]; each pixel counts with its strongest class.

    Returns:
        In [0, 1]; 1, so that all is background, where all pixels score the same.
    """
    peak = scores.amax(dim=0).numpy()
    return float(threshold_otsu(peak)) if peak.min() < peak.max() else 1.0
