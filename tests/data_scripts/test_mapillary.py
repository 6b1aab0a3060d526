"""Mapillary Vistas from a tiny archive in the layouts of versions 1.2 and 2.0."""

import json

import pytest

from data_scripts import mapillary
from tests.data_scripts.archives import VISTAS, of_mapillary
from wsss_lib.core import InputError
from wsss_lib.data.folder import SegmentationFolder


@pytest.mark.parametrize("newer", [False, True])
def test_what_is_evaluated_becomes_a_class_and_the_rest_void(tmp_path, newer, healthy):
    root = tmp_path / "mapillary"
    mapillary.main(root, of_mapillary(tmp_path, newer))
    for split, folder in mapillary.SPLITS.items():
        data = SegmentationFolder(root, split)
        assert data.ids == VISTAS[folder]
        assert data.classes == ("Bird", "Road")
        for id in data.ids:
            mask = data.mask(id)
            assert (mask[:8] == 255).all()
            assert (mask[16:] == 2).all()
            assert (mask[12:16, 3:9] == (1 if id == "bbb" else 2)).all()
            assert data.tags(id).tolist() == [float(id == "bbb"), 1]
    healthy(root)


def test_most_of_the_archive_is_not_unpacked():
    names = ("config_v1.2.json", "training/images/a.jpg", "validation/labels/a.png")
    assert all(map(mapillary.used, (*names, "training/v1.2/labels/a.png")))
    names = ("testing/images/a.jpg", "training/v2.0/labels/a.png", "training/instances/a.png")
    assert not any(map(mapillary.used, (*names, "training/v1.2/panoptic/a.png")))


def test_what_is_no_archive_of_it_is_named(tmp_path):
    with pytest.raises(InputError, match=r"No archive .*Ask for it at https://www\.mapillary"):
        mapillary.main(tmp_path / "m", tmp_path / "no.zip")
    with pytest.raises(InputError, match=r"holds no config\.json"):
        mapillary.read_config(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"labels": [{"color": [0, 0, 0]}]}))
    with pytest.raises(InputError, match=r"names no labels .*evaluate"):
        mapillary.read_config(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"labels": []}))
    with pytest.raises(InputError, match=r"holds no masks"):
        mapillary.convert(tmp_path / "m", tmp_path)
