"""Pictures drawn from stored maps: nothing is trained while the book is built.

A chapter shows its own images, chosen by a rule and never by hand: among the twelve images that all
systems store, those on which a system gains most, median and least over another.
"""

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from wsss_book import NAMES, results_folder

from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.toy import write_toy
from wsss_lib.gallery import PLACES, Gallery, ranked, read_gallery
from wsss_lib.show import Panel, Picture, class_panel, show_grid, truth_panel
from wsss_lib.survey import find_cards

DATA = Path(os.environ.get("WSSS_DATA", "data"))


@cache
def world(name: str = "toy", split: str = "train") -> SegmentationFolder:
    """The images and masks of a world, drawn where they are missing; "toy" is the standard one."""
    variant = name.removeprefix("toy_") if name != "toy" else "objects"
    return SegmentationFolder(write_toy(DATA / name, variant=variant, progress=False), split)


@cache
def gallery(id: str, of: str = "toy") -> Gallery:
    """The stored maps of a result."""
    return read_gallery(results_folder() / "maps" / of / f"{id}.npz")


def called(id: str) -> str:
    """What a result is called on the page."""
    card = find_cards().get(id)
    return NAMES.get(id) or (card.name if card else id)


def chosen(by: str, over: str, of: str = "toy") -> dict[str, str]:
    """Images of the largest, the median and the smallest gain of one system over another."""
    one, other = gallery(by, of), gallery(over, of)
    shared = [id for id in one.common if id in one.iou and id in other.iou]
    return ranked({id: one.iou[id] - other.iou[id] for id in shared})


def shown_classes(id: str, of: str = "toy", split: str = "train") -> list[int]:
    """Numbers 1..C of the classes that an image shows, the largest region first."""
    mask = world(of, split).mask(id)
    areas = {c: int((mask == c).sum()) for c in range(1, len(world(of).classes) + 1)}
    return sorted((c for c in areas if areas[c]), key=lambda c: -areas[c])


def gain_figure(
    *ids: str,
    by: str = "",
    over: str = "cam",
    of: str = "toy",
    split: str = "train",
    places: Sequence[str] = PLACES,
    most: int = 5,
) -> Picture:
    """Systems in rows, images and their classes in columns, the truth in the last row.

    Args:
        ids: systems whose maps are shown.
        by: the system whose gain over ``over`` chooses the images; the last of ``ids`` if empty.
        over: the floor.
        of: the world.
        split: where its images come from.
        places: which of the largest, the median and the smallest gain.
        most: columns, at most; of images with several classes, the largest come first.
    """
    found = chosen(by or ids[-1], over, of)
    each = max(1, most // len(places))
    columns = [
        (place, found[place], c)
        for place in places
        for c in shown_classes(found[place], of, split)[:each]
    ]
    return maps_figure(ids, columns, of, split)


def maps_figure(
    ids: Sequence[str],
    columns: Sequence[tuple[str, str, int]],
    of: str = "toy",
    split: str = "train",
    extra: Mapping[str, Sequence[Panel]] | None = None,
) -> Picture:
    """Stored maps of systems, a contour at the threshold, IoU below, the truth last.

    Args:
        ids: systems, one a row.
        columns: words above, image and class.
        of: the world.
        split: where its images come from.
        extra: further rows between the systems and the truth.
    """
    data = world(of, split)
    count = len(data.classes)
    rows = {
        called(id): [
            class_panel(
                data.image(image), gallery(id, of).scores(image, count), c,
                gallery(id, of).threshold, data.mask(image),
            )
            for _, image, c in columns
        ]
        for id in ids
    }  # fmt: skip
    rows |= {name: list(panels) for name, panels in (extra or {}).items()}
    rows["truth"] = [truth_panel(data.image(i), data.mask(i), c) for _, i, c in columns]
    heads = [
        f"{words}\n{data.classes[c - 1]}" if words else data.classes[c - 1]
        for words, _, c in columns
    ]
    return show_grid(rows, heads)
