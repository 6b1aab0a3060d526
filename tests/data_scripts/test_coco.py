"""COCO from tiny archives: polygons, run lengths, crowds, and images that show nothing."""

import zipfile

import numpy as np
import pytest

from data_scripts import coco
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


def test_a_photograph_that_is_missing_is_named(archives, tmp_path):
    with zipfile.ZipFile(archives / "val2014.zip", "w") as archive:
        archive.writestr("val2014/other.jpg", b"")
    with pytest.raises(InputError, match=r"The archive holds no COCO_0004\.jpg"):
        coco.main(tmp_path / "coco", archives)
