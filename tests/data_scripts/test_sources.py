"""Archives that are fetched: room, and work that is not done twice."""

import hashlib
import shutil
from dataclasses import replace

import pytest

from data_scripts import sources
from data_scripts.fetch import Remote
from data_scripts.sources import unpacked
from tests.data.files.test_unpack import zip_of
from wsss_lib.core import InputError


@pytest.fixture
def remote(server, tmp_path):
    content = zip_of(tmp_path / "a.zip", ["in/one", "out/two"]).read_bytes()
    server.content = content
    digests = (("sha256", hashlib.sha256(content).hexdigest()),)
    return Remote("a.zip", [server.url("good")], len(content), digests)


def test_what_is_unpacked_is_neither_fetched_nor_verified_again(
    remote, server, tmp_path, monkeypatch
):
    remote = replace(remote, wanted=lambda name: name.startswith("in/"))
    (folder,) = unpacked([(remote, None)], tmp_path / "down", tmp_path / "work")
    assert [path.name for path in folder.rglob("*")] == ["in", "one"]
    shutil.rmtree(tmp_path / "down")  # by somebody who needs room
    monkeypatch.setattr("data_scripts.fetch._digest", None)
    assert unpacked([(remote, None)], tmp_path / "down", tmp_path / "work") == [folder]
    assert len(server.asked) == 1


def test_without_a_checksum_another_archive_is_unpacked_anew(remote, tmp_path):
    unknown = replace(remote, size=None, digests=())
    folders = set()
    (tmp_path / "mine").mkdir()
    for name in ("a.zip", "b.zip"):
        given = zip_of(tmp_path / "mine" / name, [name])
        for _ in range(2):
            (folder,) = unpacked([(unknown, given)], tmp_path / "down", tmp_path / "work")
            assert [path.name for path in folder.iterdir()] == [name]
            folders.add(folder)
    assert len(folders) == 2


def test_what_an_interruption_left_half_unpacked_goes(remote, tmp_path):
    left = tmp_path / "work" / ".b.zip.partial" / "in"
    left.mkdir(parents=True)
    unpacked([(remote, None)], tmp_path / "down", tmp_path / "work")
    assert not left.parent.exists()


def test_room_is_asked_for_once_and_for_the_copies_too(remote, server, tmp_path, monkeypatch):
    down, work, size = tmp_path / "down", tmp_path / "work", remote.size

    def with_room(room, *asked):
        usage = shutil._ntuple_diskusage(10 * size, 0, room)
        monkeypatch.setattr(sources.shutil, "disk_usage", lambda _: usage)
        return unpacked(asked, down, work)

    other = replace(remote, name="b.zip")
    with pytest.raises(InputError, match=r"need 0\.0 GB more in .*work and .*down, where 0\.0 GB"):
        with_room(4 * size - 1, (remote, None), (other, None))
    assert not server.asked
    mine = tmp_path / "a.zip"
    with pytest.raises(InputError, match=r"need 0\.0 GB more in .*work, where"):
        with_room(size - 1, (remote, mine))
    with_room(size, (remote, mine))  # it is not copied
    with_room(2 * size, (remote, None), (other, None))  # the first one is unpacked
    with_room(0, (remote, None), (other, None))
