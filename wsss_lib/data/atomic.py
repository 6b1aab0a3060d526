"""Files that appear whole or not at all, whatever happens, and work that is not done twice."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Offer a temporary path beside ``path`` and move it there once everything is written.

    A process that dies, or a disk that is full, leaves ``path`` as it was; after an error nothing
    of the new file remains.

    Args:
        path: the file to write; its folder is made.

    Yields:
        Where to write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def folder_written_whole(folder: Path) -> Iterator[Path]:
    """Offer a temporary folder and give it its name once everything is written.

    What a process that was killed left is thrown away by the next one.

    Args:
        folder: the folder to make; an earlier one of that name is replaced as a whole.

    Yields:
        Where to write.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def is_first_process() -> bool:
    """Whether this is the first, or the only one, of the processes that a launcher started."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Let one process at a time make ``path``; whoever waited finds it made.

    Args:
        path: a file or a folder; a lock stays beside it, and ends with the process that holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        yield
