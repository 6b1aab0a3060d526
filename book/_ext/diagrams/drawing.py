"""A diagram as SVG. Colours come from the page, so that it follows the theme and prints."""

from collections.abc import Sequence
from html import escape
from typing import Any

import drawsvg

from diagrams.description import KINDS, STYLES, Diagram, Kind, Style
from diagrams.layout import (
    CODE,
    LINE,
    MARGIN,
    TEXT,
    WIDTH,
    Box,
    arrange,
    lines_of,
    text_width,
)

HEAD, BAR, ROUND, HALO = 6.5, 6.0, 6.0, 4.5
"""Length of an arrow's head, half of the bar that stops, radius of a bend, width of a halo."""
LEGEND, ROW, SWATCH = 10.5, 17.0, 20.0
"""Letters of the legend, the distance of its lines, and the width of its examples."""


def svg(diagram: Diagram) -> str:
    """The diagram with its legend; its words are in its title and its description.

    Raises:
        InputError: it cannot be laid out.
    """
    layout = arrange(diagram)
    entries = _legend(diagram)
    rows = 1 + max(entry[2] for entry in entries)
    height = layout.height + 6 + ROW * rows
    id = f"diagram-{diagram.id}"
    picture = drawsvg.Drawing(
        WIDTH, round(height, 1), id_prefix=id, role="img",
        aria_labelledby=f"{id}-title", aria_describedby=f"{id}-words",
    )  # fmt: skip
    picture.append(drawsvg.Raw(f'<title id="{id}-title">{escape(diagram.name)}</title>'))
    picture.append(drawsvg.Raw(f'<desc id="{id}-words">{escape(diagram.sentence())}</desc>'))
    for box in layout.boxes.values():
        if box.node.idea:
            picture.append(_halo(box.x, box.y, box.width, box.height))
    # Later lines lie above earlier ones: those of the answer come last.
    for route in sorted(layout.routes, key=lambda route: route.arrow.style == "reply"):
        picture.append(_line(route.points, route.arrow.style))
    for box in layout.boxes.values():
        picture.append(_shape(box.node.kind, box.x, box.y, box.width, box.height, 7))
        picture.append(_label(box))
    for what, x, row in entries:
        picture.append(_entry(what, x, layout.height + 6 + ROW * row))
    return picture.as_svg(header="")


def _halo(x: float, y: float, width: float, height: float) -> drawsvg.DrawingElement:
    return drawsvg.Rectangle(
        x - HALO, y - HALO, width + 2 * HALO, height + 2 * HALO, rx=10, class_="halo"
    )


def _shape(
    kind: Kind, x: float, y: float, width: float, height: float, corner: float
) -> drawsvg.DrawingElement:
    """A box: what is given has round ends, a loss term pointed ones, the others corners."""
    group = drawsvg.Group(class_=f"node {kind}")
    for layer in ("paper", "tint"):
        if kind == "loss":
            tip = corner + 1
            group.append(
                drawsvg.Lines(
                    x, y + height / 2, x + tip, y, x + width - tip, y, x + width, y + height / 2,
                    x + width - tip, y + height, x + tip, y + height, close=True, class_=layer,
                )
            )  # fmt: skip
        else:
            radius = min(height / 2, 2.4 * corner) if kind == "given" else 0.75 * corner
            group.append(drawsvg.Rectangle(x, y, width, height, rx=round(radius, 1), class_=layer))
    return group


def _label(box: Box) -> drawsvg.DrawingElement:
    """The words in a box, line by line in its middle."""
    group, lines = drawsvg.Group(), lines_of(box.node)
    x, y = box.middle
    first = y - LINE * (len(lines) - 1) / 2 + TEXT * 0.36
    for number, (text, code) in enumerate(lines):
        size, class_ = (CODE, "code") if code else (TEXT, "words")
        place = {"x": round(x, 1), "y": round(first + LINE * number, 1)}
        group.append(drawsvg.Text(text, size, **place, text_anchor="middle", class_=class_))
    return group


def _line(points: Sequence[tuple[float, float]], style: Style) -> drawsvg.DrawingElement:
    """An arrow with round bends, and what marks its style."""
    group = drawsvg.Group(class_=f"arrow {style}")
    if style == "same":
        (x0, y), (x1, _) = points
        for shift in (-2, 2):
            group.append(drawsvg.Line(x0, y + shift, x1, y + shift, class_="line"))
        return group
    (x0, y0), (x1, y1) = points[-2:]
    dx, dy = _direction(x0, y0, x1, y1)
    stem = [*points[:-1], (x1 - dx * HEAD, y1 - dy * HEAD)]
    group.append(drawsvg.Path(d=_path(stem), class_="line"))
    back = (x1 - dx * HEAD, y1 - dy * HEAD)
    group.append(
        drawsvg.Lines(
            x1, y1, back[0] - dy * 3.4, back[1] + dx * 3.4, back[0] + dy * 3.4, back[1] - dx * 3.4,
            close=True, class_="head",
        )
    )  # fmt: skip
    if style == "stop":
        x, y = x1 - dx * (HEAD + 4), y1 - dy * (HEAD + 4)
        group.append(
            drawsvg.Line(x - dy * BAR, y - dx * BAR, x + dy * BAR, y + dx * BAR, class_="bar")
        )
    return group


def _direction(x0: float, y0: float, x1: float, y1: float) -> tuple[float, float]:
    """One step along an upright or level line."""
    length = abs(x1 - x0) + abs(y1 - y0) or 1
    return (x1 - x0) / length, (y1 - y0) / length


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Through all points, round at each bend."""
    said = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for before, (x, y), after in zip(points, points[1:], points[2:], strict=False):
        a, b = _direction(*before, x, y), _direction(x, y, *after)
        near = min(abs(x - before[0]) + abs(y - before[1]), abs(after[0] - x) + abs(after[1] - y))
        r = min(ROUND, near / 2)
        said.append(
            f"L{x - a[0] * r:.1f} {y - a[1] * r:.1f}"
            f"Q{x:.1f} {y:.1f} {x + b[0] * r:.1f} {y + b[1] * r:.1f}"
        )
    return " ".join([*said, f"L{points[-1][0]:.1f} {points[-1][1]:.1f}"])


def _legend(diagram: Diagram) -> list[tuple[str, float, int]]:
    """What occurs in the diagram: name, place from the left and line; each line in the middle."""
    kinds = [kind for kind in KINDS if diagram.of(kind)]
    idea = ["idea"] if any(node.idea for node in diagram.nodes) else []
    used = {arrow.style for arrow in diagram.arrows}
    lines: list[list[tuple[str, float]]] = [[]]
    x = 0.0
    for name in [*kinds, *idea, *(style for style in STYLES if STYLES[style] and style in used)]:
        width = SWATCH + 6 + text_width(_words(name), size=LEGEND)
        if x + width > WIDTH - 2 * MARGIN:
            lines.append([])
            x = 0.0
        lines[-1].append((name, x))
        x += width + 11
    found = []
    for row, line in enumerate(lines):
        name, last = line[-1]
        width = last + SWATCH + 6 + text_width(_words(name), size=LEGEND)
        found += [(name, (WIDTH - width) / 2 + x, row) for name, x in line]
    return found


def _words(name: str) -> str:
    return dict([*KINDS.items(), *STYLES.items(), ("idea", "the idea")])[name]


def _entry(name: Any, x: float, y: float) -> drawsvg.DrawingElement:
    """A small example and what it means."""
    group = drawsvg.Group(class_="legend")
    if name in KINDS:
        group.append(_shape(name, x, y, SWATCH, 10, 4))
    elif name == "idea":
        group.append(drawsvg.Rectangle(x, y - 1, SWATCH, 12, rx=5, class_="halo"))
    else:
        group.append(_line([(x, y + 5), (x + SWATCH, y + 5)], name))
    place = {"x": round(x + SWATCH + 6, 1), "y": round(y + 5 + LEGEND * 0.36, 1)}
    group.append(drawsvg.Text(_words(name), LEGEND, **place, class_="words"))
    return group
