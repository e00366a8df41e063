"""Commands for whoever sets up and operates Holdfast: check, subscribe, revoke-links."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from cli import render, subscriptions
from cli.check import run_checks
from cli.options import BookingId, JsonOutput
from cli.runner import print_json, run_in_session
from cli.session import Session
from runtime.build import open_ledger
from workflows.booking.contracts import request_id_of, workflow_id


def check(as_json: JsonOutput = False) -> None:
    """Check settings, practice file and connections.

    Asks the live systems, so that problems are found before the first patient.
    """
    findings = asyncio.run(run_checks())
    if as_json:
        print_json({"ok": all(f.ok for f in findings), "findings": [f.as_dict() for f in findings]})
    else:
        render.print_findings(Console(), findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def subscribe(
    connection: Annotated[str, typer.Argument(help="Name of a connection through NexHealth.")],
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Change the secret: run once to begin, once more to finish.")
    ] = False,
    as_json: JsonOutput = False,
) -> None:
    """Subscribe to NexHealth's webhooks.

    Prints the secret that signs them. Keep it: NexHealth may not show it again.
    """
    subscription = run_in_session(
        lambda session: subscriptions.subscribe(session, connection, rotate=rotate), as_json, needs_temporal=False
    )
    if as_json:
        print_json(subscription.model_dump(mode="json"))
    else:
        render.print_subscription(Console(), subscription)


def revoke_links(booking: BookingId, as_json: JsonOutput = False) -> None:
    """Make the links in a booking's messages show nothing.

    For a message that went to the wrong person. Later messages of this booking have no link.
    """

    async def work(session: Session) -> int:
        async with open_ledger(session.settings) as ledger:
            return await ledger.links.revoke(workflow_id(request_id_of(booking)))

    count = run_in_session(work, as_json, needs_temporal=False)
    if as_json:
        print_json({"revoked": count})
    else:
        Console().print(f"{count} links revoked." if count != 1 else "1 link revoked.")
