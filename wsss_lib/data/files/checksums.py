"""Checksums of files, remembered so that thousands of photographs are not read at every start."""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm.auto import tqdm

from wsss_lib.core import InputError
from wsss_lib.data.atomic import written_whole

SETTLED = 2 * 10**9
"""Nanoseconds: two changes within one tick of a file system's clock look like one, and the coarsest
clocks tick every two seconds."""
FEW = 64
"""So few files are read faster than a table of theirs is kept."""


def memory_of(folder: Path) -> Path:
    """Where the checksums of a folder's files are remembered: the user's cache, not the data."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    return cache / "wsss_lib" / f"checksums_{name}.json"


def checksums(paths: Sequence[Path]) -> list[str]:
    """SHA-256 of the content of each file, "" where there is none.

    Guarantee: the answer is that of the bytes on disk, unless a file was changed and yet keeps its
    size, inode, time of modification and time of change, all to the nanosecond. Programs can set
    the time of modification back but not that of the change. Files younger than two seconds are
    read again, since coarse clocks may give two changes one time. Others are read once: 10,000
    photographs of 100 kB take seconds the first time, and a fraction of one later.

    Raises:
        InputError: a file that is there but cannot be read.
    """
    tables = {folder: _remembered(memory_of(folder)) for folder in {path.parent for path in paths}}
    answers: dict[Path, str] = {}
    unread: list[Path] = []
    for path in paths:
        entry = tables[path.parent].get(path.name)
        if entry and entry[0] == _stamp(path):
            answers[path] = entry[1]
        else:
            unread.append(path)
    grown = set()
    with ThreadPoolExecutor() as pool:
        found = pool.map(_read, unread)
        for path, (stamp, digest, settled) in tqdm(
            zip(unread, found, strict=True), "checksums", len(unread), leave=False
        ):
            answers[path] = digest
            if settled:
                tables[path.parent][path.name] = [stamp, digest]
                grown.add(path.parent)
    for folder in grown:
        if len(tables[folder]) > FEW:
            _remember(memory_of(folder), tables[folder])
    return [answers[path] for path in paths]


def _stamp(path: Path) -> list[int] | None:
    """What changes when a file does; None without one."""
    try:
        seen = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return [seen.st_size, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns]


def _read(path: Path) -> tuple[list[int] | None, str, bool]:
    """Stamp before reading, checksum, and whether a later change would show in the stamp."""
    now, stamp = time.time_ns(), _stamp(path)
    if stamp is None:
        return None, "", False
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); mend it, or leave the image out."
        ) from error
    return stamp, digest, max(stamp[2:]) < now - SETTLED


def _remembered(memory: Path) -> dict[str, list]:
    try:
        table = json.loads(memory.read_text("utf-8"))
    except (OSError, ValueError):  # none yet, or damaged: the files are read again
        return {}
    return table if isinstance(table, dict) else {}


def _remember(memory: Path, table: dict[str, list]) -> None:
    try:
        with written_whole(memory) as partial:
            partial.write_text(json.dumps(table), encoding="utf-8")
    except OSError:  # a home that cannot be written to costs time at the next start, nothing else
        return
