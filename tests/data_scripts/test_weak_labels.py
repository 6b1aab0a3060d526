"""Scribbles, clicks and saliency maps in the formats in which they are published."""

import csv
import errno
import json
import shutil
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from data_scripts import context, points, saliency, scribblesup
from data_scripts.fetch import Remote
from wsss_lib.core import InputError
from wsss_lib.data.folder import VOC_CLASSES, SegmentationFolder
from wsss_lib.data.view import WeakView

IDS = ("2007_000001", "2007_000002", "2008_000003")
SIZE = (30, 40)


@pytest.fixture
def root(tmp_path):
    """Three photographs of PASCAL VOC and nothing else but a split of two of them."""
    root = tmp_path / "voc"
    (root / "JPEGImages").mkdir(parents=True)
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    for id in IDS:
        Image.new("RGB", SIZE[::-1]).save(root / "JPEGImages" / f"{id}.jpg")
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text("\n".join(IDS[:2]))
    return root


def stroke(tag, *places):
    places = "".join(f"<point><X>{x}</X><Y>{y}</Y></point>" for x, y in places)
    return f"<polygon><tag>{tag}</tag>{places}</polygon>"


@pytest.fixture
def scribbles(tmp_path, monkeypatch):
    """Pack annotations, strokes by id, made on images of a size (width, height)."""
    monkeypatch.setattr(scribblesup, "SCRIBBLES", Remote("scribble_annotation.zip", ()))

    def pack(strokes, width=40, height=30, part="pascal_2012"):
        archive = tmp_path / "scribbles.zip"
        with zipfile.ZipFile(archive, "w") as packed:
            for id, drawn in strokes.items():
                size = f"<size><width>{width}</width><height>{height}</height></size>"
                text = f"<annotation>{size}{''.join(drawn)}</annotation>"
                packed.writestr(f"scribble_annotation/{part}/{id}.xml", text)
                other = f"<annotation>{size}{stroke('person', (0, 0), (39, 29))}</annotation>"
                for another in {"pascal_2012", "pascal_context"} - {part}:
                    packed.writestr(f"scribble_annotation/{another}/{id}.xml", other)
        return archive

    return pack


def get_scribbles(root, archive, tmp_path, width=1):
    scribblesup.main(root, archive, width, tmp_path / "down")


def test_strokes_become_lines(root, scribbles, tmp_path, capsys):
    archive = scribbles(
        {
            IDS[0]: [
                stroke("plane", (2, 5), (10, 5), (10, 8)),
                stroke("background", (0, 20), (39, 20)),
            ],
            IDS[1]: [stroke("tvmonitor", (35, 2), (60, 2)), stroke("cow", (3, 4))],
            "2011_000009": [stroke("sky", (1, 1), (2, 2))],
        }
    )
    get_scribbles(root, archive, tmp_path)
    train = WeakView(SegmentationFolder(root, "train", VOC_CLASSES), ("scribble",))
    expected = torch.full(SIZE, 255)
    expected[5, 2:11], expected[5:9, 10], expected[20] = 1, 1, 0
    assert torch.equal(train[0].scribble[0], expected)
    assert (train[1].scribble[0] == 20).nonzero().tolist() == [[2, x] for x in range(35, 40)]
    assert (train[1].scribble[0] == 10).nonzero().tolist() == [[4, 3]]
    told = capsys.readouterr().out
    assert "2 of 3 images have scribble now" in told
    assert "train: 2 of 2" in told
    before = (root / "Scribbles").stat().st_mtime_ns
    get_scribbles(root, tmp_path / "gone", tmp_path)
    assert "is there already" in capsys.readouterr().out
    assert (root / "Scribbles").stat().st_mtime_ns == before


def test_the_pen_is_as_wide_as_asked_and_follows_the_size_of_the_image(root, scribbles, tmp_path):
    archive = scribbles({IDS[0]: [stroke("cat", (20, 20), (60, 20))]}, width=80, height=60)
    get_scribbles(root, archive, tmp_path, width=3)
    view = WeakView(SegmentationFolder(root, None, VOC_CLASSES), ("scribble",))
    where = (view[0].scribble[0] == 8).nonzero()
    assert where[:, 0].unique().tolist() == [9, 10, 11]
    assert where[:, 1].min() <= 10
    assert where[:, 1].max() >= 30


def test_scribbles_of_other_classes_or_images_are_refused_and_leave_nothing(
    root, scribbles, tmp_path
):
    with pytest.raises(InputError, match=r"2007_000001\.xml: 'sky' is no class"):
        get_scribbles(root, scribbles({IDS[0]: [stroke("sky", (1, 1), (2, 2))]}), tmp_path)
    assert not list(root.glob("*cribbles*"))
    other = scribbles({"000001": [stroke("cat", (1, 1), (2, 2))]})
    with pytest.raises(InputError, match=r"Of 1 labels none belongs to an image .*'2007_000001'"):
        get_scribbles(root, other, tmp_path)  # the first archive is not taken again


@pytest.mark.parametrize(("tag", "name"), scribblesup.SHORT.items())
def test_the_annotators_names_of_five_classes(root, scribbles, tmp_path, tag, name):
    get_scribbles(root, scribbles({IDS[0]: [stroke(tag, (1, 1), (5, 1))]}), tmp_path)
    data = SegmentationFolder(root, None, VOC_CLASSES)
    drawn = WeakView(data, ("scribble",))[0].scribble[0]
    assert set(drawn.unique().tolist()) == {VOC_CLASSES.index(name) + 1, 255}
    assert tag in ("plane", "bike", "table", "plant", "monitor")
    assert len(scribblesup.SHORT) == 5


def test_the_classes_of_the_data_tell_which_scribbles_are_meant(root, scribbles, tmp_path):
    archive = scribbles({IDS[0]: [stroke("sky", (1, 1), (5, 1))]}, part="pascal_context")
    (root / "classes.txt").write_text("\n".join(context.CLASSES))
    get_scribbles(root, archive, tmp_path)
    drawn = WeakView(SegmentationFolder(root, None), ("scribble",))[0].scribble[0]
    assert set(drawn.unique().tolist()) == {context.CLASSES.index("sky") + 1, 255}
    shutil.rmtree(root / "Scribbles")
    (root / "classes.txt").write_text("cat\nperson\n")
    with pytest.raises(InputError, match="classes of neither PASCAL VOC nor PASCAL Context"):
        get_scribbles(root, archive, tmp_path)


def test_a_stroke_without_points_is_passed_over(root, scribbles, tmp_path):
    archive = scribbles({IDS[0]: [stroke("cat"), stroke("dog", (1, 1), (5, 1))]})
    get_scribbles(root, archive, tmp_path)
    view = WeakView(SegmentationFolder(root, None, VOC_CLASSES), ("scribble",))
    assert set(view[0].scribble[0].unique().tolist()) == {12, 255}


CLICKS = {
    IDS[0]: [
        {"x": 39, "y": 29, "cls": 8, "rank": 3},
        {"x": 4, "y": 5, "cls": 8, "rank": 1},
        {"x": 1, "y": 2, "cls": 20, "rank": 2},
        {"x": 40, "y": 2, "cls": 8, "rank": 0},
        {"x": 2, "y": -1, "cls": 8, "rank": 0},
    ],
    IDS[2]: [],
    "2011_000009": [{"x": 900, "y": 900, "cls": 1, "rank": 1}],
}


def test_the_first_click_on_each_class_or_all(root, tmp_path, capsys):
    file = tmp_path / "clicks.json"
    file.write_text(json.dumps(CLICKS))
    points.main(root, file)
    view = WeakView(SegmentationFolder(root, None, VOC_CLASSES), ("points",))
    assert view[0].points[0].tolist() == [[4, 5, 8], [1, 2, 20]]
    assert "2 clicks lie beside their image and are dropped" in capsys.readouterr().out
    with pytest.raises(InputError, match="has no line about image '2008_000003'"):
        view[2]
    (root / "points.csv").unlink()
    points.main(root, file, each=0)
    again = WeakView(SegmentationFolder(root, None, VOC_CLASSES), ("points",))
    assert again[0].points[0].tolist() == [[4, 5, 8], [1, 2, 20], [39, 29, 8]]


def test_a_table_that_the_disk_has_no_room_for_is_not_there(root, tmp_path, monkeypatch):
    file = tmp_path / "clicks.json"
    file.write_text(json.dumps(CLICKS))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(csv, "writer", full)
    with pytest.raises(OSError, match="No space left"):
        points.main(root, file)
    assert not [*root.glob("points.csv*")]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No .*json. The archive of http"),
        ("[]", "does not hold clicks"),
        ('{"2007_000001": [{"x": 1, "y": 1, "cls": 0, "rank": 1}]}', "does not hold clicks"),
        ('{"2007_000001": [{"x": 1}]}', "does not hold clicks"),
        ("{", "does not hold clicks"),
    ],
)
def test_files_without_clicks(root, tmp_path, content, complaint):
    file = tmp_path / "clicks.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=complaint):
        points.main(root, file)
    assert not (root / "points.csv").exists()


def test_clicks_are_for_the_classes_of_voc(root, tmp_path):
    (root / "classes.txt").write_text("cat\ndog\n")
    with pytest.raises(InputError, match="does not have the classes of PASCAL VOC"):
        points.main(root, tmp_path / "clicks.json")


def test_saliency_maps_of_a_folder(root, tmp_path):
    maps = tmp_path / "maps"
    maps.mkdir()
    grey = np.zeros(SIZE, np.uint8)
    grey[:, 20:] = 255
    Image.fromarray(grey).save(maps / f"{IDS[0]}.png")
    Image.new("RGB", (20, 15), (48, 53, 44)).save(maps / f"{IDS[1]}.jpg")
    saliency.main(root, maps)
    train = WeakView(SegmentationFolder(root, "train", VOC_CLASSES), ("saliency",))
    assert torch.equal(train[0].saliency[0, 0], torch.from_numpy(grey / 255).float())
    assert train[1].saliency.shape == (1, 1, *SIZE)
    assert torch.allclose(train[1].saliency, torch.tensor(0.2), atol=0.01)


def test_deep_maps_keep_their_shades_and_photographs_may_be_turned(root, tmp_path):
    maps = tmp_path / "maps"
    maps.mkdir()
    turn = Image.Exif()
    turn[0x0112] = 6
    Image.new("RGB", SIZE).save(root / "JPEGImages" / f"{IDS[0]}.jpg", exif=turn)  # 40 x 30, lying
    grey = np.full(SIZE, 20_000, np.uint16)
    Image.fromarray(grey).save(maps / f"{IDS[0]}.png")
    saliency.main(root, maps)
    view = WeakView(SegmentationFolder(root, None, VOC_CLASSES), ("saliency",))
    assert torch.allclose(view[0].saliency, torch.tensor(20_000 / 65_535), atol=0.003)


def test_two_maps_of_one_image_are_refused(root, tmp_path):
    maps = tmp_path / "maps"
    maps.mkdir()
    for suffix in ("png", "jpg"):
        Image.new("L", SIZE).save(maps / f"{IDS[0]}.{suffix}")
    with pytest.raises(InputError, match=r"holds several files of \['2007_000001'\]"):
        saliency.main(root, maps)


def test_saliency_that_cannot_be_read_is_named_and_leaves_nothing(root, tmp_path):
    with pytest.raises(InputError, match=r"No folder .*maps; unpack"):
        saliency.main(root, tmp_path / "maps")
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / f"{IDS[0]}.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"2007_000001\.png is truncated or not an image"):
        saliency.main(root, tmp_path / "maps")
    assert not list(root.glob("*aliency*"))
