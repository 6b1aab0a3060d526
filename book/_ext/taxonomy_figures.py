"""The survey's taxonomy as a tree and as a time line; what is built here stands in colour.

Both are drawn twice, for a page and for a phone; the style sheet shows one of them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import drawsvg as draw

from wsss_lib.show.picture import LABEL_COLOURS
from wsss_lib.survey import FAMILIES, System, systems

Address = Callable[[str], str]
KINDS = {
    "image_level": "Image labels",
    "box": "Boxes",
    "scribble": "Scribbles",
    "point": "Points",
    "foundation": "Large models",
}
"""Branches of the taxonomy, by the first part of a family."""
_COLOURS = {kind: LABEL_COLOURS[name.lower()] for kind, name in KINDS.items()}
_WIDE, _NARROW = 760, 350
_LETTER = 11.5
_THIN, _BROAD = set("ijlrtfI.,-()' "), set("mwMW+@")


def width_of(text: str, size: float = _LETTER) -> float:
    """About how many units a text takes in a page's own font; rather too many than too few."""
    units = sum(
        0.34 if letter in _THIN else 0.9 if letter in _BROAD else 0.72 if letter.isupper() else 0.58
        for letter in text
    )
    return size * units


class Link(draw.DrawingParentElement):
    """What it holds can be clicked."""

    TAG_NAME = "a"


@dataclass(frozen=True)
class Sheet:
    """A drawing that grows downwards, and where the sections of systems are.

    Attributes:
        canvas: everything that was drawn so far.
        address: from the id of a system to the section that explains it, "" where none does.
    """

    canvas: draw.Group
    address: Address

    def text(self, words: str, x: float, y: float, size: float = _LETTER, **more: Any) -> None:
        """Letters in the colour of the page."""
        self.canvas.append(draw.Text(words, size, x, y, **{"fill": "currentColor", **more}))

    def line(self, *points: float, **more: Any) -> None:
        """A grey line through points x, y, x, y, ..."""
        self.canvas.append(
            draw.Lines(*points, fill="none", stroke="currentColor", opacity=0.35, **more)
        )

    def linked(self, system: System) -> draw.DrawingParentElement:
        """A group for what shows a system: a link where it is explained, dashed where it is not."""
        found = self.address(system.id)
        names = f"drawn-system {'built' if system.card else 'missing'}"
        group: draw.DrawingParentElement = (
            Link(href=found, class_=names) if found else draw.Group(class_=names)
        )
        state = "built" if system.card else "not built yet"
        about = f"{system.name}, {system.authors}, {system.venue} {system.year}: {state}"
        group.append_title(about)
        self.canvas.append(group)
        return group


def taxonomy(address: Address) -> str:
    """The tree from kinds of label over families to systems, as HTML."""
    about = (
        "A tree: five kinds of label, the families of each, and every system of the survey in its "
        "family. What is built in this book is framed in colour and leads to its section; the "
        "rest is dashed."
    )
    return both("taxonomy", "The taxonomy of the survey", about, address, _tree)


def time_line(address: Address) -> str:
    """A dot for every system at its year, in lanes of families, as HTML."""
    years = [system.year for system in systems()]
    about = (
        f"Lanes, one a family of the taxonomy, over the years from {min(years)} to {max(years)}; a "
        "dot is a system. What is built in this book is filled and leads to its section; the rest "
        "is hollow."
    )
    return both("time-line", "The systems of the survey over time", about, address, _lanes)


def both(
    name: str, title: str, about: str, address: Address, drawn: Callable[[Sheet, int], float]
) -> str:
    """A drawing at two widths; ``drawn`` fills a sheet of a width and says how high it got."""
    parts = []
    for size, width in (("wide", _WIDE), ("narrow", _NARROW)):
        sheet = Sheet(draw.Group(), address)
        height = drawn(sheet, width)
        id = f"{name}-{size}"
        canvas = draw.Drawing(
            width, height, role="group", aria_labelledby=f"{id}-title {id}-about", id_prefix=id
        )
        canvas.append(draw.Raw(f'<title id="{id}-title">{title}</title>'))
        canvas.append(draw.Raw(f'<desc id="{id}-about">{about}</desc>'))
        canvas.append(sheet.canvas)
        parts.append(f'<div class="drawn drawn-{size}">{canvas.as_svg(header="")}</div>')
    return f'<div class="drawn-both">{"".join(parts)}</div>'


def families() -> Iterable[tuple[str, str, list[System]]]:
    """Kind, name and systems of each family that has any, in the order of the survey."""
    known = systems()
    for family, name in FAMILIES.items():
        if mine := [system for system in known if system.family == family]:
            yield family.split("/")[0], name.removeprefix("Image labels: "), mine


def _tree(sheet: Sheet, width: int) -> float:
    """Kinds, families and systems from left to right; on a phone below each other, indented."""
    wide = width == _WIDE
    indent, left = (100.0, 248.0) if wide else (4.0, 26.0)
    y = 18.0
    for kind, branch in groupby(families(), key=lambda found: found[0]):
        colour, top, middles = _COLOURS[kind], y, []
        inner = list(branch)
        sheet.text(KINDS[kind], 0, y, 13, font_weight="bold")
        alone = len(inner) == 1
        if not wide:
            y += 20
        for _, name, members in inner:
            middles.append(y - 4)
            if not alone:
                sheet.text(name, indent + 14, y)
                y += 0 if wide else 20
            y = _chips(sheet, members, left, y, width, colour) + (8 if wide else 6)
        if wide:
            sheet.line(width_of(KINDS[kind], 14), top - 4, left - 6 if alone else indent, top - 4)
        if not alone:
            sheet.line(indent, top - 4 if wide else top + 6, indent, middles[-1])
            for middle in middles:
                sheet.line(indent, middle, indent + 10, middle)
        y += 10
    return y


def _chips(
    sheet: Sheet, members: list[System], left: float, y: float, right: float, colour: str
) -> float:
    """Framed names in lines between two margins; the place of the next line."""
    x = left
    for system in members:
        wide = width_of(system.name) + 12
        if x > left and x + wide > right:
            x, y = left, y + 24
        group = sheet.linked(system)
        built = {"stroke": colour, "fill": colour, "fill_opacity": 0.16, "stroke_width": 1.6}
        dashed = {"stroke": "currentColor", "fill": "none", "stroke_dasharray": "3 3"}
        group.append(
            draw.Rectangle(x, y - 15, wide, 20, rx=4, **(built if system.card else dashed))
        )
        group.append(
            draw.Text(
                system.name, _LETTER, x + wide / 2, y - 1, text_anchor="middle", fill="currentColor"
            )
        )
        x += wide + 5
    return y + 24


def _lanes(sheet: Sheet, width: int) -> float:
    """Years from left to right, a lane for each family; names stand beside their dots."""
    years = sorted({system.year for system in systems()})
    wide = width == _WIDE
    first = 132.0 if wide else 12.0
    step = (width - first - 20) / (len(years) - 1)
    place = {year: first + step * number for number, year in enumerate(years)}
    y = 44.0
    for kind, branch in groupby(families(), key=lambda found: found[0]):
        inner = list(branch)
        if len(inner) > 1:
            sheet.text(KINDS[kind], 0, y + 4, 13, font_weight="bold")
            y += 22
        for _, name, members in inner:
            alone = {"font_weight": "bold"} if len(inner) == 1 else {}
            sheet.text(name, 0, y + 4, 13 if alone else 12, **alone)
            y = _dots(sheet, members, place, y if wide else y + 18, width, _COLOURS[kind])
            sheet.line(0, y - 14, width, y - 14)
    for year, x in place.items():
        label = str(year) if wide else f"\N{RIGHT SINGLE QUOTATION MARK}{year % 100:02}"
        for line in (14.0, y + 4):
            sheet.text(label, x, line, 12, text_anchor="middle")
        sheet.line(x, 20, x, y - 14, stroke_dasharray="1 5")
    return y + 12


def _dots(
    sheet: Sheet,
    members: list[System],
    place: dict[int, float],
    y: float,
    right: float,
    colour: str,
) -> float:
    """Dots with names, each on the first line where it has room; the place of the next lane."""
    lines: list[list[tuple[float, float]]] = []
    for system in sorted(members, key=lambda one: one.year):
        x, wide = place[system.year], width_of(system.name) + 16
        before = x + wide > right  # no room behind the dot: the name stands before it
        span = (x - wide, x + 8) if before else (x - 8, x + wide)
        free = (
            all(span[1] <= start or span[0] >= end for start, end in taken)
            for taken in [*lines, []]
        )
        number = [*free].index(True)
        if number == len(lines):
            lines.append([])
        lines[number].append(span)
        group, height = sheet.linked(system), y + 17 * number
        hollow = {"fill": "none", "stroke": "currentColor", "stroke_dasharray": "2 2"}
        group.append(draw.Circle(x, height, 5, **({"fill": colour} if system.card else hollow)))
        side = {"text_anchor": "end"} if before else {}
        at = x - 9 if before else x + 9
        group.append(draw.Text(system.name, _LETTER, at, height + 4, fill="currentColor", **side))
    return y + 17 * len(lines) + 16
