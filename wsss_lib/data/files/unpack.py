"""Archives opened so that nothing leaves the folder, and nothing half-done stays."""

import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from tqdm.auto import tqdm

from wsss_lib.core import InputError
from wsss_lib.data.atomic import folder_written_whole

Wanted = Callable[[str], bool]
"""Whether a member of an archive is used, by its name."""


def everything(_: str) -> bool:
    """Use all members."""
    return True


def place_of(archive: Path, work: Path) -> Path:
    """Where an archive is unpacked: whoever exchanges it shall not find the wrong one unpacked."""
    about = archive.stat()
    return work / f"{archive.name}-{about.st_size}-{about.st_mtime_ns}"


def unpack(archive: Path, folder: Path, wanted: Wanted = everything) -> Path:
    """Unpack a tar (of any compression) or zip archive into a folder that appears whole.

    Returns:
        The folder; if it is there already, nothing is done.

    Raises:
        InputError: damaged, no archive, encrypted, packed in a way that is not read here, or with
            a member that points out of the folder.
    """
    if folder.is_dir():
        return folder
    try:
        with folder_written_whole(folder) as partial:
            if zipfile.is_zipfile(archive):
                _unzip(archive, partial, wanted)
            else:
                _untar(archive, partial, wanted)
    except tarfile.FilterError as error:
        raise InputError(f"{archive} is not to be trusted: {error}.") from error
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise InputError(
            f"{archive} is damaged or no archive ({error}); delete it and fetch it again."
        ) from error
    except RuntimeError as error:  # passwords and Deflate64 among them
        raise InputError(
            f"{archive} cannot be unpacked here ({error}): unpack it with another program, and "
            "give the folder."
        ) from error
    return folder


def _untar(archive: Path, folder: Path, wanted: Wanted) -> None:
    with tarfile.open(archive) as tar:
        members = (member for member in tqdm(tar, desc=archive.name) if wanted(member.name))
        # "data" refuses absolute names, "..", links that lead out, and devices.
        tar.extractall(folder, members, filter="data")
        # A whole archive ends with a block of zeros; ``tarfile`` is content with less.
        assert tar.fileobj is not None
        tar.fileobj.seek(tar.offset)
        if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it breaks off")


def _unzip(archive: Path, folder: Path, wanted: Wanted) -> None:
    with zipfile.ZipFile(archive) as file:
        members = []
        for member in file.infolist():
            path = PurePosixPath(member.filename.replace("\\", "/"))
            link = (member.external_attr >> 16) & 0o170000 == 0o120000
            drive = any(":" in part for part in path.parts[:1])
            if path.is_absolute() or ".." in path.parts or link or drive:
                raise InputError(
                    f"{archive} is not to be trusted: {member.filename!r} is a link or points out "
                    "of the folder."
                )
            if path.parts and not member.is_dir() and wanted(member.filename):
                members.append(member)
        for member in tqdm(members, desc=archive.name):
            file.extract(member, folder)
