"""Pictures for notebooks, reports and the book.

Every function that draws returns a ``Picture``: a Matplotlib figure that a notebook shows by
itself. Nothing goes through ``pyplot``, so no global state is changed and no figure stays open.
Colours are chosen for colour-blind readers, and no picture tells things apart by colour alone.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image
from scipy.ndimage import binary_dilation
from skimage.segmentation import find_boundaries
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.core import IGNORE, InputError
from wsss_lib.data.folder import SegmentationFolder

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

MAP_COLOURS = "viridis"
_MARKERS = "osD^vPX*<>"
_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
_FONT = 9
_DPI = 110
_LARGE = 200_000  # bytes; photographs of several panels would make pages slow


class Picture(Figure):
    """A figure that notebooks display and that is stored with one call."""

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return self.png()

    def png(self) -> bytes:
        """The picture as a PNG file, without empty margins; in 256 colours where it is large."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=_DPI, bbox_inches="tight", facecolor="white")
        if buffer.tell() <= _LARGE:
            return buffer.getvalue()
        small = io.BytesIO()
        with Image.open(buffer) as file:
            picture = file.convert("RGB")
            # Maximum coverage keeps the rare colours of the legend; dithering keeps skies smooth.
            colours = picture.quantize(256, Image.Quantize.MAXCOVERAGE)
            picture.quantize(palette=colours).save(small, format="PNG", optimize=True)
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
    picture, index = _pixels(image), np.asarray(labels)
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


def show_maps(
    image: Tensor,
    maps: Mapping[str, Tensor],
    classes: Sequence[str] = (),
    columns: int = 5,
    limits: tuple[float, float] | None = (0.0, 1.0),
) -> Picture:
    """Heat maps over a grey image, all on one colour scale.

    Args:
        image: (3, H, W) RGB in [0, 1].
        maps: by title, (h, w), or (C, h, w) of which every map that is not empty gets a panel.
        classes: names of the C classes, put behind the title of (C, h, w) maps.
        columns: panels side by side, the image included.
        limits: ends of the colour scale; None takes the smallest and the largest value shown.
    """
    panels: dict[str, np.ndarray] = {}
    size = (image.shape[-2], image.shape[-1])
    for title, value in maps.items():
        stack = torch.as_tensor(value).detach().float().cpu()
        single = stack.ndim == 2
        stack = resize(stack[None, None] if single else stack[None], size)[0]
        for c, one in enumerate(stack):
            if single:
                panels[title] = one.numpy()
            elif one.any():
                name = classes[c] if c < len(classes) else f"class {c + 1}"
                panels[f"{title}: {name}"] = one.numpy()
    if limits is None and panels:
        values = np.stack(list(panels.values()))
        limits = (float(values.min()), float(values.max()))
    scale = Normalize(*(limits or (0.0, 1.0)))
    figure, axes = _grid(1 + len(panels), columns, size)
    _draw(axes[0], _pixels(image), "image")
    grey = _pixels(image).mean(axis=2)
    for axis, (title, one) in zip(axes[1:], panels.items(), strict=True):
        axis.imshow(grey, cmap="gray", vmin=0, vmax=1)
        _draw(axis, one, title, cmap=MAP_COLOURS, norm=scale, alpha=0.7)
    bar = figure.colorbar(
        ScalarMappable(scale, MAP_COLOURS), ax=axes, fraction=0.025, pad=0.02, aspect=25
    )
    bar.set_label("score", fontsize=_FONT)
    bar.ax.tick_params(labelsize=_FONT - 1)
    return figure


def show_labels(
    image: Tensor, labels: Mapping[str, Tensor], classes: Sequence[str], columns: int = 5
) -> Picture:
    """Label images over an image, with a legend of the classes that occur.

    Args:
        image: (3, H, W) RGB in [0, 1].
        labels: by title, (H, W) class indices, 255 = void.
        classes: names of the C foreground classes.
        columns: panels side by side, the image included.
    """
    figure, axes = _grid(1 + len(labels), columns, (image.shape[-2], image.shape[-1]))
    _draw(axes[0], _pixels(image), "image")
    for axis, (title, index) in zip(axes[1:], labels.items(), strict=True):
        _draw(axis, overlay(image, index), title)
    _class_legend(figure, list(labels.values()), classes)
    return figure


def contact_sheet(
    dataset: SegmentationFolder,
    ids: Sequence[str] | None = None,
    count: int = 6,
    columns: int = 6,
) -> Picture:
    """Images of a data set beside their masks; without masks, the images and their tags.

    Args:
        dataset: what to show.
        ids: which images; None takes ``count`` of them, evenly spaced.
        count: how many images where ``ids`` is None.
        columns: panels side by side.
    """
    if ids is None:
        places = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int)
        ids = [dataset.ids[place] for place in places]
    masks = {id: dataset.mask(id) for id in ids} if dataset.has_masks() else {}
    each = 2 if masks else 1
    first = dataset.image(ids[0]).shape
    columns = max(each, columns - columns % each)
    figure, axes = _grid(each * len(ids), columns, (first[-2], first[-1]))
    for place, id in enumerate(ids):
        image = dataset.image(id)
        names = [dataset.classes[c] for c in dataset.tags(id).nonzero().flatten().tolist()]
        _draw(axes[each * place], _pixels(image), id if masks else f"{id}\n{', '.join(names)}")
        if masks:
            _draw(axes[each * place + 1], overlay(image, masks[id]), ", ".join(names) or "–")
    _class_legend(figure, list(masks.values()), dataset.classes)
    return figure


def plot_curves(
    curves: Mapping[str, Any],
    chosen: Mapping[str, float] | None = None,
    ylabel: str = "mean IoU",
) -> Picture:
    """Mean IoU against the background threshold, one line per name.

    Args:
        curves: by name, (T,) values at T thresholds that are evenly spaced over [0, 1].
        chosen: by name, the threshold that was chosen; a black ring marks it.
        ylabel: what the curves measure.
    """
    figure, axis = _plot(6.0, 3.4)
    for number, (name, curve) in enumerate(curves.items()):
        y = np.asarray(curve, dtype=float)
        x = np.linspace(0, 1, len(y))
        spacing = max(1, len(y) // 10)
        axis.plot(
            x, y, label=name, color=_line_colour(number), linestyle=_LINES[number % len(_LINES)],
            marker=_MARKERS[number % len(_MARKERS)], markersize=5, linewidth=1.6,
            # Markers of different curves stand at different places, so that none is covered.
            markevery=(number * spacing // max(1, len(curves)), spacing),
        )  # fmt: skip
        if chosen and name in chosen:
            at = chosen[name]
            axis.plot(
                at, np.interp(at, x, y), "o", markersize=12, markerfacecolor="none",
                markeredgecolor="black", markeredgewidth=1.5,
            )  # fmt: skip
    axis.set_xlim(0, 1)
    axis.set_xlabel(
        "background threshold" + (" (ring: the chosen one)" if chosen else ""), fontsize=_FONT
    )
    axis.set_ylabel(ylabel, fontsize=_FONT)
    axis.legend(
        fontsize=_FONT, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5),
        handlelength=3.5,
    )  # fmt: skip
    return figure


def bar_with_spread(
    summary: Mapping[str, Mapping[str, float]],
    label: str = "mean IoU",
    lines: Mapping[str, float] | None = None,
) -> Picture:
    """Means with their standard deviations as horizontal bars, each with its figure.

    Args:
        summary: by name, a mean, a standard deviation and a count: ``{"mean", "sd", "n"}``.
        label: what is measured.
        lines: by name, values marked by a dashed line through all bars, such as a ceiling.
    """
    figure, axis = _plot(6.0, 0.7 + 0.38 * len(summary))
    names = list(summary)
    means = np.array([summary[name]["mean"] for name in names])
    spreads = np.array([summary[name].get("sd", 0.0) for name in names])
    places = list(range(len(names)))
    axis.barh(places, means, 0.6, color=COLOURS[1], edgecolor="black", linewidth=0.6)
    axis.errorbar(means, places, xerr=spreads, fmt="none", ecolor="black", capsize=3, linewidth=1.2)
    top = max((means + spreads).max(initial=0.0), *(lines or {"": 0.0}).values())
    for place, name in zip(places, names, strict=True):
        one = summary[name]
        spread = f" ± {one['sd']:.3f}" if one.get("n", 1) > 1 else ""
        end = one["mean"] + (one["sd"] if spread else 0.0)
        axis.text(
            end + 0.015 * top, place, f"{one['mean']:.3f}{spread}", va="center", fontsize=_FONT,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    for name, value in (lines or {}).items():
        axis.axvline(value, color="black", linestyle="--", linewidth=1)
        axis.text(value, -0.65, name, ha="center", va="bottom", fontsize=_FONT)
    axis.set_yticks(places, names, fontsize=_FONT)
    axis.set_ylim(len(names) - 0.5, -0.6)
    axis.set_xlim(0, top * 1.25)
    counts = sorted({int(one.get("n", 1)) for one in summary.values()})
    runs = " and ".join(str(n) for n in counts)
    axis.set_xlabel(f"{label} (mean ± sd of {runs} runs)" if counts != [1] else label,
                    fontsize=_FONT)  # fmt: skip
    return figure


def _pixels(image: Tensor) -> np.ndarray:
    """(3, H, W) -> (H, W, 3) in [0, 1], a copy."""
    if image.ndim != 3 or len(image) != 3:
        raise InputError(f"An image must be (3, H, W), not {tuple(image.shape)}.")
    return image.detach().float().cpu().clamp(0, 1).permute(1, 2, 0).numpy().copy()


def _grid(count: int, columns: int, size: tuple[int, int]) -> tuple[Picture, list[Axes]]:
    """A figure with ``count`` panels for images of (H, W) pixels."""
    columns = min(columns, count)
    rows = -(-count // columns)
    width = min(2.0, 10.0 / columns)
    height = width * min(max(size[0] / size[1], 0.4), 2.0)
    figure = Picture(figsize=(columns * width, rows * (height + 0.3)), layout="constrained")
    axes = list(np.asarray(figure.subplots(rows, columns, squeeze=False)).flat)
    for axis in axes:
        axis.set_axis_off()
    return figure, axes[:count]


def _draw(axis: Axes, picture: np.ndarray, title: str, **how: Any) -> None:
    axis.imshow(picture, interpolation="nearest", **how)
    axis.set_title(title, fontsize=_FONT, pad=3)


def _class_legend(figure: Picture, labels: Sequence[Tensor], classes: Sequence[str]) -> None:
    seen = sorted({int(value) for one in labels for value in np.unique(np.asarray(one))} - {0})
    if not seen:
        return
    handles = []
    for c in seen:
        if c == IGNORE:
            handles.append(
                Patch(facecolor="0.6", edgecolor="white", hatch="////", label="void (255)")
            )
        else:
            name = classes[c - 1] if c <= len(classes) else f"class {c}"
            colour = COLOURS[(c - 1) % len(COLOURS)]
            handles.append(Patch(facecolor=tuple(colour), edgecolor="black", label=name))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(len(handles), 7), fontsize=_FONT,
        frameon=False, handlelength=1.2, columnspacing=1.2,
    )  # fmt: skip


def _plot(width: float, height: float) -> tuple[Picture, Axes]:
    figure = Picture(figsize=(width, height), layout="constrained")
    axis = figure.subplots()
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(alpha=0.3, linewidth=0.5)
    axis.set_axisbelow(True)
    axis.tick_params(labelsize=_FONT - 1)
    return figure, axis


def _line_colour(number: int) -> tuple[float, float, float]:
    """Colours that stand out on white: the yellow of the class colours does not."""
    order = (4, 5, 2, 6, 1, 0, 7, 9, 12)
    red, green, blue = COLOURS[order[number % len(order)]]
    return (red, green, blue)
