"""Pictures of refiners at work on a photograph."""

from functools import cache

import torch
from skimage.data import chelsea
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import foreground_scores, resize, with_background
from wsss_lib.blocks.refine import grabcut as gc
from wsss_lib.blocks.refine.dense_crf import CRF, dense_crf
from wsss_lib.blocks.refine.lattice import Lattice, bilateral_features, spatial_features
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.blocks.refine.random_walker import colour_edges, random_walker
from wsss_lib.blocks.regions.superpixels import region_means, slic
from wsss_lib.core import IGNORE
from wsss_lib.show import Panel, Picture, show_maps, show_panels

SIZE = (150, 225)


@cache
def photo() -> Tensor:
    """A cat, (1, 3, H, W) in [0, 1]."""
    return resize(torch.from_numpy(chelsea()).permute(2, 0, 1)[None] / 255, SIZE)


@cache
def blob() -> Tensor:
    """A class map drawn by hand: 1 between the cat's eyes, falling to 0; (1, 1, H, W)."""
    rows, columns = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    far = ((rows - 62) / 75) ** 2 + ((columns - 105) / 80) ** 2
    return (1 - far).clamp(min=0)[None, None]


def questions(row: int, column: int) -> Picture:
    """How much every pixel counts for one of them, by place, and by place and colour."""
    one = torch.zeros(1, 1, *SIZE)
    one[..., row, column] = 1
    kernels = {
        "smoothness": spatial_features(photo(), 6),
        "appearance": bilateral_features(photo(), 40, 20),
    }
    found = {name: Lattice(features).filter(one)[0, 0] for name, features in kernels.items()}
    figure = show_maps(photo()[0], {name: m / m.max() for name, m in found.items()}, columns=3)
    figure.axes[0].plot(column, row, "o", ms=6, color="white", mec="black", mew=1.5)
    return figure


def crf(background: float = 1.0) -> Tensor:
    """The blob after the dense CRF, (H, W)."""
    start = with_background(blob(), power=background)
    return foreground_scores(dense_crf(photo(), start, CRF(sxy=40, srgb=8)))[0, 0]


def walker() -> Tensor:
    """The blob's peak and its zeros as seeds of a random walker, (H, W)."""
    seeds = torch.full((1, *SIZE), IGNORE)
    seeds[blob()[0] < 0.05] = 0
    seeds[blob()[0] > 0.75] = 1
    return random_walker(colour_edges(photo()), seeds, 2)[0, 1]


def grabcut() -> Tensor:
    """GrabCut with a trimap from the blob, (H, W) of 0 and 1."""
    trimap = torch.where(blob()[0, 0] > 0.4, gc.PROBABLY_FOREGROUND, gc.PROBABLY_BACKGROUND)
    trimap[blob()[0, 0] < 0.05] = gc.BACKGROUND
    trimap[blob()[0, 0] > 0.75] = gc.FOREGROUND
    return gc.grabcut(photo()[0], trimap)[0].float()


def superpixels() -> Tensor:
    """The mean of the blob over each superpixel, (H, W)."""
    regions = slic(photo()[0], count=150)
    return region_means(blob()[0], regions)[:, 0][regions]


def all_refiners() -> Picture:
    """The blob and what each refiner makes of it."""
    maps = {
        "class map": blob()[0, 0],
        "superpixels": superpixels(),
        "PAMR": pamr(photo(), blob())[0, 0],
        "random walker": walker(),
        "GrabCut": grabcut(),
        "dense CRF": crf(),
    }
    return show_panels([Panel(photo()[0], m, title=title) for title, m in maps.items()], columns=3)
