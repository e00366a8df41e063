"""The command line: ``python starter.py COMMAND``. The commands are in ``cli/``; only the demo is added here."""

from typing import Annotated

import typer

from cli.main import app, main
from cli.options import JsonOutput

__all__ = ["app", "main"]


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the morning instead of staying up.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the last morning and begin a new one.")] = False,
    as_json: JsonOutput = False,
) -> None:
    """Start the dev stack and play a practice's morning."""
    try:
        from demo.command import run_demo
    except ModuleNotFoundError as error:
        if error.name != "demo":
            raise
        raise typer.BadParameter("an image for production has no demo; run `make demo` in a clone") from None

    raise typer.Exit(run_demo(once=once, fresh=fresh, as_json=as_json))


if __name__ == "__main__":
    main()
