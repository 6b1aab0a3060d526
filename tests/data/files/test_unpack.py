"""Archives that cannot be trusted, are damaged, or hold more than is used."""

import io
import tarfile
import zipfile

import pytest

from wsss_lib.core import InputError
from wsss_lib.data.files.unpack import unpack


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
        lambda path: zip_of(path, ["C:/out"]),
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


@pytest.mark.parametrize("name", ["./", ".", ""])
def test_members_without_a_name_are_passed_over(name, tmp_path):
    folder = unpack(zip_of(tmp_path / "a", [name, "one"]), tmp_path / "out")
    assert [path.name for path in folder.iterdir()] == ["one"]


@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_only_what_is_wanted_is_unpacked(make, tmp_path, capsys):
    archive = make(tmp_path / "a.x", ["in/cls/one", "in/img/two"])
    folder = unpack(archive, tmp_path / "out", lambda name: "/cls/" in name)
    assert [path.name for path in folder.rglob("*")] == ["in", "cls", "one"]
    assert "a.x" in capsys.readouterr().err  # large ones take minutes: a bar says so
