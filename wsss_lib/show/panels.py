"""Panels: what systems say of images, over images that stay visible.

A score is a tint that fades to nothing where the score is 0, with a line where a threshold cuts it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill, shorten

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.patheffects import AbstractPathEffect, withStroke
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.core import IGNORE
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.evaluate import confusion_of, ious
from wsss_lib.show.picture import COLOURS, FONT, INK, WIDTH, Picture, overlay, pixels

TINT = "plasma"
_OPACITY = 0.65
_LARGEST = 1.7  # inches across a panel
_NAMES = 1.05  # inches for the names of rows
_BAR = 0.6  # inches for the scale of the tint
_STROKE: list[AbstractPathEffect] = [withStroke(linewidth=3, foreground="black")]


@dataclass(frozen=True)
class Panel:
    """One picture among others.

    Attributes:
        image: (3, H, W) RGB in [0, 1].
        score: (h, w), a tint over the image.
        threshold: a line surrounds where the score exceeds it.
        region: (H, W), True inside; a line surrounds it.
        labels: (H, W) class indices, painted in the colours of the classes.
        title: printed above.
        note: printed below.
    """

    image: Tensor
    score: Tensor | None = None
    threshold: float | None = None
    region: Tensor | None = None
    labels: Tensor | None = None
    title: str = ""
    note: str = ""


def show_grid(
    rows: Mapping[str, Sequence[Panel]],
    heads: Sequence[str] = (),
    limits: tuple[float, float] = (0.0, 1.0),
    classes: Sequence[str] = (),
    tint: str = "score",
) -> Picture:
    """Panels in rows and columns that mean something: systems, and classes or images.

    Args:
        rows: panels by the name of their row, as many in each; a name may have several lines.
        heads: names of the columns.
        limits: ends of the scale of the tint.
        classes: names of the C classes, for the legend of painted labels.
        tint: what the tint shows, beside its scale.
    """
    figure, axes = _lay_out(
        [*rows.values()], limits, classes, names=_NAMES, head=bool(heads), tint=tint
    )
    for line, name in zip(axes, rows, strict=True):
        line[0].set_ylabel(
            "\n".join(fill(line, 14) for line in name.split("\n")),
            fontsize=FONT, color=INK, rotation=0, ha="right", va="center",
        )  # fmt: skip
    for axis, head in zip(axes[0], heads, strict=False):
        axis.set_title(head, fontsize=FONT, color=INK, pad=3)
    return figure


def show_panels(
    panels: Sequence[Panel],
    columns: int = 5,
    limits: tuple[float, float] = (0.0, 1.0),
    classes: Sequence[str] = (),
    tint: str = "score",
) -> Picture:
    """Panels one after another, in lines of like length.

    Args:
        panels: each with its title.
        columns: panels side by side, at most.
        limits: ends of the scale of the tint.
        classes: names of the C classes, for the legend of painted labels.
        tint: what the tint shows, beside its scale.
    """
    lines = -(-len(panels) // columns)
    each = -(-len(panels) // lines)
    grid = [panels[start : start + each] for start in range(0, len(panels), each)]
    return _lay_out(grid, limits, classes, tint=tint)[0]


def show_maps(
    image: Tensor,
    maps: Mapping[str, Tensor],
    classes: Sequence[str] = (),
    *,
    truth: Tensor | None = None,
    thresholds: Mapping[str, float] | None = None,
    columns: int = 5,
    limits: tuple[float, float] | None = (0.0, 1.0),
    tint: str = "score",
) -> Picture:
    """What systems say of an image, all on one scale.

    Maps of classes make a grid, systems in rows and classes in columns, or a line where there is
    one class; single maps stand one after another behind the image.

    Args:
        image: (3, H, W) RGB in [0, 1].
        maps: by title, all (C, h, w), of which classes without any score are left out, or (h, w).
        classes: names of the C classes.
        truth: (H, W) class indices; shown in the last row, and scores get their IoU where they have
            a threshold.
        thresholds: by title, where a line is drawn.
        columns: single maps side by side, at most, the image included.
        limits: ends of the scale; None takes the smallest and the largest value shown.
        tint: what the colour bar says the maps are.
    """
    values = {title: torch.as_tensor(m).detach().float().cpu() for title, m in maps.items()}
    if limits is None and values:
        limits = (
            min(float(m.min()) for m in values.values()),
            max(float(m.max()) for m in values.values()),
        )
    scale = limits or (0.0, 1.0)
    if any(m.ndim == 2 for m in values.values()):
        return show_panels(
            [Panel(image, title="image"), *_single(image, values, classes)],
            columns,
            scale,
            tint=tint,
        )
    stack = torch.stack([*values.values()]).flatten(2).abs().amax(dim=(0, 2))
    shown = [
        c
        for c in range(len(stack))
        if stack[c] > 0 or (truth is not None and (truth == c + 1).any())
    ]
    rows: dict[str, list[Panel]] = (
        {} if truth is not None else {"image": [Panel(image)] * len(shown)}
    )
    for title, m in values.items():
        cut = (thresholds or {}).get(title)
        rows[title] = [class_panel(image, m, c + 1, cut, truth) for c in shown]
    if truth is not None:
        rows["truth"] = [truth_panel(image, truth, c + 1) for c in shown]
    names = [_name(classes, c + 1) for c in shown]
    if len(shown) == 1:  # a line, not a column
        row = {names[0]: [line[0] for line in rows.values()]}
        return show_grid(row, [*rows], scale, tint=tint)
    return show_grid(rows, names, scale, tint=tint)


def class_panel(
    image: Tensor,
    scores: Tensor,
    number: int,
    threshold: float | None = None,
    truth: Tensor | None = None,
) -> Panel:
    """One class of a system's scores; with a threshold and the truth, its IoU below.

    Args:
        image: (3, H, W) RGB in [0, 1].
        scores: (C, h, w) of all classes.
        number: of the class, 1..C.
        threshold: between background and classes; the line surrounds what the class wins.
        truth: (H, W) class indices.
    """
    full = resize(scores[None].float(), (image.shape[-2], image.shape[-1]))[0]
    if threshold is None:
        return Panel(image, full[number - 1])
    peak, winner = full.max(dim=0)
    region = (peak > threshold) & (winner == number - 1)
    note = ""
    if truth is not None:
        counts = confusion_of(truth, region.long() * number, len(scores))
        note = f"IoU {np.nan_to_num(ious(counts)[number]):.2f}"
    return Panel(image, full[number - 1], region=region, note=note)


def truth_panel(image: Tensor, truth: Tensor, number: int) -> Panel:
    """Where a class is: (3, H, W) image, (H, W) class indices, the class in 1..C."""
    return Panel(image, region=truth == number)


def show_labels(
    image: Tensor, labels: Mapping[str, Tensor], classes: Sequence[str], columns: int = 5
) -> Picture:
    """Label images over an image, with a legend of the classes that occur.

    Args:
        image: (3, H, W) RGB in [0, 1].
        labels: by title, (H, W) class indices, 255 = void; beside "truth", others get their mean
            IoU over the classes that the truth shows.
        classes: names of the C foreground classes.
        columns: panels side by side, the image included.
    """
    truth = labels.get("truth")
    panels = [Panel(image, title="image")]
    for title, index in labels.items():
        note = ""
        if truth is not None and title != "truth":
            counts = confusion_of(torch.as_tensor(truth), torch.as_tensor(index), len(classes))
            occurring = np.flatnonzero(counts.sum(axis=1)[1:]) + 1
            note = f"IoU {ious(counts)[occurring].mean():.2f}" if len(occurring) else ""
        panels.append(Panel(image, labels=index, title=title, note=note))
    return show_panels(panels, columns, classes=classes)


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
    panels = []
    for id in ids:
        image = dataset.image(id)
        tags = ", ".join(dataset.classes[c] for c in dataset.tags(id).nonzero().flatten().tolist())
        if dataset.has_masks():
            panels += [
                Panel(image, title=id),
                Panel(image, labels=dataset.mask(id), title=tags or "–"),
            ]
        else:
            panels.append(Panel(image, title=id, note=tags))
    return show_panels(panels, columns - columns % 2, classes=dataset.classes)


def _single(image: Tensor, values: Mapping[str, Tensor], classes: Sequence[str]) -> list[Panel]:
    panels = []
    for title, m in values.items():
        if m.ndim == 2:
            panels.append(Panel(image, m, title=title))
            continue
        panels += [
            Panel(image, one, title=f"{title}: {_name(classes, c)}")
            for c, one in enumerate(m, 1)
            if one.any()
        ]
    return panels


def _name(classes: Sequence[str], number: int) -> str:
    return classes[number - 1] if number <= len(classes) else f"class {number}"


def _lay_out(
    grid: Sequence[Sequence[Panel]],
    limits: tuple[float, float],
    classes: Sequence[str],
    names: float = 0.0,
    head: bool = False,
    tint: str = "score",
) -> tuple[Picture, np.ndarray]:
    """A figure of these panels, and its axes by line and column."""
    panels = [panel for line in grid for panel in line]
    count = max(len(line) for line in grid)
    bar = _BAR if any(panel.score is not None for panel in panels) else 0.0
    width = min(_LARGEST, (WIDTH - names - bar) / count)
    shape = float(np.median([panel.image.shape[1] / panel.image.shape[2] for panel in panels]))
    letters = 0.2 * (any(p.title for p in panels) + any(p.note for p in panels))
    height = len(grid) * (width * min(max(shape, 0.4), 2.0) + 0.08 + letters) + 0.22 * head
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)
    figure = Picture(figsize=(names + bar + count * width, height), layout=layout)
    axes = figure.subplots(len(grid), count, squeeze=False)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_visible(False)
    for line, places in zip(grid, axes, strict=True):
        for panel, axis in zip(line, places, strict=False):
            _draw(axis, panel, limits, longest=round(13 * width))
    if bar:
        scale = ScalarMappable(Normalize(*limits), TINT)
        colours = figure.colorbar(scale, ax=axes, fraction=0.03, pad=0.02, aspect=25, shrink=0.9)
        colours.set_label(tint, fontsize=FONT, color=INK)
        colours.ax.tick_params(labelsize=FONT, colors=INK)
    _legend(figure, [panel.labels for panel in panels if panel.labels is not None], classes)
    return figure, axes


def _draw(axis: Axes, panel: Panel, limits: tuple[float, float], longest: int) -> None:
    size = (panel.image.shape[-2], panel.image.shape[-1])
    picture = pixels(panel.image) if panel.labels is None else overlay(panel.image, panel.labels)
    axis.imshow(picture, interpolation="nearest")
    score = panel.score
    if score is not None:
        full = resize(torch.as_tensor(score).detach().float().cpu()[None, None], size)[0, 0].numpy()
        share = Normalize(*limits, clip=True)(full).filled(0.0)
        tint = colormaps[TINT](share)
        tint[..., 3] = _OPACITY * share
        axis.imshow(tint, interpolation="nearest")
        if panel.threshold is not None:
            _line(axis, full, panel.threshold)
    if panel.region is not None:
        _line(axis, np.asarray(panel.region, dtype=float), 0.5)
    if panel.title:
        axis.set_title(
            shorten(panel.title, longest, placeholder=" …"), fontsize=FONT, color=INK, pad=3
        )
    if panel.note:
        axis.set_xlabel(panel.note, fontsize=FONT, color=INK, labelpad=2)


def _line(axis: Axes, values: np.ndarray, level: float) -> None:
    """A white line with a black rim, also along the edge of the image."""
    framed = np.pad(values, 1, constant_values=min(float(values.min()), level - 1))
    rows, columns = (np.arange(-1, side + 1) for side in values.shape)
    if framed.max() > level:
        drawn = axis.contour(columns, rows, framed, [level], colors="white", linewidths=1.3)
        drawn.set_path_effects(_STROKE)


def _legend(figure: Picture, labels: Sequence[Tensor], classes: Sequence[str]) -> None:
    seen = sorted({int(value) for one in labels for value in np.unique(np.asarray(one))} - {0})
    handles = []
    for c in seen:
        if c == IGNORE:
            void = {"facecolor": "0.6", "edgecolor": "white", "hatch": "////"}
            handles.append(Patch(**void, label="void (255)"))  # type: ignore[arg-type]
        else:
            colour = tuple(COLOURS[(c - 1) % len(COLOURS)])
            handles.append(Patch(facecolor=colour, edgecolor=INK, label=_name(classes, c)))
    if handles:
        figure.legend(
            handles=handles, loc="outside lower center", ncols=min(len(handles), 7), fontsize=FONT,
            frameon=False, handlelength=1.2, columnspacing=1.2, labelcolor=INK,
        )  # fmt: skip
