"""Lists of classes and label maps of other programs."""

import numpy as np
import pytest
from PIL import Image

from tests.tiny import plain_folder
from wsss_lib.core import InputError
from wsss_lib.data.files.classes import read_class_list, read_labelmap
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.palette import read_labels, voc_palette

HEAD = "# label:color_rgb:parts:actions\n"
MAP = f"{HEAD}background:0,0,0::\nscratch: deep:250,50,83::\nrust:51,221,255::\n"


def test_a_label_map_names_classes_and_their_colours(tmp_path):
    (tmp_path / "labelmap.txt").write_text(MAP + "ignored:224,224,192::\n", "utf-8-sig")
    classes, colours = read_labelmap(tmp_path / "labelmap.txt")
    assert classes == ("scratch: deep", "rust")
    assert colours.tolist() == [[0, 0, 0], [250, 50, 83], [51, 221, 255]]
    (tmp_path / "labelmap.txt").write_text("a:1,2,3::\nb:4,5,6::\n")
    classes, colours = read_labelmap(tmp_path / "labelmap.txt")
    assert (classes, colours.tolist()) == (("a", "b"), [[0, 0, 0], [1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat\ndog\n", "line 1: 'cat' is not name:R,G,B:parts:actions"),
        ("cat:1,2::\n", "is not name:R,G,B"),
        ("cat:1,2,256::\n", "is not name:R,G,B"),
        ("cat:::\n", "is not name:R,G,B"),
        ("cat:1,2,3::\ndog:1,2,3::\n", r"gives two classes the colour \(1, 2, 3\)"),
        ("cat:1,2,3::\nbackground:0,0,0::\n", "'background' as a class"),
        ("background:0,0,0::\n", "names no classes"),
    ],
)
def test_label_maps_that_mean_nothing(tmp_path, text, message):
    (tmp_path / "labelmap.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read_labelmap(tmp_path / "labelmap.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat\ncat\n", "names class 'cat' twice"),
        ("background\ncat\n", "'background' as a class. The background is always there, as index"),
        ("_Background_\ncat\n", "as a class"),
        ("\n\n", "names no classes"),
    ],
)
def test_lists_of_classes(tmp_path, text, message):
    (tmp_path / "classes.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read_class_list(tmp_path / "classes.txt")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["cat "], "gives back as 'cat'"),
        (["cafe\u0301"], "gives back as 'caf\u00e9'"),
        ([""], "gives back as ''"),
        (["cat", "Cat"], "'Cat' twice, also as 'cat'"),
        (["cat", "cat"], "'cat' twice; delete"),
        (["ID"], "a column of another use"),
        (["cat", "split"], "a column of another use"),
        (["Unnamed: 0"], "a column of another use"),
        ("cat", r"one text, 'cat': give a list of names, \['cat'\]"),
        ("", "one text, ''"),
        ([1], "names 1 as a class: names are texts"),
    ],
)
def test_names_that_no_table_would_give_back(tmp_path, names, message):
    root = plain_folder(tmp_path / "mine")
    (root / "labels.csv").unlink()
    with pytest.raises(InputError, match=message):
        SegmentationFolder(root, None, classes=names)


def test_the_background_is_no_class_anywhere(tmp_path):
    root = plain_folder(tmp_path / "mine")
    text = (root / "labels.csv").read_text()
    (root / "labels.csv").write_text(text.replace("id,cat", "id,background"))
    with pytest.raises(InputError, match=r"labels.csv names 'background' as a class"):
        SegmentationFolder(root)
    (root / "labels.csv").write_text(text)
    with pytest.raises(InputError, match=r"'Background' as a class"):
        SegmentationFolder(root, classes=("Background", "cat", "red car"))


def cvat_folder(root, colours):
    """Masks painted in these colours of background and classes, as CVAT exports them."""
    root = plain_folder(root)
    for path in (root / "masks").iterdir():
        Image.fromarray(np.asarray(colours, np.uint8)[read_labels(path)]).save(path)
    (root / "images").rename(root / "JPEGImages")
    (root / "masks").rename(root / "SegmentationClass")
    (root / "labels.csv").unlink()
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text("im0\nim1\n")
    return root


def test_masks_in_the_colours_of_their_label_map(tmp_path):
    colours = [(0, 0, 0), (250, 50, 83), (51, 221, 255)]
    root = cvat_folder(tmp_path / "mine", colours)
    (root / "labelmap.txt").write_text(MAP)
    data = SegmentationFolder(root)
    assert data.classes == ("scratch: deep", "rust")
    assert [data.mask(id).unique().tolist() for id in data.ids] == [[0, 1], [0, 2]]
    assert [data.tags(id).tolist() for id in data.ids] == [[1, 0], [0, 1]]
    before = data.digest()
    (root / "labelmap.txt").write_text(
        MAP.replace("250,50,83", "x").replace("51,221,255", "250,50,83").replace("x", "51,221,255")
    )
    data = SegmentationFolder(root)
    assert [data.mask(id).unique().tolist() for id in data.ids] == [[0, 2], [0, 1]]
    assert data.digest() != before
    (root / "labelmap.txt").write_text(MAP.replace("250,50,83", "1,1,1"))
    with pytest.raises(InputError, match=r"colour \(250, 50, 83\) is not in the list of the cl"):
        SegmentationFolder(root).mask("im0")


def test_a_palette_in_the_order_of_an_editor_is_read_by_the_colours_of_the_label_map(tmp_path):
    colours = np.array([(0, 0, 0), (250, 50, 83), (51, 221, 255)], np.uint8)
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), mode="P")
    image.putpalette([51, 221, 255, 0, 0, 0])
    image.save(tmp_path / "a.png")
    assert read_labels(tmp_path / "a.png", 2, colours).tolist() == [[2, 0], [0, 2]]
    image.putpalette(voc_palette().ravel().tolist())
    image.save(tmp_path / "a.png")
    assert read_labels(tmp_path / "a.png", 2, colours).tolist() == [[0, 1], [1, 0]]


def test_classes_of_other_programs_are_not_taken_for_those_of_pascal_voc(tmp_path):
    root = cvat_folder(tmp_path / "mine", voc_palette()[:3])
    assert SegmentationFolder(root).classes[0] == "aeroplane"
    (root / "_classes.csv").write_text("Pixel Value, Class\n0, background\n1, cat\n")
    with pytest.raises(InputError, match=r"names no classes: add .*_classes.csv is not read"):
        SegmentationFolder(root)


def test_two_lists_that_disagree(tmp_path):
    root = plain_folder(tmp_path / "mine")
    (root / "classes.txt").write_text("red car\ncat\n")
    assert SegmentationFolder(root).classes == ("red car", "cat"), "the order is that of the list"
    (root / "classes.txt").write_text("cat\n")
    with pytest.raises(InputError, match=r"a column 'red car' that classes.txt does not name"):
        SegmentationFolder(root)
    (root / "labelmap.txt").write_text("cat:1,2,3::\nred car:4,5,6::\n")
    with pytest.raises(InputError, match=r"but labelmap.txt \('cat', 'red car'\)"):
        SegmentationFolder(root)
