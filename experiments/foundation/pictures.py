"""Pictures for the tiny foundation models.

**Hidden supervision.** All of them come from a toy world of their own, ``WORLD``, that no system is
trained or measured on; its objects are of the same kinds. CLIP reads their captions, SAM sees the
outline of every object, piece of clutter, ground and sky, but never what any of them is. Boats lie
on water half of the time, as in the validation pictures of the measured worlds.
"""

from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from wsss_lib.data.atomic import written_whole
from wsss_lib.data.toy import KINDS, VARIANTS, VERSION, Scene, toy_scene
from wsss_lib.nets.large.vocabulary import toy_tokens

WORLD = 1000
"""Seed of the world of the pictures; the measured worlds count from 0."""
PICTURES = 12288
CLUTTER, STUFF = 100, 200
"""First number of the pieces of clutter and of the kinds of stuff in a map of regions."""


def regions(scene: Scene) -> np.ndarray:
    """(H, W) uint8 that parts a picture: objects from 1, clutter from 100, stuff from 200."""
    clutter = ((scene.stuff == 0) & (scene.instance == 0)).astype(np.uint8)
    _, pieces = cv2.connectedComponents(clutter, connectivity=4)
    found = np.where(scene.instance > 0, scene.instance, STUFF + scene.stuff.astype(int))
    return np.where(pieces > 0, CLUTTER - 1 + pieces, found).astype(np.uint8)


def drawn(world: int, variant: str, split: str, count: int, show: bool = False) -> list[Scene]:
    """The first pictures of a split of a world."""
    numbers = tqdm(range(count), desc="pictures", unit="image", disable=not show)
    return [toy_scene(world, variant, split, index) for index in numbers]


def stacked(scenes: list[Scene]) -> Tensor:
    """(N, 3, H, W) uint8."""
    return torch.from_numpy(np.stack([scene.image for scene in scenes])).permute(0, 3, 1, 2)


def kinds(scene: Scene) -> list[int]:
    """Index in ``KINDS`` of object 1, 2 and 3 of a picture of "scenes", -1 where there is none."""
    found = [list(KINDS).index(name) for name in VARIANTS["scenes"].things(scene)]
    return found + [-1] * (3 - len(found))


def pool(folder: Path, count: int) -> dict[str, Tensor]:
    """The pictures to learn from, drawn once and kept in ``folder``.

    Returns:
        ``image`` (N, 3, H, W) uint8, ``region`` (N, H, W) uint8, ``caption`` (N, L) token numbers,
        ``kind`` (N, 3) class index of object 1, 2 and 3, -1 where there is none.
    """
    path = folder / f"pictures-{VERSION}-{WORLD}-{count}.safetensors"
    if not path.is_file():
        scenes = drawn(WORLD, "scenes", "val", count, show=True)
        captions = [VARIANTS["scenes"].caption(scene) for scene in scenes]
        found = {
            "image": stacked(scenes).contiguous(),
            "region": torch.from_numpy(np.stack([regions(scene) for scene in scenes])),
            "caption": toy_tokens(captions),
            "kind": torch.tensor([kinds(scene) for scene in scenes]),
        }
        with written_whole(path) as partial:
            save_file(found, partial)
    return load_file(path)
