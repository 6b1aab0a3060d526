"""The benchmark measures what it says, on next to nothing."""

import json
import time

import cv2
import pytest
import torch

import benchmarks.__main__ as bench
from benchmarks import reading, voc_size
from benchmarks.timing import Case, measure
from wsss_lib.core import InputError
from wsss_lib.data.weak import MADE


def slow(seconds, value):
    def work():
        time.sleep(seconds)
        return torch.tensor(value)

    return work


def small(share=1.0):
    return Case(
        "small", "waiting", "1", "a slower one", lambda device: slow(0.02, 1.0), slow(0.08, 1.5),
        lambda one, other: abs(one - other).item(), pairs=3, share=share,
    )  # fmt: skip


def test_the_ratio_says_how_much_longer_the_peer_takes():
    found = measure(small())
    assert 2 < found["ratio"] < 6
    assert 2 < found["ratio_one_thread"] < 6
    assert found["difference"] == 0.5
    assert len(found["runs"]) == 3


def test_a_share_of_the_peers_work_stands_for_all_of_it():
    assert measure(small(share=0.25))["ratio"] > 2.5 * measure(small())["ratio"]


def test_equal_threads_are_equal_and_given_back():
    seen = []

    def work():
        seen.append((torch.get_num_threads(), cv2.getNumThreads()))
        return torch.tensor(0.0)

    case = Case("n", "o", "1", "p", lambda device: work, work, lambda a, b: 0.0, pairs=2)
    before = (torch.get_num_threads(), cv2.getNumThreads())
    measure(case)
    assert seen.count((1, 1)) >= 4, "two pairs on one thread each"
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before


def test_results_are_written_and_unknown_names_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(bench.CASES, "small", small)
    bench.main(["small"], tmp_path)
    stored = json.loads((tmp_path / "small.json").read_text())
    assert {"ratio", "device", "threads", "torch", "commit", "peer", "summary"} <= set(stored)
    with pytest.raises(InputError, match="no such case"):
        bench.main(["nothing"], tmp_path)


@pytest.mark.parametrize("name", ["ncut", "sweep"])
def test_a_real_case_agrees_with_its_peer(name):
    case = bench.CASES[name]()
    assert case.difference(case.ours(torch.device("cpu"))(), case.theirs()) < 0.05


def test_cost_at_voc_size_is_written_for_all_systems_but_those_that_fail(tmp_path, monkeypatch):
    def broken(parts):
        raise RuntimeError("no such network")

    monkeypatch.setitem(voc_size.BUILDERS, "pamr", broken)
    with pytest.raises(SystemExit, match="failed: pamr"):
        voc_size.main(["bbox_rect", "pamr", "pce"], tmp_path, size=65, repeats=2)
    found = {path.stem: json.loads(path.read_text()) for path in tmp_path.iterdir()}
    assert set(found) == {"bbox_rect", "pce"}
    assert all(len(result["runs"]) == 2 for result in found.values())
    assert "step_ms" not in found["bbox_rect"]["summary"]  # nothing to train
    pce = found["pce"]["summary"]
    assert 43 < pce["weights_m"]["mean"] < 44
    assert pce["answer_ms"]["mean"] > 0
    assert pce["step_ms"]["mean"] > pce["answer_ms"]["mean"]


def test_reading_is_dearest_where_labels_are_drawn_and_cheaper_the_second_time(tmp_path):
    reading.main(tmp_path, images=2, repeats=2)
    found = {path.stem: json.loads(path.read_text())["summary"] for path in tmp_path.iterdir()}
    assert set(found) == {"tags", *MADE, "scores"}
    drawn = found["scribble"]
    assert drawn["first_ms"]["mean"] > 1.2 * drawn["again_ms"]["mean"]
    assert drawn["first_ms"]["mean"] > found["tags"]["first_ms"]["mean"]
