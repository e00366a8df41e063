"""Commands for whoever sets up and operates Holdfast: check, keys, publish, subscribe, revoke-links."""

import asyncio
from typing import Annotated

import typer

from cli import render, subscriptions
from cli.check import run_checks
from cli.keys import count_key_usage, count_plain, key_reports
from cli.options import BookingId, JsonOutput
from cli.runner import run_in_session
from cli.terminal import SafeConsole, print_json
from client import Session
from runtime.build import open_ledger
from runtime.key_usage import KeyUsage
from runtime.keys import payload_keyring
from runtime.shared_profile import connect_checked, publish_again
from settings import load_settings
from workflows.booking.contracts import request_id_of, workflow_id


def check(as_json: JsonOutput = False) -> None:
    """Check settings, practice file and connections.

    Asks the live systems, so that problems are found before the first patient.
    """
    findings = asyncio.run(run_checks())
    if as_json:
        print_json({"ok": all(f.ok for f in findings), "findings": [f.as_dict() for f in findings]})
    else:
        render.print_findings(SafeConsole(), findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def keys(as_json: JsonOutput = False) -> None:
    """Say which payload keys bookings use, and which may go.

    Reads the history of every booking that Temporal has, open and retained, without decrypting any.
    """

    async def work(session: Session) -> KeyUsage:
        client = await connect_checked(session.settings, session.practice)
        return await count_key_usage(client, SafeConsole(stderr=True))

    usage = run_in_session(work, as_json, needs_temporal=False)
    reports = key_reports(payload_keyring(load_settings()), usage)
    if as_json:
        content = {"bookings": usage.bookings, "not_encrypted": count_plain(usage)}
        print_json(content | {"keys": [report.as_dict() for report in reports]})
    else:
        render.print_keys(SafeConsole(), reports, usage.bookings, count_plain(usage))
    if any(report.is_missing for report in reports):
        raise typer.Exit(1)


def publish(as_json: JsonOutput = False) -> None:
    """Go back to an earlier practice file on purpose.

    Makes it the workers' newest file. A new file needs no command: the first
    worker that starts with it publishes it.
    """

    async def work(session: Session) -> str:
        async with open_ledger(session.settings) as ledger:
            return await publish_again(session.practice, ledger)

    changes = run_in_session(work, as_json, needs_temporal=False)
    if as_json:
        print_json({"published": True, "changes": changes})
    else:
        print(f"Published. Compared with the last one it {changes}." if changes else "It is the newest one already.")
        print("Restart the workers with this file, then the receiver and the web backends.")


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
        render.print_subscription(SafeConsole(), subscription)


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
        SafeConsole().print(f"{count} links revoked." if count != 1 else "1 link revoked.")
