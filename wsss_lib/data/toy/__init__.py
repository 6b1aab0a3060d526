"""The toy world: small drawn pictures that show the failures of weak supervision in seconds."""

from wsss_lib.data.toy.scene import KINDS, STUFF, Knobs, Scene, draw_scene
from wsss_lib.data.toy.variants import VARIANTS, VERSION, Variant
from wsss_lib.data.toy.write import toy_scene, write_toy

__all__ = [
    "KINDS",
    "STUFF",
    "VARIANTS",
    "VERSION",
    "Knobs",
    "Scene",
    "Variant",
    "draw_scene",
    "toy_scene",
    "write_toy",
]
