"""A complete check of a data folder: what is wrong, where, and what mends it."""

from pathlib import Path

from wsss_lib.core import InputError
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.doctor.findings import EXAMPLES, Examination
from wsss_lib.doctor.labels import check_drawn, check_masks, check_tags
from wsss_lib.doctor.photographs import check_images, check_splits, check_unread
from wsss_lib.doctor.runs import check_runs

GET_TOY = "A toy world is drawn by: wsss toy {root}"
GET_VOC = "PASCAL VOC 2012 comes with: python -m data_scripts.voc data/voc2012"


def examine(root: Path) -> Examination:
    """Look at every file of a data folder.

    Args:
        root: folder in the layout of PASCAL VOC or in the plain one.
    """
    found = Examination()
    if not root.is_dir():
        found.add(f"There is no folder {root}.", f"{GET_TOY.format(root=root)}. {GET_VOC}.")
        return found
    inside = [path.name for path in root.iterdir() if path.is_dir()]
    if "JPEGImages" not in inside and "images" not in inside:
        here = f"it holds {', '.join(sorted(inside)[:EXAMPLES])}" if inside else "it has no folders"
        found.add(
            f"{root} holds neither JPEGImages/ nor images/; {here}.",
            f"Put your photographs into {root}/images and their classes into {root}/labels.csv, "
            f"as `wsss doctor --help` describes. {GET_TOY.format(root=root / 'toy')}. {GET_VOC}.",
        )
        return found
    try:
        every = SegmentationFolder(root, split=None)
    except InputError as error:
        found.add(str(error), "Nothing else can be checked before this is mended.")
        return found
    check_splits(found, every)
    images = check_images(found, every)
    tags = check_tags(found, every)
    for check in (
        lambda: check_masks(found, every, images, tags),
        lambda: check_drawn(found, every, images, tags),
        lambda: check_unread(found, every),
        lambda: check_runs(found, every),
    ):
        try:
            check()
        except InputError as error:
            if str(error) not in {finding.what for finding in found.findings}:
                found.add(str(error), "More can be checked once this is mended.")
    return found
