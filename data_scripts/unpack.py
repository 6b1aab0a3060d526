"""Archives opened so that nothing leaves the folder, and nothing half-done stays."""

import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from wsss_lib.core import InputError
from wsss_lib.data.atomic import folder_written_whole


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a tar (of any compression) or zip archive into a folder that appears whole.

    Returns:
        The folder; if it is there already, nothing is done.

    Raises:
        InputError: damaged, no archive, or with a member that points out of the folder.
    """
    if folder.is_dir():
        return folder
    try:
        with folder_written_whole(folder) as partial:
            if zipfile.is_zipfile(archive):
                _unzip(archive, partial)
            else:
                with tarfile.open(archive) as tar:
                    # "data" refuses absolute names, "..", links that lead out, and devices.
                    tar.extractall(partial, filter="data")
                    _check_end(tar)
    except tarfile.FilterError as error:
        raise InputError(f"{archive} is not to be trusted: {error}.") from error
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise InputError(
            f"{archive} is damaged or no archive ({error}); delete it and fetch it again."
        ) from error
    return folder


def _check_end(tar: tarfile.TarFile) -> None:
    """A whole archive ends with a block of zeros; ``tarfile`` is content with less."""
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it breaks off")


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            path = PurePosixPath(member.filename.replace("\\", "/"))
            link = (member.external_attr >> 16) & 0o170000 == 0o120000
            if path.is_absolute() or ".." in path.parts or link or ":" in path.parts[0]:
                raise InputError(
                    f"{archive} is not to be trusted: {member.filename!r} is a link or points out "
                    "of the folder."
                )
        file.extractall(folder)
