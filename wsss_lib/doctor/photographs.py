"""Photographs and the lists that divide them."""

from collections import Counter

from tqdm.auto import tqdm

from wsss_lib.core import InputError
from wsss_lib.data.drawn import FILES
from wsss_lib.data.files.pictures import decoded_size
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.doctor.findings import Examination, by_kind, first


def check_splits(found: Examination, every: SegmentationFolder) -> None:
    """Every split names images that exist, once; training and validation share none."""
    members: dict[str, tuple[str, ...]] = {}
    for split in every.splits:
        try:
            members[split] = SegmentationFolder(every.root, split, every.classes).ids
        except InputError as error:
            found.add(str(error), "Write one id a line, or delete the list.")
    if every.voc and not every.splits:
        found.add(
            f"{every.root}/ImageSets/Segmentation holds no split.",
            "Write the ids of the training images into train.txt there, one a line.",
        )
    there = set(every.ids)
    for split, ids in members.items():
        found.counts[f"split {split}"] = len(ids)
        missing = set(ids) - there
        found.add(
            f"Split {split} names {{n}} of {len(ids)} images that are not in {every.images.name}/.",
            "Fetch these images, or take their ids out of the split.",
            missing,
        )
        twice = [id for id, count in Counter(ids).items() if count > 1]
        found.add(f"Split {split} names {{n}} images twice.", "Name them once.", twice)
    if "train" in members and "val" in members:
        found.add(
            "{n} images are in train and in val: figures on val would mean nothing.",
            "Take them out of one of the two.",
            set(members["train"]) & set(members["val"]),
        )


def check_images(found: Examination, every: SegmentationFolder) -> dict[str, tuple[int, int]]:
    """Sizes (H, W) of the images that can be decoded completely."""
    found.counts["images"] = len(every.ids)
    sizes: dict[str, tuple[int, int]] = {}
    broken, tiny = {}, []
    for id in tqdm(every.ids, desc="images", leave=False):
        try:
            path = every.image_path(id)
            sizes[id] = decoded_size(path)
        except InputError as error:
            broken[id] = str(error)
            continue
        if min(sizes[id]) < 16:
            tiny.append(f"{path.name} ({sizes[id][1]}x{sizes[id][0]})")
    for kind, messages in by_kind(broken).items():
        found.add(f"{{n}} images {kind}", first(messages), messages)
    found.add(
        "{n} images have a side below 16 pixels.",
        "They can be used, but no object will be found in them.", tiny, serious=False,
    )  # fmt: skip
    return sizes


def check_unread(found: Examination, every: SegmentationFolder) -> None:
    """Files that nobody reads."""
    layers = (every.masks.name, FILES["scribble"], FILES["saliency"])
    for files in (every.pictures, *map(every.files_of, layers)):
        found.add(
            f"{{n}} files in {files.folder.name}/ have an ending that is not read.",
            f"They do no harm; read are {', '.join(files.endings)}.",
            files.unread,
            serious=False,
        )
