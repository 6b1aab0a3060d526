"""A pixel to point at: whom each affinity asks for its new score, side by side."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from wsss_lib.blocks.affinity.class_tokens import spread
from wsss_lib.blocks.affinity.pairs import Offset
from wsss_lib.blocks.affinity.paths import path_affinity
from wsss_lib.blocks.affinity.random_walk import propagate
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import IGNORE, InputError
from wsss_lib.show.live.figure import LiveFigure, text_of
from wsss_lib.show.panels import Panel, show_grid
from wsss_lib.show.picture import Picture


@dataclass(frozen=True)
class Walk:
    """How scores move along an affinity.

    Attributes:
        name: of the system.
        asks: what it goes by, in a word.
        steps: that it takes.
        kind: "links" between near pixels, "paths" between them that a boundary bars, a "matrix" of
            all pairs, their "likeness", which is a symmetric matrix, or "colours" alone (PAMR).
        offsets: (dy, dx) of links and paths; of colours, of one neighbour for each distance.
        beta: exponent of the links; of colours, the share of the local deviation.
    """

    name: str
    asks: str
    steps: int
    kind: Literal["links", "paths", "matrix", "likeness", "colours"]
    offsets: tuple[Offset, ...] = ()
    beta: float = 1.0

    def move(self, maps: Tensor, image: Tensor, said: Tensor, steps: int) -> Tensor:
        """Maps after some steps, as the system's own code takes them.

        Args:
            maps: (K, h, w), at the size of ``said``; of colours, at that of the image.
            image: (3, H, W) RGB in [0, 1].
            said: (len(offsets), h, w) links, (h, w) boundaries or (h * w, h * w) matrix; not asked
                for colours.
            steps: at most those of the system are taken.
        """
        count = min(steps, self.steps)
        if self.kind in ("links", "paths"):
            barred = self.kind == "paths"
            links = path_affinity(said[None, None], self.offsets) if barred else said[None]
            return propagate(maps[None], links, self.offsets, self.beta, count)[0]
        if self.kind == "colours":
            distances = [dx for _, dx in self.offsets]
            return pamr(image[None], maps[None], distances, count, self.beta)[0]
        rows = said / said.sum(dim=1, keepdim=True)
        for _ in range(count):
            maps = spread(maps[None], rows[None])[0]
        return maps

    def size(self, image: Tensor, said: Tensor) -> tuple[int, int]:
        """(h, w) of the maps that move."""
        if self.kind in ("matrix", "likeness"):
            return (round(len(said) ** 0.5),) * 2
        return (image if self.kind == "colours" else said).shape[-2:]  # type: ignore[return-value]

    def row(
        self, pixel: tuple[int, int], image: Tensor, said: Tensor, steps: int | None = None
    ) -> Tensor:
        """(h, w) that sums to one: what the new score of a pixel is the mean of.

        Args:
            pixel: (y, x) on the map.
            image: as in ``move``.
            said: as in ``move``.
            steps: those of the system where None.
        """
        start = torch.zeros(1, *self.size(image, said), requires_grad=True)
        after = self.move(start, image, said, self.steps if steps is None else steps)
        (weights,) = torch.autograd.grad(after[0][pixel], start)
        return weights[0]


@dataclass(frozen=True)
class Asked:
    """A picture whose pixels are pointed at.

    Attributes:
        title: stands on its button.
        image: (3, H, W) RGB in [0, 1].
        truth: (H, W) class indices.
        said: what each walk has of it, by name; see ``Walk.move``.
    """

    title: str
    image: Tensor
    truth: Tensor
    said: Mapping[str, Tensor]

    @property
    def pixel(self) -> tuple[int, int]:
        """The one pointed at first: deepest inside the largest object."""
        kinds, areas = self.truth[self.truth % IGNORE > 0].unique(return_counts=True)
        inside = (self.truth == kinds[areas.argmax()]).numpy()
        depth = distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        return int(y), int(x)


def live_affinity(
    pictures: Sequence[Asked],
    walks: Sequence[Walk],
    classes: Sequence[str],
    more: Sequence[Walk] = (),
) -> LiveFigure:
    """Pictures to point at, and what the new score of the pixel is the mean of.

    What a walk has of the pictures is unpacked when the walk is first shown: a page that a reader
    opens from a file can fetch nothing, but need not unfold all that it holds.

    Args:
        pictures: all of one size; what is said of them in [0, 1] is shown in steps of 1/255.
        walks: side by side, at first and on paper.
        classes: names of the C classes.
        more: walks that a reader may choose beside or instead of the first.

    Raises:
        InputError: there is no picture or no walk, a walk has nothing to say of a picture, one has
            no object, sizes differ, or a likeness is not symmetric.
    """
    if not pictures:
        raise InputError("live_affinity: give at least one picture.")
    if not walks:
        raise InputError("live_affinity: give at least one walk.")
    every = [*walks, *more]
    for one in pictures:
        lacking = [w.name for w in every if w.kind != "colours" and w.name not in one.said]
        if lacking or not (one.truth % IGNORE > 0).any():
            raise InputError(
                f"live_affinity: picture {one.title!r} needs an object, and what is said of it by "
                f"each walk; missing: {', '.join(lacking) or 'the object'}."
            )
        if (
            _sizes(one, every) != _sizes(pictures[0], every)
            or one.image.shape[1:] != one.truth.shape
        ):
            raise InputError(
                f"live_affinity: picture {one.title!r}: image and truth must have one size, and "
                "with what is said of them that of the first picture."
            )
    height, width = pictures[0].truth.shape
    data = {
        "width": width, "height": height, "classes": ["ground", *classes], "shown": len(walks),
        "pictures": [{"title": one.title, "pixel": one.pixel} for one in pictures],
        "walks": [
            {
                "name": w.name, "asks": w.asks, "steps": w.steps, "kind": w.kind, "beta": w.beta,
                "offsets": w.offsets, "size": w.size(pictures[0].image, _said(pictures[0], w)),
                "content": _packed([_kept(one, w) * 255 for one in pictures]),
            } for w in every
        ],
        "content": _packed(
            [part for one in pictures for part in (one.image.permute(1, 2, 0) * 255, one.truth)]
        ),
    }  # fmt: skip
    alt = (
        "The picture several times with one pixel marked, and a tint over the pixels that its new "
        f"score is the mean of: {', '.join(w.name for w in walks)}. Below each stands how much of "
        "it comes from the pixel's own object."
    )
    return LiveFigure("affinity", data, _picture(pictures[0], walks), alt)


def _kept(one: Asked, walk: Walk) -> Tensor:
    """What the page holds; of a symmetric matrix, its rows up to the diagonal."""
    said = _said(one, walk)
    if walk.kind != "likeness":
        return said
    if not torch.equal(said, said.mT):
        raise InputError(
            f"live_affinity: the likeness of {walk.name!r} is not symmetric on picture "
            f"{one.title!r}; give it as a matrix."
        )
    rows, columns = torch.tril_indices(*said.shape)
    return said[rows, columns]


def _packed(parts: Sequence[Tensor]) -> str:
    """Values from 0 to 255, one after the other, as compressed bytes in base64."""
    content = b"".join(part.round().byte().numpy().tobytes() for part in parts)
    return text_of(zlib.compress(content, 9))


def _sizes(one: Asked, walks: Sequence[Walk]) -> list[tuple[int, ...]]:
    said = [tuple(_said(one, walk).shape) for walk in walks if walk.kind != "colours"]
    return [tuple(one.truth.shape), *said]


def _said(one: Asked, walk: Walk) -> Tensor:
    return one.said.get(walk.name, torch.empty(0))


def _picture(one: Asked, walks: Sequence[Walk]) -> Picture:
    """The rows of the first pixel after all steps."""
    y, x = one.pixel
    height, width = one.truth.shape
    own = one.truth == one.truth[y, x]
    marked = torch.zeros_like(own)
    marked[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = True
    panels = []
    for walk in walks:
        said = _said(one, walk)
        h, w = walk.size(one.image, said)
        place = (y * h // height, x * w // width)
        found = walk.row(place, one.image, said)
        others = found.clone()
        others[place] = 0
        heat = (found / others.max()).clamp(max=1).sqrt()
        note = f"{(found * shrunk(own, (h, w))).sum():.0%} from the object"
        panels.append(Panel(one.image, heat, region=marked, note=note))
    return show_grid({"": panels}, [walk.name for walk in walks], tint="root of the weight")


def shrunk(region: Tensor, size: tuple[int, int]) -> Tensor:
    """(H, W) region -> (h, w): the share of each cell that it covers; h divides H, and w W."""
    return torch.nn.functional.adaptive_avg_pool2d(region[None].float(), size)[0]
