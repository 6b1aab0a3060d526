"""Archives that are fetched: room for them first, then one after the other, unpacked once."""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from data_scripts.fetch import Remote, fetch, received
from wsss_lib.core import InputError
from wsss_lib.data.files.unpack import place_of, unpack

Source = tuple[Remote, Path | None]
"""What is to be had, and a copy that somebody has already."""


def unpacked(sources: Sequence[Source], downloads: Path, work: Path) -> list[Path]:
    """The folders of archives; what is unpacked is neither fetched nor verified again.

    Args:
        sources: the archives.
        downloads: where they go.
        work: where they are unpacked.

    Raises:
        InputError: an archive cannot be had, is damaged, or the disk is too small.
    """
    for broken_off in [*work.rglob(".*.partial")]:
        shutil.rmtree(broken_off, ignore_errors=True)
    _check_room(sources, downloads, work)
    return [_unpacked(remote, given, downloads, work) for remote, given in sources]


def _unpacked(remote: Remote, given: Path | None, downloads: Path, work: Path) -> Path:
    # Whoever brought it, what has the right checksum is the same archive.
    folder = work / remote.name
    if not remote.digests:
        archive = fetch(remote, downloads, given)
        return unpack(archive, place_of(archive, folder), remote.wanted)
    if folder.is_dir():
        return folder
    return unpack(fetch(remote, downloads, given), folder, remote.wanted)


def _check_room(sources: Sequence[Source], downloads: Path, work: Path) -> None:
    """Refuse what cannot end well: archives and their unpacked copies lie side by side."""
    needed: Counter[Path] = Counter()
    disks: dict[int, list[Path]] = {}
    for remote, given in sources:
        if remote.size is not None and not (work / remote.name).is_dir():
            needed[work] += remote.size
            if given is None:
                needed[downloads] += max(0, remote.size - received(remote, downloads))
    for folder in needed:
        folder.mkdir(parents=True, exist_ok=True)
        disks.setdefault(folder.stat().st_dev, []).append(folder)
    for folders in disks.values():
        size, free = sum(needed[folder] for folder in folders), shutil.disk_usage(folders[0]).free
        if size > free:
            raise InputError(
                f"The archives and what is in them need {size / 1e9:.1f} GB more in "
                f"{' and '.join(map(str, folders))}, where {free / 1e9:.1f} GB are free: make room "
                "or choose another folder (--downloads for the archives)."
            )
