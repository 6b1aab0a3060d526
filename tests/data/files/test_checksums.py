"""What is remembered of files is what they hold, whatever their clocks say."""

import os

import pytest

from wsss_lib.core import InputError
from wsss_lib.data.files import checksums as module
from wsss_lib.data.files.checksums import checksums, memory_of


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / "data" / f"{n:03d}.bin" for n in range(100)]
    paths[0].parent.mkdir()
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


def opened(monkeypatch):
    """Counts the files that are read."""
    seen, read = [], module._read
    monkeypatch.setattr(module, "_read", lambda path: seen.append(path) or read(path))
    return seen


def test_files_that_have_settled_are_read_once(files, monkeypatch):
    first = checksums(files)
    assert len({*first}) == 100
    assert not memory_of(files[0].parent).exists(), "they are too young to be trusted"
    monkeypatch.setattr(module, "SETTLED", -(10**12))
    seen = opened(monkeypatch)
    assert checksums(files) == first
    assert len(seen) == 100
    assert memory_of(files[0].parent).is_file()
    assert checksums(files) == first
    assert len(seen) == 100, "nothing is read a second time"


def test_a_change_at_equal_size_and_time_of_modification_is_seen(files, monkeypatch):
    monkeypatch.setattr(module, "SETTLED", -(10**12))
    before, stamp = checksums(files), files[7].stat()
    files[7].write_bytes(b"XXX.bin")
    os.utime(files[7], ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert (files[7].stat().st_size, files[7].stat().st_mtime_ns) == (7, stamp.st_mtime_ns)
    after = checksums(files)
    assert [n for n in range(100) if before[n] != after[n]] == [7]


def test_young_files_are_read_again_as_clocks_may_be_coarse(files, monkeypatch):
    checksums(files)
    monkeypatch.setattr(module, "_stamp", lambda path: [7, 1, 10**30, 10**30])
    before = checksums(files)
    files[3].write_bytes(b"YYY.bin")  # no stamp shows it
    assert checksums(files)[3] != before[3]


def test_missing_files_and_lost_memories(files, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SETTLED", -(10**12))
    assert checksums([tmp_path / "no" / "a.png"]) == [""]
    whole = checksums(files)
    for damage in ("{", "[]"):
        memory_of(files[0].parent).write_text(damage)
        assert checksums(files) == whole
    monkeypatch.setenv("XDG_CACHE_HOME", str(files[0]))  # nothing can be written there
    assert checksums(files) == whole


def test_what_cannot_be_read_is_named(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(InputError, match=r"a\.png cannot be read"):
        checksums([tmp_path / "a.png"])
