"""Text files as editors and spreadsheets of all systems save them."""

import codecs
import unicodedata
from pathlib import Path

from wsss_lib.core import InputError

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, or in what its byte order mark says; composed (NFC).

    Letters with accents can be written in two ways, which look the same and are not equal; macOS
    and keyboards differ in this. Here all are composed, as file names are in ``names``.

    Raises:
        InputError: neither UTF-8 nor marked; which letters are meant can only be guessed then.
    """
    content = path.read_bytes()
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
        if "\0" in text:
            raise InputError(
                f"{path} is not UTF-8 text (it holds zero bytes); save it as UTF-8 or plain text."
            )
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 text ({error}); save it as UTF-8, which editors and spreadsheets "
            "offer when they save."
        ) from error
    return unicodedata.normalize("NFC", text)
