"""The objects of a mask, one by one, and how deep each of their pixels lies inside."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, find_objects
from skimage.measure import label
from torch import Tensor

from wsss_lib.core import IGNORE, InputError


@dataclass(frozen=True)
class Region:
    """One object.

    Attributes:
        top: first row of its window.
        left: first column of its window.
        inside: (h, w) bool, its pixels within the window.
        kind: its class in 1..C.
    """

    top: int
    left: int
    inside: np.ndarray
    kind: int


def objects_from_mask(
    mask: Tensor, instances: Tensor | None = None, smallest: float = 0.001
) -> Tensor:
    """Number the objects where nobody has told them apart.

    Pixels of a class that have no instance number are grouped into 8-connected components. In the
    masks of PASCAL VOC half of the components have fewer than 5 pixels; nobody would point at
    these splinters, so components below ``smallest`` are left out. The largest component of each
    class always counts.

    Args:
        mask: (H, W) class indices, 255 = void.
        instances: (H, W) instance numbers to keep, 0 and 255 = none.
        smallest: share of the image that a component must cover.

    Returns:
        (H, W) int64: 0 none, else the number of the object.

    Raises:
        InputError: mask and instances of different sizes.
    """
    classes = mask.cpu().numpy()
    numbers = np.zeros_like(classes, dtype=np.int64)
    if instances is not None:
        numbers = _numbers(classes, instances)
    loose = np.where((classes == IGNORE) | (numbers > 0), 0, classes)
    parts = label(loose, background=0, connectivity=2)
    areas = np.bincount(parts.ravel())
    first = numbers.max(initial=0) + 1
    for kind in np.unique(loose[loose > 0]):
        own = np.unique(parts[loose == kind])
        kept = own[(areas[own] >= smallest * mask.numel()) | (areas[own] == areas[own].max())]
        for part in kept:
            numbers[parts == part] = first
            first += 1
    return torch.from_numpy(numbers)


def regions(mask: Tensor, instances: Tensor) -> list[Region]:
    """The objects of an image by instance number; each keeps the pixels of its commonest class.

    Args:
        mask: (H, W) class indices, 255 = void.
        instances: (H, W) instance numbers, 0 and 255 = none.

    Raises:
        InputError: mask and instances of different sizes.
    """
    classes = mask.cpu().numpy()
    numbers = _numbers(classes, instances)
    found = []
    for number, window in enumerate(find_objects(numbers), start=1):
        if window is None:
            continue
        own = np.where(numbers[window] == number, classes[window], 0)
        counts = np.bincount(own[(own > 0) & (own != IGNORE)])
        if counts.size == 0:
            continue
        kind = int(counts.argmax())
        rows, columns = np.nonzero(own == kind)
        tight = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        top, left = window[0].start + int(rows.min()), window[1].start + int(columns.min())
        found.append(Region(top, left, (own == kind)[tight], kind))
    return found


def depth(inside: np.ndarray) -> np.ndarray:
    """(h, w) distance in pixels to the nearest pixel outside; the frame counts as outside."""
    return distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]


def eroded(inside: np.ndarray) -> np.ndarray:
    """What is left of an (h, w) region when its border is taken off, or all of it if nothing is.

    The border is 5 % of the square root of the area wide, as in the interactive robot of DAVIS,
    and at least one pixel.
    """
    core = depth(inside) > max(1.0, 0.05 * inside.sum() ** 0.5)
    return core if core.any() else inside


def _numbers(classes: np.ndarray, instances: Tensor) -> np.ndarray:
    """(H, W) int64 instance numbers, 0 where there is none."""
    if tuple(instances.shape) != classes.shape:
        raise InputError(
            f"The mask is {classes.shape} but the instances are {tuple(instances.shape)}; "
            "write both at the size of the image."
        )
    numbers = instances.cpu().numpy().astype(np.int64)
    return np.where(numbers == IGNORE, 0, numbers)
