"""Files from elsewhere: several mirrors, resumed where they broke off, checked before use."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import requests
from tqdm.auto import tqdm

from wsss_lib.core import InputError

TRIES = 3
TIMEOUT = (20, 60)  # seconds to connect, and without a single byte
CHUNK = 1 << 16  # as much is lost when a connection breaks


@dataclass(frozen=True)
class Remote:
    """A file that can be had.

    Attributes:
        name: of the file.
        urls: mirrors, tried in this order.
        size: in bytes; None if it is not known.
        digests: checksums by name of the algorithm, such as {"sha256": "..."}.
    """

    name: str
    urls: Sequence[str]
    size: int | None = None
    digests: tuple[tuple[str, str], ...] = ()


def fetch(remote: Remote, folder: Path, given: Path | None = None) -> Path:
    """The file, verified; what is there already is not fetched again.

    What was received before an interruption stays in ``<name>.part`` and is continued.

    Args:
        remote: what and where from.
        folder: where it goes.
        given: a copy that somebody has already; it is verified and used where it lies.

    Raises:
        InputError: the given file is another one, no mirror has it, or the disk is too small.
    """
    if given is not None:
        if complaint := _complaint(given, remote):
            raise InputError(f"{given} is not {remote.name}: {complaint}.")
        return given
    path, part = folder / remote.name, folder / f"{remote.name}.part"
    if path.is_file() and not _complaint(path, remote):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    _check_room(remote, folder, part)
    failures = []
    for url in remote.urls:
        for _ in range(TRIES):
            try:
                _continue(url, part, remote)
            except requests.RequestException as error:
                failures.append(f"{url}: {error}")
                continue
            complaint = _complaint(part, remote)
            if not complaint:
                part.replace(path)
                return path
            failures.append(f"{url}: {complaint}")
            part.unlink()
    raise InputError(
        f"{remote.name} could not be fetched. If you have it, name it with --from. "
        + "; ".join(dict.fromkeys(failures))
    )


def _continue(url: str, part: Path, remote: Remote) -> None:
    """Receive what is missing of a file."""
    done = part.stat().st_size if part.is_file() else 0
    if remote.size is not None and done >= remote.size:
        return
    headers = {"Range": f"bytes={done}-", "Accept-Encoding": "identity"}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            return  # everything is here; the checksum has the last word
        answer.raise_for_status()
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            raise requests.RequestException("a web page came instead of the file; log in there")
        continued = answer.status_code == requests.codes.partial_content
        done = done if continued else 0
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length else remote.size
        with (
            part.open("ab" if continued else "wb") as file,
            tqdm(
                total=total, initial=done, unit="B", unit_scale=True, desc=remote.name, leave=False
            ) as bar,
        ):
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))


def _complaint(path: Path, remote: Remote) -> str:
    """What is wrong with a file, "" if nothing is."""
    if not path.is_file():
        return "there is no such file"
    size = path.stat().st_size
    if remote.size is not None and size != remote.size:
        return f"it has {size} bytes and not {remote.size}"
    for kind, expected in remote.digests:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, kind).hexdigest()
        if found != expected:
            return f"its {kind} is {found} and not {expected}"
    return ""


def _check_room(remote: Remote, folder: Path, part: Path) -> None:
    have = part.stat().st_size if part.is_file() else 0
    free = shutil.disk_usage(folder).free
    if remote.size is not None and remote.size - have > free:
        raise InputError(
            f"{remote.name} needs {(remote.size - have) / 1e9:.1f} GB in {folder}, where "
            f"{free / 1e9:.1f} GB are free: make room or choose another folder."
        )
