"""Stored maps: the images that were promised, true to a 255th, small, and of the run they name."""

import json
from pathlib import Path

import pytest
import torch

from experiments.contenders import MAKERS
from experiments.evidence import of_new_images
from tests.tiny import plain_folder
from wsss_lib import gallery
from wsss_lib.blocks.maps.class_maps import to_labels
from wsss_lib.core import InputError
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.toy import write_toy
from wsss_lib.gallery import common_ids, image_iou, image_ious, ranked, read_gallery, write_gallery
from wsss_lib.survey import find_methods

STORED = sorted((Path(__file__).parents[1] / "results" / "maps").glob("*/*.npz"))


@pytest.fixture
def world(tmp_path):
    """Eighteen images, and scores that get worse from image to image."""
    data = SegmentationFolder(plain_folder(tmp_path / "data", sizes=((24, 32),) * 18), None)
    scores = {}
    for number, id in enumerate(data.ids):
        truth = torch.nn.functional.one_hot(data.mask(id), 3).permute(2, 0, 1)[1:].float()
        scores[id] = truth.roll(number, dims=2) * torch.linspace(0.6, 1, 32)
    return data, scores


def stored(world, tmp_path, **more):
    data, scores = world
    path = tmp_path / "maps.npz"
    write_gallery(path, scores, data, 0.5, {"system": "x", "world": 0}, **more)
    return read_gallery(path)


def test_maps_come_back_with_threshold_and_ranks(world, tmp_path):
    data, scores = world
    found = stored(world, tmp_path)
    assert found.threshold == 0.5
    assert len(found.common) == 12
    iou = image_ious(scores, data, 0.5)
    assert iou[found.extremes[0]] == max(iou.values())
    assert iou[found.extremes[2]] == min(iou.values())
    assert max(iou.values()) > min(iou.values())
    for id in (*found.common, *found.extremes):
        assert (found.scores(id, 2) - scores[id]).abs().max() <= 0.5 / 255 + 1e-6
    assert found.iou == pytest.approx(iou, abs=6e-4)
    with pytest.raises(InputError, match="no maps of 'im99'"):
        found.scores("im99", 2)


def test_all_systems_store_the_same_images_by_lot():
    class World:
        """Five hundred images; a fifth shows one class, every hundredth another, one a third."""

        classes = ("often", "seldom", "once")

        def __init__(self, ids):
            self.ids = ids

        def tags(self, id):
            number = int(id[-4:])
            return torch.tensor([number % 5 == 0, number % 100 == 7, number == 77])

    ids = [f"train_{n:04d}" for n in range(500)]
    common = common_ids(World(ids))
    assert common == common_ids(World(ids[::-1]))
    assert common[:12] != tuple(ids[:12])
    shown = torch.stack([World(ids).tags(id) for id in common]).sum(dim=0)
    assert (shown >= torch.tensor([2, 2, 1])).all()
    assert 12 <= len(common) == len(set(common)) <= 17
    assert sorted(common_ids(World(ids[:3]))) == ids[:3]


def test_image_iou_is_the_mean_over_the_classes_that_are_shown():
    truth = torch.tensor([[1, 1, 2, 2, 0, 255]])
    labels = torch.tensor([[1, 0, 2, 2, 3, 3]])  # half of 1, all of 2, and a class that is absent
    assert image_iou(truth, labels, 3) == pytest.approx((0.5 + 1) / 2)


def test_ranks_are_largest_median_and_smallest():
    values = {"a": 0.1, "b": float("nan"), "c": 0.9, "d": 0.4}
    assert ranked(values) == {"largest": "c", "median": "d", "smallest": "a"}
    assert ranked(values, ["a", "d"])["largest"] == "d"


def test_what_else_is_shown_is_kept_apart_from_classes(world, tmp_path):
    steps = {"im3": {"round 1": torch.full((6, 8), 0.25), "half:2": torch.ones(6, 8)}}
    found = stored(world, tmp_path, extras=steps)
    assert set(found.extras["im3"]) == {"round 1", "half:2"}
    assert found.extras["im3"]["round 1"].mean() == pytest.approx(0.25, abs=1 / 255)
    assert set(found.maps["im3"]) <= {1, 2}


def test_the_class_that_wins_by_a_hair_wins_in_bytes_too(world, tmp_path):
    data, _ = world
    generator = torch.Generator().manual_seed(0)
    close = {id: 0.998 + 0.001 * torch.rand(2, 24, 32, generator=generator) for id in data.ids}
    found = stored((data, close), tmp_path)
    for id in found.common:
        expected = to_labels(close[id][None], 0.5)[0]
        assert (found.labels(id, 2) == expected).all()
        assert (found.scores(id, 2) - close[id]).abs().max() < 2 / 255


def test_a_large_file_is_refused_and_a_damaged_one_named(world, tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "LIMIT", 500)
    with pytest.raises(InputError, match="store less than 500"):
        stored(world, tmp_path)
    assert not (tmp_path / "maps.npz").exists()
    (tmp_path / "maps.npz").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match="is damaged"):
        read_gallery(tmp_path / "maps.npz")
    with pytest.raises(InputError, match="No maps at"):
        read_gallery(tmp_path / "none.npz")


@pytest.mark.parametrize("path", STORED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_stored_maps_are_those_of_the_run_whose_figures_are_printed(path):
    found = read_gallery(path)
    assert path.stat().st_size <= gallery.LIMIT
    assert found.about["system"] == path.stem
    assert {"world", "seed", "device", "commit"} <= set(found.about)
    rows = path.parents[2] / "rows" / path.parent.name / f"{path.stem}.json"
    same = json.loads(rows.read_text())[str(found.about["world"])]
    blind = of_new_images(path.stem)
    figure = same["val_miou" if blind else "miou"]
    # Other processors round otherwise, and trainings drift apart by that.
    assert found.about["miou"] == pytest.approx(figure, abs=0.02)
    assert all(id.startswith("val" if blind else "train") for id in found.common)


@pytest.fixture(scope="session")
def standard(tmp_path_factory):
    """The standard world 0, by split."""
    root = write_toy(tmp_path_factory.mktemp("worlds") / "standard", progress=False)
    return {split: SegmentationFolder(root, split) for split in ("train", "val")}


@pytest.mark.parametrize(
    "path", [path for path in STORED if path.parent.name == "standard"], ids=lambda path: path.stem
)
def test_stored_maps_give_the_labels_whose_iou_is_stored(path, standard):
    found = read_gallery(path)
    data = standard["val" if of_new_images(path.stem) else "train"]
    for id in found.common:
        said = image_iou(data.mask(id), found.labels(id, len(data.classes)), len(data.classes))
        assert said == pytest.approx(found.iou.get(id, float("nan")), abs=0.03, nan_ok=True)


def test_maps_that_pages_draw_from_are_stored():
    assert {"cam", "pamr", "ceiling"} <= {path.stem for path in STORED}
    known = {*find_methods(), *MAKERS}
    assert {path.stem for path in STORED} <= known
