"""Whatever happens half-way, the same command ends with the same data."""

import errno
import multiprocessing
import random
import runpy
import shutil
import sys
import threading
import time

import pytest
from PIL import Image
from tqdm.auto import tqdm

from data_scripts import context
from tests.data_scripts.archives import scripts

pytestmark = pytest.mark.usefixtures("tiny")
NAMES = ("voc", "coco", "cityscapes", "context", "mapillary")


@pytest.fixture
def make(tmp_path, request):
    (tmp_path / "archives").mkdir()
    return scripts(tmp_path / "archives")[request.param]


def content(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("make", NAMES, indirect=True)
def test_a_second_start_does_nothing(make, tmp_path):
    make(tmp_path / "data")
    seen = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")}
    shutil.rmtree(tmp_path / "archives")
    (tmp_path / ".data.work").mkdir()  # of a process that was killed at the very end
    make(tmp_path / "data")
    assert seen == {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")}
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("make", NAMES, indirect=True)
def test_killed_at_random_moments(make, tmp_path):
    start = time.monotonic()
    make(tmp_path / "whole")
    seconds = time.monotonic() - start
    rng, killed = random.Random(0), 0
    tqdm.set_lock(threading.RLock())  # else a process dies with the lock that all of them share
    fork = multiprocessing.get_context("fork")
    for _ in range(12):
        process = fork.Process(target=make, args=[tmp_path / "data"])
        process.start()
        process.join(rng.uniform(0, seconds))
        killed += process.is_alive()
        process.kill()
        process.join()
    assert killed > 2
    make(tmp_path / "data")
    assert content(tmp_path / "data") == content(tmp_path / "whole")
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("make", NAMES, indirect=True)
def test_a_disk_that_fills_up(make, tmp_path, monkeypatch):
    make(tmp_path / "whole")
    for room in range(3):
        with monkeypatch.context() as patch:
            left = [room]

            def full(*args, real, left=left, **kwargs):
                left[0] -= 1
                if left[0] < 0:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return real(*args, **kwargs)

            for owner, name in ((Image.Image, "save"), (shutil, "move")):
                real = getattr(owner, name)
                patch.setattr(owner, name, lambda *a, real=real, **k: full(*a, real=real, **k))
            with pytest.raises(OSError, match="No space left"):
                make(tmp_path / "data")
        assert not (tmp_path / "data" / "dataset.json").exists()
    (tmp_path / "data" / "JPEGImages" / "a.jpg.7.partial").touch()  # of a process that was killed
    make(tmp_path / "data")
    assert content(tmp_path / "data") == content(tmp_path / "whole")


def test_what_can_be_mended_is_told_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["context", str(tmp_path / "c"), "--from", "no.tar"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(context.__file__, run_name="__main__")
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"no.tar is not {context._FILE}: there is no such file.\n"
