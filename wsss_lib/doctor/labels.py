"""Image labels, masks and weak labels that somebody drew, each alone and against each other."""

import numpy as np
from tqdm.auto import tqdm

from wsss_lib.core import IGNORE, InputError
from wsss_lib.data.drawn import DrawnLabels
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.doctor.findings import Examination, by_kind, first


def check_tags(found: Examination, every: SegmentationFolder) -> dict[str, np.ndarray]:
    """Image labels (C,) by id, as far as they can be read from the table."""
    file, rows = every.labels_file, every.table
    if rows is None:
        if every.has_masks():
            found.add(
                f"There is no {file.name}; image labels are made from the masks.",
                "Nothing to do, unless your labels differ from what the masks show.", serious=False,
            )  # fmt: skip
        else:
            found.add(
                f"There is neither {file.name} nor {every.masks.name}/, so nobody says what the "
                "images show.",
                f"Write {file.name}: a first line id,{','.join(every.classes[:3])},... and one "
                "line for each image with 0 or 1 for each class.",
            )
        return {}
    found.counts["lines of labels"] = len(rows)
    found.add(
        f"{{n}} of {len(every.ids)} images have no line in {file.name}.",
        "Add a line for each of them.", [id for id in every.ids if id not in rows],
    )  # fmt: skip
    found.add(
        f"{{n}} lines of {file.name} are about images that are not here.",
        "They are not used; fetch the images if you miss them.",
        rows.keys() - {*every.ids}, serious=False,
    )  # fmt: skip
    tags: dict[str, np.ndarray] = {}
    unreadable: dict[str, str] = {}
    for id in every.ids:
        if id in rows:
            try:
                tags[id] = every.tags(id).numpy()
            except InputError as error:
                unreadable[id] = str(error)
    found.add(
        f"{{n}} lines of {file.name} hold entries that are neither 0 nor 1.", first(unreadable),
        unreadable,
    )  # fmt: skip
    if not every.allows_empty:
        found.add(
            "{n} images are labelled with no class.",
            "Correct the labels; if images without objects are meant, write "
            '{"allows_empty": true} into dataset.json.',
            [id for id, row in tags.items() if not row.any()],
        )
    if tags:
        counts = np.sum([*tags.values()], axis=0).astype(int)
        found.counts |= {
            f"images with {c}": int(n) for c, n in zip(every.classes, counts, strict=True)
        }
        _check_balance(found, dict(zip(every.classes, counts, strict=True)), len(tags))
    return tags


def _check_balance(found: Examination, counts: dict[str, int], total: int) -> None:
    found.add(
        "{n} classes are in every image: a classifier cannot learn where they are.",
        "Add images without them (and allows_empty in dataset.json if nothing else is there).",
        [name for name, count in counts.items() if count == total], serious=False,
    )  # fmt: skip
    found.add(
        "{n} classes are in no image.", "They cannot be learned from these images.",
        [name for name, count in counts.items() if count == 0], serious=False,
    )  # fmt: skip


def check_masks(
    found: Examination,
    every: SegmentationFolder,
    sizes: dict[str, tuple[int, int]],
    tags: dict[str, np.ndarray],
) -> None:
    """Masks can be read, fit their image, use the classes' indices, and agree with the labels.

    Those of images that cannot be read wait until these are mended.
    """
    if not every.has_masks():
        found.add(
            f"There are no masks ({every.masks.name}/).",
            "Methods can be run without; thresholds are then fixed and nothing can be measured.",
            serious=False,
        )
        return
    there = {*every.files_of(every.masks.name).ids}
    found.counts["masks"] = len(there)
    without = set(every.ids) - there
    found.add(
        f"{{n}} of {len(every.ids)} images have no mask.",
        "Figures and thresholds come from the others alone.", without, serious=False,
    )  # fmt: skip
    found.add(
        "{n} masks belong to no image here.", "Fetch the images if you miss them.",
        there - set(every.ids), serious=False,
    )  # fmt: skip
    broken: dict[str, str] = {}
    unseen, untagged, void = [], [], []
    for id in tqdm([id for id in sizes if id in there], desc="masks", leave=False):
        try:
            mask = every.mask(id).numpy()
        except InputError as error:
            broken[id] = str(error)
            continue
        seen = set(np.unique(mask).tolist()) - {0, IGNORE}
        if (mask == IGNORE).all():
            void.append(id)
        if id in tags:
            tagged = set((np.flatnonzero(tags[id]) + 1).tolist())
            unseen += [f"{id}: {every.classes[c - 1]}" for c in tagged - seen]
            untagged += [f"{id}: {every.classes[c - 1]}" for c in seen - tagged]
    for kind, messages in by_kind(broken).items():
        found.add(f"{{n}} masks {kind}", first(messages), messages)
    if not broken and len(sizes) == len(every.ids):
        every.check_masks()
    found.add(
        "{n} masks hold nothing but void (255).",
        "They are never scored; finish them, or delete them.",
        void,
        serious=False,
    )
    _note_disagreement(found, "in a mask but not in the labels", untagged)
    _note_disagreement(found, "in the labels but not in the mask", unseen)


def check_drawn(
    found: Examination,
    every: SegmentationFolder,
    sizes: dict[str, tuple[int, int]],
    tags: dict[str, np.ndarray],
) -> None:
    """Boxes, points, scribbles and saliency maps, where there are files of them."""
    drawn = DrawnLabels(every)
    for kind in drawn.kinds:
        wrong: dict[str, str] = {}
        untagged: list[str] = []
        drawn_on = {}
        try:
            covered = [id for id in every.ids if drawn.covers(kind, id)]
        except InputError as error:
            found.add(str(error), "Correct this file.")
            continue
        for id in tqdm([id for id in covered if id in sizes], desc=kind, leave=False):
            try:
                label = drawn.label(kind, id, sizes[id]).numpy()
            except InputError as error:
                wrong[id] = str(error)
                continue
            if kind == "scribble":
                drawn_on[id] = (label != IGNORE).mean()
            if kind != "saliency" and id in tags:
                seen = np.unique(label if kind == "scribble" else label[:, -1]).tolist()
                tagged = {0, IGNORE, *(np.flatnonzero(tags[id]) + 1).tolist()}
                untagged += [f"{id}: {every.classes[c - 1]}" for c in {*seen} - tagged]
        name = drawn.path(kind).name
        found.counts[f"images in {name}"] = len(covered)
        found.add(
            f"{{n}} images have something in {name} that cannot be used.",
            first(wrong),
            wrong,
        )
        found.add(
            "{n} scribbles hold no 255, so that every pixel counts as drawn.",
            "Write 255 where nobody drew; 0 is drawn background.",
            [id for id, share in drawn_on.items() if share == 1],
        )
        empty = [id for id, share in drawn_on.items() if share == 0]
        found.add(
            "{n} scribbles hold nothing but 255, so that nothing is drawn.",
            "Draw on them; methods learn nothing from these images.",
            empty,
            serious=len(empty) == len(drawn_on),
        )
        _note_disagreement(found, f"in {name} but not in the labels", untagged)
        found.add(
            f"{{n}} of {len(every.ids)} images have nothing in {name}.",
            f"Methods that need {kind} can be run on splits of the others.",
            set(every.ids) - {*covered},
            serious=False,
        )


def _note_disagreement(found: Examination, how: str, where: list[str]) -> None:
    found.add(
        f"{{n}} times a class is {how}.",
        "Correct one of the two; a few small or doubtful objects do little harm.",
        where,
        serious=False,
    )
