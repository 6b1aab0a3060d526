"""The only module that looks at ground truth."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from wsss_lib.blocks.maps.class_maps import resize, to_labels
from wsss_lib.core import IGNORE, InputError
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.store import TOLERANCE

STEPS = 100
"""Thresholds 0, 0.01, ..., 1 are looked at."""


@dataclass(frozen=True)
class Protocol:
    """How a figure came about; no figure is stored without it.

    Attributes:
        data: name of the data set.
        data_version: its version, "" where it has none.
        split: images that were scored.
        labels_at_inference: whether image labels were used to predict.
        threshold_rule: "held-out" (chosen on other images, with masks), "tuning" (chosen on
            another data set of the same kind, with masks), "fixed" (in advance), "argmax" (a
            segmentation network's own rule) or "train-gt" (on the scored images).
        supervision: weak labels used in training.
        needs: hidden supervision, such as saliency or ImageNet classes.
    """

    data: str
    split: str
    labels_at_inference: bool
    threshold_rule: str
    supervision: tuple[str, ...] = ("tags",)
    needs: tuple[str, ...] = ()
    data_version: str = ""


@dataclass(frozen=True)
class Evaluation:
    """Counts of one pass over a data set; every figure is computed from them.

    Attributes:
        threshold: where the figures below are read off.
        confusion: (T, K, K) pixels by threshold, true class and predicted class.
        boundary: (2, K) pixels in the intersection and in the union of boundary bands.
        classes: names of the foreground classes.
    """

    threshold: float
    confusion: np.ndarray
    boundary: np.ndarray
    classes: tuple[str, ...]
    thresholds: np.ndarray = field(default_factory=lambda: np.linspace(0, 1, STEPS + 1))

    @property
    def counts(self) -> np.ndarray:
        """(K, K) pixels by true and predicted class, at the threshold."""
        return self.confusion[nearest(self.threshold)]

    @property
    def iou(self) -> np.ndarray:
        """(K,) intersection over union; NaN for classes that neither occur nor are predicted."""
        return ious(self.counts)

    @property
    def miou(self) -> float:
        """Mean IoU over the K classes, background included."""
        return _mean(self.iou)

    @property
    def curve(self) -> np.ndarray:
        """(T,) mean IoU at every threshold."""
        return np.array([np.nanmean(ious(counts)) for counts in self.confusion])

    @property
    def precision_curve(self) -> np.ndarray:
        """(T,) share of the pixels called any class that have it; NaN where none is called so."""
        said = self.confusion[:, :, 1:].sum(axis=(1, 2))
        hit = self.confusion.diagonal(axis1=1, axis2=2)[:, 1:].sum(axis=1)
        return np.where(said > 0, hit / np.maximum(said, 1), np.nan)

    @property
    def boundary_iou(self) -> float:
        """Mean Boundary IoU (Cheng et al., CVPR 2021) over the foreground classes."""
        inside, union = self.boundary[:, 1:]
        return _mean(np.where(union > 0, inside / np.maximum(union, 1), np.nan))

    def figures(self) -> dict[str, Any]:
        """The figures that are stored for a run.

        ``false_positive`` and ``false_negative`` are shares of the union, so that with the IoU
        they add up to one for each class: over- and under-activation. ``precision`` and ``recall``
        are means over the foreground classes.
        """
        counts = self.counts.astype(float)
        hit, truth, said = counts.diagonal(), counts.sum(1), counts.sum(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            union = truth + said - hit
            over, under = (said - hit) / union, (truth - hit) / union
            precision, recall = hit / said, hit / truth
        return {
            "threshold": round(self.threshold, 4),
            "miou": self.miou,
            "iou": [None if np.isnan(value) else float(value) for value in self.iou],
            "precision": _mean(precision[1:]),
            "recall": _mean(recall[1:]),
            "false_positive": _mean(over[1:]),
            "false_negative": _mean(under[1:]),
            "boundary_iou": self.boundary_iou,
        }


def _mean(values: np.ndarray) -> float:
    """Mean of the figures that exist; NaN, without a warning, where none does."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def ious(counts: np.ndarray) -> np.ndarray:
    """(K, K) counts -> (K,) intersection over union, NaN where the union is empty."""
    hit = counts.diagonal().astype(float)
    union = counts.sum(0) + counts.sum(1) - hit
    return np.where(union > 0, hit / np.maximum(union, 1), np.nan)


def nearest(threshold: float) -> int:
    """Index of a threshold in 0, 0.01, ..., 1."""
    return round(threshold * STEPS)


def confusion_of(truth: Tensor, labels: Tensor, num_classes: int) -> np.ndarray:
    """(K, K) pixels by true and predicted class; true 255 is left out.

    Args:
        truth: (H, W) class indices.
        labels: (H, W) class indices in 0..C; 255 counts as background.
        num_classes: C.
    """
    k = num_classes + 1
    known = truth != IGNORE
    said = torch.where(labels == IGNORE, 0, labels)
    code = truth[known] * k + said[known]
    return torch.bincount(code.flatten(), minlength=k * k).view(k, k).numpy()


def sweep_of(truth: Tensor, scores: Tensor) -> np.ndarray:
    """(T, K, K) pixels by threshold, true class and predicted class, in one pass.

    Every pixel is counted once, under its strongest class and the bin of that class's score; sums
    from the top then give the counts at each threshold.

    Args:
        truth: (H, W) class indices, 255 = left out.
        scores: (C, H, W) in [0, 1].
    """
    c = len(scores)
    peak, winner = scores.max(dim=0)
    known = truth != IGNORE
    # A pixel in bin b exceeds b thresholds, so it counts as foreground at the first b of them.
    thresholds = torch.arange(STEPS + 1, dtype=torch.float64).div(STEPS).to(peak)
    bins = torch.bucketize(peak[known], thresholds)
    code = (bins * (c + 1) + truth[known]) * c + winner[known]
    tally = torch.bincount(code, minlength=(STEPS + 2) * (c + 1) * c)
    histogram = tally.view(STEPS + 2, c + 1, c).numpy()
    above = histogram[::-1].cumsum(axis=0)[::-1][1:]  # (T, K, C): score > threshold
    confusion = np.zeros((STEPS + 1, c + 1, c + 1), dtype=np.int64)
    confusion[:, :, 1:] = above
    confusion[:, :, 0] = histogram.sum(axis=(0, 2)) - above.sum(axis=2)
    return confusion


def boundary_counts(truth: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """(2, K) intersection and union of the bands inside the borders of each class.

    Source: Boundary IoU (Cheng et al., CVPR 2021); the band is 2 % of the image diagonal wide.
    """
    h, w = truth.shape
    width = max(1, round(0.02 * float(np.hypot(h, w))))
    counts = np.zeros((2, num_classes + 1), dtype=np.int64)
    occurring = np.bincount(truth.ravel(), minlength=256) + np.bincount(
        labels.ravel(), minlength=256
    )
    for c in np.flatnonzero(occurring[: num_classes + 1]):
        one = _band(truth == c, width)
        other = _band((labels == c) & (truth != IGNORE), width)
        counts[0, c] = (one & other).sum()
        counts[1, c] = (one | other).sum()
    return counts


def _band(region: np.ndarray, width: int) -> np.ndarray:
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    inner = cv2.erode(
        region.astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=[0]
    )
    return region & (inner == 0)


def evaluate(
    scores: Mapping[str, Tensor] | Any,
    dataset: SegmentationFolder,
    threshold: float = 0.5,
    boundary: bool = True,
) -> Evaluation:
    """Compare scores with the masks of a data set, at every threshold at once.

    Scores are resized to the masks, never the other way round.

    Args:
        scores: (C, H, W) by image id, such as a ``ScoreStore``.
        dataset: its ids say which images count.
        threshold: where figures are read off; rounded to a hundredth.
        boundary: also count boundary bands, which costs more than the rest.

    Raises:
        InputError: no masks or nothing but void in them, scores of another number of classes or
            outside [0, 1], or a threshold outside [0, 1].
    """
    _check_masks(dataset)
    _check_threshold(threshold)
    c = len(dataset.classes)
    confusion = np.zeros((STEPS + 1, c + 1, c + 1), dtype=np.int64)
    bands = np.zeros((2, c + 1), dtype=np.int64)
    for id in tqdm(dataset.ids, desc="evaluate", leave=False):
        truth, said = _aligned(scores, dataset, id)
        confusion += sweep_of(truth, said)
        if boundary:
            labels = to_labels(said[None], threshold)[0]
            labels[labels == IGNORE] = 0
            bands += boundary_counts(truth.numpy(), labels.numpy(), c)
    _check_known(confusion, dataset)
    return Evaluation(nearest(threshold) / STEPS, confusion, bands, dataset.classes)


def evaluate_labels(labels: Callable[[str], Tensor], dataset: SegmentationFolder) -> Evaluation:
    """Compare label images, such as pseudo-labels made elsewhere, with the masks of a data set.

    Args:
        labels: image id -> (H, W) class indices; 255 counts as background.
        dataset: its ids say which images count.

    Raises:
        InputError: no masks or nothing but void in them, or a label image of another size.
    """
    _check_masks(dataset)
    c = len(dataset.classes)
    counts = np.zeros((c + 1, c + 1), dtype=np.int64)
    bands = np.zeros((2, c + 1), dtype=np.int64)
    for id in tqdm(dataset.ids, desc="evaluate", leave=False):
        truth, said = dataset.mask(id), labels(id)
        if truth.shape != said.shape:
            raise InputError(
                f"{id!r}: the label image is {tuple(said.shape)}, the mask {tuple(truth.shape)}."
            )
        counts += confusion_of(truth, said, c)
        bands += boundary_counts(truth.numpy(), said.where(said != IGNORE, 0).numpy(), c)
    _check_known(counts, dataset)
    confusion = np.repeat(counts[None], STEPS + 1, axis=0)
    return Evaluation(0.5, confusion, bands, dataset.classes)


def choose_threshold(scores: Mapping[str, Tensor] | Any, held_out: SegmentationFolder) -> float:
    """The threshold with the best mean IoU on images that are not reported on.

    Of several that are equally good, as all are for scores of 0 and 1, the one in the middle.

    Raises:
        InputError: whatever ``evaluate`` refuses, or masks that show no object.
    """
    measured = evaluate(scores, held_out, boundary=False)
    if not measured.counts[1:].any():
        raise InputError(
            f"The masks of the {len(held_out)} images that would choose a threshold show no object:"
            " hold out others, or fix a threshold."
        )
    best = np.flatnonzero(measured.curve >= np.nanmax(measured.curve))
    return float(best[(len(best) - 1) // 2]) / STEPS


def layer_recall(
    scores: Mapping[str, Tensor] | Any,
    dataset: SegmentationFolder,
    layer: str = "Parts",
    values: Sequence[int] = (1, 2),
) -> np.ndarray:
    """Share of the pixels of each part that get the class that they belong to.

    Args:
        scores: (C, H, W) by image id.
        dataset: must have the layer; the toy world's parts are 1 = head cue, 2 = body.
        layer: folder of the label images that name the parts.
        values: which parts.

    Returns:
        (T, len(values)) at the thresholds 0, 0.01, ..., 1; ``nearest`` finds the row of one.
    """
    thresholds = torch.arange(STEPS + 1, dtype=torch.float64).div(STEPS)
    hit, total = np.zeros((STEPS + 1, len(values))), np.zeros(len(values))
    for id in dataset.ids:
        truth, said = _aligned(scores, dataset, id)
        peak, winner = said.max(dim=0)
        parts = dataset.layer(layer, id)
        for i, value in enumerate(values):
            inside = (parts == value) & (truth > 0) & (truth != IGNORE)
            right = inside & (winner + 1 == truth)
            bins = torch.bucketize(peak[right], thresholds.to(peak))
            # A pixel in bin b exceeds b thresholds.
            tally = torch.bincount(bins, minlength=STEPS + 2).numpy()
            hit[:, i] += tally[::-1].cumsum()[::-1][1:]
            total[i] += inside.sum()
    return hit / np.maximum(total, 1)


def _check_masks(dataset: SegmentationFolder) -> None:
    if not dataset.has_masks():
        raise InputError(
            f"{dataset.root} has no masks ({dataset.masks.name}/): nothing to compare."
        )
    dataset.check_masks()


def _check_threshold(threshold: float | None) -> None:
    if threshold is None:
        raise InputError(
            "The threshold is None, as that of a stage is where nobody chose one: pass a number in "
            "[0, 1], or calibrate=... to run."
        )
    if not 0 <= threshold <= 1:  # also refuses NaN
        raise InputError(f"The threshold is {threshold}; scores and thresholds lie in [0, 1].")


def _check_known(counts: np.ndarray, dataset: SegmentationFolder) -> None:
    if not counts.any():
        raise InputError(
            f"The {len(dataset)} masks of {dataset.root} are nothing but void (255): nothing to "
            "compare."
        )


def _aligned(scores: Any, dataset: SegmentationFolder, id: str) -> tuple[Tensor, Tensor]:
    truth = dataset.mask(id)
    try:
        said = scores[id]
    except KeyError as error:
        raise InputError(f"There are no scores of {id!r}, an image of {dataset.name}.") from error
    if len(said) != len(dataset.classes):
        raise InputError(
            f"Scores of {id!r} have {len(said)} classes, {dataset.name} has {len(dataset.classes)}."
        )
    low, high = said.aminmax()
    if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):  # also refuses NaN
        raise InputError(
            f"Scores of {id!r} run from {low:.3g} to {high:.3g}; they must lie in [0, 1]. Put "
            "logits through a sigmoid or a softmax, and class maps through normalize()."
        )
    (h, w), (high, wide) = truth.shape, said.shape[-2:]
    # Scores may be smaller than their image, to the nearest pixel, but not of another shape.
    if abs(high * w - wide * h) > (h + w) / 2 and min(high, wide) > 1:
        raise InputError(
            f"{id!r}: scores of {wide} x {high} pixels have not the shape of the image, which is "
            f"{w} x {h}. Are they those of another image?"
        )
    return truth, resize(said[None], (h, w))[0]
