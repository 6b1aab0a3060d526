"""Moving an image together with everything that is said about its pixels.

Points are pixels, boxes are half-open, so both follow from where pixels come from: the pixel
(x, y) of a moved image is the pixel ``(columns.source[x], rows.source[y])`` of the image before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.core import IGNORE, Batch

_MAPS = ("image", "scores", "saliency")


@dataclass(frozen=True)
class Axis:
    """Where the pixels of one axis come from.

    Attributes:
        source: (n,) int64, the old place of each new pixel.
        real: (n,) bool, False where the edge is only repeated because nothing is known.
    """

    source: Tensor
    real: Tensor

    @property
    def mirrored(self) -> bool:
        """Whether the axis runs backwards."""
        return bool(self.source[0] > self.source[-1])

    def place(self, old: Tensor) -> Tensor:
        """New places of old pixels (n,), -1 where they are no longer in the image."""
        hits = (self.source == old[:, None]) & self.real
        return torch.where(hits.any(dim=1), hits.int().argmax(dim=1), -1)

    def interval(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """New ends (n,), (n,) of half-open intervals, repeated edge included; 0, 0 if outside."""
        hits = (self.source >= low[:, None]) & (self.source < high[:, None])
        first, size = hits.int().argmax(dim=1), hits.sum(dim=1)
        return first, first + size


def rearrange(batch: Batch, rows: Axis, columns: Axis) -> Batch:
    """Mirror, shift or crop a batch of (B, 3, H, W) images.

    ========= =================================================================================
    image     and all other maps repeat their edge where nothing is known
    scribble  nobody drew on a repeated edge: 255
    points    those outside are dropped, and what is said of their objects with them
    extremes  an object is dropped as soon as one of its four clicks is outside
    boxes     clipped; dropped when nothing is left; a box on the frame goes on with the edge.
              What is left of a box need not hold a pixel of its object
    ========= =================================================================================

    Boxes and extremes of a cropped image therefore no longer correspond row by row.

    Args:
        batch: labels in any of its fields are moved along.
        rows: where the rows come from.
        columns: where the columns come from.
    """
    moved: dict[str, Any] = {
        name: _of_present(
            getattr(batch, name),
            (len(rows.source), len(columns.source)),
            lambda maps: _pick(maps, rows, columns),
        )
        for name in _MAPS
        if getattr(batch, name) is not None
    }
    if batch.scribble is not None:
        real = rows.real[:, None] & columns.real
        moved["scribble"] = _pick(batch.scribble, rows, columns).where(real, IGNORE)
    if batch.points is not None:
        placed = [_move_points(p, rows, columns) for p in batch.points]
        moved["points"] = tuple(points for points, _ in placed)
        if batch.objects is not None:
            pairs = zip(batch.objects, placed, strict=True)
            moved["objects"] = tuple(objects[kept] for objects, (_, kept) in pairs)
    if batch.extremes is not None:
        moved["extremes"] = tuple(_move_extremes(e, rows, columns) for e in batch.extremes)
    if batch.boxes is not None:
        moved["boxes"] = tuple(_move_boxes(b, rows, columns) for b in batch.boxes)
    return replace(batch, **moved)


def rescale(batch: Batch, size: tuple[int, int], of: tuple[int, int] | None = None) -> Batch:
    """Resize a batch of (B, 3, H, W) images to (H', W').

    Points and clicks go to the pixel that their centre falls into; a box covers every pixel that
    it touches; a stroke that gets smaller keeps every pixel that it touches, so it stays connected.

    Args:
        batch: images and what is said about them.
        size: the new one.
        of: (H, W) in which places are told, where the images were already made smaller.
    """
    old = of or (batch.image.shape[-2], batch.image.shape[-1])
    if old == tuple(size):
        return batch
    moved: dict[str, Any] = {
        name: resize_present(getattr(batch, name), size)
        for name in _MAPS
        if getattr(batch, name) is not None
    }
    if batch.scribble is not None:
        moved["scribble"] = torch.stack([_scale_scribble(s, size) for s in batch.scribble])
    to, whole = torch.tensor([size[1], size[0]]), torch.tensor([old[1], old[0]])
    if batch.points is not None:
        moved["points"] = tuple(
            torch.cat([_scale_pixels(p[:, :2], whole, to), p[:, 2:]], dim=1) for p in batch.points
        )
    if batch.extremes is not None:
        moved["extremes"] = tuple(_scale_pixels(e, whole, to) for e in batch.extremes)
    if batch.boxes is not None:
        moved["boxes"] = tuple(
            torch.cat([b[:, :2] * to // whole, -(-b[:, 2:4] * to // whole), b[:, 4:]], dim=1)
            for b in batch.boxes
        )
    return replace(batch, **moved)


def resize_present(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, C, h, w) maps in [0, 1] at another size; most classes are absent, and stay 0."""
    # Rounding may leave the range.
    return _of_present(maps, size, lambda present: resize(present, size).clamp(0, 1))


def _of_present(maps: Tensor, size: tuple[int, int], work: Callable[[Tensor], Tensor]) -> Tensor:
    """(B, C, *size): what ``work`` makes of the (1, n, h, w) maps that are not 0 everywhere."""
    present = maps.flatten(2).amax(dim=2) > 0
    made = maps.new_zeros(*maps.shape[:2], *size)
    if present.any():
        made[present] = work(maps[present][None])[0]
    return made


def _pick(maps: Tensor, rows: Axis, columns: Axis) -> Tensor:
    return maps[..., rows.source, :][..., columns.source]


def _move_points(points: Tensor, rows: Axis, columns: Axis) -> tuple[Tensor, Tensor]:
    """The points that are still there, and (n,) bool, which ones these are."""
    x, y = columns.place(points[:, 0]), rows.place(points[:, 1])
    kept = (x >= 0) & (y >= 0)
    return torch.stack([x, y, points[:, 2]], dim=1)[kept], kept


def _move_extremes(extremes: Tensor, rows: Axis, columns: Axis) -> Tensor:
    x, y = columns.place(extremes[..., 0].flatten()), rows.place(extremes[..., 1].flatten())
    moved = torch.stack([x, y], dim=1).reshape(-1, 4, 2)
    if columns.mirrored:
        moved = moved[:, [1, 0, 2, 3]]
    return moved[(moved >= 0).all(dim=2).all(dim=1)]


def _move_boxes(boxes: Tensor, rows: Axis, columns: Axis) -> Tensor:
    x0, x1 = columns.interval(boxes[:, 0], boxes[:, 2])
    y0, y1 = rows.interval(boxes[:, 1], boxes[:, 3])
    return torch.stack([x0, y0, x1, y1, boxes[:, 4]], dim=1)[(x1 > x0) & (y1 > y0)]


def _scale_pixels(pixels: Tensor, of: Tensor, to: Tensor) -> Tensor:
    """Integer arithmetic: no pixel changes its place because of a rounding error."""
    return (2 * pixels + 1) * to // (2 * of)


def _scale_scribble(scribble: Tensor, size: Sequence[int]) -> Tensor:
    """(H, W) strokes at another size; where two classes meet, the higher index wins."""
    for new in size:  # rows, then columns: one may grow while the other shrinks
        old = len(scribble)
        source = (2 * torch.arange(new) + 1) * old // (2 * new)
        target = (2 * torch.arange(old) + 1) * new // (2 * old)
        scaled = scribble[source]
        for kind in scribble[scribble != IGNORE].unique():
            line, place = (scribble == kind).nonzero().T
            scaled[target[line], place] = kind
        scribble = scaled.T
    return scribble
