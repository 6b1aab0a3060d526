"""The toy ImageNet: what the toy backbones have seen before they meet a toy world.

One object a picture, image labels only, everything drawn independently: hue, surface, shape,
pattern of the head cue, ground and sky. The pictures never show an object of a toy world: the
outlines are other ones, and a head cue has random colours and sits on any shape, so that no part
of it stands for a class. What the labels name is what the backbones become able to see.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from tqdm import tqdm

from wsss_lib.data.toy.numbering import Labels
from wsss_lib.data.toy.scene import SIZE, Canvas, Look, body_hue, clutter_look
from wsss_lib.data.toy.shapes import OTHERS, TARGETS
from wsss_lib.data.toy.textures import GROUNDS, HUES, PATTERNS, SKIES, SURFACES

SHAPES = {**OTHERS, **TARGETS}
TASKS: dict[str, tuple[str, ...]] = {
    "hue": tuple(HUES),
    "surface": SURFACES,
    "shape": tuple(SHAPES),
    "pattern": ("none", *PATTERNS),
    "ground": tuple(GROUNDS),
    "sky": ("none", *SKIES),
}
"""Labels of a picture: one choice out of each tuple."""


@dataclass(frozen=True)
class Source:
    """What the pictures of a toy ImageNet show.

    Attributes:
        shapes: outlines that appear.
        cue: probability of a head cue.
        amplitude: lowest and highest contrast of the surfaces.
    """

    shapes: tuple[str, ...] = tuple(OTHERS)
    cue: float = 0.75
    amplitude: tuple[float, float] = (0.10, 0.18)


def draw_example(rng: Generator, source: Source) -> tuple[Labels, list[int], Labels]:
    """One picture (SIZE, SIZE, 3) uint8, its label of each of the ``TASKS``, and its object.

    The object is (SIZE, SIZE) uint8, 1 where more than half of a pixel belongs to it.
    """
    answer = [int(rng.integers(len(names))) for names in TASKS.values()]
    answer[2] = list(SHAPES).index(str(rng.choice(source.shapes)))
    if rng.random() >= source.cue:
        answer[3] = 0
    elif answer[3] == 0:
        answer[3] = 1 + int(rng.integers(len(PATTERNS)))
    hue, surface, shape, cue, ground, sky = (
        names[i] for names, i in zip(TASKS.values(), answer, strict=True)
    )
    canvas = Canvas()
    canvas.backdrop(rng, ground, None if sky == "none" else sky)
    amplitude = rng.uniform(*source.amplitude)
    for _ in range(rng.integers(0, 3)):
        x, y = rng.uniform(2, SIZE - 2, 2)
        canvas.paint(rng, clutter_look(rng, amplitude), x, y, rng.uniform(3.5, 8), 0)
    half = rng.uniform(12, 28)
    x, y = rng.uniform(min(0.6 * half, 16), SIZE - min(0.6 * half, 16), 2)
    colours = rng.uniform(0.05, 1, (2, 3)).astype(np.float32)
    # Two colours that can be told apart, or the pattern would be invisible.
    colours[1] = (colours[1] + (0.0 if abs(colours[0] - colours[1]).sum() > 0.8 else 0.5)) % 1
    look = Look(
        SHAPES[shape], body_hue(rng, hue), surface, None if cue == "none" else cue, colours,
        head_size=rng.uniform(0.9, 1.5), contrast=rng.uniform(0.8, 1.0), amplitude=amplitude,
    )  # fmt: skip
    canvas.paint(rng, look, float(x), float(y), half, 1)
    share = canvas.owner.reshape(SIZE, 2, SIZE, 2).mean(axis=(1, 3))
    return canvas.develop(rng), answer, (share > 0.5).astype(np.uint8)


def toy_imagenet(
    count: int, seed: int = 0, source: Source | None = None, progress: bool = False
) -> tuple[Tensor, Tensor]:
    """Draw a toy ImageNet; the same arguments give the same pictures.

    Args:
        count: number of pictures N.
        seed: not negative. Pictures of different seeds have nothing in common.
        source: what they show.
        progress: show a progress bar.

    Returns:
        images: (N, 3, SIZE, SIZE) uint8.
        labels: (N, len(TASKS)) indices into the tuples of ``TASKS``.
    """
    images, labels, _ = _draw(count, seed, source, progress)
    return images, labels


def toy_objects(count: int, seed: int = 0, progress: bool = False) -> tuple[Tensor, Tensor]:
    """The pictures of a toy ImageNet with the masks of their objects, for salient object networks.

    Args:
        count: number of pictures N.
        seed: not negative, as in ``toy_imagenet``.
        progress: show a progress bar.

    Returns:
        images: (N, 3, SIZE, SIZE) uint8.
        masks: (N, SIZE, SIZE) uint8, 1 on the object, 0 elsewhere.
    """
    images, _, masks = _draw(count, seed, None, progress)
    return images, masks


def _draw(
    count: int, seed: int, source: Source | None, progress: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures, labels and masks."""
    # The fixed first number keeps these pictures apart from those of every world and split.
    numbers = tqdm(range(count), desc="toy ImageNet", unit="image", disable=not progress)
    rows = [
        draw_example(np.random.default_rng([20120, seed, 7, index]), source or Source())
        for index in numbers
    ]
    images = torch.stack([torch.from_numpy(image) for image, _, _ in rows]).permute(0, 3, 1, 2)
    masks = torch.stack([torch.from_numpy(mask) for _, _, mask in rows])
    return images.contiguous(), torch.tensor([answer for _, answer, _ in rows]), masks
