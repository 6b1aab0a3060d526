"""The command, as a user types it."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from inspect import getmodule
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests.tiny import plain_folder
from wsss_lib.cli import app
from wsss_lib.cli.build import _suited, build
from wsss_lib.cli.pipeline import Plan, _adapted
from wsss_lib.core import InputError, Recipe
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.palette import read_labels, write_labels
from wsss_lib.data.parts import divided, open_split, other_split
from wsss_lib.data.store import ScoreStore
from wsss_lib.data.toy import write_toy
from wsss_lib.evaluate import evaluate, evaluate_labels
from wsss_lib.methods.foundation.sam_pseudo import SamPseudo
from wsss_lib.methods.segmentation.segmenter import Segmenter
from wsss_lib.nets.large.vocabulary import CLASSES
from wsss_lib.survey import find_cards, find_methods, systems

FEW = ("--steps", "2", "--weights", "random", "--cpu")


def wsss(*words, code=0):
    answer = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})
    assert answer.exit_code == code, answer.output
    if code:
        assert "Traceback" not in answer.output
    return answer.output


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_toy(tmp_path_factory.mktemp("cli") / "toy", train=20, val=4, progress=False)


@pytest.fixture(scope="module")
def finished(world, tmp_path_factory):
    """A run of the whole chain on the toy world, and what it printed."""
    out = tmp_path_factory.mktemp("cli") / "out"
    said = wsss(
        "run", "cam", "pamr", "affinitynet", "segmenter", "--data", world, "--out", out, *FEW
    )
    return out, said


def test_help_does_not_wait_for_pytorch():
    code = "import sys; import wsss_lib.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    text = wsss("--help")
    for command in ("list", "toy", "doctor", "run", "evaluate", "leaderboard"):
        assert f" {command} " in text


def test_list_names_all_systems_and_what_can_be_run():
    everything = wsss("list")
    assert "Class activation maps" in everything or "class activation maps" in everything
    assert "of the survey's 79 systems" in everything
    built = wsss("list", "--built").split()
    for system in systems():
        assert system.id in everything
        assert (system.id in built) == (system.id in find_cards())
    assert set(find_cards()) <= set(built)


def test_toy_writes_what_was_asked_for(tmp_path):
    said = wsss(
        "toy", tmp_path / "w", "--world", 3, "--variant", "organs", "--train", 2, "--val", 1
    )
    assert "wsss run cam affinitynet segmenter --data" in said
    about = json.loads((tmp_path / "w" / "dataset.json").read_text())
    assert (about["world"], about["variant"], about["train"], about["val"]) == (3, "organs", 2, 1)
    assert "choose one of" in wsss("toy", tmp_path / "x", "--variant", "sea", code=2)
    assert "something else" in wsss("toy", tmp_path / "w", "--world", 4, code=2)


def test_run_writes_labels_figures_and_a_report(world, finished):
    out, said = finished
    data = SegmentationFolder(world)
    assert "Thresholds are chosen on the masks of 5 images" in said
    assert "val; argmax threshold; without image labels" in said
    for name in ("cam", "pamr", "affinitynet", "segmenter"):
        labels = sorted(path.stem for path in (out / name / "labels").glob("*.png"))
        assert labels == [*data.ids]
        result = json.loads((out / name / "result.json").read_text())
        assert result["protocol"]["threshold_rule"] == (
            "argmax" if name == "segmenter" else "held-out"
        )
        assert result["protocol"]["labels_at_inference"] is True
        assert result["protocol"]["split"] == f"train, last {len(data) - 5} of {len(data)}"
        assert result["protocol"]["needs"] == ["masks of 5 training images, for the threshold"]
        assert result["chain"] == ["cam", "pamr", "affinitynet", "segmenter"]
        assert len(result["curve"]["miou"]) == 101
    blind = json.loads((out / "segmenter" / "result_val.json").read_text())
    assert blind["protocol"]["labels_at_inference"] is False
    assert blind["protocol"]["split"] == "val"
    assert blind["runs"][0]["threshold"] == 0.5
    assert (
        json.loads((out / "segmenter" / "result.json").read_text())["runs"][0]["threshold"] == 0.5
    )
    val = SegmentationFolder(world, "val")
    said = {id: read_labels(out / "segmenter" / "labels_val" / f"{id}.png") for id in val.ids}
    absent = [np.isin(said[id], (val.tags(id) == 0).nonzero() + 1).any() for id in val.ids]
    assert any(absent), "it saw no tags"
    assert evaluate_labels(lambda id: torch.from_numpy(said[id]).long(), val).miou == (
        pytest.approx(blind["runs"][0]["miou"], abs=1e-4)
    )
    assert (out / "report.html").stat().st_size > 10_000
    assert not [*out.rglob("*.partial")]


def test_figures_of_a_run_are_those_of_its_labels_on_the_images_not_held_out(world, finished):
    out, _ = finished
    scored = SegmentationFolder(world).held_out(0.25)[1]
    result = json.loads((out / "affinitynet" / "result.json").read_text())

    def labels(id):
        return torch.from_numpy(read_labels(out / "affinitynet" / "labels" / f"{id}.png")).long()

    measured = evaluate_labels(labels, scored)
    assert measured.miou == pytest.approx(result["runs"][0]["miou"], abs=1e-4)
    assert measured.boundary_iou == pytest.approx(result["runs"][0]["boundary_iou"], abs=1e-4)


def test_labels_of_absent_classes_do_not_occur(world, finished):
    data = SegmentationFolder(world)
    for id in data.ids:
        found = np.unique(read_labels(finished[0] / "segmenter" / "labels" / f"{id}.png"))
        tagged = set((data.tags(id).nonzero().flatten() + 1).tolist())
        assert set(found.tolist()) <= {0, 255} | tagged


def test_running_again_changes_nothing(world, finished, tmp_path):
    out, _ = finished

    def contents():
        # Somebody may commit while the test runs.
        files = [path for path in out.rglob("*") if path.is_file()]
        return {path: re.sub(rb'"commit": "[^"]*"', b"", path.read_bytes()) for path in files}

    before = contents()
    wsss("run", "cam", "pamr", "affinitynet", "segmenter", "--data", world, "--out", out, *FEW)
    after = contents()
    changed = [path.name for path, content in before.items() if after[path] != content]
    assert before.keys() == after.keys()
    assert len(before) > 100
    # Seconds of a run that found everything done are those of the run that did it.
    assert changed == []


def test_a_fixed_threshold_is_used_and_named(world, tmp_path):
    said = wsss("run", "cam", "--data", world, "--out", tmp_path, "--threshold", 0.4, *FEW)
    result = json.loads((tmp_path / "cam" / "result.json").read_text())
    assert (result["runs"][0]["threshold"], result["protocol"]["threshold_rule"]) == (0.4, "fixed")
    assert result["protocol"]["split"] == "train"
    assert result["protocol"]["needs"] == []
    assert "fixed at 0.40." in said


def test_your_own_photographs_of_any_size_without_masks(tmp_path):
    root = plain_folder(tmp_path / "mine", ((40, 70), (65, 33), (50, 50), (70, 40)), masks=False)
    out = tmp_path / "out"
    few = ("run", "cam", "affinitynet", "segmenter", "--data", root, "--out", out, *FEW)
    said = wsss(*few, "--net", "toy")
    assert "The toy network has only seen drawings" in said
    assert "fixed at 0.30 (0.5 for those with a background of their own)" in said
    for name in ("cam", "affinitynet", "segmenter"):
        assert read_labels(out / name / "labels" / "im1.png").shape == (65, 33)
        result = json.loads((out / name / "result.json").read_text())
        assert "miou" not in result["runs"][0]
        assert result["runs"][0]["threshold"] == (0.3 if name == "cam" else 0.5)
    assert "No image has a mask" in (out / "report.html").read_text()


def test_scores_against_a_background_of_their_own_are_cut_at_a_half(tmp_path):
    root, out = plain_folder(tmp_path / "mine", masks=False), tmp_path / "out"
    wsss("run", "cam", "densecrf", "--data", root, "--out", out, *FEW)
    results = [json.loads((out / id / "result.json").read_text()) for id in ("cam", "densecrf")]
    assert [result["runs"][0]["threshold"] for result in results] == [0.3, 0.5]


def test_the_threshold_of_a_run_reaches_sam(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(SamPseudo, "predict", lambda self, batch: seen.append(self) or batch.scores)
    root, out = plain_folder(tmp_path / "mine"), tmp_path / "out"
    wsss("run", "cam", "sam_pseudo", "--data", root, "--out", out, "--threshold", 0.4, *FEW)
    assert {method.threshold for method in seen} == {0.4}


def test_a_network_for_photographs_and_a_split_column(tmp_path):
    root = plain_folder(tmp_path / "mine", ((40, 60), (60, 40)) * 8, split=True)
    said = wsss(
        "run", "cam", "segmenter", "--data", root, "--out", tmp_path / "out", "--net",
        "mobilenet_v2", "--longest", 48, "--steps", 1, "--weights", "random", "--cpu",
    )  # fmt: skip
    assert "11 images of mine, split train" in said
    assert "val; argmax threshold; without image labels" in said
    assert read_labels(tmp_path / "out" / "cam" / "labels" / "im0.png").shape == (40, 60)
    result = json.loads((tmp_path / "out" / "cam" / "result.json").read_text())
    assert result["net"] == "mobilenet_v2"
    assert "ImageNet" not in result["protocol"]["needs"], "the weights were random"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "camm"), r"No system 'camm' can be run; .* Do you mean cam?"),
        (("run", "pamr"), "wsss run cam pamr"),
        (("run", "oaa_plus", "segmenter"), "wsss run oaa oaa_plus segmenter"),
        (("run", "cam", "--net", "vgg"), "No network 'vgg'"),
        (("run", "cam", "--weights", "a.npz"), "is for --net mobilenet_v2"),
        (("run", "cam", "--net", "mobilenet_v2", "--weights", "no.npz"), "No weights at no.npz"),
        (("run", "cam", "--split", "test"), "no split 'test'; it has: train, val"),
    ],
)
def test_one_clear_line_instead_of_a_traceback(world, tmp_path, words, message):
    said = wsss(*words, "--data", world, "--out", tmp_path / "out", code=2)
    assert re.search(message, said)
    assert len(said.strip().splitlines()) == 1


def test_missing_data_and_out_that_is_a_file(world, tmp_path):
    said = wsss("run", "cam", "--data", tmp_path / "no", "--out", tmp_path / "out", code=2)
    assert "No folder" in said
    assert "wsss toy" in said
    (tmp_path / "file").write_text("")
    said = wsss("run", "cam", "--data", world, "--out", tmp_path / "file", code=2)
    assert "is a file; name a folder" in said


def test_evaluate_labels(world, tmp_path):
    data = SegmentationFolder(world, "val")
    for id in data.ids:
        write_labels(tmp_path / "labels" / f"{id}.png", data.mask(id).numpy())
    said = wsss("evaluate", tmp_path, "--data", world, "--json", tmp_path / "r.json")
    assert "mean" in said
    assert "1.0000" in said
    assert "4 images of toy, val" in said
    assert json.loads((tmp_path / "r.json").read_text())["summary"]["miou"]["mean"] == 1
    (tmp_path / "labels" / f"{data.ids[0]}.png").unlink()
    said = wsss("evaluate", tmp_path / "labels", "--data", world, code=2)
    assert (
        f"lacks 1 of the 4 images of split 'val' that have masks, such as ['{data.ids[0]}']" in said
    )


def test_evaluate_scores(world, finished):
    out, _ = finished
    scores = next((out / "work").glob("0_cam*"))
    said = wsss("evaluate", scores, "--data", world, "--split", "train")
    result = json.loads((out / "cam" / "result.json").read_text())
    assert f"{result['runs'][0]['miou']:.4f}" in said
    assert f"Threshold {result['runs'][0]['threshold']:.2f}: held-out" in said
    said = wsss("evaluate", scores, "--data", world, "--split", "train", "--threshold", 0.2)
    store = ScoreStore(scores / "scores", 6)
    assert f"{evaluate(store, SegmentationFolder(world), 0.2).miou:.4f}" in said


def test_evaluate_says_what_is_missing(world, tmp_path):
    said = wsss("evaluate", tmp_path, "--data", world, code=2)
    assert "neither label images" in said
    root = plain_folder(tmp_path / "mine", masks=False)
    assert "has a mask" in wsss("evaluate", tmp_path, "--data", root, code=2)


def test_doctor_ends_with_1_where_something_is_wrong(world, tmp_path):
    assert "can be used" in wsss("doctor", world)
    root = plain_folder(tmp_path / "mine")
    (root / "images" / "im0.png").write_text("")
    said = wsss("doctor", root, code=1)
    assert "Wrong: 1 images are truncated or not images. Such as im0." in said
    assert "im0.png is truncated or not an image" in said


def test_leaderboard_shows_every_figure_with_its_protocol(finished, tmp_path):
    said = wsss("leaderboard", "--results", finished[0])
    assert re.search(r"Scored on:\n  a train.*\n  b val\n", said)
    assert re.findall(r"^toy.* ([ab]) +(?:yes|no) ", said, re.MULTILINE).count("a") == 4
    assert "argmax" in said
    assert "1 masks of 5 training images, for the threshold" in said
    lines = [line for line in said.splitlines() if line.startswith("toy")]
    values = [float(line.split()[2]) for line in lines]
    assert len(values) == 5
    assert values == sorted(values, reverse=True)
    assert "No results below" in wsss("leaderboard", "--results", tmp_path, code=2)


def test_leaderboard_can_be_read_on_a_narrow_screen(root):
    asked = ["leaderboard", "--results", str(root / "results")]
    table = CliRunner().invoke(app, asked, env={"COLUMNS": "80"}).output.split("\nMean ±")[0]
    assert max(map(len, table.splitlines())) <= 80
    for name in ("segmenter_affinitynet", "extreme_clicking", "photographs"):
        assert re.search(rf"{name}\b", table)


def test_leaderboard_tells_a_gpu_from_a_cpu(finished, tmp_path):
    for path in finished[0].glob("cam/result.json"):
        for device in ("CPU, x86_64, 2 cores", "NVIDIA H100"):
            content = {**json.loads(path.read_text()), "device": device}
            copy = tmp_path / device[:3] / "cam.json"
            copy.parent.mkdir()
            copy.write_text(json.dumps(content))
    said = wsss("leaderboard", "--results", tmp_path)
    assert [line[:9] for line in said.splitlines() if line.startswith("toy")] == [
        "toy      ",
        "toy (GPU)",
    ]


def test_which_systems_answer_without_labels():
    cards = find_cards()
    assert cards["segmenter"].is_network
    assert not any(cards[name].is_network for name in ("cam", "pamr", "affinitynet"))


def test_systems_that_read_names_do_not_guess_at_unknown_ones():
    known = find_methods()
    reading = {id for id, kind in known.items() if kind.card.reads_names}
    assert reading == {id for id, kind in known.items() if hasattr(getmodule(kind), "CLASSES")}
    for id in reading:
        for net in ("toy", "mobilenet_v2"):
            with pytest.raises(InputError, match=f"not cat, cup. .*--recipe {id}`, .*--net paper`"):
                build(known[id], ("cat", "cup"), net, "random", 0, True)
        with pytest.raises(InputError, match="--net paper"):
            build(known[id], (*CLASSES, "cup"), "toy", "random", 0, True)
        build(known[id], CLASSES, "toy", None, 0, True)
    build(known["sam_pseudo"], ("cat", "cup"), "toy", "random", 0, True)


def test_recipes_suit_network_and_images():
    plain = build(Segmenter, ("cat", "dog"), "toy", "random", 0, same_size=True).recipe
    mixed = build(Segmenter, ("cat", "dog"), "toy", "random", 0, same_size=False).recipe
    photo = build(Segmenter, ("cat", "dog"), "mobilenet_v2", "random", 0, same_size=False).recipe
    assert (plain.crop, mixed.crop, photo.crop) == (None, 64, 224)
    assert photo.lr == plain.lr / 10
    one, other = (build(Segmenter, ("cat", "dog"), "toy", "random", seed, True) for seed in (1, 2))
    again = build(Segmenter, ("cat", "dog"), "toy", "random", 1, True)
    weights = [method.net.classifier.weight for method in (one, other, again)]
    assert torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], weights[1])


def test_what_is_held_out_and_scored(world, tmp_path):
    held_out, scored = divided(SegmentationFolder(world))
    assert (len(held_out), len(scored)) == (5, 15), "one image chooses nothing for others"
    assert not {*held_out.ids} & {*scored.ids}
    fourteen = open_split(plain_folder(tmp_path / "14", ((24, 32),) * 14), "train")
    assert divided(fourteen)[0] is None
    hundred = open_split(plain_folder(tmp_path / "100", ((9, 9),) * 100), "train")
    assert [len(part) for part in divided(hundred)] == [10, 90]
    few = open_split(plain_folder(tmp_path / "few"), "train")
    assert few.split == "all"
    assert divided(few)[0] is None
    assert len(divided(few)[1]) == 6, "few masks are all scored"
    (few.masks / "im0.png").unlink()
    assert divided(few)[1].ids == few.ids[1:]
    assert other_split(few) is None
    assert len(other_split(SegmentationFolder(world))) == 4
    assert other_split(SegmentationFolder(world, "val")) is None
    none = open_split(plain_folder(tmp_path / "none", masks=False), "train")
    assert divided(none) == (None, None)


def test_photographs_get_a_network_that_has_seen_some(world, tmp_path):
    root = plain_folder(tmp_path / "mine", ((40, 70), (65, 33), (50, 50), (70, 40)), masks=False)
    few = ("--longest", 48, "--steps", 1, "--cpu")
    for data, name, needs in ((root, "efficientnet_lite0", ["ImageNet"]), (world, "toy", [])):
        out = tmp_path / name
        said = wsss("run", "cam", "--data", data, "--out", out, "--threshold", 0.4, *few)
        result = json.loads((out / "cam" / "result.json").read_text())
        assert (result["net"], result["protocol"]["needs"]) == (name, needs)
        assert "only seen drawings" not in said


def test_the_same_system_twice_gets_two_folders(world, tmp_path):
    wsss("run", "cam", "pamr", "pamr", "--data", world, "--out", tmp_path, *FEW)
    assert (tmp_path / "pamr" / "result.json").is_file()
    assert (tmp_path / "pamr_2" / "result.json").is_file()


def test_labels_of_an_earlier_run_do_not_stay(world, tmp_path):
    folder = tmp_path / "cam" / "labels"
    write_labels(folder / "stale.png", np.zeros((2, 2), int))
    wsss("run", "cam", "--data", world, "--out", tmp_path, *FEW)
    assert not (folder / "stale.png").exists()
    assert len([*folder.iterdir()]) == 20


def test_other_errors_are_not_hidden(monkeypatch, tmp_path):
    def broken(*args):
        raise ValueError("a defect of the library")

    monkeypatch.setattr("wsss_lib.data.toy.write_toy", broken)
    answer = CliRunner().invoke(app, ["toy", str(tmp_path / "w")])
    assert isinstance(answer.exception, ValueError)
    assert not isinstance(answer.exception, InputError)


def test_a_recipe_bends_to_data_and_memory():
    recipe = Recipe(steps=100, batch_size=10, accumulate=2)

    def adapted(recipe=recipe, **wishes):
        plan = Plan(("cam",), Path(), Path(), **wishes)
        return _adapted(recipe, plan)

    assert adapted() == recipe
    assert adapted(factor=7.8).steps == 780
    assert adapted(steps=5, factor=7.8).steps == 5
    assert adapted(precision="bf16").precision == "bf16"
    for most, expected in ((16, (10, 2)), (4, (2, 10)), (5, (5, 4)), (1, (1, 20))):
        found = adapted(at_once=most)
        assert (found.batch_size, found.accumulate) == expected
    for most, expected in ((16, (12, 2)), (8, (6, 4)), (5, (3, 8)), (1, (3, 8))):
        found = adapted(replace(recipe, batch_size=12, group=3), at_once=most)
        assert (found.batch_size, found.accumulate) == expected


def test_groups_stay_whole_on_larger_networks():
    sizes = [_suited(Recipe(group=group), "resnet50", True).batch_size for group in (1, 2, 3)]
    assert sizes == [8, 8, 6]


def test_help_names_the_defaults():
    said = CliRunner().invoke(app, ["run", "--help"], env={"COLUMNS": "200"}).output
    for words in ("others: 320", "those of its recipe", "else 0.3", "at most 8"):
        assert words in said
