"""What a data folder says of itself."""

import json
from pathlib import Path

from wsss_lib.core import InputError
from wsss_lib.data.files.text import read_text


def read_about(path: Path) -> dict:
    """Content of ``dataset.json``, {} where there is none.

    Raises:
        InputError: no JSON, no object, or a name or ``allows_empty`` of another kind.
    """
    if not path.is_file():
        return {}
    try:
        about = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is no JSON ({error}); correct or delete it.") from error
    if not isinstance(about, dict):
        raise InputError(f'{path} must be an object, such as {{"name": "zoo"}}.')
    for key, kind, what in (("name", str, "a text"), ("allows_empty", bool, "true or false")):
        if not isinstance(about.get(key, kind()), kind):
            raise InputError(f"{path}: {key!r} must be {what}, not {about[key]!r}.")
    return about
