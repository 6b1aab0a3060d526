"""Several processes, other precisions, loaders that spawn, and more images than memory holds."""

import json
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
from filelock import FileLock, Timeout
from torch import nn

from tests.test_engine import SGD, Calm
from tests.tiny import plain_folder
from wsss_lib.core import InputError
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.store import ScoreStore
from wsss_lib.data.stream import Stream
from wsss_lib.data.view import WeakView
from wsss_lib.engine import fit, run
from wsss_lib.engine.processes import made_once, readers, share_of
from wsss_lib.methods.image_level.ensemble.oaa import OAA
from wsss_lib.survey import find_methods

SCRIPT = Path(__file__).with_name("processes_script.py")
LAUNCH = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


@pytest.fixture
def view(tmp_path):
    return WeakView(SegmentationFolder(plain_folder(tmp_path / "mine")))


def start(tmp_path, processes, pause=0.0):
    out = tmp_path / f"out_{processes}"
    how = LAUNCH if processes == 2 else []
    what = [tmp_path / "mine", out, 2, pause]
    return out, subprocess.Popen(
        [sys.executable, *how, str(SCRIPT), *map(str, what)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"},
    )


def launched(tmp_path, processes):
    out, process = start(tmp_path, processes)
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 0, said
    return [json.loads(path.read_text()) for path in sorted(out.glob("found_*.json"))]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """What one process finds."""
    folder = tmp_path_factory.mktemp("one")
    plain_folder(folder / "mine")
    return launched(folder, 1)[0]


def same(found, expected):
    for there, here in zip(found["weights"], expected["weights"], strict=True):
        assert there == pytest.approx(here, abs=1e-5)
    assert found["scores"] == pytest.approx(expected["scores"], abs=1e-3)  # in half precision


def test_two_processes_find_what_one_finds(view, tmp_path, one):
    two = launched(tmp_path, 2)
    assert [found["processes"] for found in two] == [2, 2]
    assert one["seen"] == 36  # 6 steps of 2 batches of 3
    assert [found["seen"] for found in two] == [12, 24]
    # Each process asks once before it trains; what is left are the batches of images.
    assert sum(found["answered"] - 1 for found in two) == one["answered"] - 1
    for found in two:
        same(found, one)
        assert found["losses"] == pytest.approx(one["losses"], abs=1e-4)


def test_two_killed_processes_find_it_in_the_end(view, tmp_path, one):
    out, process = start(tmp_path, 2, pause=0.1)
    while not list(out.glob("*/checkpoint.pt")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    time.sleep(random.uniform(0, 1))
    everybody = [process, *psutil.Process(process.pid).children(recursive=True)]
    for each in everybody:
        each.kill()
    process.communicate()
    assert len(everybody) > 2
    assert not list(out.glob("found_*"))
    for found in launched(tmp_path, 2):
        assert found["seen"] < 24
        same(found, one)


def place(processes, index):
    return SimpleNamespace(
        num_processes=processes,
        process_index=index,
        is_main_process=index == 0,
        wait_for_everyone=lambda: None,
    )


def test_a_batch_is_shared_or_refused():
    def share(method, batch, processes, index):
        where = place(processes, index)
        part, weight = share_of(method, replace(SGD, batch_size=batch), where)
        return list(range(batch)[part]), weight

    assert [share(Calm(), 4, 2, index) for index in (0, 1)] == [([0, 1], 1), ([2, 3], 1)]
    uneven = [share(Calm(), 10, 4, index) for index in range(4)]
    assert [number for part, _ in uneven for number in part] == [*range(10)]
    assert [weight for _, weight in uneven] == [0.8, 1.2, 0.8, 1.2]
    with pytest.raises(InputError, match="2 processes cannot share a batch of 1"):
        share(Calm(), 1, 2, 0)
    oaa = OAA.toy(2)
    assert share(oaa, 3, 1, 0) == ([0, 1, 2], 1)
    with pytest.raises(InputError, match="oaa remembers something about each image"):
        share(oaa, 4, 2, 0)


def test_groups_stay_together_or_are_refused():
    def share(batch, group, processes, index):
        recipe = replace(SGD, batch_size=batch, group=group)
        part, weight = share_of(Calm(), recipe, place(processes, index))
        return list(range(batch)[part]), weight

    assert share(15, 3, 1, 0) == ([*range(15)], 1)
    shared = [share(15, 3, 2, index) for index in (0, 1)]
    assert shared == [([*range(6)], 0.8), ([*range(6, 15)], 1.2)]
    with pytest.raises(InputError, match="a batch of 16 cannot be made of groups of 3 images"):
        share(16, 3, 1, 0)
    with pytest.raises(InputError, match="groups of 0 images: choose a batch_size"):
        share(16, 0, 1, 0)
    with pytest.raises(InputError, match="2 processes cannot share a batch of 3 in groups of 3"):
        share(3, 3, 2, 0)


def test_every_recipe_of_four_groups_a_step_can_be_shared_by_four_processes():
    for kind in find_methods().values():
        if (
            kind.recipe.steps
            and kind.recipe.batch_size >= 4 * kind.recipe.group
            and kind.get_extra_state is nn.Module.get_extra_state
        ):
            share_of(kind.toy(2), kind.recipe, place(4, 3))


def test_a_stage_that_cannot_be_shared_stops_a_run_before_the_first(view, tmp_path, monkeypatch):
    monkeypatch.setattr("wsss_lib.engine.chain.accelerator_for", lambda recipe, cpu: place(4, 0))
    first, second = Calm(), Calm()
    first.recipe, second.recipe = replace(SGD, batch_size=4), replace(SGD, batch_size=3)
    with pytest.raises(InputError, match="4 processes cannot share a batch of 3"):
        run([first, second], view, folder=tmp_path / "runs", cpu=True)
    assert not (tmp_path / "runs").exists()


def free(lock):
    try:
        with lock.acquire(timeout=0):
            return True
    except Timeout:
        return False


def test_processes_of_one_run_hold_one_lock_together(tmp_path):
    lock = FileLock(tmp_path / ".stage.lock")
    with made_once(tmp_path / "stage", place(2, 0)), made_once(tmp_path / "stage", place(2, 1)):
        assert not free(lock)
    assert free(lock)


def test_precision_may_change_from_one_training_to_the_next(view):
    found = {}
    for precision in ("no", "bf16", "no"):
        method = Calm()
        method.recipe = replace(SGD, precision=precision)
        fit(method, view, cpu=True)
        found.setdefault(precision, []).append(
            torch.cat([w.flatten() for w in method.parameters()])
        )
    assert torch.equal(*found["no"])
    assert not torch.equal(found["bf16"][0], found["no"][0])
    assert torch.allclose(found["bf16"][0], found["no"][0], atol=0.02)


def test_loaders_work_where_processes_are_spawned(tmp_path):
    plain_folder(tmp_path / "mine")
    code = (
        "import torch.multiprocessing as m\n"
        "from tests.test_processes import *\n"
        "if __name__ == '__main__':\n"
        "    m.set_start_method('spawn')\n"
        f"    view = WeakView(SegmentationFolder({str(tmp_path / 'mine')!r}))\n"
        "    one, other = Calm(), Calm()\n"
        "    one.recipe = other.recipe = SGD\n"
        "    fit(one, view, workers=2, cpu=True), fit(other, view, cpu=True)\n"
        "    pairs = zip(one.parameters(), other.parameters(), strict=True)\n"
        "    assert all(torch.equal(a, b) for a, b in pairs)\n"
    )
    script = tmp_path / "spawning.py"
    script.write_text(code)
    where = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=where)
    assert done.returncode == 0, done.stderr


def test_memory_does_not_grow_with_the_number_of_images(tmp_path):
    root = plain_folder(tmp_path / "mine")
    first = next((root / "images").iterdir())
    names = [f"image_{n:05d}" for n in range(20_000)]
    for name in names:
        os.link(first, root / "images" / f"{name}{first.suffix}")
    head = (root / "labels.csv").read_text().splitlines()[0]
    classes = len(SegmentationFolder(root).classes)
    rest = [f"{name},{','.join('1' if n == 0 else '0' for n in range(classes))}" for name in names]
    (root / "labels.csv").write_text("\n".join([head, *rest]) + "\n")
    view = WeakView(SegmentationFolder(root), cache_mb=4)
    assert len(view) == 20_006
    stream, store = Stream(view, SGD, 0, 20_000), ScoreStore(tmp_path / "scores", classes)

    def work(numbers):
        for number in numbers:
            batch = stream[number]
            store.put(batch.ids[0], torch.rand(classes, 64, 64))
            store[batch.ids[0]]
        return psutil.Process().memory_info().rss

    before = work(range(300))
    # Scores alone would take 88 MB; a process with other tests behind it moves by twenty.
    assert work(range(300, 3000)) - before < 40 * 2**20


def test_images_are_read_ahead_where_a_gpu_would_wait(monkeypatch):
    monkeypatch.setattr("wsss_lib.engine.processes.cpu_count", lambda: 12)
    for gpu, cpu, processes, expected in (
        (True, False, 1, 8),
        (True, False, 4, 3),
        (True, False, 24, 1),
        (True, True, 1, 0),
        (False, False, 1, 0),
    ):
        monkeypatch.setattr("torch.cuda.is_available", lambda gpu=gpu: gpu)
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
        assert readers(cpu) == expected
