"""What a few marks already say about every pixel, quickly enough to be seen while drawing."""

import io
from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from wsss_lib.annotate.files import Mark, box_of, painted
from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.blocks.refine.dense_crf import dense_crf
from wsss_lib.blocks.refine.grabcut import (
    BACKGROUND,
    FOREGROUND,
    PROBABLY_BACKGROUND,
    PROBABLY_FOREGROUND,
    box_trimap,
    grabcut,
)
from wsss_lib.blocks.refine.random_walker import colour_edges, random_walker
from wsss_lib.core import IGNORE, InputError
from wsss_lib.show.live.figure import uri

LONGEST = 160
"""Pixels of the longest side on which a preview is computed."""
BOXES = ("boxes", "extremes")
SHOWABLE = ("points", *BOXES, "scribble")
"""Kinds of label that can be previewed."""


def completed(
    way: str, kind: str, image: Tensor, size: tuple[int, int], marks: Sequence[Mark]
) -> Tensor:
    """The mask that a way without learning makes of the marks.

    The marked pixels belong to their class. Of a box it is the middle, a third of its width and
    height, while everything outside all boxes is background. Where nobody has marked any
    background, it is the frame of the picture.

    Args:
        way: "walker", the class that a random walk meets first; "crf", a dense CRF over the
            walker's chances; or "grabcut", which cuts out each box by itself, and from other
            marks each class, beginning with what the walker says.
        kind: one of ``SHOWABLE``.
        image: (3, h, w) RGB in [0, 1].
        size: (H, W) of the picture whose pixels the marks count; the image may be smaller.
        marks: of that kind, at least one.

    Returns:
        Int64 class indices with a longest side of at most ``LONGEST`` pixels.

    Raises:
        InputError: an unknown way or kind, or a box without anything outside for GrabCut.
    """
    check_preview(way, kind)
    share = min(1.0, LONGEST / max(image.shape[1:]))
    height, width = (max(2, round(side * share)) for side in image.shape[1:])
    small = resize(image[None], (height, width))[0]
    scaled = [_scaled(mark, (width / size[1], height / size[0])) for mark in marks]
    return WAYS[way](small, kind, scaled)


def check_preview(way: str, kind: str) -> None:
    """Refuse a way that does not exist, and kinds that leave nothing to be completed.

    Raises:
        InputError: says what there is.
    """
    if way not in WAYS:
        raise InputError(f"There is no preview by {way!r}; choose from {', '.join(WAYS)}.")
    if kind not in SHOWABLE:
        raise InputError(f"{kind!r} cannot be previewed; choose from {', '.join(SHOWABLE)}.")


def _scaled(mark: Mark, by: tuple[float, float]) -> Mark:
    return Mark(mark.label, tuple((int(x * by[0]), int(y * by[1])) for x, y in mark.places))


def _seeds(size: tuple[int, int], kind: str, marks: Sequence[Mark]) -> Tensor:
    """(H, W) class indices of what is taken to be known, 255 elsewhere."""
    height, width = size
    if kind in BOXES:
        seeds = np.zeros(size, dtype=np.int64)
        boxes = [(mark.label, *box_of(mark)) for mark in marks]
        for _, x0, y0, x1, y1 in boxes:
            seeds[y0:y1, x0:x1] = IGNORE
        for label, x0, y0, x1, y1 in boxes:
            dx, dy = (x1 - x0) // 3, (y1 - y0) // 3
            seeds[y0 + dy : y1 - dy, x0 + dx : x1 - dx] = label
    else:
        seeds = painted("scribble", marks, (width, height)).astype(np.int64)
    if not (seeds == 0).any():
        frame = np.ones(size, dtype=bool)
        frame[1:-1, 1:-1] = False
        seeds[frame & (seeds == IGNORE)] = 0
    return torch.from_numpy(seeds)


def _chances(image: Tensor, kind: str, marks: Sequence[Mark]) -> tuple[Tensor, Tensor]:
    """(1, K, H, W) chances of the classes that are there, and their (K,) numbers."""
    seeds = _seeds((image.shape[1], image.shape[2]), kind, marks)
    present = seeds[seeds != IGNORE].unique()
    order = torch.full((IGNORE + 1,), IGNORE)
    order[present] = torch.arange(len(present))
    edges = colour_edges(image[None])
    chances = random_walker(edges, order[seeds][None], len(present), 1e-3)
    return chances.clamp(min=0), present  # the solver stops a little below some zeros


def _by_walker(image: Tensor, kind: str, marks: Sequence[Mark]) -> Tensor:
    chances, present = _chances(image, kind, marks)
    return present[chances[0].argmax(dim=0)]


def _by_crf(image: Tensor, kind: str, marks: Sequence[Mark]) -> Tensor:
    chances, present = _chances(image, kind, marks)
    return present[dense_crf(image[None], chances)[0].argmax(dim=0)]


def _by_grabcut(image: Tensor, kind: str, marks: Sequence[Mark]) -> Tensor:
    size = (image.shape[1], image.shape[2])
    found = torch.zeros(size, dtype=torch.int64)
    if kind in BOXES:
        for mark in marks:
            inside, _ = grabcut(image, box_trimap(size, torch.tensor(box_of(mark))))
            found[inside] = mark.label
        return found
    seeds, walked = _seeds(size, kind, marks), _by_walker(image, kind, marks)
    for label in seeds[(seeds != 0) & (seeds != IGNORE)].unique():
        trimap = torch.full(size, PROBABLY_BACKGROUND)
        trimap[walked == label] = PROBABLY_FOREGROUND
        trimap[seeds != IGNORE] = BACKGROUND
        trimap[seeds == label] = FOREGROUND
        inside, _ = grabcut(image, trimap)
        found[inside] = label
    return found


WAYS: dict[str, Callable[[Tensor, str, Sequence[Mark]], Tensor]] = {
    "grabcut": _by_grabcut, "walker": _by_walker, "crf": _by_crf,
}  # fmt: skip
"""Ways to complete marks, by name."""


def tinted(labels: np.ndarray, colours: np.ndarray, opacity: float = 0.5) -> str:
    """A picture to lay over another, as a data URI: classes in their colours, the rest clear.

    Args:
        labels: (H, W) class indices; 0 and 255 are clear.
        colours: (K, 3) RGB in [0, 1]; class c has ``colours[(c - 1) % K]``.
        opacity: of the classes.
    """
    layer = np.zeros((*labels.shape, 4), dtype=np.uint8)
    shown = (labels != 0) & (labels != IGNORE)
    layer[shown, :3] = (colours[(labels[shown].astype(int) - 1) % len(colours)] * 255).round()
    layer[shown, 3] = round(opacity * 255)
    content = io.BytesIO()
    Image.fromarray(layer).save(content, "PNG")
    return uri("image/png", content.getvalue())
