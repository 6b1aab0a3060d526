"""Erase with the mouse: a classifier that runs in the page looks again at what is left."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from torch import Tensor, nn

from wsss_lib.blocks.augment.erase import MEAN_COLOUR, erase
from wsss_lib.blocks.maps.class_maps import normalize, resize_like
from wsss_lib.core import IGNORE, InputError
from wsss_lib.show.live.figure import LiveFigure, text_of
from wsss_lib.show.panels import TINT, Panel, show_grid
from wsss_lib.show.picture import Picture

HEAD, BODY = 1, 2
"""Parts of an object; 0 is neither."""
STEPS = 127
"""A weight is stored as a whole number from -127 to 127; each output has a step of its own."""


@dataclass(frozen=True)
class Example:
    """A picture to erase from.

    Attributes:
        name: what the picture is called.
        image: (3, S, S) RGB in [0, 1].
        labels: (S, S) class indices, 255 where nobody can tell.
        parts: (S, S), 1 on heads, 2 on bodies, 0 elsewhere.
        number: class 1..C whose map is shown first.
    """

    name: str
    image: Tensor
    labels: Tensor
    parts: Tensor
    number: int

    def part(self, which: int) -> Tensor:
        """(S, S), True on this part of the shown class."""
        return (self.labels == self.number) & (self.parts == which)

    def without_head(self) -> Tensor:
        """(3, S, S): the head is painted over."""
        return erase(self.image[None], self.part(HEAD)[None, None].float())[0]


@dataclass(frozen=True)
class Seen:
    """What a classifier sees of a class in one look, at one size and without a mirror.

    Attributes:
        probability: of the class.
        score: (S, S) in [0, 1], its map divided by its maximum.
        head: share of the score on the head; NaN where the map is empty.
        body: share of the score on the body.
    """

    probability: float
    score: Tensor
    head: float
    body: float

    def strongest(self, region: Tensor) -> bool:
        """Whether the score is highest inside a region (S, S)."""
        return bool(region.flatten()[self.score.argmax()])


def seen(maps: Tensor, example: Example) -> Seen:
    """What the raw maps (C, h, w) of a picture say of the class that an example shows."""
    own = maps[None, example.number - 1 : example.number]
    score = resize_like(normalize(own), example.image[None])[0, 0]
    head, body = (
        float((score * example.part(which)).sum() / score.sum()) for which in (HEAD, BODY)
    )
    return Seen(float(own.mean().sigmoid()), score, head, body)


def live_erase(
    method: Any, classes: Sequence[str], examples: Sequence[Example], hot: float = 0.6
) -> LiveFigure:
    """A classifier in the page, and pictures from which a reader hides what it should not see.

    What is hidden has the colour that ``erase`` paints.

    Args:
        method: trained CAM on the toy CNN of stride 4. Its weights are stored in one byte each.
        classes: names of the C classes.
        examples: square pictures of one size.
        hot: a button hides what exceeds it in the shown map.

    Raises:
        InputError: another method, pictures of several sizes, or none.
    """
    sizes = {
        tuple(grid.shape) for one in examples for grid in (one.image[0], one.labels, one.parts)
    }
    if len(sizes) != 1 or len(set(*sizes)) != 1:
        raise InputError(
            f"live_erase: images, labels and parts must be squares of one size, "
            f"not {sorted(sizes)}."
        )
    data = {
        "width": examples[0].image.shape[-1], "classes": list(classes), "hot": hot,
        "colour": list(MEAN_COLOUR), "network": _network(method),
        "tint": _bytes(colormaps[TINT](np.arange(256))[:, :3]),
        "pictures": [
            {
                "name": one.name, "number": one.number,
                "image": _bytes(one.image.permute(1, 2, 0).numpy()),
                "regions": text_of(_regions(one).byte().numpy().tobytes()),
            }
            for one in examples
        ],
    }  # fmt: skip
    return LiveFigure("erase", data, *_on_paper(method, examples))


def _on_paper(method: Any, examples: Sequence[Example]) -> tuple[Picture, str]:
    """Maps with nothing hidden and with the heads hidden, and a description with their figures."""
    rows: dict[str, list[Panel]] = {}
    told = [f"{one.name}:" for one in examples]
    for row, images in (
        ("nothing hidden", [one.image for one in examples]),
        ("head hidden", [one.without_head() for one in examples]),
    ):
        with torch.inference_mode():
            looks = map(seen, method.eval().class_maps(torch.stack(images)), examples)
            for number, (one, image, look) in enumerate(zip(examples, images, looks, strict=True)):
                note = f"p {look.probability:.2f}, body {look.body:.0%}"
                shown = Panel(image, look.score, region=one.part(HEAD), note=note)
                rows.setdefault(row, []).append(shown)
                told[number] += f" {row}, {note};"
    alt = (
        "Pictures of the toy world with the map of their class, above with nothing hidden, below "
        "with the head painted over. Probability p of the class and share of its map on the body: "
        f"{' '.join(told).removesuffix(';')}."
    )
    return show_grid(rows, [one.name for one in examples]), alt


def _network(method: Any) -> dict[str, Any]:
    """What the page needs to compute class maps; batch normalisation becomes scale and shift."""
    backbone: Any = getattr(method, "backbone", nn.Identity())
    head: Any = getattr(method, "classifier", None)
    blocks: list[dict[str, Any]] = []
    part: Any
    for part in backbone.modules():
        if isinstance(part, nn.Sequential) and isinstance(part[0], nn.Conv2d):
            blocks.append({"conv": _packed(part[0], part[1]), "skip": None, "adds": False})
        elif hasattr(part, "skip"):
            skip = _packed(part.skip) if isinstance(part.skip, nn.Conv2d) else None
            blocks.append({"conv": _packed(part.conv, part.norm), "skip": skip, "adds": True})
    if not blocks or not isinstance(head, nn.Conv2d) or backbone.strides[-1] != 4:
        raise InputError(
            f"live_erase: {type(method).__name__} does not run in a page; give it "
            "CAM.toy(classes), on the toy CNN of stride 4."
        )
    standard = backbone.standardize
    return {
        "mean": standard.mean.flatten().tolist(), "std": standard.std.flatten().tolist(),
        "blocks": blocks, "head": _packed(head),
    }  # fmt: skip


def _packed(conv: nn.Conv2d, norm: Any = None) -> dict[str, Any]:
    """A convolution in whole steps, with the scale and the shift of each output behind it."""
    steps, scale = in_steps(conv.weight.detach())
    shift = torch.zeros(len(scale))
    if norm is not None:
        gain = norm.weight.detach() * (norm.running_var + norm.eps).rsqrt()
        scale, shift = scale * gain, norm.bias.detach() - norm.running_mean * gain
    return {
        "inputs": conv.in_channels, "outputs": conv.out_channels, "kernel": conv.kernel_size[0],
        "stride": conv.stride[0], "dilation": conv.dilation[0],
        "steps": text_of(steps.contiguous().numpy().tobytes()),
        "scale": text_of(scale.numpy().tobytes()), "shift": text_of(shift.numpy().tobytes()),
    }  # fmt: skip


def in_steps(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weights in one byte each.

    Args:
        weight: (outputs, inputs, h, w) of a convolution.

    Returns:
        steps: (outputs, inputs, h, w), whole numbers from -127 to 127.
        scale: (outputs,), size of a step; ``steps * scale`` is near ``weight``.
    """
    scale = weight.flatten(1).abs().amax(dim=1).clamp(min=1e-12) / STEPS
    return (weight / scale.view(-1, 1, 1, 1)).round().to(torch.int8), scale


def _regions(example: Example) -> Tensor:
    """(S, S): ``2 c - 1`` on the heads of class c, ``2 c`` on its bodies, 0 elsewhere."""
    inside = (example.labels != IGNORE) & (example.labels > 0) & (example.parts > 0)
    return torch.where(inside, 2 * (example.labels - 1) + example.parts, 0)


def _bytes(values: np.ndarray) -> str:
    return text_of((values * 255).round().astype(np.uint8).tobytes())
