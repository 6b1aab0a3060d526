"""COCO from tiny archives: polygons, run lengths, crowds, and images that show nothing."""

import zipfile

import numpy as np
import pytest

from data_scripts import coco
from data_scripts.fetch import Remote
from tests.data_scripts.archives import COCO_SIZE, of_coco, square
from wsss_lib.core import InputError
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.view import WeakView

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture
def archives(tmp_path):
    return of_coco(tmp_path)


def test_polygons_run_lengths_crowds_and_boxes(archives, tmp_path, healthy):
    root = tmp_path / "coco"
    coco.main(root, archives)
    train, val = (SegmentationFolder(root, split) for split in ("train", "val"))
    assert train.classes == ("person", "toothbrush")
    assert train.ids == ("COCO_0001", "COCO_0002")  # the third shows nothing
    assert val.ids == ("COCO_0004",)
    mask = train.mask("COCO_0001")
    expected = np.zeros(COCO_SIZE, int)
    expected[:, :10] = 255
    expected[2:18, 2:20] = 1
    expected[4:8, 4:8] = 2
    assert (mask.numpy() == expected).all()
    assert (train.mask("COCO_0002").numpy() == 2 * square(5, 5, 15, 15)).all()
    assert train.tags("COCO_0001").tolist() == [1, 1]
    assert train.tags("COCO_0002").tolist() == [0, 1]
    boxes = WeakView(train, ("boxes",))[0].boxes[0].tolist()
    assert boxes == [[4, 4, 8, 8, 2], [2, 2, 30, 18, 1]]  # no crowd, nothing outside
    healthy(root)


def test_a_box_beside_the_image_is_none():
    found = [
        {"category_id": c, "bbox": box}
        for c, box in enumerate(([30, 2, 5, 5], [-4, 0, 4, 9], [-4, 0, 5, 9], [29.5, 19.5, 9, 9]))
    ]
    assert [*coco._boxes(found, COCO_SIZE)] == [(2, [0, 0, 1, 9]), (3, [29, 19, 30, 20])]


def test_what_the_folder_lacks_is_fetched(archives, tmp_path):
    downloads = tmp_path / "down"
    downloads.mkdir()
    (archives / "val2014.zip").rename(downloads / "val2014.zip")
    coco.main(tmp_path / "coco", archives, downloads)
    assert len(SegmentationFolder(tmp_path / "coco", "val")) == 1
    for wrong in (tmp_path / "no", archives / "train2014.zip"):
        with pytest.raises(InputError, match="is no folder"):
            coco.main(tmp_path / "coco2", wrong)


def test_what_is_needed_is_told_before_anything_is_fetched(tmp_path, monkeypatch, server):
    monkeypatch.setattr(coco, "REMOTES", [Remote("annotations.zip", [server.url("good")])])
    monkeypatch.setattr(coco, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'wsss-lib\[data\]'"):
        coco.main(tmp_path / "coco")
    assert not server.asked


def test_a_photograph_that_is_missing_is_named(archives, tmp_path):
    with zipfile.ZipFile(archives / "val2014.zip", "w") as archive:
        archive.writestr("val2014/other.jpg", b"")
    with pytest.raises(InputError, match=r"The archive holds no COCO_0004\.jpg"):
        coco.main(tmp_path / "coco", archives)
