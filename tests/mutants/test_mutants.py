"""What a method says is pinned by its tests: no change of a term or a sign goes unnoticed.

Each loss term is zeroed, each ``detach`` dropped, each comparison and each sign flipped, one at a
time, in every method; the method's claim tests, and after these the battery, must turn red.
"""

import re
from pathlib import Path

import pytest

from tests.mutants import planted
from tests.mutants.equivalent import EQUIVALENT, NOTHING_TO_CHANGE
from tests.mutants.hunt import mutants_of, survivors
from tests.mutants.mutate import KINDS, find_mutants
from wsss_lib.core import Method
from wsss_lib.survey import find_methods

METHODS = find_methods()
HERE = Path(__file__).parent
RED = """
from tests.mutants.planted import Planted

def test_red():
    assert Planted().never_run(1) == 1
"""
BATTERY = HERE.parent / "battery" / "test_all_systems.py"


@pytest.mark.parametrize("id", METHODS)
def test_every_change_is_noticed(id):
    subject = METHODS[id]
    mutants = mutants_of(subject)
    if id in NOTHING_TO_CHANGE:
        assert not mutants, f"{id} has something to change now: take it from NOTHING_TO_CHANGE"
        return
    learns = subject.loss is not Method.loss
    assert learns == any(m.kind == "term" for m in mutants), "its loss terms were not found"
    left = survivors(subject, [HERE.parent / "claims" / f"test_{id}.py", BATTERY], mutants)
    known = EQUIVALENT.get(id, {})
    file = subject.__module__.replace(".", "/")
    missed = [
        f"{file}.py:{m.lines[0]} {m.function}: {m.change}"
        for m in left
        if (m.function, m.change) not in known
    ]
    assert not missed, "no test notices:\n" + "\n".join(missed)
    assert known.keys() == {(m.function, m.change) for m in left}, "listed, yet gone or noticed"


def test_the_table_is_about_methods_that_exist():
    assert {*EQUIVALENT, *NOTHING_TO_CHANGE} <= METHODS.keys()


def remarks(word):
    """Line numbers of the planted method's remarks, once for each time that the word stands."""
    lines = enumerate(Path(planted.__file__).read_text().splitlines(), 1)
    return [n for n, line in lines for _ in re.findall(rf"\b{word}\b", line.partition("#")[2])]


def test_a_gap_in_the_tests_is_found():
    mutants = mutants_of(planted.Planted)
    assert sorted(m.lines[0] for m in mutants) == sorted(remarks("missed") + remarks("noticed"))
    missed = survivors(planted.Planted, [HERE / "planted_tests.py"], mutants)
    assert sorted(m.lines[0] for m in missed) == remarks("missed")
    assert {m.kind for m in missed} == set(KINDS)
    assert {m.kind for m in mutants if m not in missed} == set(KINDS)
    assert [m.change for m in missed if m.kind == "detach"] == ["image.detach()  ->  image"]


def test_afterwards_the_method_is_what_it_was():
    def codes():
        return [getattr(planted.Planted, name).__code__ for name in ("loss", "predict")]

    before = codes()
    survivors(planted.Planted, [HERE / "planted_tests.py"], mutants_of(planted.Planted))
    assert codes() == before


def test_nothing_changed_or_nothing_run_is_not_green(tmp_path):
    mutants = mutants_of(planted.Planted)
    with pytest.raises(RuntimeError, match="nothing to change"):
        survivors(planted.Planted, [HERE / "planted_tests.py"], [])
    for name, source, message in [
        ("empty", "", "no test belongs to it"),
        ("broken", "import nothing_of_this_name", "could not be collected"),
        ("red", RED, "fails without any mutant"),
    ]:
        file = tmp_path / f"{name}.py"
        file.write_text(source)
        with pytest.raises(RuntimeError, match=message):
            survivors(planted.Planted, [file], mutants)
    with pytest.raises(RuntimeError, match="could not be collected"):
        survivors(planted.Planted, [tmp_path / "missing.py"], mutants)


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ("return x.shape[-2:], x.flip(-1), x.sum(dim=(-2, -1)), x.where(-1)", {"-1  ->  1"}),
        ("return -x - 1", {"-x  ->  x", "-x - 1  ->  -x + 1"}),
        ("x -= 1", {"x -= 1  ->  x += 1"}),
        (
            "return 0 < x <= 1",
            {"0 < x <= 1  ->  0 >= x <= 1", "0 < x <= 1  ->  0 < x > 1"},
        ),
        ("return x is None", {"x is None  ->  x is not None"}),
        ("return x not in y", {"x not in y  ->  x in y"}),
        ("def f():\n        return x == 1\n    return f", {"x == 1  ->  x != 1"}),
    ],
)  # fmt: skip
def test_what_is_changed(tmp_path, body, changes):
    file = tmp_path / "method.py"
    file.write_text(f"def work(x, y=-1):\n    '''Docstring - 1.'''\n    {body}\n")
    assert {mutant.change for mutant in find_mutants(file)} == changes
