"""Where the boxes of a diagram stand and how its arrows run: upright and across, around all boxes.

A diagram reads from top to bottom and is as wide as a telephone, so that one layout does for all
screens. Across is run between two rows only, each run on a track of its own.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from itertools import permutations
from pathlib import Path

import matplotlib
from PIL import ImageFont

from diagrams.description import FORWARD, Arrow, Diagram, Node
from wsss_lib.core import InputError

WIDTH = 372
"""Of every diagram, in units of which a telephone shows one as a pixel."""
TEXT, CODE, LINE = 11.0, 10.5, 14.0
"""Sizes of letters and distance of lines."""
NAMES = 80.0
"""Names in the code that are wider stand one below the other."""
MARGIN, GUTTER, PADDING = 12.0, 16.0, 5.0
PORT, APART, BESIDE = 14.0, 18.0, 9.0
"""Arrows keep so far from the corners of a box, from each other, and, when a system answers, from
those of its training."""
BARE, TRACK, BEFORE, AFTER = 26.0, 9.0, 11.0, 19.0
"""Heights between two rows: without a run; of a run; above the first; below the last."""


@dataclass(frozen=True)
class Box:
    """A node in its place."""

    node: Node
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> tuple[float, float]:
        """Its centre."""
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass
class Route:
    """An arrow's way: places x, and between them the gaps below the rows in which it runs across.

    Attributes:
        arrow: whose way.
        xs: where it goes down; one more than there are runs.
        gaps: the gap of each run, by the row above it.
        side: it enters its end from the side, in the row of its end.
        points: the corners, once heights are known.
    """

    arrow: Arrow
    xs: list[float]
    gaps: list[int]
    side: bool = False
    points: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """All boxes and routes, and the height that they take."""

    boxes: dict[str, Box]
    routes: tuple[Route, ...]
    height: float


@cache
def _font(code: bool, size: float) -> ImageFont.FreeTypeFont:
    name = "DejaVuSansMono.ttf" if code else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)


def text_width(text: str, code: bool = False, size: float = 0) -> float:
    """Of a line, in a font that is wider than most."""
    return float(_font(code, size or (CODE if code else TEXT)).getlength(text))


def lines_of(node: Node) -> list[tuple[str, bool]]:
    """What stands in a box: words, and whether they are code."""
    words = [(line, False) for line in node.label.split("\n") if line]
    names = [node.code] if text_width(node.code, code=True) < NAMES else list(node.names)
    code = [(name, True) for name in names if name]
    return code + words if node.kind == "given" else words + code


def arrange(diagram: Diagram) -> Layout:
    """Place the boxes, and lead the arrows around them.

    Raises:
        InputError: a label is wider than its box, a box leaves the picture or covers another, or an
            arrow finds no way.
    """
    flat = {node.key: _flat_box(diagram, node) for node in diagram.nodes}
    for one in flat.values():
        for other in flat.values():
            if one is not other and one.node.at[1] == other.node.at[1] and _overlap(one, other):
                raise InputError(f"{diagram.id}: {one.node.key} covers {other.node.key}.")
    routes = _Router(diagram, flat).routes()
    rows = 1 + max(node.at[1] for node in diagram.nodes)
    tracks = {gap: _tracks(routes, gap) for gap in range(rows)}
    y, tops, gap_tops = MARGIN, [], []
    heights = [
        2 * PADDING
        + LINE * max((len(lines_of(n)) for n in diagram.nodes if n.at[1] == row), default=1)
        for row in range(rows)
    ]  # fmt: skip
    for row in range(rows):
        tops.append(y)
        gap_tops.append(y + heights[row])
        count = 1 + max(tracks[row].values(), default=-1)
        y += heights[row] + (BEFORE + AFTER + TRACK * (count - 1) if count else BARE)
    boxes = {
        key: Box(box.node, box.x, tops[box.node.at[1]], box.width, heights[box.node.at[1]])
        for key, box in flat.items()
    }
    for number, route in enumerate(routes):
        levels = [gap_tops[gap] + BEFORE + TRACK * tracks[gap][number, gap] for gap in route.gaps]
        route.points = _corners(route, boxes, levels)
    return Layout(boxes, tuple(routes), gap_tops[-1] + MARGIN)


def _flat_box(diagram: Diagram, node: Node) -> Box:
    """A box whose height is not yet known."""
    column = (WIDTH - 2 * MARGIN - (diagram.columns - 1) * GUTTER) / diagram.columns
    width = column * node.wide + GUTTER * (node.wide - 1)
    x = MARGIN + column / 2 + node.at[0] * (column + GUTTER) - width / 2
    if x < 0 or x + width > WIDTH:
        raise InputError(f"{diagram.id}: {node.key} leaves the picture; move it inwards.")
    for text, code in lines_of(node):
        if text_width(text, code) > width - 2 * PADDING:
            raise InputError(f"{diagram.id}: {text!r} is wider than its box; break the line.")
    return Box(node, x, 0, width, 0)


def _overlap(one: Box, other: Box) -> bool:
    return one.x < other.x + other.width and other.x < one.x + one.width


def _within(box: Box, x: float) -> bool:
    """Whether an arrow may leave a box at x."""
    return box.x + PORT <= x <= box.x + box.width - PORT


class _Router:
    """Ways for all arrows of a diagram, before anything has a height."""

    def __init__(self, diagram: Diagram, boxes: dict[str, Box]) -> None:
        self.diagram, self.boxes = diagram, boxes
        self.sides: set[tuple[str, bool]] = set()
        self.taken: dict[tuple[int, int], tuple[str, bool]] = {}
        self.across: list[tuple[int, float, float]] = []
        column = (WIDTH - 2 * MARGIN + GUTTER) / diagram.columns
        self.gutters = [
            MARGIN - GUTTER / 2 + column * number for number in range(1, diagram.columns)
        ] + [2.0, WIDTH - 2.0]

    def routes(self) -> list[Route]:
        """One for each arrow, in their order."""
        found: dict[int, Route] = {}
        for number, arrow in enumerate(self.diagram.arrows):
            route = self._sideways(arrow)
            if route:
                found[number] = route
        entries = self._entries([n for n in range(len(self.diagram.arrows)) if n not in found])
        for number, x in entries.items():
            found[number] = self._downwards(self.diagram.arrows[number], x)
        return [found[number] for number in range(len(self.diagram.arrows))]

    def _row(self, key: str) -> int:
        return self.boxes[key].node.at[1]

    def _leave(self, arrow: Arrow) -> float:
        """Where an arrow leaves the lower edge of its start: in the middle, if it can."""
        x = self.boxes[arrow.start].middle[0]
        others = [
            self.boxes[other.end].middle[0] - x
            for other in self.diagram.arrows
            if other.start == arrow.start
            and other.style in FORWARD
            and self._row(other.end) > self._row(other.start)
        ]
        if arrow.style != "reply" or not others:
            return x
        ahead = self.boxes[arrow.end].middle[0] - x
        # It turns later than those of the training, so that it keeps outside of them.
        return x + (BESIDE if ahead < 0 or (ahead == 0 and min(others) < 0) else -BESIDE)

    def _free(self, x: float, rows: range) -> bool:
        """Whether nothing stands at x in some rows."""
        return not any(
            box.node.at[1] in rows and box.x - 3 < x < box.x + box.width + 3
            for box in self.boxes.values()
        )

    def _sideways(self, arrow: Arrow) -> Route | None:
        """Into the side of its end: along a row, or down beside it and then across."""
        start, end, x = self.boxes[arrow.start], self.boxes[arrow.end], self._leave(arrow)
        row, last = self._row(arrow.start), self._row(arrow.end)
        if arrow.style == "same" and row != last:
            raise InputError(f"{self.diagram.id}: {arrow} joins two rows; twins stand in one.")
        if row > last:
            raise InputError(f"{self.diagram.id}: {arrow} goes up; diagrams read downwards.")
        from_left = x < end.middle[0]
        edge = end.x if from_left else end.x + end.width
        if row == last:
            leave = start.x + start.width if from_left else start.x
            if not self._clear(leave, edge, row, {arrow.start, arrow.end}):
                raise InputError(f"{self.diagram.id}: a box stands in the way of {arrow}.")
        else:
            leave = x
            beside = abs(x - edge) > GUTTER and not end.x < x < end.x + end.width
            free = self._free(x, range(row + 1, last + 1))
            if not (beside and free and self._clear(x, edge, last, {arrow.end})):
                return None
            if (arrow.end, from_left) in self.sides:
                return None
        self.sides.add((arrow.end, from_left))
        for between in range(row + 1, last + 1):
            self.taken[between, round(leave)] = _trunk(arrow)
        self.across.append((last, min(leave, edge), max(leave, edge)))
        return Route(arrow, [leave, edge], [], side=True)

    def _clear(self, one: float, other: float, row: int, ends: set[str]) -> bool:
        """Whether no other box stands in a row between two places."""
        low, high = sorted((one, other))
        return not any(
            box.node.at[1] == row and box.x < high and box.x + box.width > low
            for key, box in self.boxes.items()
            if key not in ends
        )

    def _entries(self, numbers: list[int]) -> dict[int, float]:
        """Where arrows meet the upper edge of their ends: below their starts, if they can."""
        by_end = defaultdict(list)
        for number in numbers:
            by_end[self.diagram.arrows[number].end].append(number)
        places: dict[int, float] = {}
        for key, arriving in by_end.items():
            box = self.boxes[key]
            high = box.x + box.width - PORT
            order = {number: self._order(self.diagram.arrows[number], box) for number in arriving}
            arriving.sort(key=order.__getitem__)
            xs = [self._wanted(self.diagram.arrows[number], box) for number in arriving]
            for place in range(1, len(xs)):
                xs[place] = max(xs[place], xs[place - 1] + APART)
            for place in range(len(xs) - 1, -1, -1):
                xs[place] = min(xs[place], high if place == len(xs) - 1 else xs[place + 1] - APART)
            places |= dict(zip(arriving, xs, strict=True))
        return dict(sorted(places.items()))

    def _wanted(self, arrow: Arrow, end: Box) -> float:
        """Where an arrow would enter its end, were it alone."""
        start, middle = self.boxes[arrow.start], end.middle[0]
        if start.width > end.width and _within(start, middle):
            return middle
        return min(max(self._leave(arrow), end.x + PORT), end.x + end.width - PORT)

    def _order(self, arrow: Arrow, end: Box) -> tuple[float, int]:
        """From left to right; of two from one column, the one from farther up stays outside."""
        x = self.boxes[arrow.start].middle[0]
        return x, self._row(arrow.start) * (1 if x < end.middle[0] else -1)

    def _downwards(self, arrow: Arrow, enter: float) -> Route:
        """From the lower edge of its start to the upper edge of its end, with as few bends."""
        start, row, last = self.boxes[arrow.start], self._row(arrow.start), self._row(arrow.end)
        between = range(row + 1, last)
        ways: list[tuple[float, Route]] = []
        if _within(start, enter):
            ways.append((0, Route(arrow, [enter], [])))
        leave = self._leave(arrow)
        for gap in range(last - 1, row - 1, -1):
            ways.append((2 + 0.1 * (last - 1 - gap), Route(arrow, [leave, enter], [gap])))
        for gutter in self.gutters:
            length = abs(gutter - leave) + abs(gutter - enter)
            way = Route(arrow, [leave, gutter, enter], [row, last - 1])
            ways.append((4 + length / 1000, way))
        usable = [
            (cost + self._shared(way, between), number, way)
            for number, (cost, way) in enumerate(ways)
            if all(self._free(x, rows) for x, rows in self._falls(way, between))
            and len(set(way.gaps)) == len(way.gaps)
        ]
        if not usable:
            raise InputError(f"{self.diagram.id}: no way for {arrow}; move a box.")
        best = min(usable)[2]
        for x, rows in self._falls(best, between):
            for number in rows:
                self.taken[number, round(x)] = _trunk(arrow)
        return best

    @staticmethod
    def _falls(way: Route, between: range) -> list[tuple[float, range]]:
        """Where it goes down through whole rows, and through which."""
        bounds = [between.start, *(gap + 1 for gap in way.gaps), between.stop]
        return [(x, range(bounds[number], bounds[number + 1])) for number, x in enumerate(way.xs)]

    def _shared(self, way: Route, between: range) -> float:
        """What it costs to lie on another arrow, or to cross one that runs along a row."""
        falls = [(row, x) for x, rows in self._falls(way, between) for row in rows]
        own = _trunk(way.arrow)
        on = sum(3 for row, x in falls if self.taken.get((row, round(x)), own) != own)
        crossed = sum(
            one == row and low < x < high for row, x in falls for one, low, high in self.across
        )
        return on + 0.6 * crossed


def _trunk(arrow: Arrow) -> tuple[str, bool]:
    """Arrows of one trunk may lie on each other."""
    return arrow.start, arrow.style == "reply"


def _tracks(routes: list[Route], gap: int) -> dict[tuple[int, int], int]:
    """The track of each run in a gap, counted downwards, such that as few lines cross as can be."""
    runs = {
        number: (route.xs[place], route.xs[place + 1])
        for number, route in enumerate(routes)
        for place, one in enumerate(route.gaps)
        if one == gap
    }
    # Runs that leave one place together share a track.
    groups: dict[tuple[float, str, bool], list[int]] = defaultdict(list)
    for number, (x, _) in runs.items():
        arrow = routes[number].arrow
        groups[x, arrow.start, arrow.style == "reply"].append(number)

    def crossings(order: tuple[int, ...]) -> tuple[int, int]:
        level = {
            number: order[place]
            for place, members in enumerate(groups.values())
            for number in members
        }
        count = 0
        for one, (x0, x1) in runs.items():
            low, high = min(x0, x1), max(x0, x1)
            for other, (y0, y1) in runs.items():
                if level[one] == level[other]:
                    apart = min(y0, y1) > high + 3 or max(y0, y1) < low - 3
                    same_group = (x0, routes[one].arrow.start) == (y0, routes[other].arrow.start)
                    count += 0 if one == other or apart or same_group else 50
                    continue
                count += low < y0 < high and level[other] > level[one]
                count += low < y1 < high and level[other] < level[one]
                count += 20 * (abs(y0 - x1) < 3 and level[other] > level[one])
        return count, max(order, default=0)

    ways = {
        tuple(sorted(set(order)).index(value) for value in order)
        for order in permutations([*range(len(groups)), *range(len(groups))], len(groups))
    } if len(groups) < 4 else set(permutations(range(len(groups))))  # fmt: skip
    best = min(sorted(ways), key=crossings)
    return {
        (number, gap): best[place]
        for place, members in enumerate(groups.values())
        for number in members
    }


def _corners(route: Route, boxes: dict[str, Box], levels: list[float]) -> list[tuple[float, float]]:
    """The points of a route whose runs have their heights."""
    start, end = boxes[route.arrow.start], boxes[route.arrow.end]
    if route.side:
        leave, edge = route.xs
        across = end.middle[1]
        if start.y == end.y:
            return [(leave, across), (edge, across)]
        return [(leave, start.y + start.height), (leave, across), (edge, across)]
    points = [(route.xs[0], start.y + start.height)]
    for x, then, level in zip(route.xs[:-1], route.xs[1:], levels, strict=True):
        points += [(x, level), (then, level)]
    return [*points, (route.xs[-1], end.y)]
