"""Pictures from a folder, a zip or files; what cannot be used gets one clear error."""

import zipfile

import pytest
from PIL import Image

from wsss_lib.annotate import Tagger
from wsss_lib.core import InputError
from wsss_lib.data.files.intake import take_in
from wsss_lib.data.folder import SegmentationFolder


def picture(path, colour="red"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), colour).save(path)
    return path


def zipped(path, folder):
    with zipfile.ZipFile(path, "w") as archive:
        for one in folder.rglob("*"):
            archive.write(one, one.relative_to(folder))
    return path


@pytest.fixture
def pictures(tmp_path):
    for name in ("a.jpg", "b.PNG"):
        picture(tmp_path / "phone" / name)
    return tmp_path / "phone"


def taken(source, tmp_path):
    root = take_in(source, tmp_path / "mine")
    return root, SegmentationFolder(root, None, classes=["cat"])


def test_a_folder_of_pictures(pictures, tmp_path):
    root, data = taken(pictures, tmp_path)
    assert root == tmp_path / "mine"
    assert data.ids == ("a", "b")
    assert data.allows_empty, "pictures of none of the classes are welcome"
    assert sorted(path.name for path in pictures.iterdir()) == ["a.jpg", "b.PNG"]


def test_a_list_of_files(pictures, tmp_path):
    assert taken([pictures / "b.PNG", str(pictures / "a.jpg")], tmp_path)[1].ids == ("a", "b")


@pytest.mark.parametrize("around", ["", "holiday/summer"])
def test_a_zip_with_and_without_folders_around_them(tmp_path, around):
    picture(tmp_path / "all" / around / "a.jpg")
    picture(tmp_path / "all" / around / "b.jpg")
    (tmp_path / "all" / "__MACOSX").mkdir()
    (tmp_path / "all" / "__MACOSX" / "._a.jpg").write_text("litter")
    archive = zipped(tmp_path / "photos.zip", tmp_path / "all")
    assert taken(archive, tmp_path)[1].ids == ("a", "b")


def test_a_data_folder_is_taken_as_it_is(tmp_path):
    picture(tmp_path / "data" / "images" / "a.jpg")
    (tmp_path / "data" / "labels.csv").write_text("id,cat\na,1\n")
    assert take_in(tmp_path / "data", tmp_path / "mine") == tmp_path / "data"


def test_tags_survive_and_new_pictures_join(pictures, tmp_path):
    root = take_in(pictures, tmp_path / "mine")
    (root / "labels.csv").write_text("id,cat\na,1\nb,0\n")
    picture(pictures / "c.jpg")
    assert take_in(pictures, tmp_path / "mine") == root
    data = SegmentationFolder(root, None)
    assert data.ids == ("a", "b", "c")
    assert data.tags("a").tolist() == [1]


def test_another_zip_of_the_same_name_is_not_taken_for_the_first(tmp_path):
    for name in ("a", "b"):
        picture(tmp_path / name / f"{name}.jpg")
        archive = zipped(tmp_path / "photos.zip", tmp_path / name)
        ids = SegmentationFolder(take_in(archive, tmp_path / f"mine_{name}"), None, ["cat"]).ids
        assert ids == (name,)


def test_a_zip_that_points_out_of_its_folder_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../escaped.jpg", "x")
    with pytest.raises(InputError, match="not to be trusted"):
        take_in(tmp_path / "bad.zip", tmp_path / "in" / "mine")
    assert not list(tmp_path.rglob("escaped.jpg"))


@pytest.mark.parametrize("content", [b"", b"no zip", "half"])
def test_a_broken_zip_is_refused(pictures, tmp_path, content):
    archive = zipped(tmp_path / "photos.zip", pictures)
    archive.write_bytes(archive.read_bytes()[:200] if content == "half" else content)
    with pytest.raises(InputError, match=r"photos\.zip is damaged or no archive"):
        take_in(archive, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_picture_that_cannot_be_read_is_named_before_anything_is_copied(pictures, tmp_path):
    (pictures / "z.jpg").write_bytes((pictures / "a.jpg").read_bytes()[:100])
    with pytest.raises(InputError, match=r"z\.jpg is truncated or not an image"):
        take_in(pictures, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: (folder / "a.heic").write_bytes(b"x"), r"a\.heic: \.heic is not read"),
        (lambda folder: picture(folder / "more" / "c.jpg"), "more/c.jpg lies in a sub-folder"),
    ],
)
def test_what_nobody_would_see_is_named(pictures, tmp_path, make, words):
    (pictures / "a.jpg").unlink()
    make(pictures)
    with pytest.raises(InputError, match=words):
        take_in(pictures, tmp_path / "mine")


def test_one_picture(pictures, tmp_path):
    assert taken(pictures / "b.PNG", tmp_path)[1].ids == ("b",)


@pytest.mark.parametrize("names", [("a/x.jpg", "b/x.jpg"), ("x.jpg", "x.png")])
def test_two_pictures_of_one_name_are_refused(tmp_path, names):
    paths = [picture(tmp_path / name) for name in names]
    with pytest.raises(InputError, match="share the name 'x'"):
        take_in(paths, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_list_of_nothing_or_of_no_picture_is_refused(pictures, tmp_path):
    with pytest.raises(InputError, match="list of pictures is empty"):
        take_in([], tmp_path / "mine")
    (pictures / "a.jpg").rename(pictures / "a")
    with pytest.raises(InputError, match="a is no picture that is read here"):
        take_in([pictures / "a"], tmp_path / "mine")
    with pytest.raises(InputError, match="phone is no picture"):
        take_in([pictures], tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_another_picture_of_a_name_that_is_there_is_refused(pictures, tmp_path, name):
    root = take_in(pictures, tmp_path / "mine")
    (root / "labels.csv").write_text("id,cat\na,1\nb,0\n")
    new = [picture(tmp_path / "second" / "0.jpg"), picture(tmp_path / "second" / name, "blue")]
    with pytest.raises(InputError, match="another picture of this name is there"):
        take_in(new, root)
    assert sorted(path.name for path in (root / "images").iterdir()) == ["a.jpg", "b.PNG"]
    assert (root / "images" / "a.jpg").read_bytes() == (pictures / "a.jpg").read_bytes()


def test_what_dataset_json_says_is_kept(pictures, tmp_path):
    root = take_in(pictures, tmp_path / "mine")
    (root / "dataset.json").write_text('{"name": "zoo"}')
    take_in(pictures, root)
    assert SegmentationFolder(root, None, ["cat"]).name == "zoo"


@pytest.mark.parametrize("error", [RuntimeError("encrypted"), NotImplementedError("x")])
def test_a_zip_that_cannot_be_unpacked_here_is_named(pictures, tmp_path, monkeypatch, error):
    archive = zipped(tmp_path / "photos.zip", pictures)

    def refuse(*_):
        raise error

    monkeypatch.setattr("zipfile.ZipFile.extract", refuse)
    with pytest.raises(InputError, match=r"photos\.zip cannot be unpacked here"):
        take_in(archive, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_nothing_there(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="No folder and no zip at"):
        take_in(tmp_path / "missing.zip", tmp_path / "mine")
    with pytest.raises(InputError, match="holds no pictures"):
        take_in(tmp_path / "empty", tmp_path / "mine")


def a_data_folder(root, lines, layout="images", colour="red"):
    """Pictures a, b, ... with a table of tags and masks."""
    name = "labels.csv" if layout == "images" else "image_labels.csv"
    for id in (line[0] for line in lines):
        picture(root / layout / f"{id}.png", colour)
        picture(root / "masks" / f"{id}.png", "black")
    (root / name).write_text("\n".join(["id,cat", *lines]) + "\n")
    return root


def tags_of(root):
    data = SegmentationFolder(root, None)
    return {id: data.tags(id).tolist() for id in data.table}


def test_tags_in_a_zip_come_along_and_those_of_the_reader_survive_every_upload(tmp_path):
    source = a_data_folder(tmp_path / "data", ["a,1", "b,"])
    archive = zipped(tmp_path / "data.zip", source)
    root, data = taken(archive, tmp_path)
    assert root == tmp_path / "mine"
    assert data.has_mask("b")
    assert data.allows_empty, "a picture of none of the classes may be tagged as such"
    Tagger(root, ["cat"]).tag("a", [])
    Tagger(root, ["cat"]).tag("b", ["cat"])
    with pytest.warns(UserWarning, match=r"mine keeps its own labels\.csv, although the zip"):
        take_in(archive, tmp_path / "mine")
    assert tags_of(root) == {"a": [0], "b": [1]}
    a_data_folder(source, ["a,1", "b,0", "c.png,1"])
    (source / "points.csv").write_text("id,class,x,y\na,cat,1,1\n")
    again = zipped(tmp_path / "data (1).zip", source)
    with pytest.warns(UserWarning, match="labels"):
        assert take_in(again, tmp_path / "mine") == root
    assert tags_of(root) == {"a": [0], "b": [1], "c": [1]}, "what is new came with its tag"
    assert (root / "points.csv").is_file()


def test_the_same_zip_again_says_nothing(tmp_path, recwarn):
    archive = zipped(tmp_path / "data.zip", a_data_folder(tmp_path / "data", ["a,1"]))
    for _ in range(2):
        assert tags_of(take_in(archive, tmp_path / "mine")) == {"a": [1]}
    assert not [one for one in recwarn if "keeps its own" in str(one.message)]


def test_masks_that_somebody_drew_survive_and_are_named(tmp_path):
    archive = zipped(tmp_path / "data.zip", a_data_folder(tmp_path / "data", ["a,1"]))
    root = take_in(archive, tmp_path / "mine")
    drawn = picture(root / "masks" / "a.png", (128, 0, 0)).read_bytes()
    with pytest.warns(UserWarning, match=r"masks/a\.png"):
        take_in(archive, root)
    assert (root / "masks" / "a.png").read_bytes() == drawn


def test_a_table_with_other_columns_is_not_mixed_in(tmp_path):
    root = take_in(
        zipped(tmp_path / "1.zip", a_data_folder(tmp_path / "1", ["a,1"])), tmp_path / "m"
    )
    other = a_data_folder(tmp_path / "2", ["b,1"])
    (other / "labels.csv").write_text("id,dog\nb,1\n")
    with pytest.raises(InputError, match=r"columns id, cat, and the one of the zip id, dog: make"):
        take_in(zipped(tmp_path / "2.zip", other), root)
    assert tags_of(root) == {"a": [1]}


def test_layouts_are_not_mixed(tmp_path):
    voc = zipped(tmp_path / "voc.zip", a_data_folder(tmp_path / "v", ["a,1"], "JPEGImages"))
    root = take_in(voc, tmp_path / "voc")
    assert tags_of(root) == {"a": [1]}
    take_in(picture(tmp_path / "b.png"), root)
    assert SegmentationFolder(root, None).ids == ("a", "b"), "pictures join those that are there"
    plain = zipped(tmp_path / "plain.zip", a_data_folder(tmp_path / "p", ["c,1"]))
    with pytest.raises(InputError, match=r"pictures in images, and .*voc in JPEGImages: choose an"):
        take_in(plain, root)


def test_pictures_that_a_browser_numbers_when_they_come_again_are_there_once(tmp_path):
    first = [picture(tmp_path / name) for name in ("IMG_1.jpg", "IMG_2.jpg")]
    root = take_in(first, tmp_path / "mine")
    again = [picture(tmp_path / name) for name in ("IMG_1 (1).jpg", "IMG_2(3).jpg")]
    other = picture(tmp_path / "IMG_2 (1).jpg", "blue")
    take_in([*again, other], root)
    assert SegmentationFolder(root, None, ["cat"]).ids == ("IMG_1", "IMG_2", "IMG_2 (1)")
