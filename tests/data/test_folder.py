"""Both layouts are read; what is wrong with a folder is said in words."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tiny import plain_folder
from wsss_lib.core import InputError
from wsss_lib.data.folder import VOC_CLASSES, SegmentationFolder, read_image
from wsss_lib.data.palette import write_labels
from wsss_lib.data.tables import read_table


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
        ("id;cat\nim0;1\n", "separated by commas"),
        ("id,cat\nim0,1\nim0,0\n", r"\['im0'\] stand there twice"),
    ],
)
def test_tables_that_cannot_be_read(plain, text, message):
    (plain / "labels.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        SegmentationFolder(plain)


def test_tables_saved_by_office_programs(plain):
    text = (plain / "labels.csv").read_text()
    (plain / "labels.csv").write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    assert SegmentationFolder(plain).tags("im1").tolist() == [0, 1]
    (plain / "labels.csv").write_bytes(text.replace("cat", "chât").encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8"):
        SegmentationFolder(plain)
    with pytest.raises(InputError, match="No table"):
        read_table(plain / "no.csv", "id")


@pytest.mark.parametrize("entry", ["2", "yes", ""])
def test_entries_of_labels_are_0_or_1(plain, entry):
    (plain / "labels.csv").write_text(f"id,cat,red car\nim0,1,{entry}\n")
    with pytest.raises(InputError, match="line of 'im0': entries must be 0 or 1"):
        SegmentationFolder(plain).tags("im0")


def test_a_class_without_a_column_is_named(plain):
    data = SegmentationFolder(plain, classes=("cat", "dog"))
    with pytest.raises(InputError, match=r"labels\.csv has no column for class 'dog'"):
        data.tags("im0")


def test_ids_have_no_ending(plain):
    text = (plain / "labels.csv").read_text()
    (plain / "labels.csv").write_text(text.replace("im0,", "im0.png,"))
    with pytest.raises(InputError, match=r"'im0\.png' is the name of a file; .* write 'im0'"):
        SegmentationFolder(plain)
    (plain / "images" / "im0.png").rename(plain / "images" / "im0.png.png")
    assert "im0.png" in SegmentationFolder(plain).ids


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


RED = np.zeros((2, 3, 3), np.uint8)
RED[..., 0] = 255


def save_rgba(path):
    alpha = np.full((2, 3, 1), 255, np.uint8)
    alpha[0, 0] = 0
    Image.fromarray(np.concatenate([RED, alpha], axis=2)).save(path)


def save_transparent_palette(path):
    image = Image.fromarray(np.array([[0, 1, 1], [1, 1, 1]], np.uint8), mode="P")
    image.putpalette([9, 9, 9, 255, 0, 0])
    image.save(path, transparency=0)


def save_transparent_colour(path):
    pixels = RED.copy()
    pixels[0, 0] = 7
    Image.fromarray(pixels).save(path, transparency=(7, 7, 7))


@pytest.mark.parametrize("save", [save_rgba, save_transparent_palette, save_transparent_colour])
def test_transparent_pixels_become_white(tmp_path, save):
    save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.shape == (3, 2, 3)
    assert image[:, 0, 0].tolist() == [1, 1, 1]
    assert image[:, 1, 2].tolist() == [1, 0, 0]


def test_grey_and_sixteen_bit_and_cmyk_images_have_three_channels(tmp_path):
    Image.fromarray(np.full((2, 3), 51, np.uint8)).save(tmp_path / "grey.png")
    assert torch.allclose(read_image(tmp_path / "grey.png"), torch.full((3, 2, 3), 0.2))
    Image.fromarray(RED).convert("CMYK").save(tmp_path / "cmyk.jpg")
    assert read_image(tmp_path / "cmyk.jpg").shape == (3, 2, 3)
    deep = np.full((2, 3), 13107, np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert torch.allclose(read_image(tmp_path / "deep.png"), torch.full((3, 2, 3), 0.2), atol=0.01)


def test_photographs_of_turned_cameras_stand_upright(tmp_path):
    image = Image.fromarray(RED)
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    image.save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == (3, 3, 2)


@pytest.mark.parametrize("suffix", ["jpg", "JPG", "jpeg", "png"])
def test_endings(tmp_path, suffix):
    (tmp_path / "images").mkdir()
    (tmp_path / "classes.txt").write_text("cat")
    Image.fromarray(RED).save(tmp_path / "images" / f"IMG_1.{suffix}")
    data = SegmentationFolder(tmp_path)
    assert data.ids == ("IMG_1",)
    assert data.image("IMG_1").shape == (3, 2, 3)


def test_missing_truncated_and_odd_files_are_explained(tmp_path):
    with pytest.raises(InputError, match="No image at"):
        read_image(tmp_path / "a.jpg")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    for end in (len(whole) // 2, 20, 0):
        (tmp_path / "a.jpg").write_bytes(whole[:end])
        with pytest.raises(InputError, match=r"a\.jpg is truncated or not an image"):
            read_image(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_text("<html>Not found</html>")
    with pytest.raises(InputError, match="not an image"):
        read_image(tmp_path / "b.jpg")
