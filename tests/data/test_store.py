"""Scores on disk: half precision, present classes only, whole files."""

import pytest
import torch
from safetensors.torch import load_file

from wsss_lib.core import InputError
from wsss_lib.data.store import ScoreStore, _labels_at


@pytest.fixture
def scores():
    scores = torch.rand(5, 6, 7, generator=torch.Generator().manual_seed(0))
    scores[[1, 3]] = 0
    return scores


def test_scores_come_back_in_half_precision(tmp_path, scores):
    store = ScoreStore(tmp_path / "deep" / "scores", 5)
    assert "a.b" not in store
    store.put("a.b", scores)
    assert "a.b" in store
    assert [*store] == ["a.b"]
    assert torch.equal(store["a.b"], scores.half().float())
    assert store["a.b"].dtype == torch.float32


def test_absent_classes_take_no_room(tmp_path, scores):
    store = ScoreStore(tmp_path, 5)
    store.put("a", scores)
    content = load_file(tmp_path / "a.safetensors")
    assert content["classes"].tolist() == [0, 2, 4]
    assert content["scores"].shape == (3, 6, 7)
    assert content["scores"].dtype == torch.float16


def test_an_image_without_any_class_keeps_its_size(tmp_path):
    store = ScoreStore(tmp_path, 5)
    store.put("a", torch.zeros(5, 3, 4))
    assert store["a"].shape == (5, 3, 4)
    assert not store["a"].any()


def test_rounding_errors_pass_and_are_cut(tmp_path):
    store = ScoreStore(tmp_path, 1)
    store.put("a", torch.tensor([[[-1e-6, 1 + 1e-6]]]))
    assert store["a"].tolist() == [[[0, 1]]]


@pytest.mark.parametrize(
    "wrong",
    [
        torch.full((2, 3, 3), float("nan")),
        torch.full((2, 3, 3), float("inf")),
        torch.full((2, 3, 3), 1.1),
        torch.full((2, 3, 3), -0.1),
        torch.zeros(3, 3, 3),
        torch.zeros(1, 2, 3, 3),
    ],
)
def test_what_are_no_scores_is_refused_and_not_written(tmp_path, wrong):
    with pytest.raises(InputError, match="'a'"):
        ScoreStore(tmp_path, 2).put("a", wrong)
    assert not [*tmp_path.iterdir()]


def test_one_nan_among_numbers_is_refused(tmp_path):
    scores = torch.zeros(2, 3, 3)
    scores[1, 2, 0] = float("nan")
    with pytest.raises(InputError):
        ScoreStore(tmp_path, 2).put("a", scores)


def test_missing_and_damaged_files_say_what_to_do(tmp_path, scores):
    store = ScoreStore(tmp_path, 5)
    with pytest.raises(InputError, match="run the stage on this image first"):
        store["a"]
    store.put("a", scores)
    path = tmp_path / "a.safetensors"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"damaged .* delete it and run again"):
        store["a"]


@pytest.mark.parametrize(
    ("small", "large"), [((7, 5), (60, 41)), ((6, 30), (6, 40)), ((9, 9), (5, 80))]
)
def test_labels_of_large_images_are_made_in_bands_and_are_the_same(
    tmp_path, monkeypatch, small, large
):
    scores = torch.rand(3, *small, generator=torch.Generator().manual_seed(0))
    whole = _labels_at(scores, large, 0.4)
    monkeypatch.setattr("wsss_lib.data.store.BAND", 3 * large[1] * 7)  # seven rows
    assert torch.equal(_labels_at(scores, large, 0.4), whole)
    assert {*whole.unique().tolist()} >= {1, 2, 3}
