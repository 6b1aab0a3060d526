"""PASCAL VOC and SBD from tiny archives in their layouts."""

import pytest

from data_scripts import voc
from tests.data_scripts.archives import KINDS, of_voc
from wsss_lib.core import InputError
from wsss_lib.data.folder import VOC_CLASSES, SegmentationFolder
from wsss_lib.data.view import WeakView

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture
def archives(tmp_path):
    return of_voc(tmp_path)


def get(root, archives, **more):
    voc.main(root, archives["voc"], archives["sbd"], downloads=root / "no", **more)


def test_masks_tags_boxes_and_splits_of_both(archives, tmp_path, healthy):
    root = tmp_path / "voc2012"
    get(root, archives)
    aug, val = (SegmentationFolder(root, split) for split in ("train_aug", "val"))
    assert aug.ids == ("2007_000001", "2008_000003", "2008_000004")
    assert val.ids == ("2007_000002",)
    assert aug.classes == VOC_CLASSES
    for data in (aug, val):
        for index, id in enumerate(data.ids):
            kind = VOC_CLASSES.index(KINDS[id])
            assert data.tags(id).nonzero().flatten().tolist() == [kind]
            assert set(data.mask(id).unique().tolist()) == {0, kind + 1}
            # 1-based and inclusive in the file, a fraction, and a side that lies outside.
            boxes = WeakView(data, ("boxes",))[index].boxes[0]
            assert boxes.tolist() == [[5, 5, 40, 20, kind + 1]]
    healthy(root)


def test_another_archive_is_refused(archives, tmp_path):
    with pytest.raises(InputError, match="not that of PASCAL VOC 2012"):
        get(tmp_path / "voc2012", {**archives, "voc": archives["sbd"]})


def test_without_sbd(archives, tmp_path):
    get(tmp_path / "voc2012", archives, sbd=False)
    assert SegmentationFolder(tmp_path / "voc2012", "train_aug").ids == ("2007_000001",)
