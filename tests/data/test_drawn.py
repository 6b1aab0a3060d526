"""Weak labels that lie in files are taken as they are, or refused in words."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tiny import plain_folder
from wsss_lib.core import InputError
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.palette import write_labels
from wsss_lib.data.view import WeakView
from wsss_lib.data.weak import MADE
from wsss_lib.doctor import examine

BOXES = "id,class,x0,y0,x1,y1\nim0,cat,3,2,32,24\nim0,red car,0,0,1,1\nim2,cat,1,1,9,9\n"
POINTS = "id,class,x,y\nim0,cat,31,23\nim0,background,0,0\n"


@pytest.fixture
def data(tmp_path):
    return SegmentationFolder(plain_folder(tmp_path / "mine"))


def test_drawn_scribbles_are_taken_as_they_are(data):
    drawn = np.full((24, 32), 255, np.uint8)
    drawn[10, 10:20], drawn[2, 2:30] = 1, 0
    write_labels(data.root / "Scribbles" / "im0.png", drawn)
    shutil.rmtree(data.root / "masks")
    view = WeakView(SegmentationFolder(data.root), ("tags", "scribble"))
    assert torch.equal(view[0].scribble, torch.from_numpy(drawn.astype(np.int64))[None])
    before = view.digest
    with pytest.raises(InputError, match=r"Scribbles/im1\.png"):
        view[1]
    write_labels(data.root / "Scribbles" / "im1.png", drawn[:20])
    assert view.digest != before
    with pytest.raises(InputError, match=r"im1\.png is \(20, 32\) but the image is \(24, 32\)"):
        view[1]
    write_labels(data.root / "Scribbles" / "im1.png", np.full((24, 32), 9))
    with pytest.raises(InputError, match=r"indices \[9\] are neither"):
        view[1]


def test_saliency_comes_from_files_and_never_from_masks(data):
    view = WeakView(data, ("saliency",))
    with pytest.raises(
        InputError, match=r"No saliency at .*Saliency/im0\.png.* not made from masks"
    ):
        view[0]
    grey = np.tile(np.linspace(0, 255, 32).astype(np.uint8), (24, 1))
    (data.root / "Saliency").mkdir()
    Image.fromarray(grey).save(data.root / "Saliency" / "im0.png")
    assert torch.allclose(view[0].saliency, torch.from_numpy(grey / 255).float()[None, None])
    assert WeakView(data, ("saliency",), longest=8)[0].saliency.shape == (1, 1, 6, 8)
    for number, wrong in (
        (1, grey[:5]),
        (2, np.random.default_rng(0).integers(0, 255, (24, 32, 3))),
    ):
        Image.fromarray(wrong.astype(np.uint8)).save(data.root / "Saliency" / f"im{number}.png")
        with pytest.raises(InputError, match="is no saliency map: it must be grey and"):
            view[number]


def test_boxes_and_points_of_files_need_no_masks(data):
    (data.root / "boxes.csv").write_text(BOXES)
    (data.root / "points.csv").write_text(POINTS)
    shutil.rmtree(data.root / "masks")
    batch = WeakView(SegmentationFolder(data.root), ("boxes", "points"))[0]
    assert batch.boxes[0].tolist() == [[3, 2, 32, 24, 1], [0, 0, 1, 1, 2]]
    assert batch.points[0].tolist() == [[31, 23, 1], [0, 0, 0]]
    assert batch.boxes[0].dtype == batch.points[0].dtype == torch.int64


def test_an_image_without_a_line_needs_permission(data):
    (data.root / "boxes.csv").write_text(BOXES)
    with pytest.raises(InputError, match=r"boxes.csv has no line about image 'im1': add its boxes"):
        WeakView(data, ("boxes",))[1]
    data.allows_empty = True
    assert WeakView(data, ("boxes",))[1].boxes[0].shape == (0, 5)


@pytest.mark.parametrize(
    ("name", "line", "complaint"),
    [
        (
            "boxes",
            "im0,cat,0,0,33,24",
            r"'x1': 33.* of image 'im0' is empty or not inside.*32 x 24",
        ),
        ("boxes", "im0,cat,-1,0,3,3", "not inside"),
        ("boxes", "im0,cat,5,5,5,9", "is empty"),
        (
            "boxes",
            "im0,dog,0,0,3,3",
            "boxes.csv, line 2: 'dog' is no class; there are cat, red car",
        ),
        ("boxes", "im0,background,0,0,3,3", "'background' is no class"),
        ("boxes", "im0,cat,0,0,3.5,3", "line 2: x0, y0, x1, y1 must be whole pixels"),
        ("boxes", "im0,cat,0,0", "must be whole pixels"),
        ("points", "im0,cat,32,3", "'x': 32.* not inside"),
        ("points", "im0,cat,3,24", "'y': 24.* not inside"),
    ],
)
def test_marks_that_cannot_be_are_named(data, name, line, complaint):
    first = (BOXES if name == "boxes" else POINTS).splitlines()[0]
    (data.root / f"{name}.csv").write_text(f"{first}\n{line}\n")
    with pytest.raises(InputError, match=complaint):
        WeakView(data, (name,))[0]


def test_a_table_without_its_columns_is_named(data):
    (data.root / "points.csv").write_text("id,class,x\nim0,cat,1\n")
    with pytest.raises(InputError, match=r"points.csv needs a column 'y'"):
        WeakView(data, ("points",))[0]


def test_the_digest_knows_a_changed_table_of_the_same_length(data):
    before = WeakView(data, ("boxes",)).digest
    (data.root / "boxes.csv").write_text(BOXES)
    seen = WeakView(data, ("boxes",)).digest
    (data.root / "boxes.csv").write_text(BOXES.replace("3,2,32,24", "4,2,32,24"))
    assert len({before, seen, WeakView(data, ("boxes",)).digest}) == 3
    assert WeakView(data).digest == data.digest()


def test_boxes_asked_for_with_extreme_points_are_those_of_the_points(data):
    (data.root / "boxes.csv").write_text(BOXES)
    batch = WeakView(data, ("boxes", "extremes"))[0]
    assert len(batch.boxes[0]) == len(batch.extremes[0]) == 1
    assert torch.equal(batch.boxes[0], WeakView(data, MADE)[0].boxes[0])


def test_points_asked_for_with_their_objects_are_those_that_are_made(data):
    """Nobody has written down which object a drawn point lies on."""
    (data.root / "points.csv").write_text(POINTS + "im0,cat,1,1\n" * 3)
    batch = WeakView(data, ("points", "objects"))[0]
    assert len(batch.points[0]) == len(batch.objects[0]) == 1
    assert len(WeakView(data, ("points",))[0].points[0]) > 1


def test_the_doctor_names_drawn_labels_that_cannot_be_meant(data):
    (data.root / "boxes.csv").write_text(BOXES)
    (data.root / "points.csv").write_text(f"{POINTS}im1,cat,3,3\n")
    stroke = np.full((24, 32), 255)
    stroke[2, 2:20], stroke[9, 2:20] = 1, 0
    for number, drawn in enumerate(
        (np.where(stroke == 1, 1, 0), stroke, np.full_like(stroke, 255))
    ):
        write_labels(data.root / "Scribbles" / f"im{number}.png", drawn)
    findings = examine(data.root).findings
    wrong = " | ".join(f"{f.what} {f.examples}" for f in findings if f.serious)
    notes = " | ".join(f"{f.what} {f.examples}" for f in findings if not f.serious)
    assert wrong == "1 scribbles hold no 255, so that every pixel counts as drawn. ('im0',)"
    for note in (
        "1 times a class is in boxes.csv but not in the labels. ('im0: red car',)",
        "1 times a class is in points.csv but not in the labels. ('im1: cat',)",
        "1 times a class is in Scribbles but not in the labels. ('im1: cat',)",
        "1 scribbles hold nothing but 255, so that nothing is drawn. ('im2',)",
    ):
        assert note in notes
    for number in (0, 1):
        write_labels(data.root / "Scribbles" / f"im{number}.png", np.full_like(stroke, 255))
    assert [f.what[:2] for f in examine(data.root).findings if f.serious] == ["3 "]


def test_the_doctor_looks_at_drawn_labels(data):
    (data.root / "boxes.csv").write_text(BOXES)
    (data.root / "points.csv").write_text("id,class,x\n")
    write_labels(data.root / "Scribbles" / "im0.png", np.full((24, 32), 255))
    write_labels(data.root / "Scribbles" / "im1.png", np.full((24, 3), 255))
    found = examine(data.root)
    serious = " | ".join(f.what + f.remedy + str(f.examples) for f in found.findings if f.serious)
    assert "points.csv needs a column 'y'" in serious
    assert "1 images have something in Scribbles that cannot be used" in serious
    assert "im1.png is (24, 3) but the image is" in serious
    assert found.counts["images in boxes.csv"] == found.counts["images in Scribbles"] == 2
    notes = " | ".join(f.what for f in found.findings if not f.serious)
    total = found.counts["images"]
    assert f"{total - 2} of {total} images have nothing in boxes.csv" in notes
