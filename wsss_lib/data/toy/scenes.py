"""Scenes in which grounds and sky are classes too: what the tiny CLIP, SAM and detector learn from.

They are an older draw of the toy world, and another one than any that is measured: nine of ten
boats are on water, starfish are rare, and all chances of a picture come from one source.
"""

from dataclasses import replace
from itertools import repeat

import numpy as np
from numpy.random import Generator

from wsss_lib.data.toy.scene import (
    KINDS,
    SIZE,
    STUFF,
    Canvas,
    Knobs,
    Look,
    Scene,
    body_hue,
    clutter_look,
    finished,
    paint_objects,
)
from wsss_lib.data.toy.shapes import TARGETS
from wsss_lib.data.toy.textures import GROUNDS, HUES, SKIES, SURFACES

USUAL = Knobs(
    typical_hue=0.6, typical_surface=0.5, cooccurrence=(0.9, 0.5),
    weights={"bus": 1.15, "cat": 0.9, "boat": 0.9, "snake": 0.85, "wreath": 0.95, "starfish": 0.33},
)  # fmt: skip


def object_look(rng: Generator, name: str, knobs: Knobs, ground_name: str) -> Look:
    """An object of a class, with the looks that the knobs make likely."""
    kind = KINDS[name]
    typical = rng.random() < knobs.typical_hue
    hue = body_hue(rng, str(rng.choice(kind.hues if typical else list(HUES))))
    if rng.random() < knobs.camouflage:
        base = np.asarray(GROUNDS[ground_name]) + rng.uniform(-0.12, 0.12, 3)
        # Nearly white bodies on nearly white snow would be invisible to anybody.
        hue = base.clip(0, 0.85).astype(np.float32)
    typical = rng.random() < knobs.typical_surface
    texture = kind.surface if typical else str(rng.choice(SURFACES))
    colours = np.asarray(kind.colours) + 0.04 * rng.standard_normal((2, 3))
    contrast = knobs.weak_head.get(name, knobs.head_contrast)
    head_size = knobs.head_size * kind.head
    return Look(
        TARGETS[kind.shape], hue, texture, kind.pattern, colours.clip(0, 1).astype(np.float32),
        None, head_size, contrast, knobs.amplitude,
    )  # fmt: skip


def choose_classes(rng: Generator, knobs: Knobs) -> list[int]:
    """Class indices of the objects of one picture: 0 to 3 of them."""
    if rng.random() < knobs.empty:
        return []
    weight = np.asarray([knobs.weights[name] for name in KINDS])
    chosen = [int(rng.choice(len(weight), p=weight / weight.sum()))]
    for _ in range(int(rng.choice(3, p=(0.5, 0.35, 0.15)))):
        again = rng.random() < 0.25
        chosen.append(chosen[0] if again else int(rng.choice(len(weight), p=weight / weight.sum())))
    return chosen


def choose_ground(rng: Generator, knobs: Knobs, boat: bool, split: str) -> str:
    """A ground; water goes with boats, yet covers a quarter of the pictures all the same."""
    share = 0.24  # of pictures with a boat, given the classes' weights
    with_boat = knobs.cooccurrence[0 if split == "train" else 1]
    without = max(0.0, (0.25 - share * with_boat) / (1 - share))
    if rng.random() < (with_boat if boat else without):
        return "water"
    return str(rng.choice([name for name in GROUNDS if name != "water"]))


def draw_stuff_and_things(rng: Generator, knobs: Knobs, split: str) -> Scene:
    """Draw one picture; only its clutter stays background.

    Args:
        rng: source of all that varies; the same state gives the same picture.
        knobs: what the world is like.
        split: "train" or "val"; boats and water go together less often in val.
    """
    names = list(KINDS)
    classes = choose_classes(rng, knobs)
    ground_name = choose_ground(rng, knobs, names.index("boat") in classes, split)
    canvas = Canvas()
    canvas.backdrop(rng, ground_name, str(rng.choice(list(SKIES))) if rng.random() < 0.7 else None)
    for _ in range(rng.integers(0, knobs.clutter + 1)):
        x, y = rng.uniform(2, SIZE - 2, 2)
        canvas.paint(rng, clutter_look(rng, knobs.amplitude), x, y, rng.uniform(3.5, 8), 0)
    paint_objects(
        canvas, classes, knobs, rng, repeat(rng),
        lambda brush, name: object_look(brush, name, knobs, ground_name),
    )  # fmt: skip
    scene = finished(canvas, classes, canvas.develop(rng), ground_name)
    thing = (scene.label + len(STUFF)).astype(np.uint8)
    label = np.where(scene.label > 0, thing, scene.stuff)
    return replace(scene, label=label, classes=[index + len(STUFF) for index in scene.classes])
