"""Cityscapes from tiny archives in its layout."""

import zipfile

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from data_scripts import cityscapes
from wsss_lib.cli import app
from wsss_lib.core import InputError
from wsss_lib.data.folder import SegmentationFolder

IDS = {"train": "aachen_000000_000019", "val": "lindau_000001_000019"}


@pytest.fixture
def archives(tmp_path):
    """Two streets: road, a car, and a number that is not evaluated."""
    source = tmp_path / "source"
    for split, id in IDS.items():
        city = id.split("_")[0]
        for top in ("leftImg8bit", "gtFine"):
            (source / top / split / city).mkdir(parents=True)
        ids = np.full((20, 40), 7, np.uint8)
        ids[5:10, 5:20], ids[:2] = 26, 4
        pixels = np.stack([ids * 9] * 3, axis=-1)
        Image.fromarray(pixels).save(
            source / "leftImg8bit" / split / city / f"{id}_leftImg8bit.png"
        )
        Image.fromarray(ids).save(source / "gtFine" / split / city / f"{id}_gtFine_labelIds.png")
    found = []
    for top in ("leftImg8bit", "gtFine"):
        found.append(tmp_path / f"{top}_trainvaltest.zip")
        with zipfile.ZipFile(found[-1], "w") as archive:
            for path in sorted((source / top).rglob("*.png")):
                archive.write(path, path.relative_to(source))
    return found


def test_numbers_become_classes_and_the_rest_void(archives, tmp_path):
    root = tmp_path / "cityscapes"
    cityscapes.main(root, *archives)
    for split, id in IDS.items():
        data = SegmentationFolder(root, split)
        assert data.ids == (id,)
        assert data.classes == tuple(cityscapes.CLASSES)
        mask = data.mask(id)
        car = data.classes.index("car") + 1
        assert (mask[:2] == 255).all()
        assert (mask[5:10, 5:20] == car).all()
        assert (mask[12:] == 1).all()
        assert [data.classes[c] for c in data.tags(id).nonzero().flatten()] == ["road", "car"]
    seen = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    cityscapes.main(root, *archives)
    assert seen == {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    answer = CliRunner().invoke(app, ["doctor", str(root)])
    assert answer.exit_code == 0, answer.output


def test_missing_and_exchanged_archives_are_named(archives, tmp_path):
    with pytest.raises(InputError, match=r"No archive .*Register at .*log in"):
        cityscapes.main(tmp_path / "c", tmp_path / "leftImg8bit_trainvaltest.zip.no", archives[1])
    with pytest.raises(InputError, match=r"gtFine_trainvaltest\.zip as the second archive"):
        cityscapes.main(tmp_path / "c", *reversed(archives))
    cityscapes.main(tmp_path / "c", *archives)
    assert len(SegmentationFolder(tmp_path / "c", "val")) == 1
