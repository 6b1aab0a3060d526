"""Killed runs, full disks, and images that nobody expects."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from tests.tiny import Pixels, plain_folder
from wsss_lib.cli import app
from wsss_lib.cli.build import build
from wsss_lib.cli.pipeline import Plan, _write_label_images, run_plan
from wsss_lib.core import Batch, InputError
from wsss_lib.data.atomic import written_whole
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.palette import read_labels, write_labels
from wsss_lib.data.store import ScoreStore
from wsss_lib.data.toy import write_toy
from wsss_lib.data.view import WeakView
from wsss_lib.engine import fit, run
from wsss_lib.engine.checkpoint import CHECKPOINT
from wsss_lib.results import write_json
from wsss_lib.survey import find_methods

SYSTEMS = ("cam", "pamr", "affinitynet", "segmenter")


def plan(data, out, systems=SYSTEMS, **how):
    how = {"steps": 2, "weights": "random", "cpu": True, **how}
    return Plan(systems, Path(data), Path(out), **how)


def files_of(out):
    """Everything that a run leaves, without what depends on the clock."""
    found = {}
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        name = path.relative_to(out).as_posix()
        if name.endswith("result.json") or name.endswith("result_val.json"):
            content = json.loads(path.read_text())
            for run in content["runs"]:
                run.pop("seconds")
                run.pop("peak_memory_mb")
            content.pop("summary")
            content.pop("commit")  # somebody may commit while the test runs
            found[name] = json.dumps(content).encode()
        elif name.endswith((".png", ".safetensors")):
            found[name] = path.read_bytes()
    return found


def test_a_killed_run_ends_like_one_that_was_not(tmp_path):
    data = write_toy(tmp_path / "toy", train=40, val=4, progress=False)
    command = [
        "run", *SYSTEMS, "--data", str(data), "--out", str(tmp_path / "killed"),
        "--steps", "6", "--weights", "random", "--cpu",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", "from wsss_lib.cli import app; app()", *command],
        env=dict(os.environ, TQDM_DISABLE="1"), stdout=subprocess.DEVNULL,
    )  # fmt: skip
    while not [*(tmp_path / "killed").glob("work/0_cam*/scores/*.safetensors")]:
        assert process.poll() is None, "it must not end before it is killed"
        time.sleep(0.005)
    time.sleep(random.uniform(0, 1.5))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "report.html").exists()
    for out in ("killed", "whole"):
        run_plan(plan(data, tmp_path / out, steps=6))
    killed, whole = files_of(tmp_path / "killed"), files_of(tmp_path / "whole")
    # The teacher's folder is part of nothing that is written, so even names are the same.
    assert killed == whole
    assert len(whole) > 8 * 40


ODD = [(1, 1), (1, 40), (40, 1), (7, 13), (33, 65), (64, 64)]


def test_odd_sizes_go_through_the_whole_pipeline(tmp_path):
    data = plain_folder(tmp_path / "odd", ODD)
    run_plan(plan(data, tmp_path / "out"))
    for name in SYSTEMS:
        for number, size in enumerate(ODD):
            labels = read_labels(tmp_path / "out" / name / "labels" / f"im{number}.png")
            assert labels.shape == size
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.parametrize("system", SYSTEMS)
def test_networks_for_photographs_answer_images_of_any_size(system):
    (kind,) = [kind for id, kind in find_methods().items() if id == system]
    method = build(kind, ("cat", "dog"), "mobilenet_v2", "random", 0, same_size=False).eval()
    for height, width in ODD:
        maps = torch.rand(1, 2, height, width)
        with torch.inference_mode():
            scores = method.predict(
                Batch(("a",), torch.rand(1, 3, height, width), torch.ones(1, 2), maps)
            )
        assert scores.shape == maps.shape
        assert scores.isfinite().all()


def test_grey_transparent_and_turned_images_go_through(tmp_path):
    data = plain_folder(tmp_path / "mine", ((30, 40),) * 5, masks=False)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (30, 40, 4), np.uint8)
    images = data / "images"
    Image.fromarray(pixels[..., 0]).save(images / "im0.png")
    Image.fromarray(pixels).save(images / "im1.png")
    Image.fromarray(pixels[..., :3]).quantize(16).save(images / "im2.png", transparency=3)
    Image.fromarray(pixels[..., :2], mode="LA").save(images / "im3.png")
    (images / "im4.png").unlink()
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(pixels[..., :3]).save(images / "im4.jpg", exif=exif)
    run_plan(plan(data, tmp_path / "out", ("cam",)))
    shapes = [
        read_labels(tmp_path / "out" / "cam" / "labels" / f"im{n}.png").shape for n in range(5)
    ]
    assert shapes == [(30, 40)] * 4 + [(40, 30)]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: truncate(root / "images" / "im3.png"), r"im3\.png is .*truncated"),
        (lambda root: (root / "images" / "im3.png").write_text("x"), r"im3\.png is .*not an image"),
        (lambda root: edit(root, "im3,0,1\n", ""), "no line for image 'im3'; add one"),
        (lambda root: edit(root, "im3,0,1", "im3,0,0"), "'im3' has no class"),
        (lambda root: (root / "classes.txt").write_text("cat\ndog\n"), "no column for class 'dog'"),
        (lambda root: write_labels(root / "masks" / "im3.png", np.full((24, 32), 9)), "indices"),
        (lambda root: truncate(root / "masks" / "im3.png"), r"im3\.png is truncated"),
        (lambda root: write_labels(root / "masks" / "im3.png", np.zeros((9, 9))), "9 x 9 pixels"),
    ],
    ids=["truncated", "text", "unlabelled", "empty", "unknown-class", "index", "mask", "size"],
)
def test_bad_input_ends_in_one_clear_line(tmp_path, damage, message):
    root = plain_folder(tmp_path / "mine")
    damage(root)
    with pytest.raises(InputError, match=message):
        run_plan(plan(root, tmp_path / "out", ("cam",)))
    assert not (tmp_path / "out" / "report.html").exists()


def truncate(path):
    path.write_bytes(path.read_bytes()[:-30])


def edit(root, old, new):
    text = (root / "labels.csv").read_text()
    assert old in text
    (root / "labels.csv").write_text(text.replace(old, new))


class FullDisk:
    """Lets some bytes of a file through, then fails like a disk without room."""

    def __call__(self, *args, **kwargs):
        path = next(Path(a) for a in (*args, *kwargs.values()) if isinstance(a, str | Path))
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    view = WeakView(SegmentationFolder(plain_folder(tmp_path / "mine")))
    out = tmp_path / "out"
    store = ScoreStore(out, 2)
    store.put("old", torch.ones(2, 3, 3))
    write_json(out / "a.json", {"kept": 1})
    write_labels(out / "a.png", np.ones((2, 2)))
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def image_save(self, path, *args, **kwargs):
        FullDisk()(path)

    monkeypatch.setattr("wsss_lib.data.store.save_file", FullDisk())
    monkeypatch.setattr(torch, "save", FullDisk())
    monkeypatch.setattr(Image.Image, "save", image_save)
    monkeypatch.setattr(Path, "write_text", lambda self, *a, **k: FullDisk()(self))
    for write in (
        lambda: store.put("old", torch.zeros(2, 3, 3)),
        lambda: store.put("new", torch.zeros(2, 3, 3)),
        lambda: write_json(out / "a.json", {"kept": 2}),
        lambda: write_labels(out / "a.png", np.zeros((2, 2))),
        lambda: fit(Pixels(), view, folder=out),
    ):
        with pytest.raises(OSError, match="No space left"):
            write()
        assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert not (out / CHECKPOINT).exists()


def test_a_full_disk_is_named_in_one_line(tmp_path, monkeypatch):
    root = plain_folder(tmp_path / "mine")
    monkeypatch.setattr("wsss_lib.data.store.save_file", FullDisk())
    words = ["run", "cam", "--data", str(root), "--out", str(tmp_path / "out"), "--steps", "1"]
    answer = CliRunner().invoke(app, [*words, "--weights", "random", "--cpu"])
    assert answer.exit_code == 2
    assert "The disk is full" in answer.output
    assert "Traceback" not in answer.output


def test_files_appear_whole_or_not_at_all(tmp_path):
    with written_whole(tmp_path / "new" / "a.txt") as partial:
        partial.write_text("done")
        assert not (tmp_path / "new" / "a.txt").exists()
    assert (tmp_path / "new" / "a.txt").read_text() == "done"

    def stop():
        with written_whole(tmp_path / "new" / "a.txt") as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert (tmp_path / "new" / "a.txt").read_text() == "done"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


def both_at_once(work):
    """Two threads begin the same work together; locks see no difference to two processes."""
    start = threading.Barrier(2)

    def begin(number):
        start.wait()
        return work(number)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(begin, range(2)))


def test_two_who_want_the_same_stage_do_not_both_make_it(tmp_path):
    view = WeakView(SegmentationFolder(plain_folder(tmp_path / "data")))
    methods = [Pixels(), Pixels()]
    for method in methods:
        method.recipe = replace(method.recipe, steps=0)
    both_at_once(lambda n: run([methods[n]], view, folder=tmp_path / "runs", cpu=True))
    assert sorted(method.answered for method in methods) == [0, 1]


def test_two_who_write_the_same_labels_leave_all_of_them(tmp_path):
    data = SegmentationFolder(plain_folder(tmp_path / "data", sizes=((24, 32),) * 24))
    scores = {id: torch.ones(2, 24, 32) for id in data.ids}
    both_at_once(lambda n: _write_label_images(data, scores, 0.5, tmp_path / "labels"))
    assert len(list((tmp_path / "labels").glob("*.png"))) == 24


def test_two_who_want_the_same_world_both_get_it(tmp_path):
    def make(_):
        return write_toy(tmp_path / "toy", train=6, val=2, progress=False)

    assert both_at_once(make) == [tmp_path / "toy"] * 2
    assert len(SegmentationFolder(tmp_path / "toy", "train")) == 6
