"""Photographs and the lists that divide them."""

from collections import Counter

from tqdm.auto import tqdm

from wsss_lib.core import InputError
from wsss_lib.data.drawn import FILES
from wsss_lib.data.folder import SUFFIXES, SegmentationFolder, read_image
from wsss_lib.doctor.findings import Examination


def check_splits(found: Examination, every: SegmentationFolder) -> None:
    """Every split names images that exist, once; training and validation share none."""
    members: dict[str, tuple[str, ...]] = {}
    for split in every.splits:
        try:
            members[split] = SegmentationFolder(every.root, split, every.classes).ids
        except InputError:
            found.add(f"Split {split} names no images.", "Write one id a line, or delete it.")
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
        path = every.image_path(id)
        try:
            image = read_image(path)
        except InputError as error:
            broken[path.name] = str(error)
            continue
        sizes[id] = (image.shape[-2], image.shape[-1])
        if min(sizes[id]) < 16:
            tiny.append(f"{path.name} ({sizes[id][1]}x{sizes[id][0]})")
    found.add("{n} image files are truncated or not images.", "Fetch or export them again.", broken)
    found.add(
        "{n} images have a side below 16 pixels.",
        "They can be used, but no object will be found in them.", tiny, serious=False,
    )  # fmt: skip
    twice = Counter(path.stem for path in every.images.iterdir() if path.is_file())
    found.add(
        "{n} ids belong to several files, of which only one is read.",
        "Keep one file for each id.",
        [id for id in every.ids if twice[id] > 1],
    )
    return sizes


def check_endings(found: Examination, every: SegmentationFolder) -> None:
    """Files that nobody reads; one with the name of an image was meant to be read."""
    layers = (every.masks, *(every.root / FILES[kind] for kind in ("scribble", "saliency")))
    for folder, read in ((every.images, SUFFIXES), *((layer, (".png",)) for layer in layers)):
        files = [path for path in folder.glob("[!.]*") if path.is_file()]
        odd = [path for path in files if path.suffix not in read]
        found.add(
            f"{{n}} files in {folder.name}/ have an ending that is not read.",
            f"Convert them to {read[-1].lower()}, or take them away. Read are: {', '.join(read)}.",
            [path.name for path in odd],
            serious=any(path.stem in every.ids for path in odd),
        )
