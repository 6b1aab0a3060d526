"""Tiny archives in the real layouts of the data sets, and how each script is given them."""

import json
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coding
from scipy.io import savemat

from data_scripts import cityscapes, coco, context, mapillary, pets, voc
from data_scripts.fetch import Remote
from wsss_lib.data.folder import VOC_CLASSES
from wsss_lib.data.palette import write_labels

Make = Callable[[Path], None]
"""Makes a data folder."""

KINDS = {"2007_000001": "cat", "2007_000002": "dog", "2008_000003": "cat", "2008_000004": "bus"}
"""VOC: one image for train, one for val, two whose masks only SBD has."""
COCO_SIZE = (20, 30)
STREETS = {"train": "aachen_000000_000019", "val": "lindau_000001_000019"}
CONTEXT = {"train": ("2008_000002", "2008_000007"), "val": ("2008_000003",)}
LABELS_459 = {name: 3 * number for number, name in enumerate(reversed(context.CLASSES), start=1)}
"""Numbers in the labels of this Context, multiples of three; what is no class has others."""
PETS = {
    "trainval": ("Abyssinian_1", "Abyssinian_12", "american_bulldog_3", "Bombay_2"),
    "test": ("Abyssinian_7", "american_bulldog_5"),
}
"""Breeds 1, 2 and 3 as the authors list them, one after the other; the second one is a dog's."""
VISTAS = {"training": ("aaa", "bbb"), "validation": ("ccc",)}


def photograph(path: Path, mask: np.ndarray) -> None:
    """A picture that shows a mask."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = (40 + 13 * mask.astype(int)) % 256
    Image.fromarray(np.stack([grey] * 3, axis=-1).astype(np.uint8)).save(path)


def tar(path: Path, source: Path, inside: str) -> Path:
    """Pack a folder."""
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as archive:
        archive.add(source / inside, inside)
    return path


def zipped(path: Path, source: Path) -> Path:
    """Pack all files of a folder."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(source.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(source))
    return path


def of_voc(folder: Path) -> dict[str, Path]:
    """VOC 2012 and SBD."""
    source = folder / "source"
    root = source / "VOCdevkit" / "VOC2012"
    lists = root / "ImageSets" / "Segmentation"
    sbd = source / "benchmark_RELEASE" / "dataset" / "cls"
    for made in (root / "Annotations", lists, sbd):
        made.mkdir(parents=True)
    for number, (id, kind) in enumerate(KINDS.items()):
        mask = np.zeros((30, 40), np.uint8)
        mask[5:20, 5:25] = VOC_CLASSES.index(kind) + 1
        photograph(root / "JPEGImages" / f"{id}.jpg", mask)
        box = "<xmin>6</xmin><ymin>6.2</ymin><xmax>41</xmax><ymax>20</ymax>"
        part = "<xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax>"
        (root / "Annotations" / f"{id}.xml").write_text(
            "<annotation><size><width>40</width><height>30</height></size><object>"
            f"<part><name>head</name><bndbox>{part}</bndbox></part>"
            f"<name>{kind}</name><bndbox>{box}</bndbox></object></annotation>"
        )
        if number < 2:
            write_labels(root / "SegmentationClass" / f"{id}.png", mask)
        if number != 1:  # SBD knows the first as well, and draws it otherwise
            content = {"GTcls": {"Segmentation": mask if number else np.zeros_like(mask)}}
            savemat(sbd / f"{id}.mat", content)
    # Most photographs of VOC are for detection: they have objects, and no mask.
    photograph(root / "JPEGImages" / "2009_000005.jpg", np.zeros((30, 40)))
    (root / "Annotations" / "2009_000005.xml").write_text("<annotation/>")
    (lists / "train.txt").write_text("2007_000001\n")
    (lists / "val.txt").write_text("2007_000002\n")
    return {
        "voc": tar(folder / "voc.tar", source, "VOCdevkit"),
        "sbd": tar(folder / "benchmark.tgz", source, "benchmark_RELEASE"),
    }


def square(y0: int, x0: int, y1: int, x1: int) -> np.ndarray:
    inside = np.zeros(COCO_SIZE, np.uint8, order="F")
    inside[y0:y1, x0:x1] = 1
    return inside


def _polygon(y0: int, x0: int, y1: int, x1: int) -> list[list[int]]:
    return [[x0, y0, x1, y0, x1, y1, x0, y1]]


def _run_lengths(inside: np.ndarray) -> dict:
    """Counts by column, as crowds are annotated."""
    flat = inside.flatten(order="F")
    starts = np.flatnonzero(np.diff(flat, prepend=0)).tolist()
    counts = np.diff([0, *starts, flat.size]).tolist()
    return {"size": list(COCO_SIZE), "counts": counts}


def _compressed(inside: np.ndarray) -> dict:
    found = coding.encode(inside)
    return {"size": found["size"], "counts": found["counts"].decode()}


def _annotation(image: int, category: int, shape, area: int, bbox: list[float], crowd: int = 0):
    return {
        "image_id": image, "category_id": category, "segmentation": shape, "area": area,
        "iscrowd": crowd, "bbox": bbox,
    }  # fmt: skip


def of_coco(folder: Path) -> Path:
    """Three training images, one of which shows nothing, and one for validation."""
    categories = [{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person"}]
    found = {
        "train": [
            # In front of the person, though listed first.
            _annotation(1, 90, _polygon(4, 4, 8, 8), 16, [4.3, 4, 3.5, 4]),
            _annotation(1, 1, _polygon(2, 2, 18, 20), 288, [2, 2, 28.2, 16]),
            _annotation(1, 1, _run_lengths(square(0, 0, 20, 10)), 5, [0, 0, 10, 20], crowd=1),
            _annotation(2, 90, _compressed(square(5, 5, 15, 15)), 100, [5, 5, 10, 10]),
        ],
        "val": [_annotation(4, 1, _polygon(0, 0, 10, 10), 100, [0, 0, 10, 10])],
    }
    numbers = {"train": (1, 2, 3), "val": (4,)}
    archives = folder / "archives"
    archives.mkdir()
    height, width = COCO_SIZE
    with zipfile.ZipFile(archives / "annotations_trainval2014.zip", "w") as archive:
        for split, entries in found.items():
            images = [
                {"id": n, "file_name": f"COCO_{n:04d}.jpg", "height": height, "width": width}
                for n in numbers[split]
            ]
            content = {"images": images, "annotations": entries, "categories": categories}
            archive.writestr(f"annotations/instances_{split}2014.json", json.dumps(content))
    for split, ids in numbers.items():
        for n in ids:
            path = folder / split / f"{split}2014" / f"COCO_{n:04d}.jpg"
            photograph(path, np.full(COCO_SIZE, n))
        zipped(archives / f"{split}2014.zip", folder / split)
    return archives


def of_cityscapes(folder: Path) -> list[Path]:
    """Two streets: road, a car, and a number that is not evaluated."""
    for split, id in STREETS.items():
        place = Path(split) / id.split("_")[0]
        ids = np.full((20, 40), 7, np.uint8)
        ids[5:10, 5:20], ids[:2] = 26, 4
        seen = folder / "seen" / "leftImg8bit" / place / f"{id}_leftImg8bit.png"
        photograph(seen, ids)
        drawn = folder / "drawn" / "gtFine" / place / f"{id}_gtFine_labelIds.png"
        drawn.parent.mkdir(parents=True)
        Image.fromarray(ids).save(drawn)
    return [
        zipped(folder / "leftImg8bit_trainvaltest.zip", folder / "seen"),
        zipped(folder / "gtFine_trainvaltest.zip", folder / "drawn"),
    ]


def of_context(folder: Path) -> dict[str, Path]:
    """Sky above grass, and something that is none of the 59 classes."""
    root = folder / "source" / "VOCdevkit" / "VOC2010"
    lists, labels = root / "ImageSets" / "Main", folder / "labels" / "trainval"
    lists.mkdir(parents=True)
    labels.mkdir(parents=True)
    names = LABELS_459 | {"accordion": 1, "table cloth": 4}
    lines = [f"{number}: {name}\n" for name, number in sorted(names.items())]
    (folder / "labels" / "labels.txt").write_text("".join(lines))
    for split, ids in CONTEXT.items():
        (lists / f"{split}.txt").write_text("\n".join(ids))
        for id in ids:
            mask = np.full((20, 30), LABELS_459["grass"], np.uint16)
            mask[:8], mask[15:, :5] = LABELS_459["sky"], 1
            photograph(root / "JPEGImages" / f"{id}.jpg", mask)
            savemat(labels / f"{id}.mat", {"LabelMap": mask})
    archive = folder / "trainval.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(folder / "labels" / "labels.txt", "labels.txt")
        packed.add(labels, "trainval")
    return {"voc": tar(folder / "voc2010.tar", folder / "source", "VOCdevkit"), "labels": archive}


def of_pets(folder: Path) -> dict[str, Path]:
    """Animals with an undecided outline, among them what the real archives hold besides."""
    images, masks = folder / "images", folder / "annotations" / "trimaps"
    masks.mkdir(parents=True)
    breeds = ("Abyssinian", "american_bulldog", "Bombay")
    for name, ids in PETS.items():
        lines = []
        for id in ids:
            breed = id.rpartition("_")[0]
            mask = np.full((24, 30), 2, np.uint8)
            mask[4:20, 6:24], mask[6:18, 8:22] = 3, 1
            photograph(images / f"{id}.jpg", mask)
            Image.fromarray(mask).save(masks / f"{id}.png")
            (masks / f"._{id}.png").write_bytes(b"of a Mac")
            species = 2 if breed.islower() else 1
            lines.append(f"{id} {breeds.index(breed) + 1} {species} 1\n")
        (masks.parent / f"{name}.txt").write_text("".join(lines))
    photograph(images / "Bombay_9.jpg", mask)  # no list names it
    (images / "Bombay_9.mat").write_bytes(b"of another program")
    (masks.parent / "list.txt").write_text("#Image CLASS-ID SPECIES BREED ID\n")
    return {
        "images": tar(folder / "images.tar.gz", folder, "images"),
        "masks": tar(folder / "annotations.tar.gz", folder, "annotations"),
    }


def of_mapillary(folder: Path, newer: bool = False) -> Path:
    """A bird, a road and what nobody named, in the layout of version 1.2 or 2.0."""
    source = folder / "source"
    labels = [
        {"readable": "Bird", "name": "animal--bird", "color": [165, 42, 42], "evaluate": True},
        {"readable": "Ego, own", "name": "void--ego", "color": [120, 10, 10], "evaluate": False},
        {"readable": "Road", "name": "flat--road", "color": [128, 64, 128], "evaluate": True},
        {"readable": "Unlabeled", "name": "void--u", "color": [0, 0, 0], "evaluate": False},
    ]
    for split, ids in VISTAS.items():
        masks = source / split / ("v1.2/labels" if newer else "labels")
        masks.mkdir(parents=True)
        for id in ids:
            mask = np.full((20, 30), 2, np.uint8)
            mask[:5], mask[5:8] = 3, 1
            mask[12:16, 3:9] = 0 if id == "bbb" else 2
            photograph(source / split / "images" / f"{id}.jpg", mask)
            image = Image.fromarray(mask, mode="P")
            image.putpalette([value for label in labels for value in label["color"]])
            image.save(masks / f"{id}.png")
    name = "config_v1.2.json" if newer else "config.json"
    (source / name).write_text(json.dumps({"labels": labels}))
    return zipped(folder / "vistas.zip", source)


def forget_checksums(monkeypatch) -> None:
    """Let the scripts take the tiny archives for the real ones."""

    def tiny(remote: Remote) -> Remote:
        return replace(remote, urls=(), size=None, digests=())

    tarred = (
        (voc, ("VOC", "SBD")),
        (context, ("VOC2010", "LABELS")),
        (pets, ("IMAGES", "ANNOTATIONS")),
    )
    for module, names in tarred:
        for name in names:
            monkeypatch.setattr(module, name, tiny(getattr(module, name)))
    monkeypatch.setattr(coco, "REMOTES", [tiny(remote) for remote in coco.REMOTES])


def scripts(folder: Path) -> dict[str, Make]:
    """Every data set, made from its archives."""

    def place(name: str) -> Path:
        (folder / name).mkdir()
        return folder / name

    pascal, pixels = of_voc(place("voc")), of_context(place("context"))
    many, streets, vistas = of_coco(place("coco")), of_cityscapes(place("city")), place("vistas")
    asked, animals = of_mapillary(vistas), of_pets(place("pets"))
    return {
        "voc": lambda root: voc.main(root, pascal["voc"], pascal["sbd"], downloads=folder / "no"),
        "coco": lambda root: coco.main(root, many),
        "cityscapes": lambda root: cityscapes.main(root, *streets),
        "context": lambda root: context.main(root, pixels["voc"], pixels["labels"]),
        "mapillary": lambda root: mapillary.main(root, asked),
        "pets": lambda root: pets.main(root, animals["images"], animals["masks"]),
    }
