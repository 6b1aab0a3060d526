"""One HTML file that shows what a run did: figures, threshold curves, and overlays to judge by eye.

Everything is inside the file, so it can be sent or kept; it reads in light and dark.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image
from torch import Tensor

from wsss_lib.core import IGNORE
from wsss_lib.data.atomic import written_whole
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.evaluate import Protocol
from wsss_lib.results import device_name
from wsss_lib.show import COLOURS, overlay, plot_curves

_SIDE = 320  # pixels; larger overlays are made smaller
_FIGURES = (
    ("miou", "mean IoU"), ("precision", "precision"), ("recall", "recall"),
    ("boundary_iou", "boundary IoU"), ("threshold", "threshold"), ("seconds", "seconds"),
)  # fmt: skip
_STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 82rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .3rem .7rem; text-align: left; border-bottom: 1px solid var(--line); }
td { white-space: nowrap; } td.long { white-space: normal; min-width: 12rem; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; }
dt { opacity: .75; } dd { margin: 0; overflow-wrap: anywhere; }
.sheet td, .sheet th { border: 0; padding: .2rem .3rem; vertical-align: top; }
.sheet img { display: block; width: 10rem; image-rendering: auto; }
.sheet img.small { image-rendering: pixelated; }
.sheet th { font-weight: 600; }
.key { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; list-style: none; padding: 0; }
.key span { display: inline-block; width: 1em; height: 1em; border: 1px solid; margin-right: .4em;
  vertical-align: -.12em; }
.plot { background: #fff; max-width: 100%; }
p.note { opacity: .8; max-width: 50rem; }
"""


Labels: TypeAlias = Mapping[str, Tensor] | Any
"""(H, W) class indices by image id, such as a ``LabelStore``."""


@dataclass(frozen=True)
class Row:
    """A line of the table of figures.

    Attributes:
        name: of the stage.
        protocol: how its figures came about.
        figures: by name; mean IoU and the like are absent where there are no masks.
    """

    name: str
    protocol: Protocol
    figures: Mapping[str, Any]


def write_report(
    path: Path,
    *,
    title: str,
    facts: Mapping[str, str],
    dataset: SegmentationFolder,
    ids: Sequence[str],
    rows: Sequence[Row],
    curves: Mapping[str, np.ndarray],
    labels: Mapping[str, Labels],
) -> None:
    """Write the report of a run; the file appears whole or not at all.

    Args:
        path: the HTML file.
        title: headline.
        facts: what was run, on what: name -> value.
        dataset: where images, and masks if there are any, come from.
        ids: which images to show.
        rows: the table of figures.
        curves: (T,) mean IoU at evenly spaced thresholds, by stage.
        labels: (H, W) class indices by stage and image id, such as a ``LabelStore`` a stage.
    """
    parts = [
        f"<h1>{escape(title)}</h1>",
        _facts({**facts, "computed on": device_name()}),
        "<h2>Figures</h2>",
        _table(rows),
        _classes(dataset.classes, rows),
        _curves(curves, rows),
        "<h2>Labels</h2>",
        _key(dataset, ids, labels),
        _sheet(dataset, ids, labels),
    ]
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>wsss run: {escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )
    with written_whole(path) as partial:
        partial.write_text(page, encoding="utf-8")


def _facts(facts: Mapping[str, str]) -> str:
    entries = (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return f"<dl>{''.join(entries)}</dl>"


def _table(rows: Sequence[Row]) -> str:
    shown = [(key, name) for key, name in _FIGURES if any(key in row.figures for row in rows)]
    head = "".join(f'<th scope="col" class="n">{name}</th>' for _, name in shown)
    lines = []
    for row in rows:
        cells = "".join(
            f'<td class="n">{_number(key, row.figures.get(key))}</td>' for key, _ in shown
        )
        p = row.protocol
        seen = "yes" if p.labels_at_inference else "no"
        lines.append(
            f'<tr><th scope="row">{escape(row.name)}</th>{cells}<td>{escape(p.split)}</td>'
            f"<td>{seen}</td><td>{escape(p.threshold_rule)}</td>"
            f"<td>{escape(', '.join(p.supervision))}</td>"
            f'<td class="long">{escape("; ".join(p.needs)) or "–"}</td></tr>'
        )
    note = (
        "Precision, recall and boundary IoU are means over the foreground classes."
        if any("miou" in row.figures for row in rows)
        else "No image has a mask, so nothing could be measured; judge by the pictures below."
    )
    return (
        '<div class="wide"><table><thead><tr><th scope="col">stage</th>' + head
        + '<th scope="col">scored on</th><th scope="col">labels used</th>'
        '<th scope="col">threshold rule</th><th scope="col">learned from</th>'
        '<th scope="col">also needed</th></tr></thead><tbody>' + "".join(lines)
        + f'</tbody></table></div><p class="note">{note} Labels used: whether image labels helped '
        "to predict.</p>"
    )  # fmt: skip


def _classes(classes: Sequence[str], rows: Sequence[Row]) -> str:
    """IoU of each class, one column a stage."""
    measured = [row for row in rows if "iou" in row.figures]
    if not measured:
        return ""
    head = "".join(
        f'<th scope="col" class="n">{escape(row.name)}<br>{escape(row.protocol.split)}</th>'
        for row in measured
    )
    lines = []
    for c, name in enumerate(("background", *classes)):
        cells = "".join(
            f'<td class="n">{_number("iou", row.figures["iou"][c])}</td>' for row in measured
        )
        lines.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    return (
        '<h2>IoU of each class</h2><div class="wide"><table><thead><tr><th scope="col">class</th>'
        f"{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _number(key: str, value: Any) -> str:
    if value is None or value != value:
        return "–"
    digits = {"seconds": 0, "threshold": 2}.get(key, 3)
    return f"{value:.{digits}f}"


def _curves(curves: Mapping[str, np.ndarray], rows: Sequence[Row]) -> str:
    if not curves:
        return ""
    first = {row.name: row for row in reversed(rows)}
    chosen = {name: float(first[name].figures["threshold"]) for name in curves}
    picture = base64.b64encode(plot_curves(curves, chosen).png()).decode()
    best = ", ".join(
        f"{name} peaks at {np.nanmax(curve):.3f} and has "
        f"{np.asarray(curve)[round(chosen[name] * (len(curve) - 1))]:.3f} at its threshold"
        for name, curve in curves.items()
    )
    return (
        "<h2>Mean IoU at every threshold</h2>"
        f'<img class="plot" src="data:image/png;base64,{picture}" '
        f'alt="Mean IoU against the background threshold: {escape(best)}.">'
    )


def _key(
    dataset: SegmentationFolder,
    ids: Sequence[str],
    labels: Mapping[str, Labels],
) -> str:
    shown = chain(
        (by_id[id] for by_id in labels.values() for id in ids),
        (dataset.mask(id) for id in ids if dataset.has_mask(id)),
    )
    seen = sorted({int(value) for one in shown for value in one.unique()} - {0})
    items = []
    for c in seen:
        if c == IGNORE:
            items.append("<li>white stripes: void or undecided</li>")
            continue
        red, green, blue = (COLOURS[(c - 1) % len(COLOURS)] * 255).round().astype(int)
        items.append(
            f'<li><span style="background:rgb({red},{green},{blue})"></span>'
            f"{escape(dataset.classes[c - 1])}</li>"
        )
    return f'<ul class="key">{"".join(items)}</ul>'


def _sheet(
    dataset: SegmentationFolder,
    ids: Sequence[str],
    labels: Mapping[str, Labels],
) -> str:
    masked = any(dataset.has_mask(id) for id in ids)
    titles = ["image", *labels, *(["mask"] if masked else [])]
    lines = []
    for id in ids:
        image, size = dataset.image(id, longest=2 * _SIDE), dataset.size(id)
        plain = image.permute(1, 2, 0).numpy()
        cells = [_picture(plain, f"{id}: the image")]
        for stage, by_id in labels.items():
            cells.append(_labelled(image, by_id[id], size, f"{id}, {stage}", dataset.classes))
        if masked and dataset.has_mask(id):
            cells.append(_labelled(image, dataset.mask(id), size, f"{id}, mask", dataset.classes))
        tags = [dataset.classes[c] for c in dataset.tags(id).nonzero().flatten().tolist()]
        name = f'<th scope="row">{escape(id)}<br>{escape(", ".join(tags) or "no class")}</th>'
        lines.append(f"<tr>{name}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    return (
        f'<div class="wide"><table class="sheet"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _labelled(
    image: Tensor, labels: Tensor, size: tuple[int, int], what: str, classes: Sequence[str]
) -> str:
    """The overlay, and in words how much of the image each class takes.

    Args:
        image: (3, H, W), or fewer pixels where ``labels`` fit the file.
        labels: (H, W) class indices.
        size: (H, W) of the file of the image.
        what: is shown.
        classes: names of the C foreground classes.
    """
    areas = np.bincount(labels.numpy().ravel(), minlength=IGNORE + 1) / labels.numel()
    said = [f"{name} {areas[c]:.0%}" for c, name in enumerate(classes, start=1) if areas[c] > 0]
    if labels.shape == size != image.shape[-2:]:
        rows, columns = (
            np.arange(new) * old // new for new, old in zip(image.shape[-2:], size, strict=True)
        )
        labels = labels[rows[:, None], columns]
    return _picture(overlay(image, labels), f"{what}: {', '.join(said) or 'background only'}")


def _picture(pixels: np.ndarray, alt: str) -> str:
    image = Image.fromarray((pixels * 255).round().clip(0, 255).astype(np.uint8))
    kind = "small" if max(image.size) < _SIDE / 2 else ""
    image.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    # Small drawings stay exact; photographs need not.
    image.save(buffer, format="WEBP", lossless=bool(kind), quality=85)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img class="{kind}" src="data:image/webp;base64,{data}" alt="{escape(alt)}">'
