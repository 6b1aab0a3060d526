"""Files from elsewhere: several mirrors, resumed where they broke off, checked before use."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import requests
from tqdm.auto import tqdm

from wsss_lib.core import InputError
from wsss_lib.data.files.unpack import Wanted, everything

TRIES = 3  # since the last one that brought anything
WAIT = 2.0  # seconds before a second try; a third waits twice as long
TIMEOUT = (20, 60)  # seconds to connect, and without a single byte
CHUNK = 1 << 16  # as much is lost when a connection breaks
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Remote:
    """An archive that can be had.

    Attributes:
        name: of the file.
        urls: mirrors, tried in this order.
        size: in bytes; None if it is not known.
        digests: checksums by name of the algorithm, such as {"sha256": "..."}.
        option: of the script; how a user names a copy.
        wanted: what of it is unpacked.
    """

    name: str
    urls: Sequence[str]
    size: int | None = None
    digests: tuple[tuple[str, str], ...] = ()
    option: str = "--from FILE"
    wanted: Wanted = everything


def fetch(remote: Remote, folder: Path, given: Path | None = None) -> Path:
    """The file, verified; what is there already is not fetched again.

    What was received before an interruption stays in ``<name>.part`` and is continued.

    Args:
        remote: what and where from.
        folder: where it goes.
        given: a copy that somebody has already; it is verified and used where it lies.

    Raises:
        InputError: the given file is another one, or no mirror has it.
    """
    if given is not None:
        if complaint := _complaint(given, remote):
            raise InputError(f"{given} is not {remote.name}: {complaint}.")
        return given
    path, part = folder / remote.name, folder / f"{remote.name}.part"
    if path.is_file() and not _complaint(path, remote):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    failures: dict[str, str] = {}
    for url in remote.urls:
        if failure := _receive(url, part, remote):
            failures[url] = failure
        else:
            part.replace(path)
            return path
    raise InputError(
        f"{remote.name} could not be fetched; run the same command again to continue, or name a "
        f"copy of yours: {remote.option}. "
        + "; ".join(f"{url}: {failure}" for url, failure in failures.items())
    )


def received(remote: Remote, folder: Path) -> int:
    """How many bytes of a file are in the folder for downloads."""
    paths = (folder / remote.name, folder / f"{remote.name}.part")
    return max(path.stat().st_size if path.is_file() else 0 for path in paths)


def _receive(url: str, part: Path, remote: Remote) -> str:
    """Receive a file from a mirror, in several tries; why that failed, "" if it did not."""
    tries, failure = 0, ""
    while tries < TRIES:
        time.sleep(WAIT * tries)
        before = part.stat().st_size if part.is_file() else 0
        try:
            _continue(url, part, remote)
        except requests.RequestException as error:
            failure = str(error)
            # Large files break off often: as long as they grow, that is no reason to give up.
            grown = part.is_file() and part.stat().st_size > before
            tries = 1 if grown else tries + 1
            continue
        failure = _complaint(part, remote)
        if not failure:
            break
        part.unlink()
        tries += 1
    return failure


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
        found = _digest(path, kind)
        if found != expected:
            return f"its {kind} is {found} and not {expected}"
    return ""


def _digest(path: Path, kind: str) -> str:
    digest, total = hashlib.new(kind), path.stat().st_size
    with (
        path.open("rb") as file,
        tqdm(total=total, unit="B", unit_scale=True, desc=f"check of {path.name}") as bar,
    ):
        while block := file.read(_BLOCK):
            digest.update(block)
            bar.update(len(block))
    return digest.hexdigest()
