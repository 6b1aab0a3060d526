"""Files that appear whole or not at all, whatever happens, and work that is not done twice."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
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


def is_first_process() -> bool:
    """Whether this is the first, or the only one, of the processes that a launcher started."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Let one process at a time make ``path``; whoever waited finds it made.

    Processes that a launcher started together (``WORLD_SIZE``) make it together: nobody waits.

    Args:
        path: a file or a folder; a lock stays beside it, and ends with the process that holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    together = int(os.environ.get("WORLD_SIZE", "1")) > 1
    with nullcontext() if together else FileLock(path.with_name(f".{path.name}.lock")):
        yield
