"""What a user can mend, told in one line."""

import errno
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def screen(**how: Any) -> Any:
    """A console that prints names as they are: ``[/b]`` and ``:dog:`` are no markup there."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False, **how)


def plainly(work: Callable[P, R]) -> Callable[P, R]:
    """A command that ends with one line instead of a traceback where the user can help.

    Exit code 2 for unusable input, a full disk and files that are out of reach, 130 when
    interrupted.
    """

    @wraps(work)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        wrong = screen(stderr=True, soft_wrap=True)
        try:
            return work(*args, **kwargs)
        except KeyboardInterrupt:
            wrong.print("Stopped. The same command goes on where it was interrupted.")
            raise SystemExit(130) from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                remedy = (
                    f"The disk is full ({error}). Make room and give the same command again: what "
                    "is finished is kept."
                )
            elif error.filename is not None:
                why = error.strerror or error
                remedy = f"{error.filename}: {why}. Name another place, or mend this one."
            else:
                raise
            wrong.print(remedy, style="red")
            raise SystemExit(2) from error
        except ValueError as error:
            from wsss_lib.core import InputError

            if not isinstance(error, InputError):
                raise
            wrong.print(str(error), style="red")
            raise SystemExit(2) from error

    return told
