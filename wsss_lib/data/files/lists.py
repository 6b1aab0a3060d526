"""Lists of images: one id a line, and what other programs write into such lists."""

from pathlib import Path, PurePath

from wsss_lib.core import InputError
from wsss_lib.data.files.names import Files, check_names, id_of
from wsss_lib.data.files.text import read_text


def read_ids(path: Path, files: Files) -> tuple[str, ...]:
    """Ids of a list, in its order; also those of images that are not there.

    A line may be an id, which may hold spaces, a file name, a path, or the paths of an image and
    of its mask, as many lists of PASCAL VOC have them.

    Args:
        path: the list.
        files: the images.

    Raises:
        InputError: a line of a list for one class (``id -1``), or a name that nearly is an image's.
    """
    ids = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        whole = name = line.strip()
        first, *rest = name.split()
        if name not in files and len(rest) == 1:
            if rest[0] in ("-1", "0", "1"):
                raise InputError(
                    f"{path}, line {number}: {name!r} says whether an image shows a class, as the "
                    f"lists in ImageSets/Main do. Write one id a line: {first!r}."
                )
            if "/" in first and "/" in rest[0]:
                name = first
                if PurePath(first).stem != PurePath(rest[0]).stem:
                    raise InputError(
                        f"{path}, line {number}: {whole!r} are an image and the mask of another. "
                        "Write one id a line."
                    )
        ids.append(id_of(name, files))
    check_names(path, ids, files)
    return tuple(ids)
