"""Exercises that check themselves.

A checker answers with a verdict and never raises: it says what is wrong without giving the answer
away. Each exercise lists a stub, a solution and at least two wrong answers that students have in
mind; the tests hold every checker to all of them.
"""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

Check = Callable[[Callable[..., Any]], str]


@dataclass(frozen=True)
class Verdict:
    """What a checker says.

    Attributes:
        passed: whether the answer is right.
        message: what is wrong with it, or a word of praise.
    """

    passed: bool
    message: str

    def __repr__(self) -> str:
        """Shown by the notebook."""
        return ("\N{CHECK MARK} " if self.passed else "\N{BALLOT X} ") + self.message


@dataclass(frozen=True)
class Exercise:
    """An exercise with everything that tests its checker.

    Attributes:
        check: answer -> "" if it is right, otherwise what is wrong.
        solution: a right answer.
        wrong: plausible wrong answers.
    """

    check: Check
    solution: Callable[..., Any]
    wrong: tuple[Callable[..., Any], ...]


def stub(*args: Any, **kwargs: Any) -> None:
    """What the notebooks begin with."""
    raise NotImplementedError


def check(name: str, answer: Callable[..., Any]) -> Verdict:
    """Check an answer to an exercise.

    Args:
        name: of the exercise.
        answer: the function that you wrote.
    """
    exercise = exercises().get(name)
    if exercise is None:
        return Verdict(False, f"There is no exercise {name!r}; there are {', '.join(exercises())}.")
    try:
        problem = exercise.check(answer)
    except NotImplementedError:
        problem = "Not written yet: replace `raise NotImplementedError` by your answer."
    except Exception as error:
        problem = f"Your function raised {type(error).__name__}: {error}"
    return Verdict(not problem, problem or "Right.")


def exercises() -> dict[str, Exercise]:
    """All exercises by name: ``EXERCISES`` of every module of this folder."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    found: dict[str, Exercise] = {}
    for name in names:
        found.update(import_module(f"{__name__}.{name}").EXERCISES)
    return found
