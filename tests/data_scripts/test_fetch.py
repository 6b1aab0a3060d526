"""Downloads that break off, lie, stall or move."""

import errno
import hashlib
import os
import time
from dataclasses import replace

import pytest
import requests

from data_scripts import fetch as module
from data_scripts.fetch import Remote, fetch
from tests.data_scripts.conftest import SILENCE
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


def test_what_broke_off_is_continued_as_long_as_it_grows_and_then_elsewhere(
    remote, server, tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "CHUNK", 100)
    slept = []
    monkeypatch.setattr(module.time, "sleep", slept.append)
    monkeypatch.setattr(module, "WAIT", 1)
    assert fetch(remote("cut", "good"), tmp_path).read_bytes() == CONTENT
    starts = [int(wanted[6:-1]) for _, wanted in server.asked]
    assert starts[:4] == [0, 150_000, 225_000, 262_500]  # each try gets half of what is missing
    assert len(starts) > 10
    # At last nothing more comes: two tries, and another mirror.
    assert starts[-4] < starts[-3] == starts[-2] == starts[-1]
    assert server.asked[-1][0] == "good"
    assert slept == [0, *[1] * (len(starts) - 3), 2, 0]


def test_what_could_not_be_finished_is_continued_by_the_same_command(remote, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 100)
    mine = replace(remote("cut"), option="--labels-from FILE")
    with pytest.raises(InputError, match=r"the same command again to continue.*--labels-from FILE"):
        fetch(mine, tmp_path)
    assert (tmp_path / "a.tar.part").stat().st_size > 290_000


def test_a_whole_part_of_unknown_size_is_taken(remote, server, tmp_path):
    (tmp_path / "a.tar.part").write_bytes(CONTENT)
    assert fetch(remote("good", size=None), tmp_path).read_bytes() == CONTENT
    assert server.asked == [("good", "bytes=300000-")]


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
    start = time.monotonic()
    assert fetch(remote("stall", "good"), tmp_path).read_bytes() == CONTENT
    assert time.monotonic() - start < SILENCE


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
