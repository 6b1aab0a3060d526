"""What would fail, or mean nothing, is said before the training, by doctor, run and Python."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests.tiny import Follower, Pixels, plain_folder
from wsss_lib.cli import app
from wsss_lib.core import Batch, InputError
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.palette import write_labels
from wsss_lib.data.store import ScoreStore
from wsss_lib.data.view import WeakView
from wsss_lib.doctor import examine
from wsss_lib.engine import fit, run
from wsss_lib.evaluate import choose_threshold, evaluate, evaluate_labels
from wsss_lib.methods.box.bbox_rect import BBoxRect
from wsss_lib.methods.image_level.cam.cam import CAM

SIZE = (24, 32)


def wsss(*words, code=2):
    answer = CliRunner().invoke(app, [*map(str, words)], env={"COLUMNS": "200"})
    assert answer.exit_code == code, answer.output
    assert "Traceback" not in answer.output
    return answer.output


def run_on(root, *words, code=2):
    """The command; nothing may have been trained where it refuses."""
    out = root.parent / "out"
    few = ("--steps", 1, "--weights", "random", "--cpu")
    said = wsss("run", *(words or ("cam",)), "--data", root, "--out", out, *few, code=code)
    assert code == 0 or not [*out.glob("work/*/*")]
    return said


def found_by_doctor(root, serious=True):
    return " | ".join(
        f"{f.what} {f.remedy}" for f in examine(root).findings if f.serious == serious
    )


@pytest.fixture
def twenty(tmp_path):
    return plain_folder(tmp_path / "mine", (SIZE,) * 20)


def paint(root, ids, value):
    for id in ids:
        write_labels(root / "masks" / f"{id}.png", np.full(SIZE, value))


@pytest.mark.parametrize(("value", "void"), [(255, 5), (0, 0)])
def test_first_masks_without_any_object(twenty, value, void):
    held_out, rest = SegmentationFolder(twenty).held_out(0.25)
    paint(twenty, held_out.ids, value)
    message = f"show no object ({void} of them are nothing but void, 255)"
    assert message in run_on(twenty)
    assert message in found_by_doctor(twenty)
    scores = {id: torch.rand(2, *SIZE) for id in SegmentationFolder(twenty).ids}
    with pytest.raises(InputError, match="void" if void else "show no object"):
        choose_threshold(scores, held_out)
    assert 0 <= choose_threshold(scores, rest) <= 1
    if value == 0:
        return
    assert "5 masks hold nothing but void" in found_by_doctor(twenty, serious=False)
    for id in held_out.ids:
        (twenty / "masks" / f"{id}.png").unlink()
    assert found_by_doctor(twenty) == "", "deleted masks are no masks"
    assert "masks of 5 images" in run_on(twenty, code=0)


def test_a_held_out_part_that_lacks_a_class_is_told(twenty):
    for number in range(1, 5, 2):
        write_labels(twenty / "masks" / f"im{number}.png", np.ones(SIZE))
    held_out = SegmentationFolder(twenty).held_out(0.25)[0]
    assert held_out.ids[1] == "im1"
    for id in held_out.ids:
        paint(twenty, [id], 1)
    assert "None of them shows red car, so these have no say" in run_on(twenty, code=0)
    assert "1 classes are on no mask of the first 5" in found_by_doctor(twenty, serious=False)


def test_masks_of_nothing_but_void(tmp_path):
    root = plain_folder(tmp_path / "mine")
    data = SegmentationFolder(root)
    data.check_masks()
    paint(root, data.ids[:5], 255)
    part = data.subset(data.ids[:5])  # all of the data set are fine, these are not
    for measure in (
        lambda: evaluate({id: torch.rand(2, *SIZE) for id in data.ids}, part),
        lambda: evaluate_labels(data.mask, part),
    ):
        with pytest.raises(InputError, match=r"5 masks .* nothing but void \(255\)"):
            measure()
    paint(root, data.ids, 255)
    for said in (
        run_on(root),
        found_by_doctor(root),
        wsss("evaluate", root / "masks", "--data", root),
    ):
        assert re.search(r"All .*masks .* (nothing but 0 and 255|nothing but void)", said)


MARKS = {
    "points.csv": "id,class,x,y\n" + "".join(f"im{n},{{}},0,0\n" for n in range(6)),
    "boxes.csv": "id,class,x0,y0,x1,y1\n" + "".join(f"im{n},{{}},0,0,3,3\n" for n in range(6)),
}


@pytest.mark.parametrize("kind", ["points", "boxes", "scribble"])
def test_marks_beside_every_object(tmp_path, kind):
    """One that hits is enough for a run; the doctor names the others."""
    root = plain_folder(tmp_path / "mine")
    names = ["cat", "red car"] * 3
    system = {"points": "whats_the_point", "boxes": "bbox_rect", "scribble": "pce"}[kind]
    if kind == "scribble":
        file = "Scribbles"
        for number, name in enumerate(names):
            drawn = np.full(SIZE, 255)
            drawn[0, :5] = 1 + (name == "red car")
            write_labels(root / file / f"im{number}.png", drawn)
    else:
        file = f"{kind}.csv"
        (root / file).write_text(MARKS[file].format(*names))
    assert "lies on an object of its class. Are x and y" in run_on(root, system)
    assert f"6 images have marks in {file} beside every object" in found_by_doctor(root)
    labels = np.zeros(SIZE)
    labels[:2, :2] = 1
    write_labels(root / "masks" / "im0.png", labels)
    assert found_by_doctor(root) == ""
    beside = f"{6 if kind == 'scribble' else 5} images have marks in {file} beside"
    assert beside in found_by_doctor(root, serious=False)
    run_on(root, system, code=0)


def test_marks_outside_and_missing_ones_are_said_before_the_training(tmp_path):
    root = plain_folder(tmp_path / "mine")
    good = MARKS["points.csv"].format(*["cat", "red car"] * 3)
    for text, message in (
        (good.replace("im5,red car,0,0", "im5,red car,32,0"), "outside"),
        (good.replace("im5,red car,0,0\n", ""), "no line about image 'im5'"),
    ):
        (root / "points.csv").write_text(text)
        view = WeakView(SegmentationFolder(root), ("tags", "points"))
        with pytest.raises(InputError, match=message):
            view.check()
        assert message in run_on(root, "cam", "whats_the_point")
    (root / "points.csv").unlink()
    (root / "masks" / "im5.png").unlink()
    with pytest.raises(InputError, match=r"made from masks, and .* none of image 'im5'"):
        run([Pixels()], WeakView(view._dataset, ("tags", "points")), folder=tmp_path / "out")


def test_more_classes_than_label_images_can_hold(tmp_path):
    root = plain_folder(tmp_path / "mine", masks=False)
    for count, fits in ((254, True), (255, False)):
        names = [f"c{n}" for n in range(count)]
        lines = [",".join(["id", *names])] + [
            ",".join([f"im{n}", *("1" if c == n else "0" for c in range(count))]) for n in range(6)
        ]
        (root / "labels.csv").write_text("\n".join(lines) + "\n")
        assert ("has 255 classes" in found_by_doctor(root)) != fits
        if fits:
            assert len(SegmentationFolder(root).classes) == 254
            continue
        assert "numbers for 254" in run_on(root)
        with pytest.raises(InputError, match="numbers for 254"):
            SegmentationFolder(root)


def test_methods_for_another_number_of_classes(tmp_path):
    view = WeakView(SegmentationFolder(plain_folder(tmp_path / "mine")), ("tags", "boxes"))
    first = Pixels()
    with pytest.raises(InputError, match=r"bbox_rect was made for 6 classes, and mine/train has 2"):
        run([first, BBoxRect(6)], view, folder=tmp_path / "out", cpu=True)
    assert first.asked == 0
    for count in (1, 3, 6):
        method = CAM.toy(count)
        method.recipe = replace(method.recipe, steps=1, batch_size=2)
        with pytest.raises(InputError, match=r"made for its 2 classes|method for 2 classes"):
            fit(method, view, cpu=True)
    other = Pixels(num_classes=3)  # its own loss does not look
    with pytest.raises(InputError, match=r"pixels cannot answer image 'im0' .* its 2 classes"):
        fit(other, view, cpu=True)
    assert other.asked == 0


def test_errors_that_are_no_disagreement_of_sizes_stay_what_they_are(tmp_path):
    class Broken(Pixels):
        def predict(self, batch: Batch):
            raise RuntimeError("out of memory")

    view = WeakView(SegmentationFolder(plain_folder(tmp_path / "mine")))
    with pytest.raises(RuntimeError, match="out of memory"):
        fit(Broken(), view)


def test_thresholds_that_nobody_chooses_or_that_are_none(tmp_path):
    view = WeakView(SegmentationFolder(plain_folder(tmp_path / "mine")))
    first, second = Pixels(), Follower()
    second.threshold = None
    with pytest.raises(InputError, match=r"follower cuts .* nobody chooses: pass calibrate"):
        run([first, second], view, folder=tmp_path / "out")
    assert first.asked == 0
    second.recipe = first.recipe = replace(Pixels.recipe, steps=1)
    with pytest.raises(InputError, match="calibrate chose the threshold 30"):
        run([first, second], view, folder=tmp_path / "out", calibrate=lambda scores: 30.0)


def test_scores_and_thresholds_outside_their_range(tmp_path):
    data = SegmentationFolder(plain_folder(tmp_path / "mine"))
    good = {id: torch.rand(2, *SIZE) for id in data.ids}
    for threshold, message in ((None, "calibrate="), (30, "is 30"), (float("nan"), "is nan")):
        with pytest.raises(InputError, match=message):
            evaluate(good, data, threshold)
    for bad in (good["im0"] * 8 - 4, good["im0"] / 0):
        with pytest.raises(InputError, match=r"'im0' run from .* must lie in \[0, 1\]"):
            evaluate({**good, "im0": bad}, data)
    with pytest.raises(InputError, match="no scores of 'im5'"):
        evaluate({id: good[id] for id in data.ids[:5]}, data)


def test_a_folder_that_does_not_divide_its_images(tmp_path):
    root = plain_folder(tmp_path / "mine")
    assert len(SegmentationFolder(root)) == len(SegmentationFolder(root, None)) == 6
    with pytest.raises(InputError, match=r"no split 'val': add a column split to labels\.csv"):
        SegmentationFolder(root, "val")
    for command in (("evaluate", root / "masks"), ("run", "cam", "--out", tmp_path / "out")):
        assert "no split 'val'" in wsss(*command, "--data", root, "--split", "val")
    assert "6 images of mine, all." in wsss("evaluate", root / "masks", "--data", root, code=0)
    (root / "masks" / "im0.png").rename(tmp_path / "im0.png")
    labels = tmp_path / "labels"
    (root / "masks").rename(labels)
    said = wsss("evaluate", labels, "--data", root)
    assert "No image of" in said
    assert "val" not in said
    write_labels(root / "masks" / "im0.png", np.ones(SIZE))
    said = wsss("evaluate", labels, "--data", root)
    assert "lacks 1 of the 1 images that have masks" in said
    assert "'val'" not in said


def test_scores_of_other_programs_and_of_other_data(tmp_path):
    from safetensors.torch import save_file

    data = SegmentationFolder(plain_folder(tmp_path / "mine"))
    save_file({"weight": torch.zeros(3)}, tmp_path / "im0.safetensors")
    with pytest.raises(InputError, match="holds weight, not the scores"):
        ScoreStore(tmp_path, 2)["im0"]
    ScoreStore(tmp_path, 6).put("im0", torch.ones(6, *SIZE))
    with pytest.raises(InputError, match="more than 2 classes: it is of other data"):
        ScoreStore(tmp_path, 2)["im0"]
    for id in data.ids:
        ScoreStore(tmp_path / "scores", 6).put(id, torch.ones(6, *SIZE))
    assert "of other data" in wsss(
        "evaluate", tmp_path / "scores", "--data", data.root, "--threshold", 0.5
    )


@pytest.mark.parametrize(
    "content",
    ["[]", "3", '"text"', "null", "{}", '{"summary": []}', '{"summary": {"miou": 1}}',
     '{"summary": {"miou": {"mean": 0.5, "sd": 0, "n": 1}}}'],
)  # fmt: skip
def test_other_json_files_among_results(tmp_path, content):
    data = plain_folder(tmp_path / "mine")
    (tmp_path / "out" / "strange").mkdir(parents=True)
    (tmp_path / "out" / "strange" / "a.json").write_text(content)
    said = wsss("leaderboard", "--results", tmp_path / "out")
    assert "Left out as no results" in said
    assert "strange/a.json" in said
    wsss("evaluate", data / "masks", "--data", data, "--json", tmp_path / "out/x/r.json", code=0)
    said = wsss("leaderboard", "--results", tmp_path / "out", code=0)
    assert "mine" in said
    assert "strange/a.json" in said
    partial = json.loads((tmp_path / "out/x/r.json").read_text())
    del partial["protocol"]["needs"]
    (tmp_path / "out/x/r.json").write_text(json.dumps(partial))
    assert "No results below" in wsss("leaderboard", "--results", tmp_path / "out")
    (tmp_path / "out/x/r.json").write_bytes(b"\xff\xfe\x00")
    assert "r.json is damaged" in wsss("leaderboard", "--results", tmp_path / "out")
