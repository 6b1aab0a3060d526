"""Names are printed as they are, on the screen and in the report."""

import pytest
from typer.testing import CliRunner

from tests.tiny import plain_folder
from wsss_lib.cli import app

NAMES = ("[unknown]", "cat [/b]", "<b>dog</b> & :dog:", "[red]car[/red]")


def wsss(*words, code=0):
    answer = CliRunner().invoke(app, [*map(str, words)], env={"COLUMNS": "250"})
    assert answer.exit_code == code, answer.output
    return answer.output


@pytest.fixture
def named(tmp_path):
    """Classes, folder and split with markup in their names."""

    def make(name):
        root = plain_folder(tmp_path / "data [b]", split=True)
        text = (root / "labels.csv").read_text()
        text = text.replace("red car", name).replace(",val", ",[b]").replace(",train", ",[/i]")
        (root / "labels.csv").write_text(text)
        return root

    return make


@pytest.mark.parametrize("name", NAMES)
def test_doctor_and_evaluate_show_names_as_they_are(named, name):
    root = named(name)
    said = wsss("doctor", root)
    for words in (f"images with {name}", "split [b]", "split [/i]", f"{root} can be used."):
        assert words in said
    said = wsss("evaluate", root / "masks", "--data", root, "--split", "[b]")
    assert f"{name} " in said
    assert "of data [b], [b]." in said
    (root / "classes.txt").write_text("cat\n")
    assert name in wsss("doctor", root, code=1)


def test_run_report_and_leaderboard_show_names_as_they_are(named, tmp_path):
    name, root, out = "<b>dog</b> [/b]", named("<b>dog</b> [/b]"), tmp_path / "out [old]"
    said = wsss(
        "run", "cam", "--data", root, "--out", out, "--split", "[/i]", "--steps", 1,
        "--weights", "random", "--cpu",
    )  # fmt: skip
    assert f"split [/i]: cat, {name}" in said
    assert "[/i]; fixed threshold" in said
    assert f"Look at {out}/report.html" in said
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<b>dog" not in page
    assert "&lt;b&gt;dog&lt;/b&gt; [/b]" in page
    assert "data [b], split [/i]" in page
    said = wsss("leaderboard", "--results", out)
    assert "data [b] " in said
    assert "  a [/i]" in said
    assert "[x]" in wsss("run", "cam", "--data", tmp_path / "no [x]", "--out", out, code=2)
