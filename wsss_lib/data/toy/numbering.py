"""From who owns a pixel to the labels of a picture."""

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.uint8]
SEEN = 6
"""Fewest pixels of an object that count as seen."""


def numbered(owner: Labels, classes: list[int]) -> tuple[Labels, Labels, list[int]]:
    """Objects and classes of pixels; objects of which next to nothing is seen are left out.

    Args:
        owner: (H, W) number of the object that a pixel shows, 0 for none.
        classes: class index of each object.

    Returns:
        instance: (H, W) 0, or the number of an object among those that are seen.
        label: (H, W) 0, or 1 + the class index.
        kept: class index of each object that is seen.
    """
    visible = [n for n in range(1, len(classes) + 1) if (owner == n).sum() >= SEEN]
    number_of = np.zeros(len(classes) + 1, np.uint8)
    number_of[visible] = np.arange(1, len(visible) + 1)
    kept = [classes[n - 1] for n in visible]
    instance = number_of[owner]
    label = np.asarray([0, *[index + 1 for index in kept]], np.uint8)[instance]
    return instance, label, kept
