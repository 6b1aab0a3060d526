"""Both layouts are read; what is wrong with a folder is said in words."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tiny import plain_folder
from wsss_lib.core import InputError
from wsss_lib.data.folder import VOC_CLASSES, SegmentationFolder
from wsss_lib.data.palette import write_labels
from wsss_lib.data.parts import with_masks
from wsss_lib.data.view import WeakView


@pytest.fixture
def plain(tmp_path):
    return plain_folder(tmp_path / "mine")


@pytest.fixture
def voc(tmp_path):
    root = tmp_path / "voc"
    (root / "JPEGImages").mkdir(parents=True)
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    for number, id in enumerate(("b", "a", "c")):
        Image.new("RGB", (9, 5), (number, 0, 0)).save(root / "JPEGImages" / f"{id}.jpg")
        mask = np.zeros((5, 9), np.uint8)
        mask[0, : number + 1], mask[4] = 15, 255
        write_labels(root / "SegmentationClass" / f"{id}.png", mask)
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text("b\na\n")
    (root / "ImageSets" / "Segmentation" / "val.txt").write_text("c\n")
    return root


def test_plain_layout(plain):
    data = SegmentationFolder(plain)
    assert (data.name, data.classes, len(data)) == ("mine", ("cat", "red car"), 6)
    assert data.splits == ()
    assert data.image("im0").shape == (3, 24, 32)
    assert data.tags("im1").tolist() == [0, 1]
    assert data.mask("im1").unique().tolist() == [0, 2]
    assert data.mask("im1").dtype == torch.int64


def test_plain_layout_with_splits(tmp_path):
    root = plain_folder(tmp_path / "mine", split=True)
    assert SegmentationFolder(root, "train").splits == ("train", "val")
    assert SegmentationFolder(root, "train").ids == ("im0", "im1", "im3", "im4")
    assert SegmentationFolder(root, "val").ids == ("im2", "im5")
    assert len(SegmentationFolder(root, None)) == 6
    assert SegmentationFolder(root, "val").classes == ("cat", "red car")


def test_voc_layout_keeps_the_order_of_the_list_and_makes_tags_from_masks(voc):
    data = SegmentationFolder(voc)
    assert (data.ids, data.classes, data.splits) == (("b", "a"), VOC_CLASSES, ("train", "val"))
    assert data.tags("b").nonzero().flatten().tolist() == [14]
    assert not SegmentationFolder(voc, min_area=2).tags("b").any(), "one pixel is too few"
    assert (data.mask("b") == 255).sum() == 9


def test_a_table_of_labels_has_the_last_word(voc):
    (voc / "classes.txt").write_text("traffic light\n\nperson \n")
    (voc / "image_labels.csv").write_text("id, traffic light, person\nb, 1, 0\n")
    data = SegmentationFolder(voc)
    assert data.classes == ("traffic light", "person")
    assert data.tags("b").tolist() == [1, 0]
    with pytest.raises(InputError, match=r"image_labels\.csv has no line for image 'a'"):
        data.tags("a")


def test_captions_and_other_layers(voc):
    (voc / "captions.csv").write_text('id,caption\nb,"a cat, asleep"\n')
    data = SegmentationFolder(voc)
    assert data.caption("b") == "a cat, asleep"
    with pytest.raises(InputError, match="no line for image 'a'"):
        data.caption("a")
    assert data.layer("SegmentationClass", "b").shape == (5, 9)


def test_subsets_and_the_held_out_tenth(plain):
    data = SegmentationFolder(plain)
    some = data.subset(["im3", "im0"])
    assert (some.ids, some.tags("im3").tolist()) == (("im3", "im0"), [0, 1])
    held_out, rest = data.held_out(0.34)
    assert held_out.ids + rest.ids == data.ids
    assert len(held_out) == 2
    with pytest.raises(InputError, match="unknown"):
        data.subset(["unknown"])


def test_digest_changes_with_labels_ids_images_and_description(plain):
    seen = [SegmentationFolder(plain).digest()]
    assert SegmentationFolder(plain).digest() == seen[0]
    seen.append(SegmentationFolder(plain).subset(["im0"]).digest())
    (plain / "dataset.json").write_text('{"world": 1}')
    seen.append(SegmentationFolder(plain).digest())
    text = (plain / "labels.csv").read_text()
    (plain / "labels.csv").write_text(text.replace("im0,1,0", "im0,1,1"))
    seen.append(SegmentationFolder(plain).digest())
    Image.new("RGB", (50, 50)).save(plain / "images" / "im0.png")
    seen.append(SegmentationFolder(plain).digest())
    assert len({*seen}) == len(seen)


def test_missing_folders_and_splits_say_what_to_do(tmp_path, voc):
    with pytest.raises(InputError, match="wsss toy"):
        SegmentationFolder(tmp_path / "no")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"neither JPEGImages/ .* nor images/"):
        SegmentationFolder(tmp_path / "empty")
    with pytest.raises(InputError, match="no split 'test'; it has: train, val"):
        SegmentationFolder(voc, "test")
    (tmp_path / "empty" / "images").mkdir()
    with pytest.raises(InputError, match=r"names no classes: add labels\.csv"):
        SegmentationFolder(tmp_path / "empty")
    (tmp_path / "empty" / "classes.txt").write_text("cat\n")
    with pytest.raises(InputError, match="holds no images"):
        SegmentationFolder(tmp_path / "empty")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,cat\nim0,1\n", "needs a column 'id'"),
        ("id|cat\nim0|1\n", "separated by commas"),
        ("id,cat\nim0,1\nim0,0\n", r"\['im0'\] stand there twice"),
    ],
)
def test_tables_that_cannot_be_read(plain, text, message):
    (plain / "labels.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        SegmentationFolder(plain)


@pytest.mark.parametrize("entry", ["2", "yes", ""])
def test_entries_of_labels_are_0_or_1(plain, entry):
    (plain / "labels.csv").write_text(f"id,cat,red car\nim0,1,{entry}\n")
    with pytest.raises(InputError, match="line of 'im0': entries must be 0 or 1"):
        SegmentationFolder(plain).tags("im0")


def test_a_class_without_a_column_is_named(plain):
    data = SegmentationFolder(plain, classes=("cat", "dog"))
    with pytest.raises(InputError, match=r"labels\.csv has no column for class 'dog'"):
        data.tags("im0")


def test_an_id_may_be_written_with_its_ending(plain):
    text = (plain / "labels.csv").read_text()
    (plain / "labels.csv").write_text(text.replace("im0,", "im0.png,"))
    assert SegmentationFolder(plain).tags("im0").tolist() == [1, 0]
    (plain / "images" / "im0.png").rename(plain / "images" / "im0.png.png")
    assert SegmentationFolder(plain).tags("im0.png").tolist() == [1, 0]


def test_the_column_of_splits_may_have_a_capital(tmp_path):
    root = plain_folder(tmp_path / "mine", split=True)
    text = (root / "labels.csv").read_text()
    (root / "labels.csv").write_text(text.replace("split", "Split"))
    data = SegmentationFolder(root, "val")
    assert (data.classes, data.ids) == (("cat", "red car"), ("im2", "im5"))


def test_a_broken_description_is_named(plain):
    (plain / "dataset.json").write_text("{")
    with pytest.raises(InputError, match=r"dataset\.json is no JSON"):
        SegmentationFolder(plain)
    (plain / "dataset.json").write_text(json.dumps({"name": "zoo", "allows_empty": True}))
    data = SegmentationFolder(plain)
    assert (data.name, data.allows_empty) == ("zoo", True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "must be an object, such as"),
        ('{"name": 3}', "'name' must be a text, not 3"),
        ('{"allows_empty": "no"}', "'allows_empty' must be true or false, not 'no'"),
    ],
)
def test_a_description_of_another_kind_is_named(plain, text, message):
    (plain / "dataset.json").write_text(text)
    with pytest.raises(InputError, match=message):
        SegmentationFolder(plain)


def test_a_table_may_have_the_name_of_the_other_layout(plain):
    (plain / "labels.csv").rename(plain / "image_labels.csv")
    assert SegmentationFolder(plain).tags("im0").tolist() == [1, 0]


def test_a_table_without_lines_is_named(plain):
    (plain / "labels.csv").write_text("id,cat,dog\n")
    with pytest.raises(InputError, match="no line but the names of its columns"):
        SegmentationFolder(plain)


@pytest.mark.parametrize("ending", ["PNG", "tif", "bmp", "gif"])
def test_masks_of_other_formats_that_keep_indices(plain, ending):
    expected = SegmentationFolder(plain).mask("im0")
    with Image.open(plain / "masks" / "im0.png") as image:
        Image.fromarray(np.asarray(image)).save(plain / "masks" / f"new.{ending}")
    (plain / "masks" / "im0.png").unlink()
    (plain / "masks" / f"new.{ending}").rename(plain / "masks" / f"im0.{ending}")
    assert torch.equal(SegmentationFolder(plain).mask("im0"), expected)


def test_masks_in_jpeg_are_refused(plain):
    (plain / "masks" / "im0.png").rename(plain / "masks" / "im0.jpg")
    with pytest.raises(InputError, match=r"masks/im0.jpg: .jpg is not read here; .* to .png"):
        SegmentationFolder(plain).has_mask("im1")


def test_masks_that_say_nothing_are_refused_and_some_void_ones_are_not(plain):
    data = SegmentationFolder(plain)
    for id in data.ids[1:]:
        write_labels(data.mask_path(id), np.full((24, 32), 255))
    data.check_masks()
    write_labels(data.mask_path("im0"), np.where(data.mask("im0").numpy() > 0, 255, 0))
    with pytest.raises(InputError, match=r"hold nothing but 0 and 255.*write its class index"):
        SegmentationFolder(plain).check_masks()
    (plain / "labels.csv").unlink()
    with pytest.raises(InputError, match="hold nothing but 0 and 255"):
        WeakView(SegmentationFolder(plain, classes=("cat",)))[0]


def test_the_last_mask_of_another_size_is_found_before_anything_is_trained(plain):
    write_labels(plain / "masks" / "im5.png", np.ones((12, 16)))
    data = SegmentationFolder(plain)
    message = r"masks/im5\.png is 16 x 12 pixels, but its image im5\.png is 32 x 24: export both"
    for look in (data.check_masks, lambda: data.mask("im5"), lambda: with_masks(data)):
        with pytest.raises(InputError, match=message):
            look()
    with_masks(data.subset(["im0"]))
