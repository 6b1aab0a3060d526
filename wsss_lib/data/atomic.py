"""Files that appear whole or not at all, whatever happens while they are written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
