"""PASCAL VOC and SBD from tiny archives in their real layout to a folder that the doctor likes."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from typer.testing import CliRunner

from data_scripts import voc
from data_scripts.fetch import Remote
from wsss_lib.cli import app
from wsss_lib.core import InputError
from wsss_lib.data.folder import VOC_CLASSES, SegmentationFolder
from wsss_lib.data.palette import write_labels

KINDS = {"2007_000001": "cat", "2007_000002": "dog", "2008_000003": "cat", "2008_000004": "bus"}


@pytest.fixture
def archives(tmp_path, monkeypatch):
    """Both archives: one image for train, one for val, two whose masks only SBD has."""
    source = tmp_path / "source"
    root = source / "VOCdevkit" / "VOC2012"
    lists = root / "ImageSets" / "Segmentation"
    for folder in (root / "JPEGImages", root / "Annotations", lists):
        folder.mkdir(parents=True)
    sbd = source / "benchmark_RELEASE" / "dataset" / "cls"
    sbd.mkdir(parents=True)
    for number, (id, kind) in enumerate(KINDS.items()):
        index = VOC_CLASSES.index(kind) + 1
        mask = np.zeros((30, 40), np.uint8)
        mask[5:20, 5:20] = index
        pixels = np.full((30, 40, 3), 90, np.uint8)
        pixels[mask > 0] = 20 * index
        Image.fromarray(pixels).save(root / "JPEGImages" / f"{id}.jpg")
        (root / "Annotations" / f"{id}.xml").write_text(
            f"<annotation><object><name>{kind}</name><part><name>head</name></part></object>"
            "</annotation>"
        )
        if number < 2:
            write_labels(root / "SegmentationClass" / f"{id}.png", mask)
        if number != 1:  # SBD knows the first as well, and draws it otherwise
            content = {"GTcls": {"Segmentation": mask if number else np.zeros_like(mask)}}
            savemat(sbd / f"{id}.mat", content)
    (lists / "train.txt").write_text("2007_000001\n")
    (lists / "val.txt").write_text("2007_000002\n")
    found = {}
    for name, inside in (("voc.tar", "VOCdevkit"), ("benchmark.tgz", "benchmark_RELEASE")):
        found[name] = tmp_path / name
        with tarfile.open(found[name], "w:gz" if name.endswith("gz") else "w") as tar:
            tar.add(source / inside, inside)
        monkeypatch.setattr(voc, "VOC" if name == "voc.tar" else "SBD", Remote(name, ()))
    return found


def get(root: Path, archives, **more):
    voc.main(root, archives["voc.tar"], archives["benchmark.tgz"], downloads=root / "no", **more)


def test_masks_tags_and_splits_of_both(archives, tmp_path):
    root = tmp_path / "voc2012"
    get(root, archives)
    aug, val = (SegmentationFolder(root, split) for split in ("train_aug", "val"))
    assert aug.ids == ("2007_000001", "2008_000003", "2008_000004")
    assert val.ids == ("2007_000002",)
    assert aug.classes == VOC_CLASSES
    for data in (aug, val):
        for id in data.ids:
            assert [VOC_CLASSES[c] for c in data.tags(id).nonzero().flatten()] == [KINDS[id]]
            assert set(data.mask(id).unique().tolist()) == {0, VOC_CLASSES.index(KINDS[id]) + 1}
    answer = CliRunner().invoke(app, ["doctor", str(root)])
    assert answer.exit_code == 0, answer.output


def test_an_interrupted_start_goes_on_and_a_second_does_nothing(archives, tmp_path, interrupted):
    root = tmp_path / "voc2012"
    interrupted(voc, lambda: get(root, archives))
    assert not (root / "dataset.json").exists()
    get(root, archives)
    seen = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert len(list((root / "JPEGImages").iterdir())) == 4
    get(root, {"voc.tar": tmp_path / "gone", "benchmark.tgz": tmp_path / "gone"})
    assert seen == {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert not list(tmp_path.glob(".*work"))


def test_another_archive_is_refused(archives, tmp_path):
    wrong = {**archives, "voc.tar": archives["benchmark.tgz"]}
    with pytest.raises(InputError, match="not that of PASCAL VOC 2012"):
        get(tmp_path / "voc2012", wrong)


def test_without_sbd(archives, tmp_path):
    get(tmp_path / "voc2012", archives, sbd=False)
    assert SegmentationFolder(tmp_path / "voc2012", "train_aug").ids == ("2007_000001",)
