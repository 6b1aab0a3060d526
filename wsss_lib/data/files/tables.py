"""Tables on disk: CSV files with a line of column names."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from wsss_lib.core import InputError
from wsss_lib.data.files.text import read_text


def read_rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a CSV file that has at least these columns, each with an entry for every column.

    Commas, semicolons (Excel in many countries) and tabs separate. Empty lines, and empty columns
    without a name, which spreadsheets add, are left out; entries that a line lacks are "". A name
    in ``columns`` may be written in capitals.

    Raises:
        InputError: missing or empty file, not UTF-8, a column that is missing, has no name or
            stands there twice, or more entries than columns.
    """
    if not path.is_file():
        raise InputError(f"No table at {path}. Run `wsss doctor` on the data folder.")
    text = read_text(path)
    if not text.strip():
        raise InputError(f"{path} is empty: export it again, or delete it.")
    first = text.lstrip().splitlines()[0]
    separator = next((mark for mark in ",;\t" if mark in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in line]) for line in reader]
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}; correct it.") from error
    (_, names), *rest = [(number, cells) for number, cells in lines if any(cells)]
    names = [name.lower() if name.lower() in columns else name for name in names]
    for column in columns:
        if column not in names:
            raise InputError(
                f"{path} needs a column {column!r} in its first line, separated by commas; there "
                f"are {names}."
            )
    twice = [name for name, count in Counter(filter(None, names)).items() if count > 1]
    if twice:
        raise InputError(f"{path} has {twice[0]!r} twice in its first line; rename one column.")
    rows = []
    for number, cells in rest:
        for name, cell in zip(names, cells, strict=False):
            if cell and _nameless(name):
                raise InputError(
                    f"{path}, line {number}: {cell!r} stands in a column without a name ({name!r})."
                    " Name it or take it out; pandas leaves its index out with index=False."
                )
        if any(cells[len(names) :]):
            raise InputError(
                f"{path}, line {number} has {len(cells)} entries for {len(names)} columns; entries "
                "that hold a comma stand in quotation marks."
            )
        cells += [""] * (len(names) - len(cells))
        entries = zip(names, cells, strict=False)
        rows.append({name: cell for name, cell in entries if not _nameless(name)})
    return rows


def _nameless(name: str) -> bool:
    """Pandas calls a column without a name ``Unnamed: 0`` when it reads and writes it again."""
    return not name or name.startswith("Unnamed: ")


def read_table(path: Path, column: str) -> dict[str, dict[str, str]]:
    """Rows of a CSV file by the value of ``column``.

    Raises:
        InputError: a table that ``read_rows`` refuses, or a value that stands twice.
    """
    rows = read_rows(path, [column])
    table = {row[column]: row for row in rows}
    if len(table) < len(rows):
        counts = Counter(row[column] for row in rows)
        twice = [value for value, count in counts.items() if count > 1]
        raise InputError(f"{path}: the lines of {column} {twice[:5]} stand there twice.")
    return table
