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


def test_photographs_without_a_mask_are_left_out(archives, tmp_path, healthy):
    root = tmp_path / "voc2012"
    get(root, archives)
    assert {path.stem for path in (root / "JPEGImages").iterdir()} == {*KINDS}
    assert {path.stem for path in (root / "Annotations").iterdir()} == {*KINDS}


def test_another_archive_is_refused(archives, tmp_path):
    with pytest.raises(InputError, match="not that of PASCAL VOC 2012"):
        get(tmp_path / "voc2012", {**archives, "voc": archives["sbd"]})


def test_without_sbd(archives, tmp_path):
    get(tmp_path / "voc2012", archives, sbd=False)
    assert SegmentationFolder(tmp_path / "voc2012", "train_aug").ids == ("2007_000001",)
    with pytest.raises(InputError, match=r"holds name='voc2012', sbd=False and not .*sbd=True"):
        get(tmp_path / "voc2012", archives)


def test_masks_of_sbd_that_a_killed_start_left_do_not_stay_unnoticed(archives, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        get(tmp_path / "voc2012", archives | {"sbd": tmp_path / "no"})
    with pytest.raises(InputError, match=r"sbd=True and not .*sbd=False"):
        get(tmp_path / "voc2012", archives, sbd=False)
    get(tmp_path / "voc2012", archives)


def test_archives_are_unpacked_as_far_as_they_are_used():
    masks, objects = (f"VOCdevkit/VOC2012/Segmentation{p}/a.png" for p in ("Class", "Object"))
    assert [voc.VOC.wanted(name) for name in (masks, objects)] == [True, False]
    sbd = "benchmark_RELEASE/dataset/{}/a.mat"
    assert [voc.SBD.wanted(sbd.format(part)) for part in ("cls", "inst")] == [True, False]
