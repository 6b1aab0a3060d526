"""What all notebooks begin with: one training, and what other runs have left."""

import subprocess
import sys

import lesson
import pytest
import torch
from lesson import COLUMNS, SMOKE_STEPS, ask, finished, labels_of, show_source, steps_of, stored

from wsss_lib.core import InputError
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.toy import write_toy
from wsss_lib.data.view import WeakView
from wsss_lib.methods.image_level.affinity.affinitynet import AffinityNet
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.methods.image_level.ensemble.oaa import OAA
from wsss_lib.methods.refine.pamr import PAMR
from wsss_lib.survey import find_methods


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_toy(tmp_path_factory.mktemp("toy"), train=24, val=4, progress=False)


@pytest.fixture
def data(root, tmp_path, monkeypatch):
    monkeypatch.setattr(lesson, "DATA", tmp_path)
    return SegmentationFolder(root, "train")


def test_needs_nothing_that_builds_books():
    """On Colab the library is installed without what builds the book."""
    code = "import sys, lesson; print([m for m in ('sphinx', 'docutils') if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("mode", "asked", "steps"),
    [
        ("smoke", None, SMOKE_STEPS),
        ("smoke", 10_000, SMOKE_STEPS),
        ("fast", None, 300),
        ("fast", 120, 120),
        ("fast", 10_000, 300),
        ("full", 120, 300),
    ],
)
def test_the_mode_says_how_long_a_training_takes(monkeypatch, mode, asked, steps):
    monkeypatch.setattr(lesson, "MODE", mode)
    assert CAM.toy(6).recipe.steps == 300
    assert steps_of(CAM.toy(6), asked) == steps


def test_a_notebook_that_checks_what_it_learned_may_take_more_steps_in_smoke(monkeypatch):
    for mode, steps in (("smoke", 40), ("fast", 300)):
        monkeypatch.setattr(lesson, "MODE", mode)
        assert steps_of(CAM.toy(6), smoke=40) == steps


def test_an_unknown_mode_is_named(monkeypatch):
    monkeypatch.setattr(lesson, "MODE", "quick")
    with pytest.raises(InputError, match="'quick'; choose from smoke, fast, full"):
        steps_of(CAM.toy(6))


def test_a_live_training_is_short_seeded_and_done_once(data, monkeypatch, capsys):
    monkeypatch.setattr(lesson, "MODE", "smoke")
    monkeypatch.setattr(lesson, "SMOKE_STEPS", 2)
    view = WeakView(data)
    torch.manual_seed(5)  # whatever was drawn before
    first = lesson.train_live(CAM.toy, view, data)
    assert capsys.readouterr().out == "CAM: 2 of the 300 steps of its recipe\n"
    torch.manual_seed(6)
    again = lesson.train_live(CAM.toy, view, data)
    assert again.folder == first.folder
    assert first.fitted.losses
    assert not again.fitted.losses, "nothing was left to train"
    alone = lesson.train_for(2, CAM.toy, view).state_dict()
    for name, weight in first.method.state_dict().items():
        assert torch.equal(weight, alone[name]), name


def test_a_stage_learns_from_the_scores_and_the_threshold_of_the_one_before(data, monkeypatch):
    monkeypatch.setattr(lesson, "MODE", "smoke")
    monkeypatch.setattr(lesson, "SMOKE_STEPS", 1)
    view = WeakView(data)
    cam = ask(CAM.toy(6), view, data)
    refined = ask(PAMR.toy(6), view, after=cam)
    assert refined.threshold is None
    id = data.ids[0]
    batch = view.with_scores(cam.scores)[0]
    assert torch.allclose(refined.scores[id].float(), PAMR.toy(6).predict(batch)[0], atol=2e-3)
    walked = lesson.train_live(AffinityNet.toy, view, data, after=cam)
    assert walked.fitted.steps == 1
    border = (cam.scores[id].float().amax(dim=0) > cam.threshold).float()
    assert torch.equal((labels_of(cam, id) > 0).float(), border)


def test_asking_trains_nothing(data):
    method = CAM.toy(6)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    ask(method, WeakView(data))
    assert all(torch.equal(before[name], value) for name, value in method.state_dict().items())


def test_stored_weights_are_those_of_the_stored_maps(data):
    """The CAM of the notebooks is the one of the pages; half precision is all that differs."""
    kept = stored("cam")
    world = lesson.world()
    view = WeakView(world.subset(kept.maps.common))
    found = finished(CAM.toy, view)
    for id in kept.maps.common:
        assert (found.scores[id].float() - kept.scores[id]).abs().max() < 0.02


def test_weights_that_are_not_stored_are_named(data):
    with pytest.raises(InputError, match=r"oaa\.safetensors"):
        finished(OAA.toy, WeakView(data))


def test_stored_figures_say_their_spread_and_their_runs():
    kept = stored("cam")
    summary = kept.result["summary"]["miou"]
    assert kept.figure() == (f"{summary['mean']:.3f} ± {summary['sd']:.3f} ({summary['n']} runs)")


def test_printed_source_fits_the_page_and_keeps_its_words(capsys):
    for kind in find_methods().values():
        show_source(kind.loss, kind.predict)
    printed = capsys.readouterr().out
    assert max(len(line) for line in printed.splitlines()) <= COLUMNS
    assert 'tags = batch.require("tags", CARD.name)' in printed


def test_unknown_names_are_no_parts_of_the_world():
    with pytest.raises(AttributeError, match="nothing_here"):
        lesson.nothing_here  # noqa: B018
