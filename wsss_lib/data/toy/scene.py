"""One picture of the toy world: ground, sky, clutter and objects, and every label of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from wsss_lib.data.toy.numbering import Labels, numbered
from wsss_lib.data.toy.shapes import TARGETS, Mask, Plane, Shape, box, disc
from wsss_lib.data.toy.textures import (
    GROUNDS,
    HUES,
    SKIES,
    SURFACES,
    ground,
    pattern,
    sky,
    surface,
)

SIZE = 64
"""Side of a picture in pixels."""
FINE = 2 * SIZE
"""Side of the canvas that is averaged over 2 x 2 cells into the picture."""
HEAD, BODY = 1, 2
MORE = (0.5, 0.35, 0.15)
"""Chance of 0, 1 and 2 more objects beside the first."""
AGAIN = 0.25
"""Chance that another object has the class of the first."""
STUFF = (*GROUNDS, "sky")


@dataclass(frozen=True)
class Kind:
    """What makes a class: its outline, its head cue and the looks that are typical of its body.

    Attributes:
        shape: key of ``shapes.TARGETS``.
        pattern: pattern of the head cue.
        colours: the two colours of the head cue.
        hues: typical hues of the body; other classes share them.
        surface: typical surface of the body; other classes may share it.
        size: multiplies the size of the object.
        head: multiplies the size of the head cue.
    """

    shape: str
    pattern: str
    colours: tuple[tuple[float, float, float], tuple[float, float, float]]
    hues: tuple[str, str]
    surface: str
    size: float = 1.0
    head: float = 1.0


KINDS: dict[str, Kind] = {
    "bus": Kind("bus", "lattice", ((0.10, 0.14, 0.42), (0.96, 0.96, 0.98)),
                ("orange", "red"), "v-stripes"),
    "cat": Kind("cat", "face", ((0.96, 0.84, 0.16), (0.06, 0.05, 0.05)),
                ("brown", "grey"), "dots"),
    "boat": Kind("boat", "stripes", ((0.86, 0.10, 0.12), (0.98, 0.98, 0.98)),
                 ("cream", "blue"), "plain", head=0.9),
    "snake": Kind("snake", "halves", ((0.98, 0.92, 0.20), (0.10, 0.56, 0.20)),
                  ("olive", "brown"), "check", size=1.2, head=1.15),
    "wreath": Kind("wreath", "spots", ((0.74, 0.06, 0.24), (1.00, 0.72, 0.82)),
                   ("olive", "cream"), "h-stripes"),
    "starfish": Kind("starfish", "rings", ((0.99, 0.98, 0.96), (0.98, 0.56, 0.10)),
                     ("red", "plum"), "dots"),
}  # fmt: skip


@dataclass(frozen=True)
class Knobs:
    """What a world is like; every failure that the survey discusses has its knob.

    Attributes:
        head_contrast: 1 paints the pure head cue, 0 leaves the body's colour.
        head_size: multiplies the size of the head cues, by class; others take ``"*"``.
        weak_head: contrast of the head cue of single classes, in place of ``head_contrast``.
        typical_hue: probability that a body has a hue typical of its class.
        typical_surface: probability that a body has the surface typical of its class.
        two_tone: probability that a body has a second hue, any, beyond a line through it.
        amplitude: contrast of the surfaces.
        camouflage: probability that a body has the colour of the ground.
        cooccurrence: P(water | boat) in train and val; water covers 25 % of the images in both, so
            that .25 is chance.
        small: share of small objects, whose half-extent is 9-14 pixels.
        extent: smallest and largest half-extent of the other objects in pixels.
        clutter: most pieces of clutter in a picture.
        empty: share of pictures without objects.
        weights: relative frequency of single classes; that of the others is 1.
    """

    head_contrast: float = 1.0
    head_size: float = 1.2
    weak_head: dict[str, float] = field(default_factory=dict)
    typical_hue: float = 0.7
    typical_surface: float = 0.7
    two_tone: float = 0.0
    amplitude: float = 0.14
    camouflage: float = 0.03
    cooccurrence: tuple[float, float] = (0.25, 0.25)
    small: float = 0.15
    extent: tuple[float, float] = (17.0, 31.0)
    clutter: int = 2
    empty: float = 0.06
    weights: dict[str, float] = field(default_factory=dict)

    def shares(self) -> NDArray[np.float64]:
        """Probability of each class, in the order of ``KINDS``."""
        weight = np.asarray([self.weights.get(name, 1.0) for name in KINDS])
        return weight / weight.sum()

    def share_with(self, name: str) -> float:
        """Share of the pictures that show a class, whatever hides it."""
        p = self.shares()[list(KINDS).index(name)]
        other = AGAIN + (1 - AGAIN) * (1 - p)  # another object is none of the class either
        none = (1 - p) * sum(chance * other**more for more, chance in enumerate(MORE))
        return (1 - self.empty) * (1 - none)


@dataclass
class Scene:
    """A picture and all that is known about it; every array is (SIZE, SIZE).

    Attributes:
        image: (SIZE, SIZE, 3) uint8.
        label: 0 background, else 1 + the index of the class.
        instance: 0 background, else the number of the object.
        part: 0 background, ``HEAD`` or ``BODY``.
        stuff: 0 object or clutter, else 1 + the index in ``STUFF``.
        classes: class index of each object, in the order of ``instance``.
        ground: name of the ground.
    """

    image: Labels
    label: Labels
    instance: Labels
    part: Labels
    stuff: Labels
    classes: list[int]
    ground: str


@dataclass
class Look:
    """How one object is painted.

    Attributes:
        shape: its outline.
        hue: RGB of the body.
        second: RGB of the body beyond a line through it.
        surface: key of ``textures.SURFACES``.
        pattern: pattern of the head cue; None leaves the head cue away.
        colours: (2, 3) colours of the head cue.
        head_size: multiplies the size of the head cue.
        contrast: 1 paints the pure head cue, 0 the body's colour.
        amplitude: contrast of the surface.
    """

    shape: Shape
    hue: Plane
    surface: str
    pattern: str | None
    colours: Plane
    second: Plane | None = None
    head_size: float = 1.0
    contrast: float = 1.0
    amplitude: float = 0.14


class Canvas:
    """A picture under way: colours at twice the size, and who owns each fine pixel."""

    def __init__(self) -> None:
        at = (np.arange(FINE, dtype=np.float32) + 0.5) / 2
        self.x, self.y = at[None, :], at[:, None]
        self.colour: Plane = np.zeros((FINE, FINE, 3), np.float32)
        self.stuff: Labels = np.zeros((FINE, FINE), np.uint8)
        self.owner: Labels = np.zeros((FINE, FINE), np.uint8)
        self.part: Labels = np.zeros((FINE, FINE), np.uint8)

    def backdrop(self, rng: Generator, ground_name: str, sky_name: str | None) -> None:
        """Paint the ground and, above a horizon 8-24 pixels below the edge, a sky."""
        self.colour = ground(rng, ground_name, self.x, self.y)
        self.stuff[:] = 1 + STUFF.index(ground_name)
        if sky_name is None:
            return
        horizon = rng.uniform(8, 24) + 0 * self.x
        if ground_name != "water":
            wave = 2 * np.pi * self.x / rng.uniform(25, 60) + rng.uniform(0, 6)
            horizon = horizon + rng.uniform(0.5, 2.5) * np.sin(wave)
        above = self.y < horizon
        self.colour[above] = sky(rng, sky_name, self.x, self.y)[above]
        self.stuff[above] = 1 + STUFF.index("sky")

    def paint(
        self, rng: Generator, look: Look, x: float, y: float, half: float, owner: int
    ) -> None:
        """Put an object on top of all that is there.

        Args:
            rng: source of all that the look leaves open.
            look: how it is painted.
            x: centre, pixels.
            y: centre, pixels.
            half: half-extent, pixels.
            owner: number written to ``self.owner``; 0 is clutter.
        """
        shape = look.shape
        angle = rng.uniform(-1, 1) * shape.turn
        cos, sin, side = np.cos(angle), np.sin(angle), 1 if rng.random() < 0.5 else -1
        period, shade = rng.uniform(5, 7.5), rng.uniform(-0.05, 0.05, 2)
        rows = slice(max(0, int(2 * (y - 1.45 * half))), max(0, int(2 * (y + 1.45 * half)) + 1))
        columns = slice(max(0, int(2 * (x - 1.45 * half))), max(0, int(2 * (x + 1.45 * half)) + 1))
        dx, dy = self.x[:, columns] - np.float32(x), self.y[rows] - np.float32(y)
        u = ((cos * dx + sin * dy) * side / half).astype(np.float32)
        v = ((cos * dy - sin * dx) / half).astype(np.float32)
        body = shape.body(u, v)
        light = look.amplitude * surface(look.surface, u * half, v * half, period)
        light = light + shade[0] * u + shade[1] * v - 0.05 * v
        hue: Plane = look.hue
        if look.second is not None:
            line, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.15, 0.15)
            beyond = np.cos(line) * u + np.sin(line) * v > offset
            hue = np.where(beyond[..., None], look.second, look.hue)
        colour = hue + light[..., None].astype(np.float32)
        if shape.dark is not None:
            colour[shape.dark(u, v)] = 0.12
        head = np.zeros_like(body)
        if look.pattern is not None:
            a = (u - shape.centre[0]) / np.float32(shape.radius[0] * look.head_size)
            b = (v - shape.centre[1]) / np.float32(shape.radius[1] * look.head_size)
            head = shape.head(a, b) & (body if shape.clip else True)
            cue = np.where(pattern(look.pattern, a, b)[..., None], look.colours[1], look.colours[0])
            mixed = look.contrast * cue + (1 - look.contrast) * colour
            colour = np.where(head[..., None], mixed, colour)
        seen = body | head
        self.colour[rows, columns][seen] = colour[seen]
        self.owner[rows, columns][seen] = owner
        self.part[rows, columns][seen] = np.where(head, HEAD, BODY)[seen] if owner else 0
        self.stuff[rows, columns][seen] = 0

    def develop(self, rng: Generator) -> Labels:
        """The picture, (SIZE, SIZE, 3) uint8: averaged, with its own contrast, light and noise."""
        image = self.colour.reshape(SIZE, 2, SIZE, 2, 3).mean(axis=(1, 3))
        image = (image - 0.5) * (1 + 0.12 * rng.standard_normal()) + 0.5
        image = image + 0.06 * rng.standard_normal()
        image = image + 0.02 * rng.standard_normal(image.shape, dtype=np.float32)
        return np.round(255 * image.clip(0, 1)).astype(np.uint8)


def body_hue(rng: Generator, name: str) -> Plane:
    """A hue of the shared palette with its jitter, (3,)."""
    return (np.asarray(HUES[name]) + 0.07 * rng.standard_normal(3)).astype(np.float32).clip(0, 1)


def clutter_look(rng: Generator, amplitude: float) -> Look:
    """A blob or a log with the objects' own hues and surfaces."""
    hue = body_hue(rng, str(rng.choice(list(HUES))))
    slim = rng.uniform(0.3, 0.5)
    logs = Shape(lambda u, v: box(u, v / slim), turn=np.pi)
    bumps, phase = rng.uniform(0.1, 0.25), rng.uniform(0, 6)

    def blob(u: Plane, v: Plane) -> Mask:
        r = 0.75 + bumps * np.sin(3 * np.arctan2(v, u) + phase)
        return disc(u / r, v / r)

    shape = logs if rng.random() < 0.4 else Shape(blob, turn=np.pi)
    colours = np.zeros((2, 3), np.float32)
    return Look(shape, hue, str(rng.choice(SURFACES)), None, colours, amplitude=amplitude)


def object_look(rng: Generator, name: str, knobs: Knobs, ground_name: str) -> Look:
    """An object of a class, with the looks that the knobs make likely."""
    kind = KINDS[name]
    hues = kind.hues if rng.random() < knobs.typical_hue else tuple(HUES)
    hue, second = body_hue(rng, str(rng.choice(hues))), body_hue(rng, str(rng.choice(list(HUES))))
    two_tone, hidden = rng.random() < knobs.two_tone, rng.random() < knobs.camouflage
    of_ground = np.asarray(GROUNDS[ground_name]) + rng.uniform(-0.12, 0.12, 3)
    if hidden:
        # Nearly white bodies on nearly white snow would be invisible to anybody.
        hue = of_ground.clip(0, 0.85).astype(np.float32)
    texture, typical = str(rng.choice(SURFACES)), rng.random() < knobs.typical_surface
    texture = kind.surface if typical else texture
    colours = np.asarray(kind.colours) + 0.04 * rng.standard_normal((2, 3))
    contrast = knobs.weak_head.get(name, knobs.head_contrast)
    head_size = knobs.head_size * kind.head
    return Look(
        TARGETS[kind.shape], hue, texture, kind.pattern, colours.clip(0, 1).astype(np.float32),
        second if two_tone else None, head_size, contrast, knobs.amplitude,
    )  # fmt: skip


def choose_classes(rng: Generator, knobs: Knobs) -> list[int]:
    """Class indices of the objects of one picture: 0 to 3 of them."""
    if rng.random() < knobs.empty:
        return []
    shares = knobs.shares()
    chosen = [int(rng.choice(len(shares), p=shares))]
    for _ in range(int(rng.choice(len(MORE), p=MORE))):
        again = rng.random() < AGAIN
        chosen.append(chosen[0] if again else int(rng.choice(len(shares), p=shares)))
    return chosen


def choose_ground(rng: Generator, knobs: Knobs, boat: bool, split: str) -> str:
    """A ground; water may go with boats, yet covers a quarter of the pictures all the same."""
    share = knobs.share_with("boat")
    with_boat = knobs.cooccurrence[0 if split == "train" else 1]
    without = max(0.0, (0.25 - share * with_boat) / (1 - share))
    if rng.random() < (with_boat if boat else without):
        return "water"
    return str(rng.choice([name for name in GROUNDS if name != "water"]))


def paint_objects(
    canvas: Canvas,
    classes: list[int],
    knobs: Knobs,
    placing: Generator,
    brushes: Iterable[Generator],
    look_of: Callable[[Generator, str], Look],
) -> None:
    """Put objects, numbered from 1, on a canvas, later ones in front, centres apart if possible.

    Args:
        canvas: gets the objects.
        classes: class index of each.
        knobs: how large they are.
        placing: source of sizes and places.
        brushes: for each object, the source of how it is painted.
        look_of: (source, name of the class) -> how an object looks.
    """
    names, placed = list(KINDS), list[tuple[float, float, float]]()
    for number, (index, brush) in enumerate(zip(classes, brushes, strict=False), start=1):
        half = placing.uniform(*((9, 14) if placing.random() < knobs.small else knobs.extent))
        half *= KINDS[names[index]].size * (0.85 if len(classes) > 1 else 1.0)
        for _ in range(12):
            margin = min(0.5 * half, 0.32 * SIZE)
            x, y = placing.uniform(margin, SIZE - margin, 2)
            if all(np.hypot(x - a, y - b) >= 0.62 * (half + s) for a, b, s in placed):
                break
        placed.append((x, y, half))
        canvas.paint(brush, look_of(brush, names[index]), x, y, half, number)


def finished(canvas: Canvas, classes: list[int], image: Labels, ground_name: str) -> Scene:
    """A picture with its labels."""
    owner, part, stuff = (m[1::2, 1::2] for m in (canvas.owner, canvas.part, canvas.stuff))
    instance, label, kept = numbered(owner, classes)
    part = np.where(instance > 0, part, 0).astype(np.uint8)
    return Scene(image, label, instance, part, stuff.copy(), kept, ground_name)


def draw_scene(rng: Generator, knobs: Knobs, split: str) -> Scene:
    """Draw one picture.

    Every part of a picture has chances of its own: where a knob is turned, all that it does not
    touch stays as it was.

    Args:
        rng: source of all that varies; the same state gives the same picture.
        knobs: what the world is like.
        split: "train" or "val"; boats and water may go together less often in val.
    """
    choosing, behind, littering, placing, painting, light = rng.spawn(6)
    classes = choose_classes(choosing, knobs)
    ground_name = choose_ground(behind, knobs, list(KINDS).index("boat") in classes, split)
    canvas = Canvas()
    sky_name = str(behind.choice(list(SKIES))) if behind.random() < 0.7 else None
    canvas.backdrop(behind, ground_name, sky_name)
    for _ in range(littering.integers(0, knobs.clutter + 1)):
        x, y = littering.uniform(2, SIZE - 2, 2)
        look, half = clutter_look(littering, knobs.amplitude), littering.uniform(3.5, 8)
        canvas.paint(littering, look, x, y, half, 0)
    paint_objects(
        canvas, classes, knobs, placing, painting.spawn(len(classes)),
        lambda brush, name: object_look(brush, name, knobs, ground_name),
    )  # fmt: skip
    return finished(canvas, classes, canvas.develop(light), ground_name)
