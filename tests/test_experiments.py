"""The measurements behind the book run from end to end, on next to nothing."""

import functools
import json
from multiprocessing import get_context

import pytest
import torch
from safetensors.torch import load_file

import experiments.systems
import experiments.toy
from experiments.illustrations import ILLUSTRATIONS
from experiments.record import Record, keep_maps
from wsss_lib.core import InputError, Recipe
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.toy import write_toy
from wsss_lib.data.view import WeakView
from wsss_lib.evaluate import evaluate
from wsss_lib.gallery import read_gallery
from wsss_lib.methods.foundation.sam_pseudo import SamPseudo
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.large.saliency import toy_saliency
from wsss_lib.results import summarise, write_result
from wsss_lib.saliency import write_saliency
from wsss_lib.survey import find_methods


@pytest.fixture
def tiny(monkeypatch):
    """A world of 16 pictures, two steps of training."""
    small = functools.partial(write_toy, train=12, val=4)
    monkeypatch.setattr(experiments.toy, "write_toy", small)
    monkeypatch.setattr(experiments.systems, "write_toy", small)
    real = Recipe.toy.__func__
    monkeypatch.setattr(
        Recipe, "toy", classmethod(lambda cls, steps, *a, **k: real(cls, 2, *a, **k))
    )
    cam, affinity = "methods.image_level.cam.cam", "methods.image_level.affinity.affinitynet"
    for module in (cam, affinity, "nets.heads.deeplab"):
        monkeypatch.setattr(f"wsss_lib.{module}.toy_cnn", lambda: toy_cnn(pretrained=False))


def test_toy_measurement_writes_every_result_and_resumes(tiny, tmp_path):
    def measure():
        experiments.toy.main(tmp_path / "runs", tmp_path / "out", worlds=1, seeds=2)
        return {path.stem: json.loads(path.read_text()) for path in (tmp_path / "out").iterdir()}

    found = measure()
    scores = {"cam", "cam_longer", "pamr", "densecrf", "affinitynet"}
    networks = set(experiments.toy.NETWORKS)
    assert set(found) == scores | networks
    for name, result in found.items():
        assert len(result["runs"]) == (1 if name in networks else 2)
        assert result["protocol"]["labels_at_inference"] == (name in scores)
        assert result["protocol"]["threshold_rule"] == (
            "argmax" if name in networks else "held-out"
        )
        assert len(result["curve"]["miou"]) == 101
        assert ("gain_over_labels" in result["summary"]) == name.startswith("segmenter_")
    assert "gain_over_cam" in found["pamr"]
    again = measure()
    for name, result in found.items():
        assert [run["miou"] for run in result["runs"]] == [
            run["miou"] for run in again[name]["runs"]
        ]


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


def test_the_weights_of_cam_are_stored_beside_its_maps(tiny, tmp_path):
    experiments.toy.main(tmp_path / "runs", tmp_path / "out", worlds=1, seeds=2)
    stored = tmp_path / "weights" / "out"
    assert [path.name for path in stored.iterdir()] == ["cam.safetensors"]
    assert (stored / "cam.safetensors").stat().st_size < 700_000
    found = CAM.toy(6)
    found.load_state_dict(load_file(stored / "cam.safetensors"))
    checkpoints = (tmp_path / "runs" / "run_0_0").glob("0_cam_*/checkpoint.pt")
    trained = [torch.load(path, weights_only=True)["weights"] for path in checkpoints]
    assert any(
        all(
            torch.allclose(value.float(), weights[name].float(), atol=1e-3, rtol=1e-3)
            for name, value in found.state_dict().items()
        )
        for weights in trained
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


def test_a_system_is_measured_beside_the_floor(tiny, tmp_path):
    experiments.systems.main(["pamr"], True, tmp_path / "runs", tmp_path / "out", worlds=2)
    found = json.loads((tmp_path / "out" / "pamr.json").read_text())
    assert [run["world"] for run in found["runs"]] == [0, 1]
    wanted = {"gain_over_cam", "refined_miou", "network_miou", "refined_boundary_iou"}
    assert wanted <= set(found["summary"])


def test_labels_that_sam_redraws_are_cut_where_the_measured_ones_were(tiny, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(SamPseudo, "predict", lambda self, batch: seen.append(self) or batch.scores)
    experiments.systems.main(["sam_pseudo"], False, tmp_path / "r", tmp_path / "out", worlds=1)
    assert {method.threshold for method in seen} == {0.15}


def test_several_processes_measure_what_one_measures(tiny, tmp_path, monkeypatch):
    # Forked, not spawned, so that the tiny world is known there as well.
    monkeypatch.setattr(experiments.systems, "get_context", lambda _: get_context("fork"))
    for jobs in (1, 2):
        folder, out = tmp_path / f"runs_{jobs}", tmp_path / f"out_{jobs}"
        experiments.systems.main(["bbox_rect", "pamr"], False, folder, out, worlds=2, jobs=jobs)
    for name in ("bbox_rect", "pamr"):
        one, two = (
            json.loads((tmp_path / f"out_{jobs}" / f"{name}.json").read_text()) for jobs in (1, 2)
        )
        for here, there in zip(one["runs"], two["runs"], strict=True):
            assert (here["world"], here["miou"]) == (there["world"], there["miou"])


def test_a_process_that_fails_costs_no_other_system_its_figures(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(experiments.systems, "get_context", lambda _: get_context("fork"))
    asked = (["no_such", "bbox_rect"], False, tmp_path / "runs", tmp_path / "out")
    with pytest.raises(RuntimeError, match=r"no_such in world 0: KeyError\('no_such'\)"):
        experiments.systems.main(*asked, worlds=1, jobs=2)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["bbox_rect.json"]
