"""What the notebooks at the doses of a family share: what is stored, drawn, guessed and trained."""

import functools

import doses_lesson
import lesson
import numpy as np
import pytest
from dose_figures import picture
from doses_lesson import (
    changed,
    curves,
    guess_dose,
    row,
    show_classes,
    show_gains,
    show_lines,
    train_pair,
)
from measured import gains_of

import experiments.contenders
from experiments.dose_maps import scene_of
from experiments.doses import FAMILIES
from wsss_lib.core import InputError, Recipe
from wsss_lib.data.toy import KINDS, write_toy
from wsss_lib.gallery import ranked
from wsss_lib.nets.backbones.toy import toy_cnn

CHAPTERS = ("ensemble", "erasing", "cooccurrence", "affinity", "extra_supervision")


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Worlds of 12 pictures, trainings of five steps as they are written down."""
    monkeypatch.setattr(lesson, "MODE", "fast")
    monkeypatch.setattr(doses_lesson, "DATA", tmp_path)
    monkeypatch.setattr(
        experiments.contenders, "write_toy",
        lambda root, world, variant, train, **more: write_toy(root, world, variant, 12, 4, **more),
    )  # fmt: skip
    real = Recipe.toy.__func__
    monkeypatch.setattr(
        Recipe, "toy", classmethod(lambda cls, steps, *a, **k: real(cls, 5, *a, **k))
    )
    untrained = functools.partial(toy_cnn, pretrained=False)
    monkeypatch.setattr("wsss_lib.methods.image_level.cam.cam.toy_cnn", untrained)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_run_of_a_curve_has_the_two_rows_that_it_was_read_off(chapter):
    family = FAMILIES[chapter]
    for system, curve in curves(chapter).items():
        for run in curve["runs"]:
            dose = family.doses[run["dose"]]
            for name in (system, curve["control"]):
                found = row(name, dose, run["world"])
                assert {len(line) for line in found["curves"].values()} == {101}


def test_a_world_that_was_not_measured_is_named():
    with pytest.raises(InputError, match=r"cse was measured in the worlds 0, .*, not in 7"):
        row("cse", FAMILIES["erasing"].doses[1], doses_lesson.WORLD)


def test_pictures_are_ranked_by_what_the_knob_does_to_them():
    found = ranked(changed("erasing"))
    first, _, last = FAMILIES["erasing"].doses
    most, least = (int(found[place][-4:]) for place in ("largest", "smallest"))
    assert (picture(first, most) != picture(last, most)).any()
    assert (picture(first, least) == picture(last, least)).all()


def test_pictures_of_a_class_all_show_it():
    found = changed("cooccurrence", "boat")
    assert 0 < len(found) < doses_lesson.AMONG
    for id in found:
        assert (scene_of(FAMILIES["cooccurrence"], 0, id).label == 1 + [*KINDS].index("boat")).any()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_one_dose_is_the_right_guess_and_the_answer_is_not_given_away(chapter):
    doses = [dose.value for dose in FAMILIES[chapter].doses]
    for system, curve in curves(chapter).items():
        best = doses[int(np.argmax([np.mean(gains) for gains in gains_of(curve)]))]
        verdicts = {value: guess_dose(chapter, system, value) for value in doses}
        assert [value for value in doses if verdicts[value].passed] == [best]
        wrong = [verdicts[value].message for value in doses if value != best]
        assert not any(f"{best:g} " in message for message in wrong)


def test_a_guess_that_is_none_and_one_that_is_no_dose_are_told_so():
    assert "Not guessed yet" in guess_dose("erasing", "cse", None).message
    assert "choose one of 0.9, 0.7, 0.5" in guess_dose("erasing", "cse", 0.8).message


def test_points_are_drawn_where_they_were_read_off():
    line = ([0.9, 0.5, 0.1], [0.3, 0.5, 0.8])
    lines = {"control": (*line, (0.6, 0.5)), "one": (*line, (0.4, 0.7))}
    for along, gain, level in (("x", "\N{MINUS SIGN}0.200", 1), ("y", "+0.200", 0)):
        (axis,) = show_lines({"home": lines}, "found", "sure", along).axes
        rings = [one.get_xydata().tolist() for one in axis.lines if one.get_marker() == "o"]
        assert rings == [[[0.6, 0.5]], [[0.4, 0.7]]]
        assert axis.get_title(loc="left") == f"home, gain {gain}"
        assert axis.lines[0].get_xydata().tolist() == [[0.9, 0.3], [0.5, 0.5], [0.1, 0.8]]
        common = [one for one in axis.lines if one.get_linestyle() == ":"]
        assert [one.get_ydata()[0] for one in common] == [0.5] * level


def test_classes_stand_beside_their_names():
    (axis,) = show_classes({"home": {"control": [0.1, 0.2], "one": [0.3, 0.4]}}, ["a", "b"]).axes
    assert [text.get_text() for text in axis.get_yticklabels()] == ["a", "b"]
    marks = [one.get_xydata().tolist() for one in axis.lines]
    assert marks == [[[0.1, 0], [0.2, 1]], [[0.3, 0], [0.4, 1]]]


def test_gains_are_drawn_with_the_star_of_this_notebook():
    gains = [[0.1, 0.3], [0.2, 0.4], [0.5, 0.7]]
    (axis,) = show_gains("erasing", {"cse": gains}, here={2: -0.1}).axes
    by_marker = {line.get_marker(): line for line in axis.lines}
    assert np.allclose(by_marker["o"].get_ydata(), [0.2, 0.3, 0.6])
    assert by_marker["*"].get_ydata() == [-0.1]
    assert round(float(by_marker["*"].get_xdata()[0])) == 2
    dots = [y for line in axis.lines if line.get_marker() == "." for y in line.get_ydata()]
    assert dots == [0.1, 0.3, 0.2, 0.4, 0.5, 0.7]


def test_a_pair_takes_the_same_share_of_both_recipes(tiny, capsys):
    pair = train_pair("ensemble", "oaa", 2)
    assert capsys.readouterr().out == (
        "CAM: 2 of the 5 steps of its recipe\nOAA: 2 of the 5 steps of its recipe\n"
    )
    assert [*pair.scores] == [*pair.measured] == ["cam_once", "oaa"]
    for name, measured in pair.measured.items():
        stored = row(name, FAMILIES["ensemble"].doses[2], 0)
        assert measured["threshold"] == stored["threshold"] == pair.thresholds[name]
        assert set(measured["curves"]) == {*stored["curves"], "iou"}
        assert {len(line) for line in measured["curves"].values()} == {101}
        cut = round(100 * measured["threshold"])
        each = measured["curves"]["iou"]
        assert np.allclose(each[cut], measured["iou"])
        assert np.allclose(np.nanmean(each, axis=1), measured["curves"]["miou"])


def test_systems_and_doses_that_are_not_of_the_family_are_refused(tiny):
    with pytest.raises(InputError, match="ensemble has no 'cse'; choose from ficklenet, oaa"):
        train_pair("ensemble", "cse", 0)
    with pytest.raises(InputError, match="numbered 0 to 2, there is no 3"):
        train_pair("ensemble", "oaa", 3)
