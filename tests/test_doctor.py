"""The examination of data folders finds what is wrong, and nothing where nothing is."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.tiny import plain_folder
from wsss_lib.data.palette import write_labels
from wsss_lib.data.toy import write_toy
from wsss_lib.doctor import examine


@pytest.fixture
def plain(tmp_path):
    return plain_folder(tmp_path / "mine")


@pytest.fixture(scope="module")
def toy_source(tmp_path_factory):
    return write_toy(tmp_path_factory.mktemp("toy") / "world", train=20, val=4, progress=False)


@pytest.fixture
def toy(toy_source, tmp_path):
    return shutil.copytree(toy_source, tmp_path / "toy")


def cures(found):
    return " | ".join(finding.remedy for finding in found.findings if finding.serious)


def said(found, serious=True):
    return " | ".join(
        f"{finding.what} {finding.examples}"
        for finding in found.findings
        if finding.serious == serious
    )


def edit_labels(root, old, new, name="labels.csv"):
    text = (root / name).read_text()
    assert old in text
    (root / name).write_text(text.replace(old, new))


def test_good_folders_have_nothing_serious(plain, toy):
    for root in (plain, toy):
        assert said(examine(root)) == ""
    counts = examine(toy).counts
    assert (counts["images"], counts["masks"], counts["lines of labels"]) == (24, 24, 24)
    assert (counts["split train"], counts["split val"]) == (20, 4)
    assert examine(plain).counts["images with red car"] == 3


def test_missing_folder_and_layout_name_the_command_that_helps(tmp_path):
    for root in (tmp_path / "no", tmp_path):
        (finding,) = examine(root).findings
        assert "wsss toy" in finding.remedy
        assert "data_scripts.voc" in finding.remedy
        assert finding.serious


def test_images_that_cannot_be_read(plain):
    path = plain / "images" / "im1.png"
    path.write_bytes(path.read_bytes()[:-300])
    assert "1 images are truncated or not images. ('im1',)" in said(examine(plain))


def test_two_files_of_one_id(plain):
    Image.new("RGB", (32, 24)).save(plain / "images" / "im1.jpg")
    assert "1 images share their id with another file. ('im1',)" in said(examine(plain))


def test_tiny_images_are_noted(plain):
    Image.new("RGB", (1, 1)).save(plain / "images" / "im1.png")
    found = examine(plain)
    assert "1 images have a side below 16 pixels. ('im1.png (1x1)',)" in said(found, serious=False)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("im1,0,1\n", "", "1 of 6 images have no line in labels.csv. ('im1',)"),
        ("im1,0,1\n", "im1,0,x\n", "1 lines of labels.csv hold entries that are neither 0 nor 1"),
        ("im1,0,1\n", "im1,0,0\n", "1 images are labelled with no class. ('im1',)"),
        ("im1,0,1\n", "im1,0,1\nim1,0,1\n", "['im1'] stand there twice"),
    ],
)
def test_labels(plain, old, new, message):
    edit_labels(plain, old, new)
    assert message in said(examine(plain))


def test_empty_labels_can_be_meant(plain):
    edit_labels(plain, "im1,0,1", "im1,0,0")
    (plain / "dataset.json").write_text(json.dumps({"allows_empty": True}))
    assert said(examine(plain)) == ""


def test_unknown_and_missing_classes(plain):
    (plain / "classes.txt").write_text("cat\ndog\n")
    found = said(examine(plain))
    assert "disagree: the table has no column for class 'dog' and a column 'red car' that" in found


def test_lines_about_images_that_are_not_here_are_noted(plain):
    edit_labels(plain, "im1,0,1\n", "im1,0,1\nim9,0,1\n")
    found = examine(plain)
    assert "about images that are not here. ('im9',)" in said(found, serious=False)
    assert not found.serious


def test_a_class_in_every_image_and_one_in_none(plain):
    edit_labels(plain, "im1,0,1", "im1,1,1")
    edit_labels(plain, "im3,0,1", "im3,1,0")
    edit_labels(plain, "im5,0,1", "im5,1,0")
    assert "1 classes are in every image" in said(examine(plain), serious=False)
    edit_labels(plain, "im1,1,1", "im1,1,0")
    assert "1 classes are in no image. ('red car',)" in said(examine(plain), serious=False)


def test_masks(plain):
    write_labels(plain / "masks" / "im0.png", np.full((24, 32), 7))
    write_labels(plain / "masks" / "im1.png", np.ones((5, 6), int))
    (plain / "masks" / "im2.png").write_bytes(b"nothing")
    Image.new("RGB", (32, 24), (1, 2, 3)).save(plain / "masks" / "im3.png")
    (plain / "masks" / "im4.png").unlink()
    write_labels(plain / "masks" / "other.png", np.zeros((5, 6), int))
    renumbered = Image.fromarray(np.ones((24, 32), np.uint8), mode="P")
    renumbered.putpalette([0, 0, 0, 0, 128, 0])
    renumbered.save(plain / "masks" / "im5.png")
    found = examine(plain)
    for message in (
        "1 masks hold indices that are no class and not 255. ('im0',)",
        "1 masks have another size than their image. ('im1',)",
        "1 masks are truncated or not images. ('im2',)",
        "1 masks hold colours that are no class. ('im3',)",
        "1 masks have a palette that an image editor renumbered. ('im5',)",
    ):
        assert message in said(found)
    for cure in (
        "im1.png is 6 x 5 pixels, but its image im1.png is 32 x 24: export both at one size.",
        "im3.png: colour (1, 2, 3) is not in the PASCAL VOC palette, so its class is unknown. Save",
        "im5.png: its palette gives index 1 the colour (0, 128, 0), which is index 2 in PASCAL VOC",
    ):
        assert cure in cures(found)
    assert "1 of 6 images have no mask. ('im4',)" in said(found, serious=False)
    assert "1 masks belong to no image here. ('other',)" in said(found, serious=False)


def test_labels_and_masks_that_disagree_are_noted(plain):
    edit_labels(plain, "im1,0,1", "im1,1,0")
    found = said(examine(plain), serious=False)
    assert "1 times a class is in a mask but not in the labels. ('im1: red car',)" in found
    assert "1 times a class is in the labels but not in the mask. ('im1: cat',)" in found


def test_masks_of_0_and_255_would_be_all_void(plain):
    for path in (plain / "masks").iterdir():
        with Image.open(path) as image:
            mask = np.asarray(image)
        Image.fromarray(np.where(mask > 0, 255, 0).astype(np.uint8)).save(path)
    assert "hold nothing but 0 and 255, and 255 means void" in said(examine(plain))


def test_files_that_are_not_read_are_named(plain):
    for path in (plain / "masks").iterdir():
        path.rename(path.with_suffix(".PNG"))
    Image.new("RGB", (32, 24)).save(plain / "images" / "more.webp")
    (plain / "images" / "notes.txt").write_text("")
    for litter in (".DS_Store", "._im0.png", "Thumbs.db"):
        (plain / "images" / litter).write_text("")
    edit_labels(plain, "im1,0,1", "im1,0,1\nmore,0,1")
    found = examine(plain)
    assert said(found) == ""
    assert (found.counts["images"], found.counts["masks"]) == (7, 6)
    notes = said(found, serious=False)
    assert "1 files in images/ have an ending that is not read. ('notes.txt',)" in notes
    (plain / "images" / "IMG_1.HEIC").write_text("")
    assert "IMG_1.HEIC: .heic is not read here; convert all such files to .jpg" in said(
        examine(plain)
    )


def test_the_column_of_splits_is_no_class(tmp_path):
    root = plain_folder(tmp_path / "mine", split=True)
    edit_labels(root, "split", "Split")
    found = examine(root)
    assert said(found) == ""
    assert found.counts["split val"] == 2


def test_without_masks_and_without_labels(plain):
    shutil.rmtree(plain / "masks")
    assert "There are no masks" in said(examine(plain), serious=False)
    (plain / "labels.csv").unlink()
    (plain / "classes.txt").write_text("cat\n")
    assert "neither labels.csv nor masks/" in said(examine(plain))


def test_labels_from_masks_are_noted(toy):
    (toy / "image_labels.csv").unlink()
    found = examine(toy)
    assert not found.serious
    assert "image labels are made from the masks" in said(found, serious=False)


def test_splits(toy):
    lists = toy / "ImageSets" / "Segmentation"
    (lists / "train.txt").write_text("train_0000\ntrain_0000\nno_such\nval_0001\n")
    (lists / "empty.txt").write_text("")
    found = said(examine(toy))
    assert "Split train names 1 of 4 images that are not in JPEGImages/. ('no_such',)" in found
    assert "Split train names 1 images twice. ('train_0000',)" in found
    assert "1 images are in train and in val" in found
    assert "empty.txt names no images: write one id a line" in found
    for path in lists.iterdir():
        path.unlink()
    assert "holds no split" in said(examine(toy))


def test_real_photographs(shared):
    found = examine(shared / "data" / "voc2012")
    assert found.counts["images"] == 20
    assert "truncated" not in said(found)
    assert "masks hold" not in said(found)
    assert "Split train names 1461 of 1464 images" in said(found)
