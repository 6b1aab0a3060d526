"""Pictures drawn from stored maps: nothing is trained while the book is built.

A chapter shows its own images, chosen by a rule and never by hand: among the images that all
systems store, those on which a system gains most, median and least over another.
"""

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from textwrap import fill

from measured import called, results_folder
from torch import Tensor

from experiments.doses import FAMILIES, Dose
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.toy import write_toy
from wsss_lib.evaluate import confusion_of, ious
from wsss_lib.gallery import PLACES, Gallery, image_iou, ranked, read_gallery
from wsss_lib.show import Panel, Picture, class_panel, show_grid, truth_panel

DATA = Path(os.environ.get("WSSS_DATA", "data"))


@cache
def world(name: str = "standard", split: str = "train") -> SegmentationFolder:
    """The images and masks of the standard world, or at the dose of another place of results.

    They are drawn where they are missing.
    """
    doses = (dose for family in FAMILIES.values() for dose in family.doses)
    dose = next((dose for dose in doses if dose.where == name), Dose(0.0))
    root = write_toy(DATA / name, variant=dose.variant, knobs=dose.knobs, progress=False)
    return SegmentationFolder(root, split)


@cache
def gallery(id: str, of: str = "standard") -> Gallery:
    """The stored maps of a result."""
    return read_gallery(results_folder() / "maps" / of / f"{id}.npz")


def chosen(by: str, over: str = "cam", of: str = "standard") -> dict[str, str]:
    """Images of the largest, the median and the smallest gain of one system over another.

    What a system shows beside its scores is stored for such images only, so that they are kept.
    """
    one, other = gallery(by, of), gallery(over, of)
    both = [id for id in one.common if id in other.common]
    shared = [id for id in both if id in one.iou and id in other.iou]
    return ranked(
        {id: one.iou[id] - other.iou[id] for id in shared if not one.extras or id in one.extras}
    )


def shown_classes(id: str, of: str = "standard", split: str = "train") -> list[int]:
    """Numbers 1..C of the classes that an image shows, the largest region first."""
    mask = world(of, split).mask(id)
    areas = {c: int((mask == c).sum()) for c in range(1, len(world(of).classes) + 1)}
    return sorted((c for c in areas if areas[c]), key=lambda c: -areas[c])


def gain_figure(
    *ids: str,
    by: str = "",
    over: str = "cam",
    of: str = "standard",
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
        most: columns, at most; of images with several classes, those come first whose gain is
            nearest to that of the image.
    """
    columns = gain_columns(by or ids[-1], over, of, split, places, most)
    return maps_figure(ids, columns, of, split)


def gain_columns(
    by: str,
    over: str = "cam",
    of: str = "standard",
    split: str = "train",
    places: Sequence[str] = PLACES,
    most: int = 5,
) -> list[tuple[str, str, int]]:
    """The columns of ``gain_figure``: words above, image and class.

    The gain in the words is that of the image, the mean over the classes that it shows, and says so
    where they are several.
    """
    found = chosen(by, over, of)
    each = max(1, most // len(places))
    columns = []
    for place in places:
        id = found[place]
        gain = gallery(by, of).iou[id] - gallery(over, of).iou[id]
        classes = telling_classes(by, over, id, gain, of, split)
        words = gain_words(place, gain, classes)
        columns += [(words, id, c) for c in classes[:each]]
    return columns


def gain_words(place: str, gain: float, classes: Sequence[int]) -> str:
    """Which image this is, and its gain: the mean over its classes, if it has several."""
    mean = " mean" if len(classes) > 1 else ""
    return f"{place} gain\n{gain:+.2f}{mean}".replace("-", "\N{MINUS SIGN}")


def telling_classes(
    by: str, over: str, id: str, gain: float, of: str = "standard", split: str = "train"
) -> list[int]:
    """The classes that an image shows, first the one whose own gain is nearest to the image's.

    An image with steps that are stored of some classes keeps these, the largest region first.
    """
    classes, count = shown_classes(id, of, split), len(world(of).classes)
    titles = gallery(by, of).extras.get(id, {})
    if any(":" in title for title in titles):
        return classes
    truth = world(of, split).mask(id)
    own, other = (
        ious(confusion_of(truth, gallery(one, of).labels(id, count), count)) for one in (by, over)
    )
    return sorted(classes, key=lambda c: abs(own[c] - other[c] - gain))


def own_columns(
    id: str, of: str = "standard", split: str = "train", each: int = 1
) -> list[tuple[str, str, int]]:
    """Best, median and worst image of a system over its split, with the largest classes."""
    places = zip(("best", "median", "worst"), gallery(id, of).extremes, strict=True)
    return [
        (f"{place} image", image, c)
        for place, image in places
        for c in shown_classes(image, of, split)[:each]
    ]


def system_panels(
    id: str, columns: Sequence[tuple[str, str, int]], of: str = "standard", split: str = "train"
) -> list[Panel]:
    """The scores of a system, one panel a column, a contour at its threshold, IoU below."""
    data, stored = world(of, split), gallery(id, of)
    count = len(data.classes)
    return [
        class_panel(
            data.image(image), stored.scores(image, count), c, stored.threshold, data.mask(image)
        )
        for _, image, c in columns
    ]


def extra_panels(
    id: str,
    title: str,
    columns: Sequence[tuple[str, str, int]],
    of: str = "standard",
    split: str = "train",
) -> list[Panel]:
    """What a system shows of each column's image beside its scores, by class if it has classes."""
    panels = []
    for _, image, c in columns:
        found = gallery(id, of).extras[image]
        score = found[title] if title in found else found[f"{title}:{c}"]
        panels.append(Panel(world(of, split).image(image), score))
    return panels


def steps_figure(id: str, over: str = "cam", of: str = "standard", split: str = "train") -> Picture:
    """The floor, a system's way to its answer step by step, the answer, the truth; images in rows.

    Args:
        id: a system that stores maps of one class with titles such as "draw 1:3".
        over: the floor; its gain over it chooses the images.
        of: the world.
        split: where its images come from.
    """
    data, stored = world(of, split), gallery(id, of)
    rows, titles = {}, []
    for place, image in chosen(id, over, of).items():
        steps = {title.rpartition(":"): m for title, m in stored.extras[image].items()}
        titles = [title for title, _, _ in steps]
        c = next(int(number) for _, _, number in steps)
        floor, answer = (system_panels(one, [("", image, c)], of, split) for one in (over, id))
        shown = [Panel(data.image(image), m) for m in steps.values()]
        truth = truth_panel(data.image(image), data.mask(image), c)
        gain = stored.iou[image] - gallery(over, of).iou[image]
        words = gain_words(place, gain, shown_classes(image, of, split))
        rows[f"{words}\n{data.classes[c - 1]}"] = [*floor, *shown, *answer, truth]
    return show_grid(rows, [fill(called(over), 14), *titles, called(id), "truth"])


def label_panel(image: str, labels: Tensor, of: str = "standard", split: str = "train") -> Panel:
    """Labels (H, W) over an image, with their mean IoU over the classes that it shows."""
    data = world(of, split)
    found = image_iou(data.mask(image), labels, len(data.classes))
    return Panel(data.image(image), labels=labels, note=f"IoU {found:.2f}")


def stored_labels(id: str, image: str, title: str, of: str = "standard") -> Tensor:
    """(H, W) class indices of an illustration that is a label image."""
    return (gallery(id, of).extras[image][title] * 255).round().long()


def maps_figure(
    ids: Sequence[str],
    columns: Sequence[tuple[str, str, int]],
    of: str = "standard",
    split: str = "train",
    extra: Mapping[str, Sequence[Panel]] | None = None,
) -> Picture:
    """Stored maps of systems, a contour at the threshold, IoU below, the truth last.

    Args:
        ids: systems, one a row; names of ``extra`` rows stand where they are named.
        columns: words above, image and class.
        of: the world.
        split: where its images come from.
        extra: further rows; those that ``ids`` does not name come before the truth.
    """
    data = world(of, split)
    further = extra or {}
    rows: dict[str, Sequence[Panel]] = {
        called(id): further[id] if id in further else system_panels(id, columns, of, split)
        for id in ids
    }
    rows |= further
    rows["truth"] = [truth_panel(data.image(i), data.mask(i), c) for _, i, c in columns]
    heads = [
        f"{words}\n{data.classes[c - 1]}" if words else data.classes[c - 1]
        for words, _, c in columns
    ]
    return show_grid(rows, heads)
