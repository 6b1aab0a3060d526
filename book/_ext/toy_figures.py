"""The toy pipeline, run once for all pages, and the pictures that the pages draw from it.

Every page asks for the stages that it shows; ``wsss_lib.engine.run`` finds what an earlier page has
computed already, because a stage's folder is named after everything that decides its result.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from wsss_lib.blocks.maps.class_maps import to_labels
from wsss_lib.core import Method
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.toy import write_toy
from wsss_lib.data.view import WeakView
from wsss_lib.engine import Stage, run, seed_everything
from wsss_lib.evaluate import choose_threshold
from wsss_lib.methods.image_level.affinity.affinitynet import AffinityNet
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.methods.refine.densecrf import DenseCRF
from wsss_lib.methods.refine.pamr import PAMR
from wsss_lib.show import Picture, show_labels, show_maps

DATA = Path(os.environ.get("WSSS_DATA", "data"))
SHARE = 1 / 3 if os.environ.get("WSSS_MODE", "fast") == "smoke" else 1.0


@cache
def toy(split: str = "train") -> SegmentationFolder:
    """The toy world, drawn where it is missing."""
    return SegmentationFolder(write_toy(DATA / "toy", progress=False), split)


def fresh(kind: Any, seed: int = 0) -> Method:
    """A method of the toy world; in smoke mode it trains a third as long."""
    seed_everything(seed)
    method: Method = kind.toy(len(toy().classes))
    method.recipe = replace(method.recipe, steps=round(SHARE * method.recipe.steps))
    return method


def stages(*kinds: Any) -> list[Stage]:
    """Run methods one after another, each on the scores of the one before.

    They see the weak labels that any of them learns from.
    """
    held_out, _ = toy().held_out()
    wanted = {label: None for kind in kinds for label in kind.card.supervision if label != "masks"}
    return run(
        [fresh(kind) for kind in kinds],
        WeakView(toy(), tuple(wanted)),
        folder=DATA / "runs",
        calibrate=lambda scores: choose_threshold(scores, held_out),
    )


def maps_figure(id: str, *chains: Sequence[Any]) -> Picture:
    """What the last stage of each chain says of an image, side by side."""
    maps = {}
    for chain in chains:
        last = stages(*chain)[-1]
        maps[last.method.card.name] = last.scores[id]
    return show_maps(toy().image(id), maps, toy().classes)


def labels_figure(id: str, *chains: Sequence[Any]) -> Picture:
    """The labels that each chain's threshold cuts from its scores, and the truth."""
    labels = {}
    for chain in chains:
        last = stages(*chain)[-1]
        assert last.threshold is not None
        labels[last.method.card.name] = to_labels(last.scores[id][None], last.threshold)[0]
    return show_labels(toy().image(id), {**labels, "truth": toy().mask(id)}, toy().classes)


__all__ = [
    "CAM", "PAMR", "AffinityNet", "DenseCRF", "labels_figure", "maps_figure", "stages", "toy",
]  # fmt: skip
