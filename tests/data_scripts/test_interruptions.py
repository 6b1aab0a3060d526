"""Whatever happens half-way, the same command ends with the same data."""

import csv
import errno
import multiprocessing
import random
import re
import runpy
import shutil
import sys
import tarfile
import threading
import time
from pathlib import Path

import pytest
from PIL import Image
from tqdm.auto import tqdm

from data_scripts import context
from data_scripts.fetch import Remote
from tests.data_scripts.archives import scripts
from wsss_lib.cli.errors import plainly

pytestmark = pytest.mark.usefixtures("tiny")
NAMES = ("voc", "coco", "cityscapes", "context", "mapillary", "pets")


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
    (tmp_path / "data" / ".work").mkdir()  # of a process that was killed at the very end
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
        if process.exitcode == 0:
            assert content(tmp_path / "data") == content(tmp_path / "whole")
            shutil.rmtree(tmp_path / "data")
    assert killed > 2
    make(tmp_path / "data")
    assert content(tmp_path / "data") == content(tmp_path / "whole")
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("make", NAMES, indirect=True)
def test_a_disk_that_fills_up(make, tmp_path, monkeypatch):
    make(tmp_path / "whole")
    # Images, tables, lists, what is moved, and what comes out of archives.
    writers = (
        (Image.Image, "save"), (csv, "writer"), (Path, "write_text"), (Path, "replace"),
        (tarfile, "copyfileobj"), (shutil, "copyfileobj"),
    )  # fmt: skip
    for room in range(1000):
        left = [room]

        def full(*args, real, left=left, **kwargs):
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            for owner, name in writers:
                real = getattr(owner, name)
                patch.setattr(owner, name, lambda *a, real=real, **k: full(*a, real=real, **k))
            try:
                make(tmp_path / "data")
                break
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        assert not (tmp_path / "data" / "dataset.json").exists()
        (tmp_path / "data" / "a.jpg.7.partial").touch()  # of a process that was killed
    assert room > 5
    assert content(tmp_path / "data") == content(tmp_path / "whole")


@pytest.mark.parametrize("make", NAMES, indirect=True)
def test_the_data_may_lie_on_other_disks(make, tmp_path, monkeypatch):
    make(tmp_path / "whole")
    (tmp_path / "far").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "far", target_is_directory=True)
    rename, copy, copied = Path.replace, shutil.copyfile, []

    def near(source, target):
        if target.parent.name == "JPEGImages" and ".work" in source.parts:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(source, target)

    def broken_off(source, target):
        copied.append(source)
        target.write_bytes(source.read_bytes()[:-1])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", near)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", broken_off)
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / "data")
    assert copied
    monkeypatch.setattr(shutil, "copyfile", copy)
    make(tmp_path / "data")
    assert content(tmp_path / "data") == content(tmp_path / "whole")


def test_what_can_be_mended_is_told_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["context", str(tmp_path / "c"), "--from", "no.tar"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(context.__file__, run_name="__main__")
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"no.tar is not {context._FILE}: there is no such file.\n"


@pytest.mark.parametrize("place", ["/proc/x", "file"])
def test_impossible_places_are_told_before_anything_is_fetched(
    place, tmp_path, monkeypatch, capsys, server
):
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(context, "VOC2010", Remote("voc.tar", [server.url("good")]))
    with pytest.raises(SystemExit) as ended:
        plainly(context.main)(Path(place))
    assert ended.value.code == 2
    told = rf"{place}\S*: .* Name another place, or mend this one.\n"
    assert re.fullmatch(told, capsys.readouterr().err)
    assert not server.asked
