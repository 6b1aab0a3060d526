"""Which images of a data folder are learned from, held out, and scored."""

from pathlib import Path

import numpy as np

from wsss_lib.core import IGNORE, InputError
from wsss_lib.data.folder import SegmentationFolder

SMALLEST, FEWEST = 15, 5
"""From how many images with masks on some are held out to choose thresholds, and how many at
least: the best threshold of one image is not that of others."""


def open_split(root: Path, split: str | None = None) -> SegmentationFolder:
    """A split; without a name val, or all images of a plain folder that does not divide them.

    There, ``train`` is all of them too: its user never heard of splits.

    Raises:
        InputError: no such split, or whatever else ``SegmentationFolder`` refuses.
    """
    every = SegmentationFolder(root, split=None)
    if not every.voc and not every.splits and split in (None, "train"):
        every.split = "all"
        return every
    return SegmentationFolder(root, split or "val")


def with_masks(dataset: SegmentationFolder) -> SegmentationFolder | None:
    """The images that have ground truth, None where no image has.

    Raises:
        InputError: masks that belong to no image or say nothing.
    """
    dataset.check_masks()
    ids = [id for id in dataset.ids if dataset.has_mask(id)]
    return dataset.subset(ids) if ids else None


def divided(
    dataset: SegmentationFolder,
) -> tuple[SegmentationFolder | None, SegmentationFolder | None]:
    """Images whose masks may choose thresholds, and images to score; None where there are none.

    A tenth is held out, but at least ``FEWEST``; with less than ``SMALLEST`` masks all are scored.
    """
    masked = with_masks(dataset)
    if masked is None or len(masked) < SMALLEST:
        return None, masked
    return masked.held_out(max(0.1, FEWEST / len(masked)))


def part_scored(split: str, held_out: SegmentationFolder, scored: SegmentationFolder) -> str:
    """What a protocol calls the images that are left to be scored."""
    total = len(held_out) + len(scored)
    left = "nine tenths" if len(held_out) == round(total / 10) else f"{len(scored)} of {total}"
    return f"{split}, last {left}"


def other_split(dataset: SegmentationFolder, split: str = "val") -> SegmentationFolder | None:
    """Images with masks of a split that was not learned from, None where there are none."""
    if split not in dataset.splits:
        return None
    other = with_masks(SegmentationFolder(dataset.root, split, dataset.classes))
    if other is None or set(other.ids) & set(dataset.ids):
        return None
    return other


def sizes(dataset: SegmentationFolder) -> set[tuple[int, int]]:
    """All sizes (H, W) of images, going by their headers."""
    return {dataset.size(id) for id in dataset.ids}


def check_held_out(held_out: SegmentationFolder) -> list[str]:
    """Classes that no mask of the held-out images shows, so that they have no say in thresholds.

    Raises:
        InputError: these masks show no object at all, and would put every threshold anywhere.
    """
    seen: set[int] = set()
    void = 0
    for id in held_out.ids:
        found = {*np.flatnonzero(np.bincount(held_out.mask(id).numpy().ravel())).tolist()}
        void += found == {IGNORE}
        seen |= found - {0, IGNORE}
    if not seen:
        raise InputError(
            f"Thresholds are chosen on the first {len(held_out)} images with masks, and these show "
            f"no object ({void} of them are nothing but void, 255): delete masks that are not "
            "finished, or fix a threshold (--threshold 0.3)."
        )
    return [name for c, name in enumerate(held_out.classes, start=1) if c not in seen]


def check_scored(scored: SegmentationFolder) -> None:
    """Refuse masks that leave nothing to compare with.

    Raises:
        InputError: all of them are nothing but void.
    """
    if not any((scored.mask(id) != IGNORE).any() for id in scored.ids):
        raise InputError(
            f"All {len(scored)} masks of {scored.root} that would be scored are nothing but void "
            "(255): finish them, or delete them to work without figures."
        )
