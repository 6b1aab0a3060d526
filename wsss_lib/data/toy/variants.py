"""The worlds that can be written: their classes, how a picture is drawn, and its sentence."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from wsss_lib.data.toy.organs import ORGANS, draw_slice
from wsss_lib.data.toy.scene import KINDS, STUFF, Knobs, Scene, draw_scene

VERSION = "1.0"
"""Changes whenever a picture, a label or a pretrained weight does."""


@dataclass(frozen=True)
class Variant:
    """A world.

    Attributes:
        classes: foreground classes; the label of a class is 1 + its index.
        draw: (rng, split) -> a picture with its labels.
        place: name of the ground of a picture -> the end of its sentence.
    """

    classes: tuple[str, ...]
    draw: Callable[[Generator, str], Scene]
    place: Callable[[Scene], str]

    def caption(self, scene: Scene) -> str:
        """One sentence that names the classes of the things, once each, and the place."""
        things = [f"a {name}" for name in dict.fromkeys(self.things(scene))]
        listed = " and ".join([", ".join(things[:-1]), things[-1]] if things[1:] else things)
        return f"{listed or 'nothing'} {self.place(scene)}"

    def things(self, scene: Scene) -> list[str]:
        """Class names of the objects of a picture, in order of instance."""
        return [self.classes[index] for index in scene.classes]


def _on_ground(scene: Scene) -> str:
    return f"on the {scene.ground}"


def _under_sky(scene: Scene) -> str:
    sky = bool((scene.stuff == 1 + STUFF.index("sky")).any())
    return _on_ground(scene) + (" under the sky" if sky else "")


def _objects(knobs: Knobs) -> Callable[[Generator, str], Scene]:
    return lambda rng, split: draw_scene(rng, knobs, split)


def _draw_stuff_and_things(rng: Generator, split: str) -> Scene:
    """Grounds and sky become classes of their own; only clutter stays background."""
    scene = draw_scene(rng, Knobs(), split)
    thing = (scene.label + len(STUFF)).astype(np.uint8)
    label = np.where(scene.label > 0, thing, scene.stuff)
    return replace(scene, label=label, classes=[index + len(STUFF) for index in scene.classes])


VARIANTS: dict[str, Variant] = {
    "objects": Variant(tuple(KINDS), _objects(Knobs()), _on_ground),
    # Nearly all boats on water, and a bow that is hard to see: water is the easier cue.
    "cooccurrence": Variant(
        tuple(KINDS),
        _objects(Knobs(cooccurrence=(0.97, 0.5), weak_head={"boat": 0.4})),
        _on_ground,
    ),
    "organs": Variant(tuple(ORGANS), draw_slice, lambda scene: f"in a slice of the {scene.ground}"),
    "scenes": Variant((*STUFF, *KINDS), _draw_stuff_and_things, _under_sky),
}
