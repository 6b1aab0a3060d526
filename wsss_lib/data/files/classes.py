"""Names of classes, and the colours that a label map gives them."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsss_lib.core import InputError
from wsss_lib.data.files.text import read_text

FOREIGN = (
    "labels.txt", "label.txt", "class_names.txt", "obj.names", "_classes.csv", "classes.csv",
    "label_map.pbtxt", "labelmap.pbtxt", "label_map.txt", "data.yaml", "classes.json",
)  # fmt: skip
"""Files in which other programs name classes, and which are not read."""
TAKEN = ("id", "split")
"""Columns of the table of image labels that are no classes."""
VOID = (224, 224, 192)
"""Colour of void pixels in masks of PASCAL VOC."""


def check_classes(names: Sequence[str], source: object) -> tuple[str, ...]:
    """Class names that can be used, unchanged: each is read as it was written into a table.

    Args:
        names: of the C foreground classes.
        source: who names them, for the message.

    Raises:
        InputError: no name, one that stands there twice, in capitals too, one that a table would
            give back otherwise or has another use for, or the background among them.
    """
    if isinstance(names, str):
        raise InputError(f"{source} is one text, {names!r}: give a list of names, [{names!r}].")
    if not names:
        raise InputError(f"{source} names no classes: add them.")
    seen: dict[str, str] = {}
    for name in names:
        if not isinstance(name, str):
            raise InputError(f"{source} names {name!r} as a class: names are texts.")
        read = unicodedata.normalize("NFC", name).strip()
        if not read or name != read:
            raise InputError(
                f"{source} names class {name!r}, which a table gives back as {read!r}: write it "
                "without spaces around it, and its accents in one piece (Unicode NFC)."
            )
        if read.lower() in TAKEN or read.startswith("Unnamed: "):
            raise InputError(f"{source} names class {name!r}, a column of another use: rename it.")
        if read.casefold() in seen:
            raise InputError(
                f"{source} names class {name!r} twice"
                + (f", also as {seen[read.casefold()]!r}" if seen[read.casefold()] != name else "")
                + "; delete or rename one."
            )
        seen[read.casefold()] = name
        if is_background(name):
            raise InputError(
                f"{source} names {name!r} as a class. The background is always there, as index 0 "
                "of the masks, and is not listed: take it out, and let the classes begin with 1."
            )
    return tuple(names)


def is_background(name: str) -> bool:
    """Whether a name stands for the background, also as ``_background_``."""
    return name.strip("_ ").casefold() == "background"


def read_class_list(path: Path) -> tuple[str, ...]:
    """Names of ``classes.txt``, one a line.

    Raises:
        InputError: a list that ``check_classes`` refuses.
    """
    lines = (line.strip() for line in read_text(path).splitlines())
    return check_classes([line for line in lines if line], path)


def read_labelmap(path: Path) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and colours of CVAT's ``labelmap.txt``, one ``name:R,G,B:parts:actions`` a line.

    Returns:
        The C foreground classes, and the (K, 3) uint8 colours of background and classes.

    Raises:
        InputError: a line that is none, a colour of two classes, or a background that is not first.
    """
    named: list[tuple[str, tuple[int, ...]]] = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            name, numbers, _, _ = line.strip().rsplit(":", 3)
            colour = tuple(int(part) for part in numbers.split(","))
            if len(colour) != 3 or not all(0 <= part <= 255 for part in colour):
                raise ValueError(numbers)
        except ValueError as error:
            raise InputError(
                f"{path}, line {number}: {line.strip()!r} is not name:R,G,B:parts:actions. Correct "
                "it, or write classes.txt with one name a line instead."
            ) from error
        if colour != VOID:
            named.append((name.strip(), colour))
    if named and is_background(named[0][0]):
        ground, *named = named
    else:
        ground = ("background", (0, 0, 0))
    classes = check_classes([name for name, _ in named], path)
    colours = [ground[1], *(colour for _, colour in named)]
    for place, colour in enumerate(colours):
        if colour in colours[:place]:
            raise InputError(f"{path} gives two classes the colour {colour}; change one.")
    return classes, np.array(colours, dtype=np.uint8)
