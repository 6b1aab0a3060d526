"""Tables on disk: CSV files with a line of column names."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from wsss_lib.core import InputError


def read_rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a CSV file that has at least these columns.

    Raises:
        InputError: missing file, not UTF-8, or a missing column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            rows = list(reader)
    except FileNotFoundError as error:
        raise InputError(f"No table at {path}. Run `wsss doctor` on the data folder.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text ({error}); save it as CSV, UTF-8.") from error
    for column in columns:
        if column not in (reader.fieldnames or ()):
            raise InputError(
                f"{path} needs a column {column!r} in its first line, separated by commas."
            )
    return rows


def read_table(path: Path, column: str) -> dict[str, dict[str, str]]:
    """Rows of a CSV file by the value of ``column``.

    Raises:
        InputError: missing file, not UTF-8, missing column, or a value that stands twice.
    """
    rows = read_rows(path, [column])
    table = {row[column]: row for row in rows}
    if len(table) < len(rows):
        counts = Counter(row[column] for row in rows)
        twice = [value for value, count in counts.items() if count > 1]
        raise InputError(f"{path}: the lines of {column} {twice[:5]} stand there twice.")
    return table
