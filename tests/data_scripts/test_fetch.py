"""Downloads that break off, lie, stall or move, and archives that cannot be trusted."""

import errno
import hashlib
import io
import os
import shutil
import tarfile
import zipfile

import pytest
import requests

from data_scripts import fetch as module
from data_scripts.fetch import Remote, fetch
from data_scripts.unpack import unpack
from wsss_lib.core import InputError

CONTENT = os.urandom(300_000)


@pytest.fixture
def remote(server):
    """A file under some of the server's paths, with its size and checksum."""
    server.content = CONTENT
    digest = hashlib.sha256(CONTENT).hexdigest()

    def make(*how, size=300_000, digests=(("sha256", digest),)):
        return Remote("a.tar", [server.url(one) for one in how], size, digests)

    return make


@pytest.mark.parametrize("how", ["good", "whole", "move"])
def test_a_file_arrives_and_is_not_fetched_twice(remote, server, tmp_path, how):
    path = fetch(remote(how), tmp_path / "down")
    assert path.read_bytes() == CONTENT
    count = len(server.asked)
    assert fetch(remote(how), tmp_path / "down") == path
    assert len(server.asked) == count
    assert [one.name for one in path.parent.iterdir()] == ["a.tar"]


def test_what_broke_off_is_continued_elsewhere(remote, server, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 100)
    assert fetch(remote("cut", "good"), tmp_path).read_bytes() == CONTENT
    starts = [int(wanted[6:-1]) for _, wanted in server.asked]
    assert starts == [0, 150_000, 225_000, 262_500]  # each try gets half of what is missing
    assert server.asked[-1][0] == "good"


def test_a_part_of_an_earlier_start_is_continued(remote, server, tmp_path):
    (tmp_path / "a.tar.part").write_bytes(CONTENT[:1000])
    assert fetch(remote("good"), tmp_path).read_bytes() == CONTENT
    assert server.asked == [("good", "bytes=1000-")]


def test_a_server_that_ignores_ranges_starts_over(remote, tmp_path):
    (tmp_path / "a.tar.part").write_bytes(CONTENT[:1000])
    assert fetch(remote("whole"), tmp_path).read_bytes() == CONTENT


def test_a_wrong_part_is_thrown_away(remote, tmp_path):
    (tmp_path / "a.tar.part").write_bytes(b"x" * 1000)
    assert fetch(remote("good"), tmp_path).read_bytes() == CONTENT


def test_wrong_bytes_are_not_kept(remote, tmp_path):
    with pytest.raises(InputError, match=r"--from.*its sha256 is .* and not"):
        fetch(remote("wrong"), tmp_path)
    assert not list(tmp_path.iterdir())
    assert fetch(remote("wrong", "good"), tmp_path).read_bytes() == CONTENT


def test_silence_ends(remote, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", (1, 0.2))
    monkeypatch.setattr(module, "TRIES", 1)
    assert fetch(remote("stall", "good"), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("how", "complaint"), [("gone", "404"), ("login", "a web page came instead of the file")]
)
def test_what_no_mirror_has_is_named_with_the_reason(remote, tmp_path, how, complaint):
    with pytest.raises(InputError, match=f"(?s)a.tar could not be fetched.*--from.*{complaint}"):
        fetch(remote(how), tmp_path)


def test_without_size_and_checksum_the_length_of_the_answer_counts(remote, tmp_path):
    assert fetch(remote("cut", "good", size=None, digests=()), tmp_path).read_bytes() == CONTENT


def test_a_given_file_is_verified_and_used_where_it_lies(remote, server, tmp_path):
    mine, other = tmp_path / "mine.tar", tmp_path / "other.tar"
    mine.write_bytes(CONTENT)
    other.write_bytes(CONTENT[:-1])
    assert fetch(remote("good"), tmp_path / "down", mine) == mine
    for wrong, complaint in ((other, "it has 299999 bytes"), (tmp_path / "no", "no such file")):
        with pytest.raises(InputError, match=complaint):
            fetch(remote("good"), tmp_path / "down", wrong)
    assert not server.asked


def test_a_disk_that_is_too_small_is_told_before(remote, server, tmp_path, monkeypatch):
    few = shutil._ntuple_diskusage(10, 9, 1)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: few)
    with pytest.raises(InputError, match=r"needs 0.0 GB .* where 0.0 GB are free"):
        fetch(remote("good"), tmp_path)
    assert not server.asked


def test_a_disk_that_fills_up_loses_nothing(remote, server, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 100_000)
    received = requests.Response.iter_content

    def breaks_off(answer, size):
        yield next(received(answer, size))
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(requests.Response, "iter_content", breaks_off)
        with pytest.raises(OSError, match="No space left"):
            fetch(remote("good"), tmp_path)
    assert fetch(remote("good"), tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] == ("good", "bytes=100000-")


def tar_of(path, members, kind=tarfile.REGTYPE, link=""):
    with tarfile.open(path, "w") as tar:
        for name in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, link, 0 if link else 1
            tar.addfile(member, None if link else io.BytesIO(b"x"))
    return path


def zip_of(path, members, attributes=0):
    with zipfile.ZipFile(path, "w") as archive:
        for name in members:
            member = zipfile.ZipInfo(name)
            member.external_attr = attributes
            archive.writestr(member, "x")
    return path


@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_an_archive_is_unpacked_once(make, tmp_path):
    archive = make(tmp_path / "a", ["in/one", "in/two"])
    folder = unpack(archive, tmp_path / "out")
    assert {path.name for path in (folder / "in").iterdir()} == {"one", "two"}
    (folder / "in" / "one").write_text("mine")
    unpack(archive, tmp_path / "out")
    assert (folder / "in" / "one").read_text() == "mine"


@pytest.mark.parametrize(
    "make",
    [
        lambda path: tar_of(path, ["../out"]),
        lambda path: tar_of(path, ["a"], tarfile.SYMTYPE, "/etc/passwd"),
        lambda path: tar_of(path, ["a"], tarfile.LNKTYPE, "../../secret"),
        lambda path: zip_of(path, ["../out"]),
        lambda path: zip_of(path, ["/out"]),
        lambda path: zip_of(path, ["in\\..\\..\\out"]),
        lambda path: zip_of(path, ["a"], attributes=0o120777 << 16),
    ],
)
def test_nothing_leaves_the_folder(make, tmp_path):
    inner = tmp_path / "deep"
    inner.mkdir()
    archive = make(inner / "a")
    with pytest.raises(InputError, match="is not to be trusted"):
        unpack(archive, inner / "out")
    assert [path.name for path in tmp_path.rglob("*")] == ["deep", "a"]


@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_a_damaged_archive_is_named_and_leaves_nothing(make, tmp_path):
    archive = make(tmp_path / "a", [f"in/{n}" for n in range(50)])
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2 + 100])
    with pytest.raises(InputError, match="damaged or no archive"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
