"""Runs the tests of one method against each of its mutants, and keeps those that nobody notices."""

import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise, product
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

from tests.mutants.mutate import Mutant, applied, find_mutants
from wsss_lib.engine import seed_everything

OPTIONS = (
    *("-o", "addopts=--import-mode=importlib", "--capture=no"),
    *("-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:faulthandler"),
)
PATIENCE = 0.5
"""Seconds after which a test, such as one that trains, is put off until all others were asked."""


class TooLong(Exception):
    """A test is put off."""


@contextmanager
def lines_run(path: str, patience: float) -> Iterator[set[int]]:
    """Collects the lines of one file that are run.

    Raises:
        TooLong: a function of that file is called after so many seconds.
    """
    seen: set[int] = set()
    end = time.process_time() + patience

    def trace(frame, event, arg):
        if frame.f_code.co_filename != path:
            return None
        if time.process_time() > end:
            raise TooLong
        seen.add(frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield seen
    finally:
        sys.settrace(before)


def shared_fixtures(item: pytest.Item) -> set[str]:
    """Names of the fixtures that a test may share with others."""
    known = item._fixtureinfo.name2fixturedefs.items()
    return {name for name, definitions in known if definitions[-1].scope != "function"}


class Hunt:
    """A plugin for pytest that runs the collected tests again and again, once for every mutant.

    Tests are collected once, and the mutant runs in the same process: both save nearly all the
    time. A mutant is shown only to tests that run a changed line, those that have noticed much in
    little time first, until one fails. Later files, and tests that take long, are asked only about
    what all before them have missed.

    Args:
        subject: the method; tests with a parameter ``kind`` belong to it where that is this class.
        mutants: of the subject's file.
    """

    def __init__(self, subject: type, mutants: Sequence[Mutant]) -> None:
        self.subject, self.module = subject, sys.modules[subject.__module__]
        self.survivors = list(mutants)
        self.seconds: dict[pytest.Item, float] = {}
        self.lines: dict[pytest.Item, set[int]] = {}
        self.noticed: dict[pytest.Item, int] = {}
        self.problem = "the tests could not be collected"

    def belongs(self, item: pytest.Item) -> bool:
        """Whether it is a test of this method."""
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        return parameters.get("kind", self.subject) is self.subject

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Takes the place of running every test once."""
        items = [item for item in session.items if self.belongs(item)]
        if not session.testsfailed:
            self.problem = "" if items else "no test belongs to it"
        for path in dict.fromkeys(item.path for item in items):
            self.hunt([item for item in items if item.path == path], PATIENCE)
        self.hunt([item for item in items if item not in self.lines], math.inf)
        return True

    def hunt(self, items: Sequence[pytest.Item], patience: float) -> None:
        """Look for the survivors with some tests."""
        if self.survivors and not self.problem:
            following = dict(pairwise(items))
            asked = [item for item in items if self.look(item, following.get(item), patience)]
            lines = {item: self.lines[item] for item in asked}
            for item, other in product(asked, repeat=2):
                if shared_fixtures(item) & shared_fixtures(other):
                    self.lines[item] = self.lines[item] | lines[other]  # run for both of them
            self.survivors = [m for m in self.survivors if not self.notices(m, asked)]

    def run(self, item: pytest.Item, following: pytest.Item | None) -> BaseException | None:
        """What a test raises; fixtures that the following test shares are kept for it."""
        seed_everything(0)
        self.raised = None
        runtestprotocol(item, log=False, nextitem=following)
        return self.raised

    def pytest_runtest_makereport(self, call: pytest.CallInfo) -> None:
        """Keep what is raised first, since reports do not tell a test that is put off."""
        if call.excinfo is not None and self.raised is None:
            self.raised = call.excinfo.value

    def look(self, item: pytest.Item, following: pytest.Item | None, patience: float) -> bool:
        """Run a test without a mutant, for its time and its lines; False where it is put off."""
        start = time.process_time()
        with lines_run(self.module.__file__, patience) as lines:
            raised = self.run(item, following)
        if isinstance(raised, TooLong):
            return False
        if lines and raised is not None and not isinstance(raised, pytest.skip.Exception):
            self.problem = f"{item.nodeid} fails without any mutant: {raised!r}"
        self.seconds[item], self.lines[item] = time.process_time() - start, lines
        self.noticed[item] = 0
        return True

    def notices(self, mutant: Mutant, items: Sequence[pytest.Item]) -> bool:
        """Whether some test fails."""
        changed = set(range(mutant.lines[0], mutant.lines[1] + 1))
        asked = [item for item in items if changed & self.lines[item]]
        asked.sort(key=lambda item: self.seconds[item] / (1 + self.noticed[item]))
        with applied(mutant, self.module):
            for item, following in zip(asked, [*asked[1:], None], strict=False):
                if self.run(item, following) is not None:
                    self.noticed[item] += 1
                    item.session._setupstate.teardown_exact(None)  # fixtures of this mutant
                    return True
        return False


def mutants_of(subject: type) -> list[Mutant]:
    """All mutants of the file that holds a class."""
    return find_mutants(Path(sys.modules[subject.__module__].__file__))


def survivors(subject: type, tests: Sequence[Path], mutants: Sequence[Mutant]) -> list[Mutant]:
    """The mutants of a class that none of its tests notices.

    Args:
        subject: the class.
        tests: files of tests, the likeliest to notice something first.
        mutants: of its file.

    Raises:
        RuntimeError: there is nothing to change or nothing to run, or a test fails anyway.
    """
    if not mutants:
        raise RuntimeError(f"{subject.__name__}: there is nothing to change")
    hunt = Hunt(subject, mutants)
    status = pytest.main([*map(str, tests), *OPTIONS], plugins=[hunt])
    if status == pytest.ExitCode.INTERNAL_ERROR:
        raise RuntimeError(f"{subject.__name__}: the run broke off")
    if hunt.problem:
        raise RuntimeError(f"{subject.__name__}: {hunt.problem}")
    return hunt.survivors
