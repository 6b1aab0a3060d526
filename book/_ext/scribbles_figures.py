"""Pictures of scribbles and of what a graph cut makes of them; nothing is trained here."""

import torch
from torch import Tensor
from toy_figures import toy

from wsss_lib.blocks.refine.lattice import Lattice, bilateral_features
from wsss_lib.blocks.refine.propagation import spread_scribble
from wsss_lib.data.view import WeakView
from wsss_lib.show import Picture, show_labels, show_maps


def drawn(id: str) -> tuple[Tensor, Tensor]:
    """(3, H, W) image and (H, W) scribble."""
    batch = WeakView(toy(), ("scribble",))[toy().ids.index(id)]
    assert batch.scribble is not None
    return batch.image[0], batch.scribble[0]


def cut_figure(id: str) -> Picture:
    """The strokes, the labels of the first cut, and the truth."""
    image, scribble = drawn(id)
    labels = {
        "scribbles": scribble,
        "first cut": spread_scribble(image, scribble, count=60),
        "truth": toy().mask(id),
    }
    return show_labels(image, labels, toy().classes)


def links_figure(id: str, *pixels: tuple[int, int]) -> Picture:
    """How strongly every pixel is linked to some of them, by place and colour."""
    image, _ = drawn(id)
    kernel = Lattice(bilateral_features(image[None], 10.0, 15.0))
    maps = {}
    for number, (row, column) in enumerate(pixels, 1):
        one = torch.zeros(1, 1, *image.shape[1:])
        one[..., row, column] = 1
        found = kernel.filter(one)[0, 0]
        maps[f"links of pixel {number}"] = found / found.max()
    return show_maps(image, maps)
