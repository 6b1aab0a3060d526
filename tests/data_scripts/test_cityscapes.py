"""Cityscapes from tiny archives in its layout."""

import numpy as np
import pytest

from data_scripts import cityscapes
from tests.data_scripts.archives import STREETS, of_cityscapes
from wsss_lib.core import InputError
from wsss_lib.data.folder import SegmentationFolder


@pytest.fixture
def archives(tmp_path):
    return of_cityscapes(tmp_path)


def test_numbers_become_classes_and_the_rest_void(archives, tmp_path, healthy):
    root = tmp_path / "cityscapes"
    cityscapes.main(root, *archives)
    for split, id in STREETS.items():
        data = SegmentationFolder(root, split)
        assert data.ids == (id,)
        assert data.classes == tuple(cityscapes.CLASSES)
        mask = data.mask(id)
        car = data.classes.index("car") + 1
        assert (mask[:2] == 255).all()
        assert (mask[5:10, 5:20] == car).all()
        assert (mask[12:] == 1).all()
        assert [data.classes[c] for c in data.tags(id).nonzero().flatten()] == ["road", "car"]
    healthy(root)


def test_the_numbers_are_those_of_the_evaluation():
    void = 255
    classes = [
        *[void] * 7, 1, 2, void, void, 3, 4, 5, void, void, void, 6, void, 7, 8, 9, 10, 11, 12, 13,
        14, 15, 16, void, void, 17, 18, 19,
    ]  # fmt: skip
    assert cityscapes.renumbered(np.arange(34)).tolist() == classes
    assert tuple(cityscapes.CLASSES) == (
        "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
        "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train",
        "motorcycle", "bicycle",
    )  # fmt: skip


def test_missing_and_exchanged_archives_are_named(archives, tmp_path):
    with pytest.raises(InputError, match=r"No archive .*Register at .*log in"):
        cityscapes.main(tmp_path / "c", tmp_path / "leftImg8bit_trainvaltest.zip.no", archives[1])
    with pytest.raises(InputError, match=r"gtFine_trainvaltest\.zip as the second archive"):
        cityscapes.main(tmp_path / "c", *reversed(archives))
    cityscapes.main(tmp_path / "c", *archives)
    assert len(SegmentationFolder(tmp_path / "c", "val")) == 1
