"""Pictures of photographs that every installation has, in all ways that need no training set."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from textwrap import fill

import numpy as np
import torch
import torch.nn.functional as F
from IPython.display import Markdown
from measured import results_folder, table
from skimage.color import rgb2gray
from skimage.feature import SIFT, canny, hog, local_binary_pattern
from skimage.filters import sobel
from stored_figures import DATA
from torch import Tensor

from experiments.one_photograph import LIVE, LONGEST, seen
from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.core import IGNORE
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.photographs import drawn, write_photographs
from wsss_lib.results import read_result
from wsss_lib.show import Panel, Picture, show_grid, show_panels
from wsss_lib.show.live import (
    LiveFigure,
    Mapped,
    Scribbled,
    live_pamr,
    live_scribble,
    live_threshold,
)

WAYS = {
    "cam_32": "CAM, stride 32",
    "cam": "CAM",
    "cam_8": "CAM, stride 8",
    "grad_cam_pp": "Grad-CAM++",
    "layer_cam": "Layer-CAM",
    "score_cam": "Score-CAM",
    "erased": "erased twice",
    "advcam": "AdvCAM",
    "cam_superpixels": "CAM, superpixels",
    "cam_walker": "CAM, walker",
    "cam_grabcut": "CAM, GrabCut",
    "cam_pamr": "CAM, PAMR",
    "cam_densecrf": "CAM, dense CRF",
    "otsu": "click, Otsu",
    "k_means": "click, k-means",
    "region_growing": "click, growing",
    "bbox_rect": "box, filled",
    "grabcut": "box, GrabCut",
    "extreme_clicking": "extreme clicks",
    "watershed": "strokes, watershed",
    "scribblesup": "strokes, graph cut",
    "walker_strokes": "strokes, walker",
}
"""Results by way, and what they are called."""
FIRST = ("cam", "cam_densecrf", "scribblesup", "grabcut")
"""Ways for whoever sees the book for the first time."""
SMALL, SHOWN = 7000, 4
"""Pixels of photographs to draw on, few enough for a walker; each is shown 4 x 4 times as large."""


@cache
def photographs() -> SegmentationFolder:
    """The photographs with their labels; they are written where they are missing."""
    return SegmentationFolder(write_photographs(DATA / "photographs"), None)


@cache
def measured() -> dict[str, dict]:
    """What was found, by way."""
    ways = read_result(results_folder() / "photographs.json")["ways"]
    return {one["way"]: one for one in ways}


@cache
def photograph(id: str) -> Tensor:
    """(3, H, W), as the ways saw it."""
    return seen(photographs(), id, LONGEST)[0]


def found(way: str, id: str) -> Panel:
    """The photograph with a line around what a way calls the object, and the IoU."""
    image = photograph(id)
    with np.load(results_folder() / "maps" / "photographs.npz") as masks:
        region = np.unpackbits(masks[f"{way}/{id}"], axis=1)[:, : image.shape[2]]
    note = f"IoU {measured()[way]['iou'][id]:.2f}"
    return Panel(image, region=torch.from_numpy(region).bool(), note=note, title=WAYS[way])


def truth(id: str) -> Panel:
    """The photograph with a line around the object as it was drawn by hand."""
    data, image = photographs(), photograph(id)
    label = int(data.tags(id).argmax()) + 1
    mask = (data.mask(id) == label)[None, None].float()
    small = F.interpolate(mask, image.shape[1:], mode="area")[0, 0]
    return Panel(image, region=small > 0.5, title="drawn by hand")


def first_figure() -> Picture:
    """All photographs in rows, those first that CAM finds best; a few ways in columns."""
    cam = measured()["cam"]["iou"]
    return side_by_side(FIRST, sorted(cam, key=lambda id: -cam[id]))


def side_by_side(ways: Sequence[str], ids: Sequence[str]) -> Picture:
    """Photographs in rows, ways in columns, the outline drawn by hand last."""
    rows = {}
    for id in ids:
        name = photographs().classes[int(photographs().tags(id).argmax())]
        panels = [*(found(way, id) for way in ways), truth(id)]
        rows[name] = [replace(panel, title="") for panel in panels]
    return show_grid(rows, [*(fill(WAYS[way], 12) for way in ways), "drawn by hand"])


def ways_figure(id: str) -> Picture:
    """One photograph in all ways."""
    return show_panels([*(found(way, id) for way in WAYS), truth(id)])


def drag_figure(id: str) -> LiveFigure:
    """CAM's score of a photograph, with a threshold to drag; it begins where the table cuts."""
    one = mapped(id)
    return live_threshold(one.image, one.score, one.truth, one.name, one.threshold)


def steps_figure(ids: Sequence[str]) -> LiveFigure:
    """CAM's scores of photographs, with steps of PAMR to drag; cut where the table cuts CAM's."""
    return live_pamr([mapped(id) for id in ids])


def mapped(id: str) -> Mapped:
    """A photograph with CAM's score and the mask that was drawn by hand, at the stored size."""
    data = photographs()
    with np.load(results_folder() / "maps" / "photographs.npz") as stored:
        score = torch.from_numpy(stored[f"score/{id}"]) / 255
    label = int(data.tags(id).argmax()) + 1
    rows, columns = (
        torch.linspace(0.5, side - 0.5, small).long()
        for side, small in zip(data.mask(id).shape, score.shape, strict=True)
    )
    mask = data.mask(id)[rows][:, columns]
    truth = torch.where(mask == IGNORE, mask, (mask == label).long())
    threshold = measured()["cam"]["threshold"][id]
    return Mapped(data.classes[label - 1], seen(data, id, LIVE)[0], score, truth, threshold)


def scribble_figure(ids: Sequence[str]) -> LiveFigure:
    """Photographs to draw on, with the strokes that were drawn for this book."""
    return live_scribble([scribbled(id) for id in ids])


def scribbled(id: str) -> Scribbled:
    """A photograph small enough for a random walker to answer while somebody draws."""
    data, about = photographs(), drawn()[id]
    image, mask = data.image(id), data.mask(id)
    share = (SMALL / mask.numel()) ** 0.5
    height, width = (round(share * side) for side in mask.shape)
    label = int(data.tags(id).argmax()) + 1
    of_object, of_void = (
        F.interpolate((mask == value)[None, None].float(), (height, width), mode="area")[0, 0] > 0.5
        for value in (label, IGNORE)
    )
    truth = torch.where(of_void, IGNORE, of_object.long())
    strokes = [
        (value, [(share * x, share * y) for x, y in stroke])
        for value, kind in ((0, "ground"), (1, "strokes"))
        for stroke in about[kind]
    ]
    shown = resize(image[None], (SHOWN * height, SHOWN * width))[0]
    return Scribbled(data.classes[label - 1], shown, truth, strokes)


def ways_table() -> Markdown:
    """Every way with its IoU on each photograph, their mean, and seconds for all of them."""
    data = photographs()
    ids = data.ids
    names = [data.classes[int(data.tags(id).argmax())] for id in ids]
    lines = []
    for way, name in WAYS.items():
        one = measured()[way]
        iou = [one["iou"][id] for id in ids]
        figures = [f"{value:.2f}" for value in (*iou, float(np.mean(iou)))]
        lines.append([one["label"], name, *figures, f"{one['seconds']:.1f}"])
    return table(["told", "way", *names, "mean", "seconds"], lines)


CLASSICAL = (
    "otsu", "k_means", "region_growing", "watershed", "scribblesup", "grabcut",
)  # fmt: skip


def classical_figure() -> Picture:
    """All photographs in rows, ways without learning in columns."""
    return side_by_side(CLASSICAL, photographs().ids)


def features_figure(id: str) -> Picture:
    """Edges and features that were made by hand: gradient, Canny, LBP, HOG and SIFT."""
    image = photograph(id)
    grey = rgb2gray(image.permute(1, 2, 0).numpy())
    codes = local_binary_pattern((grey * 255).astype(np.uint8), 8, 1, "uniform")
    _, drawn = hog(grey, pixels_per_cell=(12, 12), cells_per_block=(1, 1), visualize=True)
    found = {
        "gradient": sobel(grey),
        "Canny's edges": canny(grey, sigma=2).astype(float),
        "LBP codes": codes,
        "HOG": drawn,
    }
    panels = [Panel(image, title="photograph")]
    for title, values in found.items():
        bright = torch.from_numpy(np.clip(values / np.quantile(values, 0.99), 0, 1)).float()
        panels.append(Panel(bright.expand(3, -1, -1), title=title))
    sift = SIFT()
    sift.detect(grey)
    figure = show_panels([*panels, Panel(image, title="SIFT")], columns=3)
    rows, columns = sift.keypoints[::4].T  # all of them would hide the photograph
    figure.axes[5].scatter(
        columns, rows, s=4 * sift.sigmas[::4] ** 2, facecolors="none", edgecolors="white",
        linewidths=1,
    )  # fmt: skip
    return figure
