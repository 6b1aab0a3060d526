"""The worlds that can be written: their classes, how a picture is drawn, and its sentence."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from numpy.random import Generator

from wsss_lib.core import InputError
from wsss_lib.data.toy.organs import ORGANS, Anatomy, draw_slice
from wsss_lib.data.toy.scene import KINDS, STUFF, Knobs, Scene, draw_scene
from wsss_lib.data.toy.scenes import USUAL, draw_stuff_and_things

VERSION = "2.0"
"""Changes whenever a picture, a label or a pretrained weight does."""


@dataclass(frozen=True)
class Variant:
    """A world.

    Attributes:
        classes: foreground classes; the label of a class is 1 + its index.
        draw: (rng, knobs, split) -> a picture with its labels.
        place: name of the ground of a picture -> the end of its sentence.
        knobs: what it is like; a dataclass whose fields can be turned.
    """

    classes: tuple[str, ...]
    draw: Callable[[Generator, Any, str], Scene]
    place: Callable[[Scene], str]
    knobs: Knobs | Anatomy

    def turned(self, knobs: Mapping[str, Any]) -> Knobs | Anatomy:
        """The knobs of the world with some of them turned.

        Raises:
            InputError: there is no such knob.
        """
        known = tuple(knob.name for knob in fields(self.knobs))
        if unknown := sorted(set(knobs) - set(known)):
            raise InputError(f"this toy world has no knobs {unknown}; it has {', '.join(known)}.")
        return replace(self.knobs, **knobs)

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


VARIANTS: dict[str, Variant] = {
    "standard": Variant(tuple(KINDS), draw_scene, _on_ground, Knobs()),
    # Nearly all boats on water, and a bow that is hard to see: water is the easier cue.
    "cooccurrence": Variant(
        tuple(KINDS),
        draw_scene,
        _on_ground,
        Knobs(cooccurrence=(0.97, 0.5), weak_head={"boat": 0.4}),
    ),
    "organs": Variant(
        tuple(ORGANS),
        draw_slice,
        lambda scene: f"in a slice of the {scene.ground}",
        Anatomy(),
    ),
    "scenes": Variant((*STUFF, *KINDS), draw_stuff_and_things, _under_sky, USUAL),
}
