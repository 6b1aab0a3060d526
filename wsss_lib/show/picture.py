"""A figure that notebooks and pages display, on light and on dark, and the colours of classes."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image
from scipy.ndimage import binary_dilation
from skimage.segmentation import find_boundaries
from torch import Tensor

from wsss_lib.core import IGNORE, InputError

# Okabe and Ito (2008) without black, which is lost on dark photographs. Further classes take the
# same hues darker, then lighter: 21 colours, enough for the 20 classes of PASCAL VOC.
_HUES = np.array(
    [
        (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178),
        (213, 94, 0), (204, 121, 167),
    ]
)  # fmt: skip
COLOURS = np.concatenate([_HUES, _HUES * 0.5, 255 - (255 - _HUES) * 0.5]).round() / 255
"""(21, 3) RGB in [0, 1] of the foreground classes: class c has ``COLOURS[(c - 1) % 21]``."""

INK = "#767676"
"""Of letters and lines: it stands out on white (4.5 : 1) and on black (4.6 : 1) alike.

The book's dark page, which is not quite black, shows pictures a tenth brighter.
"""
FONT = 9
PIXELS = 150
"""Of an inch in the file; a page shows an inch as 100 pixels, so that fine screens have more."""
SHARPER = 1.5
"""Pixels of the file for one pixel of the page."""
WIDTH = 7.8
"""Inches across a page."""
_LARGE = 200_000  # bytes; photographs of several panels would make pages slow


class Picture(Figure):
    """A figure that notebooks display and that is stored with one call; its paper is clear."""

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        """What a notebook shows, and how wide."""
        found = self.png()
        with Image.open(io.BytesIO(found)) as picture:
            return found, {"width": round(picture.width / SHARPER)}

    def png(self) -> bytes:
        """The picture as a PNG file, without empty margins; in 256 colours where it is large."""
        if engine := self.get_layout_engine():  # it would move things a little at every drawing
            engine.execute(self)
            self.set_layout_engine("none")
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=PIXELS, bbox_inches="tight", transparent=True)
        if buffer.tell() <= _LARGE:
            return buffer.getvalue()
        small = io.BytesIO()
        with Image.open(buffer) as picture:
            picture.quantize(256, Image.Quantize.FASTOCTREE).save(small, "PNG", optimize=True)
        return small.getvalue()

    def save(self, path: Path | str) -> Path:
        """Write the PNG file and return its path."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.png())
        return path


def overlay(image: Tensor, labels: Tensor, opacity: float = 0.55) -> np.ndarray:
    """Paint labels over an image: colour inside, full colour at borders, white stripes for 255.

    Args:
        image: (3, H, W) RGB in [0, 1].
        labels: (H, W) class indices: 0 is left as it is, 255 is striped.
        opacity: of the colour inside the regions.

    Returns:
        (H, W, 3) RGB in [0, 1].

    Raises:
        InputError: image and labels have other shapes, or different ones.
    """
    picture, index = pixels(image), np.asarray(labels)
    if index.shape != picture.shape[:2]:
        raise InputError(
            f"The labels are {index.shape}, the image {picture.shape[:2]}: resize one of them."
        )
    colour = COLOURS[(index.astype(int) - 1) % len(COLOURS)]
    object_ = (index > 0) & (index != IGNORE)
    width = max(1, round(min(index.shape) / 80))
    border = find_boundaries(index, mode="inner")
    if width > 1:
        border = binary_dilation(border, iterations=width // 2)
    share = np.where(object_, opacity, 0.0)
    share[border & object_] = 1.0
    picture = picture * (1 - share[..., None]) + colour * share[..., None]
    rows, columns = np.indices(index.shape)
    stripes = (rows + columns) // width % 4 == 0
    picture[(index == IGNORE) & stripes] = 1.0
    return picture


def pixels(image: Tensor) -> np.ndarray:
    """(3, H, W) -> (H, W, 3) in [0, 1], a copy."""
    if image.ndim != 3 or len(image) != 3:
        raise InputError(f"An image must be (3, H, W), not {tuple(image.shape)}.")
    return image.detach().float().cpu().clamp(0, 1).permute(1, 2, 0).numpy().copy()


def drawn_on(width: float, height: float) -> tuple[Picture, Axes]:
    """A picture of that many inches with one plot."""
    figure = Picture(figsize=(width, height), layout="constrained")
    axis = figure.subplots()
    make_plain(axis)
    return figure, axis


def make_plain(axis: Axes) -> None:
    """A plot with a light grid and no frame, in the colour of letters."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[:].set_color(INK)
    axis.grid(alpha=0.3, linewidth=0.5, color=INK)
    axis.set_axisbelow(True)
    axis.tick_params(labelsize=FONT, colors=INK)
    axis.xaxis.label.set_color(INK)
    axis.yaxis.label.set_color(INK)


def line_colour(number: int) -> tuple[float, float, float]:
    """Colours that stand out on white and on black: the yellow of the class colours does not."""
    order = (1, 5, 2, 6, 0, 4)
    red, green, blue = COLOURS[order[number % len(order)]]
    return (red, green, blue)


LABEL_COLOURS = {
    "image labels": to_hex(line_colour(0)),
    "boxes": to_hex(line_colour(1)),
    "scribbles": to_hex(line_colour(2)),
    "points": to_hex(line_colour(3)),
    "extreme points": to_hex(line_colour(4)),
    "large models": to_hex(line_colour(5)),
    "masks": INK,
}
"""Of what a system learns from, the same on every page."""
