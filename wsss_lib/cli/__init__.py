"""The command ``wsss``: make data, check it, run systems on it, compare figures.

PyTorch is imported by the commands that need it, so that ``wsss --help`` answers at once.
"""

from typing import Any

import typer
from typer.core import TyperGroup

from wsss_lib.cli.errors import plainly
from wsss_lib.cli.look import doctor, leaderboard, list_systems
from wsss_lib.cli.work import evaluate, run, toy


class Commands(TyperGroup):
    """Turns what a user can mend into one line instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        return plainly(super().invoke)(ctx)


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
