"""Pictures of what learned relations between pixels say."""

from typing import Any

import torch
from measured import called, results_folder
from stored_figures import world

from wsss_lib.blocks.affinity.pairs import half_disc
from wsss_lib.blocks.affinity.paths import path_affinity
from wsss_lib.methods.refine.pamr import PAMR
from wsss_lib.results import read_arrays
from wsss_lib.show import Panel, Picture, show_panels
from wsss_lib.show.live import Asked, LiveFigure, Walk, live_affinity


def links(row: int, column: int) -> Picture:
    """A drawn boundary with a gap, and the affinities of one pixel to its neighbours."""
    boundary = torch.zeros(1, 1, 15, 15)
    boundary[..., 8] = 1.0
    boundary[..., 3:6, 8] = 0.0
    offsets = half_disc(7)
    planes = path_affinity(boundary, offsets)[0]
    near = torch.zeros(15, 15)
    near[row, column] = 1.0
    for k, (dy, dx) in enumerate(offsets):
        for sign in (1, -1):
            y, x = row + sign * dy, column + sign * dx
            if 0 <= y < 15 and 0 <= x < 15:
                near[y, x] = planes[k, row, column] if sign == 1 else planes[k, y, x]
    here = torch.zeros(120, 120)
    here[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 1.0
    paper = torch.full((3, 120, 120), 0.5)
    shown = {"boundary": boundary[0, 0], "affinity": near}
    return show_panels(
        [
            Panel(
                paper, m.repeat_interleave(8, 0).repeat_interleave(8, 1), region=here, title=title
            )
            for title, m in shown.items()
        ]
    )


ASKS = {
    "affinitynet": "features", "irnet": "boundaries", "pamr": "colour", "mctformer": "attention",
    "seam": "likeness", "benet": "boundaries", "sance": "contours", "clip_es": "attention",
    "afa": "learned attention",
}  # fmt: skip
"""What each system of the figure goes by, in the order of the panels."""
FIRST = 4
"""So many are shown before a reader chooses."""


def walks_of(about: dict[str, Any]) -> list[Walk]:
    """The walks of the systems whose affinities are stored, and PAMR's, in the panels' order."""
    pamr = PAMR.toy(0)
    distances = [(0, distance) for distance in pamr.dilations]
    colours = {"kind": "colours", "steps": pamr.iterations, "beta": pamr.sharpness}
    kept = {**about["walks"], "pamr": {**colours, "offsets": distances}}

    def walk(id: str, asks: str) -> Walk:
        how = kept[id]
        offsets = tuple((dy, dx) for dy, dx in how.get("offsets", ()))
        return Walk(called(id), asks, how["steps"], how["kind"], offsets, how.get("beta", 1.0))

    return [walk(id, asks) for id, asks in ASKS.items()]


def rows_figure() -> LiveFigure:
    """A pixel to point at, and what each affinity makes its score the mean of."""
    arrays, about = read_arrays(results_folder() / "maps" / "affinity_rows.npz")
    data, walks = world(about["data"]), walks_of(about)
    pictures = []
    for place, id in about["pictures"].items():
        said = {
            called(name): torch.from_numpy(arrays[f"{id}/{name}"]).float() / 255
            for name in about["walks"]
        }
        pictures.append(Asked(f"{place} gain", data.image(id), data.mask(id), said))
    return live_affinity(pictures, walks[:FIRST], data.classes, walks[FIRST:])
