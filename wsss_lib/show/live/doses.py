"""A dose to slide over: what a family of ideas gains at it, and the same pictures there."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.colors import to_hex
from torch import Tensor

from wsss_lib.core import IGNORE, InputError
from wsss_lib.show.live.figure import LiveFigure, jpeg, text_of
from wsss_lib.show.picture import COLOURS, line_colour
from wsss_lib.show.plots import plot_doses


@dataclass(frozen=True)
class Answer:
    """What a system says of the shown class in a picture.

    Attributes:
        name: of the system.
        score: (H, W) in [0, 1].
        region: (H, W), True where the class wins above the threshold.
        iou: of the region.
    """

    name: str
    score: Tensor
    region: Tensor
    iou: float


@dataclass(frozen=True)
class Seen:
    """A picture at a dose.

    Attributes:
        image: (3, H, W) RGB in [0, 1].
        name: of the shown class.
        truth: (H, W), True on the class.
        answers: of controls and systems, the same ones for all pictures.
        given: what the weak label is called, "" where none is drawn.
        label: (H, W), the weak label: class indices with 255 where nothing was given, or a score
            in [0, 1].
    """

    image: Tensor
    name: str
    truth: Tensor
    answers: Sequence[Answer]
    given: str = ""
    label: Tensor | None = None


def live_doses(
    gains: Mapping[str, Sequence[Sequence[float]]],
    doses: Sequence[float],
    home: int,
    axis: str,
    response: str,
    seen: Mapping[str, Sequence[Seen]],
    alt: str,
) -> LiveFigure:
    """Paired gains over controls at each dose, and pictures at the chosen one.

    Args:
        gains: by name, for each dose the gains of its worlds.
        doses: what stands at the axis.
        home: index of the dose at which the ideas are judged; chosen first.
        axis: what the doses are.
        response: what the gains are gains of.
        seen: by the title of a picture, one entry for each dose.
        alt: says in words what the curve shows.

    Raises:
        InputError: there is no picture or no dose at home, gains lack a dose, a picture lacks a
            dose or a system, or sizes differ.
    """
    _check(gains, doses, home, seen)
    first = next(iter(seen.values()))[0]
    names = [answer.name for answer in first.answers]
    images: list[str] = []
    content, pictures = b"", []
    for title, each in seen.items():
        entries = []
        for one in each:
            if [answer.name for answer in one.answers] != names:
                raise InputError(f"live_doses: {title!r} must show {', '.join(names)} at any dose.")
            source = jpeg(one.image)
            if source not in images:
                images.append(source)
            entries.append(
                {
                    "image": images.index(source), "name": one.name, "given": one.given,
                    "scored": one.label is not None and one.label.is_floating_point(),
                    "iou": [answer.iou for answer in one.answers],
                }
            )  # fmt: skip
            content += _bytes(one)
        pictures.append({"title": title, "doses": entries})
    height, width = first.truth.shape
    data = {
        "width": width, "height": height, "doses": [f"{dose:g}" for dose in doses], "home": home,
        "axis": axis, "response": response, "names": names, "images": images,
        "curves": [
            {"name": name, "gains": found, "colour": to_hex(line_colour(number))}
            for number, (name, found) in enumerate(gains.items())
        ],
        "colours": [to_hex(colour) for colour in COLOURS], "pictures": pictures,
        "content": text_of(zlib.compress(content, 9)),
    }  # fmt: skip
    picture = plot_doses(gains, doses, home, axis, f"gain in {response}")
    return LiveFigure("doses", data, picture, alt)


def _check(
    gains: Mapping[str, Sequence[Sequence[float]]],
    doses: Sequence[float],
    home: int,
    seen: Mapping[str, Sequence[Seen]],
) -> None:
    if not seen:
        raise InputError("live_doses: give at least one picture.")
    if home not in range(len(doses)):
        raise InputError(f"live_doses: home {home} must be the index of one of {len(doses)} doses.")
    for name, each in gains.items():
        if len(each) != len(doses) or not all(len(worlds) for worlds in each):
            raise InputError(
                f"live_doses: gains of {name!r} need at least one world for each of "
                f"{len(doses)} doses."
            )
    for title, pictures in seen.items():
        if len(pictures) != len(doses):
            raise InputError(
                f"live_doses: {title!r} needs a picture for each of {len(doses)} doses."
            )
    size = next(iter(seen.values()))[0].truth.shape
    for title, pictures in seen.items():
        for one in pictures:
            grids = [one.image[0], one.truth]
            grids += [grid for answer in one.answers for grid in (answer.score, answer.region)]
            if any(grid.shape != size for grid in grids):
                raise InputError(
                    f"live_doses: {title!r}: images, truth, scores and regions of all pictures "
                    f"must have one size; the first has {tuple(size)}."
                )


def _bytes(one: Seen) -> bytes:
    """Truth, weak label, and a score with its region for each system, a byte a pixel."""
    parts = [one.truth.to(torch.uint8)]
    if one.given:
        if one.label is None or one.label.shape != one.truth.shape:
            raise InputError(f"live_doses: {one.given} needs a label as large as the truth.")
        scored = one.label.is_floating_point()
        parts.append((one.label * IGNORE).round() if scored else one.label)
    for answer in one.answers:
        parts.append((answer.score * 127).round() + 128 * answer.region)
    return b"".join(part.numpy().astype(np.uint8).tobytes() for part in parts)
