"""Names that are written in several ways, and files that nobody meant."""

import shutil
import unicodedata

import numpy as np
import pytest
from PIL import Image

from tests.tiny import plain_folder
from wsss_lib.core import InputError
from wsss_lib.data.files.lists import read_ids
from wsss_lib.data.files.names import IMAGES, Files
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.palette import write_labels
from wsss_lib.data.view import WeakView

APART, TOGETHER = (unicodedata.normalize(form, "été") for form in ("NFD", "NFC"))


@pytest.fixture
def folder(tmp_path):
    """Makes a folder with these files."""

    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (9, 5)).save(tmp_path / name, format="PNG")
        return tmp_path

    return make


def test_what_systems_leave_behind_is_no_file(folder):
    root = folder("a.JPG", "b.Tiff", "._a.JPG", ".DS_Store", "Thumbs.db", "@eaDir/a.JPG", "x.txt")
    files = Files(root, IMAGES)
    assert (files.ids, files.unread, files.nested) == (("a", "b"), ["x.txt"], "")
    assert files.path("a").name == "a.JPG"
    assert not files.path("c").exists()


def test_pictures_that_cannot_be_read_are_named_with_a_cure(folder):
    root = folder("a.heic", "a.jpg")
    assert Files(root, IMAGES).unread == ["a.heic"], "it has a twin"
    folder("IMG_2.HEIC")
    with pytest.raises(InputError, match=r"IMG_2.HEIC: .heic is not .*mogrify -format jpg \*.HEIC"):
        Files(root, IMAGES)


def test_spaces_around_a_name_are_no_part_of_it(folder):
    """Tables, lists and spreadsheets lose them."""
    root = folder(" a .png", "b\u00a0.png ")
    (root / "list.txt").write_text(" a .png\nb\n")
    files = Files(root, IMAGES)
    assert (files.ids, files.path("a").name) == (("a", "b"), " a .png")
    assert read_ids(root / "list.txt", files) == ("a", "b")
    folder("a.png")
    with pytest.raises(InputError, match=r" a .png and a.png .* share the id 'a': keep one"):
        Files(root, IMAGES).path("a")


def test_two_files_of_one_id_are_refused_when_asked_for(folder):
    files = Files(folder("a.jpg", "a.png", "b.png"), IMAGES)
    assert files.path("b").exists()
    with pytest.raises(InputError, match=r"a.jpg and a.png .* share the id 'a': keep one"):
        files.path("a")


def test_a_name_that_is_no_utf8_is_refused(tmp_path):
    name = tmp_path / b"ch\xe2t.png".decode("utf-8", "surrogateescape")
    name.write_bytes(b"")
    with pytest.raises(InputError, match=r"name b'ch\\xe2t.png' is no UTF-8"):
        Files(tmp_path, IMAGES)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("my cat 1", "my cat 1"),
        ("my cat 1.png", "my cat 1"),
        ("images/my cat 1.png", "my cat 1"),
        ("C:\\data\\my cat 1.png", "my cat 1"),
        ("  my cat 1  ", "my cat 1"),
        (f"{APART}.png", TOGETHER),
        (TOGETHER, TOGETHER),
        ("/JPEGImages/b.png /SegmentationClass/b.png", "b"),
        ("b b.png", "b b"),
    ],
)
def test_lines_of_lists(folder, line, meant):
    root = folder("my cat 1.png", f"{APART}.png", "b.png", "b b.png")
    (root / "list.txt").write_bytes(f"\n{line}\r\n\n".encode("utf-8-sig"))
    assert read_ids(root / "list.txt", Files(root, IMAGES)) == (meant,)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("img_07 -1", "line 1: 'img_07 -1' says whether .*Write one id a line: 'img_07'"),
        ("images/img_07.png masks/other.png", "are an image and the mask of another"),
        ("IMG_07", "names 'IMG_07', but the image is called 'img_07': write both alike"),
        ("img_7.png", "but the image is called 'img_07'"),
    ],
)
def test_lines_that_nearly_name_an_image(folder, line, message):
    root = folder("img_07.png", "other.png")
    (root / "list.txt").write_text(f"{line}\nother\n")
    with pytest.raises(InputError, match=message):
        read_ids(root / "list.txt", Files(root, IMAGES))


def test_images_that_are_not_here_are_listed_all_the_same(folder):
    root = folder("a 1.png")
    (root / "list.txt").write_text("a 2\na 1\nb c d\n")
    assert read_ids(root / "list.txt", Files(root, IMAGES)) == ("a 2", "a 1", "b c d")


def test_one_name_in_two_compositions(tmp_path):
    """macOS takes accents apart; tables, lists, masks and marks come from elsewhere."""
    root = plain_folder(tmp_path / "mine", ((24, 32),) * 2)
    (root / "images" / "im0.png").rename(root / "images" / f"{APART}.png")
    (root / "masks" / "im0.png").rename(root / "masks" / f"{TOGETHER}.png")
    text = (root / "labels.csv").read_text().replace("im0", TOGETHER)
    (root / "labels.csv").write_text(text.replace("red car", APART), encoding="utf-8")
    (root / "classes.txt").write_text(f"cat\n{TOGETHER}\n", encoding="utf-8")
    (root / "boxes.csv").write_text(f"id,class,x0,y0,x1,y1\n{APART},{APART},1,2,3,4\n", "utf-8")
    write_labels(root / "Scribbles" / f"{APART}.png", np.full((24, 32), 255))
    data = SegmentationFolder(root)
    assert (data.ids, data.classes) == (("im1", TOGETHER), ("cat", TOGETHER))
    assert data.has_mask(TOGETHER)
    batch = WeakView(data, ("tags", "boxes", "scribble"))[1]
    assert (batch.tags.tolist(), batch.boxes[0].tolist()) == ([[1, 0]], [[1, 2, 3, 4, 2]])


@pytest.mark.parametrize("name", ["IM0", "im00"])
@pytest.mark.parametrize(
    "where", ["labels.csv", "masks", "boxes.csv", "captions.csv", "Scribbles", "Saliency"]
)
def test_names_that_differ_in_capitals_or_zeros_are_refused(tmp_path, name, where):
    root = plain_folder(tmp_path / "mine", ((24, 32),) * 2)
    (root / "boxes.csv").write_text("id,class,x0,y0,x1,y1\nim0,cat,1,2,3,4\nim1,cat,1,2,3,4\n")
    (root / "captions.csv").write_text("id,caption\nim0,a\nim1,b\n")
    shutil.copytree(root / "masks", root / "Scribbles")
    (root / "Saliency").mkdir()
    for number in range(2):
        Image.new("L", (32, 24)).save(root / "Saliency" / f"im{number}.png")
    if "." not in where:
        (root / where / "im0.png").rename(root / where / f"{name}.png")
    else:
        (root / where).write_text((root / where).read_text().replace("im0", name))

    def look():
        data = SegmentationFolder(root)
        WeakView(data, ("boxes", "captions", "scribble", "saliency"))[0]
        data.has_mask("im1")

    with pytest.raises(InputError, match=f"{where} names '{name}', but the image is called 'im0'"):
        look()


def test_images_in_sub_folders_are_not_left_out(tmp_path):
    root = plain_folder(tmp_path / "mine")
    (root / "images" / "more").mkdir()
    (root / "images" / "im0.png").rename(root / "images" / "more" / "im0.png")
    with pytest.raises(InputError, match=r"images/more/im0.png lies in a sub-folder"):
        SegmentationFolder(root)


def test_masks_that_belong_to_no_image_are_named(tmp_path):
    root = plain_folder(tmp_path / "mine")
    for path in [*(root / "masks").iterdir()]:
        path.rename(path.with_stem(f"{path.stem}_mask"))
    with pytest.raises(InputError, match=r"holds im0_mask.png, but no mask with the name of an im"):
        SegmentationFolder(root).check_masks()
    (root / "masks" / "sub").mkdir()
    for path in (root / "masks").glob("*.png"):
        path.rename(root / "masks" / "sub" / path.name)
    with pytest.raises(InputError, match=r"holds sub/im0_mask.png, but no mask"):
        SegmentationFolder(root).check_masks()


def test_a_label_image_that_is_not_read_is_named_where_its_image_has_no_other(tmp_path):
    root = plain_folder(tmp_path / "mine")
    (root / "masks" / "im0.json").write_text("{}")
    assert SegmentationFolder(root).has_mask("im0"), "the outlines from which the mask was made"
    (root / "masks" / "im0.png").unlink()
    with pytest.raises(InputError, match=r"masks/im0\.json: \.json is not read here; write it as"):
        SegmentationFolder(root).check_masks()
