"""What a run would refuse before it trains, in the words of the run."""

from tqdm.auto import tqdm

from wsss_lib.core import InputError
from wsss_lib.data.drawn import DrawnLabels, on_objects
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.parts import check_held_out, check_scored, divided, open_split, with_masks
from wsss_lib.doctor.findings import Examination


def check_runs(found: Examination, every: SegmentationFolder) -> None:
    """Masks that choose thresholds and are scored, and marks that lie on objects.

    Only where nothing else is wrong: whoever must mend a file is told once.
    """
    if found.serious:
        return
    for split in every.splits or (None,):
        dataset = with_masks(open_split(every.root, split))
        if dataset is not None:
            _check_part(found, dataset)
    drawn = DrawnLabels(every)
    for kind in drawn.kinds:
        if kind != "saliency":
            _check_marks(found, every, drawn, kind)


def _check_part(found: Examination, dataset: SegmentationFolder) -> None:
    """A split, or all images."""
    name = "the images" if dataset.split == "all" else f"split {dataset.split}"
    try:
        check_scored(dataset)
        held_out, rest = divided(dataset)
        if held_out is None or rest is None or dataset.split not in ("all", "train"):
            return
        unseen = check_held_out(held_out)
        check_scored(rest)
    except InputError as error:
        found.add(f"Figures of {name} would mean nothing.", str(error))
        return
    found.add(
        f"{{n}} classes are on no mask of the first {len(held_out)} of {name}, which choose "
        "thresholds.",
        "Thresholds are chosen without them; draw masks of some of the first images with them.",
        unseen,
        serious=False,
    )


def _check_marks(
    found: Examination, every: SegmentationFolder, drawn: DrawnLabels, kind: str
) -> None:
    on, beside = 0, []
    for id in tqdm([id for id in every.ids if every.has_mask(id)], desc=kind, leave=False):
        if drawn.covers(kind, id):
            label = drawn.label(kind, id, every.size(id))
            touching, marks = on_objects(kind, label, every.mask(id))
            on += touching
            if touching < marks:
                beside.append(id)
    found.add(
        f"{{n}} images have marks in {drawn.path(kind).name} beside every object of their class.",
        "Compare them with the masks; are x and y, or rows of different images, mixed up?",
        beside,
        serious=on == 0,
    )
