"""Which images of a data folder are learned from, held out, and scored."""

from pathlib import Path

from wsss_lib.data.folder import SegmentationFolder

SMALLEST, FEWEST = 15, 5
"""From how many images with masks on some are held out to choose thresholds, and how many at
least: the best threshold of one image is not that of others."""


def open_split(root: Path, split: str) -> SegmentationFolder:
    """A split; a plain folder that does not divide its images gives all of them."""
    dataset = SegmentationFolder(root, split)
    if not dataset.voc and not dataset.splits:
        dataset.split = "all"
    return dataset


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
