"""The measurements behind the book run from end to end, on next to nothing."""

import pytest
import torch
from safetensors.torch import load_file

from experiments.illustrations import ILLUSTRATIONS
from experiments.record import Record, keep_maps, keep_weights, shared
from experiments.ten_hours import LABELS, bought
from wsss_lib.core import InputError
from wsss_lib.data.costs import seconds_per_image
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.toy import write_toy
from wsss_lib.data.view import WeakView
from wsss_lib.evaluate import evaluate
from wsss_lib.gallery import read_gallery
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.nets.large.saliency import toy_saliency
from wsss_lib.results import summarise, write_result
from wsss_lib.saliency import write_saliency
from wsss_lib.survey import find_methods


@pytest.mark.parametrize("id", ILLUSTRATIONS)
def test_what_a_system_shows_beside_its_scores_is_stored(id, tmp_path):
    data = SegmentationFolder(write_toy(tmp_path / "toy", train=4, val=2, progress=False), "train")
    kind = find_methods()[id]
    if "saliency" in kind.card.supervision:
        write_saliency(data, toy_saliency())
    count = len(data.classes)
    scores = {name: torch.rand(count, 64, 64) * data.tags(name)[:, None, None] for name in data.ids}
    view = WeakView(data, kind.card.supervision)
    found = evaluate(scores, data, 0.5, boundary=False)
    floor = None if id == "cam" else ({name: torch.zeros(count, 64, 64) for name in data.ids}, 0.5)
    keep_maps(tmp_path / "toy", id, kind.toy(count), scores, data, view, found, floor)
    stored = read_gallery(tmp_path / "maps" / "toy" / f"{id}.npz")
    assert len(stored.extras) == (4 if id == "cam" else 3)
    assert any(values.any() for shown in stored.extras.values() for values in shown.values())
    for name, shown in stored.extras.items():
        for title in shown:
            number = title.partition(":")[2]
            assert not number or data.tags(name)[int(number) - 1]


def test_the_weights_of_cam_are_stored_in_half_precision(tmp_path):
    method = CAM.toy(6)
    keep_weights(tmp_path / "standard", "cam", method)
    path = tmp_path / "weights" / "standard" / "cam.safetensors"
    assert path.stat().st_size < 700_000
    found = CAM.toy(6)
    found.load_state_dict(load_file(path))
    for name, value in found.state_dict().items():
        torch.testing.assert_close(
            value.float(), method.state_dict()[name].float(), atol=1e-3, rtol=1e-3
        )


def test_gains_are_paired():
    record = Record()
    record.runs["a"] = [{"miou": 0.5}, {"miou": 0.7}]
    record.runs["b"] = [{"miou": 0.4}, {"miou": 0.5}]
    gains = record.gains("a", "b")
    assert gains["mean"] == pytest.approx(0.15)
    assert gains["smallest"] == pytest.approx(0.1)
    assert gains["sd"] == pytest.approx(0.0707, abs=1e-4)


def test_summary_is_mean_and_sample_deviation():
    summary = summarise(
        [{"seed": 0, "miou": 0.2, "iou": [1]}, {"seed": 1, "miou": 0.4, "iou": [1]}]
    )
    assert set(summary) == {"miou"}
    assert summary["miou"] == pytest.approx({"mean": 0.3, "sd": 0.2 / 2**0.5, "n": 2})


def test_a_result_needs_runs(tmp_path):
    with pytest.raises(InputError, match="at least one run"):
        write_result(tmp_path / "x.json", "x", None, [])


def tick(path):
    path.touch()


def test_a_process_that_fails_costs_no_other_its_figures(tmp_path):
    todo = {"no folder": (tmp_path / "no" / "x",), "fine": (tmp_path / "y",)}
    done = []
    with pytest.raises(RuntimeError, match="no folder: FileNotFoundError"):
        done.extend(shared(tick, todo, jobs=2))
    assert done == ["fine"]
    assert (tmp_path / "y").exists()


def test_hours_buy_images_at_their_price():
    for label in LABELS[:-1]:
        assert bought(label, 2, "cam")[0] == int(7200 / seconds_per_image(label))
    both = bought("mixture", 2, "cam")[0]
    assert both == bought("masks", 1, "cam")[0] + bought("tags", 1, "cam")[0]
