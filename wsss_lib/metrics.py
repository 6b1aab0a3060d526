"""Figures of label images beyond mean IoU: borders, bands around borders, and single objects.

Each function goes once through the pairs of truth and labels of a data set, adds up counts, and
turns only the sums into figures: an image weighs as much as it has pixels, border or objects. For
one image, ``boundary_f([(truth, labels)], num_classes)``. The last function compares whole curves
over the threshold.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from wsss_lib.core import IGNORE, InputError
from wsss_lib.evaluate import confusion_of, ious

Pairs = Iterable[tuple[Tensor, Tensor]]


class PanopticQuality(NamedTuple):
    """Three figures of each class, (K,) in [0, 1]; NaN where it neither occurs nor is predicted.

    Attributes:
        pq: panoptic quality, ``sq * rq``.
        sq: segmentation quality, the mean IoU of matched segments; 0 without any.
        rq: recognition quality, ``TP / (TP + FP / 2 + FN / 2)``.
    """

    pq: np.ndarray
    sq: np.ndarray
    rq: np.ndarray


def boundary_f(pairs: Pairs, num_classes: int, tolerance: float = 3) -> np.ndarray:
    """How well the borders of each class agree, up to a distance in pixels.

    The F-measure ``2 P R / (P + R)``: P is the share of predicted border pixels with a true one
    near, R that of true ones with a predicted one near. The border of a class is its pixels with
    one of the four neighbours in another class; the edge of the image is none. Undecided true
    pixels are cut out of both label images, which leaves VOC the borders beside its undecided
    outlines.

    Source: Csurka et al., BMVC 2013; Perazzi et al., CVPR 2016. Both average over images; here
    border pixels are added up, as the pixels of mean IoU are.

    Args:
        pairs: true and predicted labels, both (H, W) class indices in 0..C; 255 is left out where
            it is true, and background where it is predicted.
        num_classes: C.
        tolerance: Euclidean distance in pixels, at least 0, up to which a border pixel is near.
            The papers take 0.75 % and 0.8 % of the image diagonal.

    Returns:
        (K,) in [0, 1]; NaN for classes without any border, true or predicted.

    Raises:
        InputError: no pairs, images that are not labels or differ in size, a negative tolerance.
    """
    if not tolerance >= 0:
        raise InputError(f"boundary_f: tolerance={tolerance} must be 0 pixels or more.")
    # True border pixels, those with a predicted one near, predicted ones, those with a true near.
    true, found, said, right = np.zeros((4, num_classes + 1))
    for truth, labels in _checked("boundary_f", pairs, num_classes):
        labels = np.where(truth == IGNORE, IGNORE, np.where(labels == IGNORE, 0, labels))
        true_border, said_border = _borders(truth), _borders(labels)
        for c in np.setdiff1d(np.union1d(truth, labels), [IGNORE]):
            one, other = true_border & (truth == c), said_border & (labels == c)
            true[c] += one.sum()
            found[c] += (one & (_distance(other) <= tolerance)).sum()
            said[c] += other.sum()
            right[c] += (other & (_distance(one) <= tolerance)).sum()
    precision, recall = right / np.maximum(said, 1), found / np.maximum(true, 1)
    f = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return np.where(true + said > 0, f, np.nan)


def trimap_curve(
    pairs: Pairs, num_classes: int, widths: Sequence[float] = (1, 2, 4, 8, 16, 32)
) -> np.ndarray:
    """Mean IoU inside bands around the true borders, as the bands grow.

    The band of width w holds the w pixels on either side of a border. Undecided pixels have
    borders too, which is where VOC has them, but do not count themselves.

    Source: Kohli, Ladicky and Torr, IJCV 2009; Krähenbühl and Koltun, NeurIPS 2011. They plot the
    share of wrong pixels; later work plots the mean IoU, as here.

    Args:
        pairs: true and predicted labels, as in ``boundary_f``.
        num_classes: C.
        widths: in pixels, at least 1. A band as wide as the images gives the plain mean IoU of
            those that have a border.

    Returns:
        (len(widths),) in [0, 1].

    Raises:
        InputError: no pairs, images that are not labels or differ in size, a width below 1, or
            truth without any border.
    """
    if min(widths, default=0) < 1:
        raise InputError(f"trimap_curve: widths={tuple(widths)} must be 1 pixel or more.")
    counts = np.zeros((len(widths), num_classes + 1, num_classes + 1), dtype=np.int64)
    for truth, labels in _checked("trimap_curve", pairs, num_classes):
        distance = _distance(_borders(truth))
        for i, width in enumerate(widths):
            band = np.where(distance < width, truth, IGNORE)
            counts[i] += confusion_of(torch.from_numpy(band), torch.from_numpy(labels), num_classes)
    if not counts.any():
        raise InputError("trimap_curve: no image has a border; pass label images of two classes.")
    return np.array([np.nanmean(ious(count)) for count in counts])


def panoptic_quality(
    pairs: Pairs, num_classes: int, things: Collection[int] | None = None
) -> PanopticQuality:
    """Which objects were found, and how well they fit.

    A segment is the pixels of a class with one object number, and of other classes than things,
    the pixels of the class. A true and a predicted segment of one class match when their IoU
    exceeds 0.5, which allows one partner at most. Undecided true pixels count neither in
    intersections nor in unions, and a predicted segment without a partner is forgotten where more
    than half of it is undecided.

    Source: Kirillov et al., CVPR 2019, section 4, equations 1-2.

    Args:
        pairs: true and predicted objects, both (H, W, 2): class indices in 0..C and object
            numbers, free within each class. 255 is left out where it is a true class (so pass
            COCO's crowds as 255), and no segment where it is a predicted one.
        num_classes: C.
        things: classes whose objects are told apart; None stands for all but the background.

    Returns:
        Figures of each class; their means over classes are what papers report.

    Raises:
        InputError: no pairs, or images that are not labels or differ in size.
    """
    things = range(1, num_classes + 1) if things is None else tuple(things)
    total, hit, extra, lost = np.zeros((4, IGNORE + 1))
    for truth, labels in _checked("panoptic_quality", pairs, num_classes, (2,)):
        true_class, true = _segments(truth, things)
        said_class, said = _segments(labels, things)
        shape = len(true_class), len(said_class)
        shared = np.bincount(true * shape[1] + said, minlength=shape[0] * shape[1]).reshape(shape)
        undecided = shared[true_class == IGNORE].sum(axis=0)
        shared, true_class = shared[true_class != IGNORE], true_class[true_class != IGNORE]
        area = shared.sum(axis=0)
        iou = shared / (shared.sum(axis=1, keepdims=True) + area - shared)
        match = (true_class[:, None] == said_class) & (iou > 0.5)
        np.add.at(total, true_class, (iou * match).sum(axis=1))
        np.add.at(hit, true_class, match.any(axis=1))
        np.add.at(lost, true_class, ~match.any(axis=1))
        np.add.at(extra, said_class, ~match.any(axis=0) & (area >= undecided))
    weight = np.where(hit + extra + lost > 0, hit + (extra + lost) / 2, np.nan)
    sq = np.where(np.isnan(weight), np.nan, total / np.maximum(hit, 1))
    k = num_classes + 1
    return PanopticQuality((total / weight)[:k], sq[:k], (hit / weight)[:k])


def _segments(objects: np.ndarray, things: Collection[int]) -> tuple[np.ndarray, np.ndarray]:
    """The class of each segment, and (H * W) the segment of each pixel."""
    classes, numbers = objects[..., 0].ravel(), objects[..., 1].ravel()
    code = np.where(np.isin(classes, list(things)), numbers, 0) * (IGNORE + 1) + classes
    found, index = np.unique(code, return_inverse=True)
    return found % (IGNORE + 1), index


def _borders(labels: np.ndarray) -> np.ndarray:
    """(H, W) True where one of the four neighbours has another label."""
    around = np.pad(labels, 1, mode="edge")
    up, down, left, right = around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]
    return (labels != up) | (labels != down) | (labels != left) | (labels != right)


def _distance(marked: np.ndarray) -> np.ndarray:
    """(H, W) Euclidean distance to the nearest marked pixel; infinite where there is none."""
    if not marked.any():
        return np.full(marked.shape, np.inf)
    return cv2.distanceTransform((~marked).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def _checked(
    who: str, pairs: Pairs, num_classes: int, channels: tuple[int, ...] = ()
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The pairs as int64 arrays (H, W, *channels), whose first channel holds classes."""
    pair: list[np.ndarray] = []
    for images in pairs:
        pair = [np.asarray(image) for image in images]
        h_w = pair[0].shape[:2]
        if len(h_w) < 2 or any(image.shape != h_w + channels for image in pair):
            raise InputError(
                f"{who}: found images of {' and '.join(str(image.shape) for image in pair)}; pass "
                f"truth and prediction, both (H, W{', 2' if channels else ''}), of one size."
            )
        for name, image in zip(("truth", "prediction"), pair, strict=True):
            classes = image[..., 0] if channels else image
            known = (classes >= 0) & (classes <= num_classes) | (classes == IGNORE)
            if image.dtype.kind not in "iu" or not known.all():
                raise InputError(
                    f"{who}: the {name} is {image.dtype} in {classes.min()}..{classes.max()}, but "
                    f"must be integers in 0..{num_classes}, or {IGNORE} where undecided."
                )
        truth, labels = (image.astype(np.int64) for image in pair)
        yield truth, labels
    if not pair:
        raise InputError(f"{who}: no pairs of label images; nothing to compare.")


def recall_at_precision(precision: np.ndarray, recall: np.ndarray, least: float) -> float:
    """The most that is found by a threshold whose foreground is at least so precise.

    Two systems of different precision cannot be compared by what they find; this reads the one off
    where it is as precise as the other.

    Args:
        precision: (T,) at T thresholds, such as ``Evaluation.precision_curve``.
        recall: (T,) at the same thresholds, such as a column of ``layer_recall``.
        least: in [0, 1].

    Returns:
        The recall; 0 where no threshold is so precise.
    """
    enough = precision >= least  # NaN is not
    return float(recall[enough].max()) if enough.any() else 0.0
