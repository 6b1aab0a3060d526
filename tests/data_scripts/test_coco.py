"""COCO from tiny archives: polygons, run lengths, crowds, and images that show nothing."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coding
from typer.testing import CliRunner

from data_scripts import coco
from data_scripts.fetch import Remote
from wsss_lib.cli import app
from wsss_lib.core import InputError
from wsss_lib.data.folder import SegmentationFolder

SIZE = (20, 30)


def square(y0, x0, y1, x1):
    inside = np.zeros(SIZE, np.uint8, order="F")
    inside[y0:y1, x0:x1] = 1
    return inside


def polygon(y0, x0, y1, x1):
    return [[x0, y0, x1, y0, x1, y1, x0, y1]]


def run_lengths(inside):
    """Counts by column, as crowds are annotated."""
    flat = inside.flatten(order="F")
    starts = np.flatnonzero(np.diff(flat, prepend=0)).tolist()
    counts = np.diff([0, *starts, flat.size]).tolist()
    return {"size": list(SIZE), "counts": counts}


def compressed(inside):
    found = coding.encode(inside)
    return {"size": found["size"], "counts": found["counts"].decode()}


def annotation(image, category, shape, area, crowd=0):
    return {
        "image_id": image, "category_id": category, "segmentation": shape, "area": area,
        "iscrowd": crowd,
    }  # fmt: skip


@pytest.fixture
def archives(tmp_path, monkeypatch):
    """Three training images, one of which shows nothing, and one for validation."""
    categories = [{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person"}]
    found = {
        "train": [
            annotation(
                1, 90, polygon(4, 4, 8, 8), 16
            ),  # in front of the person, though listed first
            annotation(1, 1, polygon(2, 2, 18, 20), 288),
            annotation(1, 1, run_lengths(square(0, 0, 20, 10)), 5, crowd=1),
            annotation(2, 90, compressed(square(5, 5, 15, 15)), 100),
        ],
        "val": [annotation(4, 1, polygon(0, 0, 10, 10), 100)],
    }
    numbers = {"train": (1, 2, 3), "val": (4,)}
    folder = tmp_path / "archives"
    folder.mkdir()
    monkeypatch.setattr(
        coco, "REMOTES", {what: Remote(one.name, ()) for what, one in coco.REMOTES.items()}
    )
    with zipfile.ZipFile(folder / "annotations_trainval2014.zip", "w") as archive:
        for split, entries in found.items():
            images = [
                {"id": n, "file_name": f"COCO_{n:04d}.jpg", "height": SIZE[0], "width": SIZE[1]}
                for n in numbers[split]
            ]
            content = {"images": images, "annotations": entries, "categories": categories}
            archive.writestr(f"annotations/instances_{split}2014.json", json.dumps(content))
    for split in found:
        with zipfile.ZipFile(folder / f"{split}2014.zip", "w") as archive:
            for n in numbers[split]:
                path = tmp_path / "one.jpg"
                Image.fromarray(np.full((*SIZE, 3), 60 * n, np.uint8)).save(path)
                archive.write(path, f"{split}2014/COCO_{n:04d}.jpg")
    return folder


def test_polygons_run_lengths_and_crowds(archives, tmp_path):
    root = tmp_path / "coco"
    coco.main(root, archives)
    train, val = (SegmentationFolder(root, split) for split in ("train", "val"))
    assert train.classes == ("person", "toothbrush")
    assert train.ids == ("COCO_0001", "COCO_0002")  # the third shows nothing
    assert val.ids == ("COCO_0004",)
    mask = train.mask("COCO_0001")
    expected = np.zeros(SIZE, int)
    expected[:, :10] = 255
    expected[2:18, 2:20] = 1
    expected[4:8, 4:8] = 2
    assert (mask.numpy() == expected).all()
    assert (train.mask("COCO_0002").numpy() == 2 * square(5, 5, 15, 15)).all()
    assert train.tags("COCO_0001").tolist() == [1, 1]
    assert train.tags("COCO_0002").tolist() == [0, 1]
    answer = CliRunner().invoke(app, ["doctor", str(root)])
    assert answer.exit_code == 0, answer.output


def test_it_goes_on_and_then_does_nothing(archives, tmp_path, interrupted):
    root = tmp_path / "coco"
    interrupted(coco, lambda: coco.main(root, archives))
    coco.main(root, archives)
    seen = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    coco.main(root, tmp_path / "gone")
    assert seen == {path: path.stat().st_mtime_ns for path in root.rglob("*")}


def test_a_photograph_that_is_missing_is_named(archives, tmp_path):
    with zipfile.ZipFile(archives / "val2014.zip", "w") as archive:
        archive.writestr("val2014/other.jpg", b"")
    with pytest.raises(InputError, match=r"lacks COCO_0004\.jpg"):
        coco.main(tmp_path / "coco", archives)
