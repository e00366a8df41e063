"""The command line's application: every command is registered here.

Exit codes: 0 done, 1 refused with a reason, 2 wrong usage. With ``--json`` the last line on standard output is one
JSON object; everything else goes to standard error.
"""

import os
import sys
from typing import Annotated, Any

import typer

from cli import bookings, desk, openings, operations
from cli.version import read_version
from runtime.process import harden_process

HELP = """Submit and follow bookings, work the desk's queue, check a practice.

Exit codes: 0 done, 1 refused with a reason, 2 wrong usage. With --json the
last line on standard output is one JSON object; everything else goes to
standard error. Web backends use the Python package `holdfast` instead.
"""

app = typer.Typer(no_args_is_help=True, add_completion=False, help=HELP, rich_markup_mode=None)


def _print_version(is_requested: bool) -> None:
    if is_requested:
        print(f"holdfast {read_version()}")
        raise typer.Exit


@app.callback(help=HELP)
def _global_options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options that stand before the command."""


app.command()(bookings.submit)
app.command()(bookings.show)
app.command("list")(bookings.list_bookings)
app.command()(desk.exceptions)
app.command()(openings.openings)
app.command()(desk.resolve)
app.command()(bookings.cancel)
app.command()(bookings.reschedule)
app.command()(operations.check)
app.command()(operations.keys)
app.command()(operations.publish)
app.command()(operations.subscribe)
app.command("revoke-links")(operations.revoke_links)


def main() -> None:
    """Run the command that the arguments name, then exit the process."""
    harden_process()
    try:
        app()
        code: Any = 0
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    # Skip the interpreter's own shutdown: the SDK's native threads may crash it after all work is done.
    os._exit(code if isinstance(code, int) else 1)
