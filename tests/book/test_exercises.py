"""Every checker fails on the stub, passes on the solution, and fails on the wrong answers."""

import re

import pytest
from exercises import check, exercises, stub

ALL = exercises()


@pytest.mark.parametrize("name", ALL)
def test_stub_fails_with_a_hint(name):
    verdict = check(name, stub)
    assert not verdict.passed
    assert "Not written yet" in verdict.message


@pytest.mark.parametrize("name", ALL)
def test_solution_passes(name):
    assert check(name, ALL[name].solution).passed, check(name, ALL[name].solution)


@pytest.mark.parametrize("name", ALL)
def test_wrong_answers_fail_each_with_its_own_message(name):
    assert len(ALL[name].wrong) >= 2
    verdicts = [check(name, wrong) for wrong in ALL[name].wrong]
    assert not any(verdict.passed for verdict in verdicts)
    assert len({verdict.message for verdict in verdicts}) == len(verdicts), verdicts
    assert not any("raised" in verdict.message for verdict in verdicts), verdicts


@pytest.mark.parametrize("name", ALL)
def test_an_answer_that_breaks_is_reported_not_raised(name):
    def broken(*args):
        raise ZeroDivisionError("oops")

    verdict = check(name, broken)
    assert not verdict.passed
    assert "ZeroDivisionError: oops" in verdict.message


def test_unknown_name():
    assert "there are trusted" in check("nothing", stub).message


def test_verdicts_show_themselves():
    assert repr(check("walk", ALL["walk"].solution)) == "✓ Right."


def test_every_exercise_is_in_a_notebook_and_its_solution_on_a_page(root):
    notebooks = "".join(path.read_text() for path in (root / "book").rglob("*.ipynb"))
    pages = "".join(path.read_text() for path in (root / "book").rglob("*.md"))
    for name, exercise in ALL.items():
        assert re.search(rf'check\(\\"{name}\\"', notebooks), name
        assert f":pyobject: {exercise.solution.__name__}\n" in pages, name


def test_every_exercise_that_a_page_names_exists(root):
    pages = [*(root / "book").rglob("*.md"), *(root / "book").rglob("*.ipynb"), *root.glob("*.md")]
    named = {
        (name, path.name)
        for path in pages
        for name in re.findall(r'\bcheck\(\\?"(\w+)', path.read_text())
    }
    assert [found for found in named if found[0] not in ALL] == []
    assert "teaching.md" in {page for _, page in named}
