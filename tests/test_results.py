"""Result files."""

import json

import numpy as np
import pytest

from wsss_lib.core import InputError
from wsss_lib.evaluate import Protocol
from wsss_lib.results import (
    commit,
    read_arrays,
    read_result,
    summarise,
    write_arrays,
    write_json,
    write_result,
)

PROTOCOL = Protocol("toy", "val", False, "held-out", needs=("saliency",), data_version="1.0")
RUNS = [
    {"seed": 0, "world": 3, "miou": 0.4, "iou": [0.5, None], "precision": 0.1},
    {"seed": 1, "world": 4, "miou": 0.6, "iou": [0.5, 0.2], "precision": 0.1},
    {"seed": 2, "world": 5, "miou": 0.8, "iou": [0.5, 0.2], "precision": 0.1},
]


def test_what_is_written_is_read_with_all_that_is_needed_to_judge_it(tmp_path):
    path = tmp_path / "toy" / "cam.json"
    curves = [np.linspace(0, 1, 101), np.linspace(0, 0.5, 101)]
    write_result(path, "cam", PROTOCOL, RUNS, curves, labels="raw")
    found = read_result(path)
    assert found["method"] == "cam"
    assert (found["data"], found["data_version"], found["labels"]) == ("toy", "1.0", "raw")
    assert found["protocol"]["threshold_rule"] == "held-out"
    assert found["protocol"]["needs"] == ["saliency"]
    assert found["runs"] == RUNS
    assert found["summary"]["miou"] == {"mean": 0.6, "sd": 0.2, "n": 3}
    assert found["curve"]["threshold"][:3] == [0, 0.01, 0.02]
    assert found["curve"]["miou"][-1] == 0.75
    assert {"torch", "numpy", "wsss-lib"} <= {*found["versions"]}
    assert found["device"]
    assert found["threads"] >= 1
    assert found["commit"] == commit()


def test_summary_is_mean_and_sample_deviation_of_the_figures_only():
    assert {*summarise(RUNS)} == {"miou", "precision"}
    assert summarise(RUNS)["miou"]["sd"] == pytest.approx(np.std([0.4, 0.6, 0.8], ddof=1))
    assert summarise(RUNS[:1])["miou"] == {"mean": 0.4, "sd": 0.0, "n": 1}


def test_figures_that_do_not_exist_are_null_and_numbers_are_short(tmp_path):
    write_json(tmp_path / "a.json", {"a": [float("nan"), 1 / 3], "b": float("inf"), "c": (1,)})
    assert json.loads((tmp_path / "a.json").read_text()) == {
        "a": [None, 0.33333],
        "b": None,
        "c": [1],
    }


def test_errors(tmp_path):
    with pytest.raises(InputError, match="at least one run"):
        write_result(tmp_path / "a.json", "cam", PROTOCOL, [])
    with pytest.raises(InputError, match="No result"):
        read_result(tmp_path / "a.json")
    (tmp_path / "a.json").write_text('{"method": ')
    with pytest.raises(InputError, match="damaged"):
        read_result(tmp_path / "a.json")


def test_arrays_are_read_with_what_is_said_of_them(tmp_path):
    path = tmp_path / "maps" / "some.npz"
    write_arrays(path, {"a/b": np.arange(6, dtype=np.uint8).reshape(2, 3)}, {"seed": 0, "x": 1 / 3})
    arrays, about = read_arrays(path)
    assert [*arrays] == ["a/b"]
    assert arrays["a/b"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (about["seed"], about["x"]) == (0, 0.33333)
    assert about["commit"] == commit()
    assert {"torch", "numpy"} <= set(about["versions"])
    with pytest.raises(InputError, match="No arrays"):
        read_arrays(tmp_path / "none.npz")
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match="damaged"):
        read_arrays(path)
    path.write_bytes(b"words")
    with pytest.raises(InputError, match="damaged"):
        read_arrays(path)
    np.savez(path, a=np.zeros(2))
    with pytest.raises(InputError, match="damaged"):
        read_arrays(path)
