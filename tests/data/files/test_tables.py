"""Tables as spreadsheets, pandas and editors save them."""

import pytest

from tests.tiny import plain_folder
from wsss_lib.core import InputError
from wsss_lib.data.files.tables import read_rows, read_table
from wsss_lib.data.files.text import read_text
from wsss_lib.data.folder import SegmentationFolder

LINES = ["id,cat,dog", "a,1,0", "b,0,1"]
MEANT = {"a": {"id": "a", "cat": "1", "dog": "0"}, "b": {"id": "b", "cat": "0", "dog": "1"}}


@pytest.mark.parametrize(
    "lines",
    [
        LINES,
        [line.replace(",", ";") for line in LINES],
        [line.replace(",", "\t") for line in LINES],
        [line.replace(",", " , ") for line in LINES],
        [LINES[0], *(f"{line}," for line in LINES[1:])],
        [f"{line},," for line in LINES],
        ["", LINES[0], ",,", *LINES[1:], ",,,"],
        ["ID,cat,dog", *LINES[1:]],
        ["id,,cat,dog", *(line.replace(",", ",,", 1) for line in LINES[1:])],
    ],
    ids=[
        "plain", "semicolons", "tabs", "spaces", "trailing", "trailing-everywhere", "empty-lines",
        "capitals", "empty-column",
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_harmless_variants_are_understood(tmp_path, lines, end, encoding):
    (tmp_path / "a.csv").write_bytes(end.join([*lines, ""]).encode(encoding))
    assert read_table(tmp_path / "a.csv", "id") == MEANT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: export it again"),
        (" \n\n", "is empty: export it again"),
        ("id|cat\na|1\n", r"needs a column 'id' .*separated by commas; there are \['id|cat'\]"),
        (",id,cat\n0,a,1\n1,b,0\n", r"line 2: '0' stands in a column without a name \(''\)"),
        ("Unnamed: 0,id,cat\n0,a,1\n", "without a name .*index=False"),
        ("id,cat,cat\na,1,0\n", "has 'cat' twice in its first line"),
        ("id,cat\na,1,0\n", r"line 2 has 3 entries for 2 columns"),
        ("id,cat\na,1\n\na,0\n", r"\['a'\] stand there twice"),
    ],
)
def test_what_can_be_meant_in_two_ways_is_refused(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / "a.csv", "id")


def test_missing_entries_are_empty(tmp_path):
    (tmp_path / "a.csv").write_text("id,cat,dog\na,1\n")
    assert read_rows(tmp_path / "a.csv", ["id"]) == [{"id": "a", "cat": "1", "dog": ""}]
    with pytest.raises(InputError, match="No table"):
        read_table(tmp_path / "no.csv", "id")


@pytest.mark.parametrize("content", ["chât".encode("latin-1"), "cat".encode("utf-16-le")])
def test_letters_that_can_only_be_guessed_are_refused(tmp_path, content):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(InputError, match="is not UTF-8 text"):
        read_text(tmp_path / "a.txt")


def test_entries_that_came_through_other_programs(tmp_path):
    root = plain_folder(tmp_path / "mine")
    text = (root / "labels.csv").read_text()
    (root / "labels.csv").write_text(
        text.replace(",1,0", ",1.0,FALSE").replace(",0,1", ",0.0,true")
    )
    data = SegmentationFolder(root)
    assert [data.tags(id).tolist() for id in data.ids] == [[1, 0], [0, 1]] * 3
    (root / "labels.csv").write_text("index,id,cat,red car\n2,im0,1,0\n")
    with pytest.raises(InputError, match="must be 0 or 1, but column 'index' holds '2'"):
        SegmentationFolder(root).tags("im0")
