"""The command ``wsss``: make data, check it, run systems on it, compare figures.

PyTorch is imported by the commands that need it, so that ``wsss --help`` answers at once.
"""

import errno
from typing import Any

import typer
from typer.core import TyperGroup

from wsss_lib.cli.look import doctor, leaderboard, list_systems
from wsss_lib.cli.work import evaluate, run, toy


class Commands(TyperGroup):
    """Turns what a user can mend into one line instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; exit code 2 for unusable input, 130 when interrupted."""
        from rich.console import Console
        from rich.markup import escape

        wrong = Console(stderr=True, soft_wrap=True)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            wrong.print("Stopped. The same command goes on where it was interrupted.")
            raise SystemExit(130) from None
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            wrong.print(
                f"[red]The disk is full ({escape(str(error))}). Make room and give the same "
                "command again: finished stages are kept.[/red]"
            )
            raise SystemExit(2) from error
        except ValueError as error:
            from wsss_lib.core import InputError

            if not isinstance(error, InputError):
                raise
            wrong.print(f"[red]{escape(str(error))}[/red]")
            raise SystemExit(2) from error


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Weakly supervised semantic segmentation: from image labels to masks.",
)
app.command("list")(list_systems)
app.command()(toy)
app.command()(doctor)
app.command()(run)
app.command()(evaluate)
app.command()(leaderboard)
