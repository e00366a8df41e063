"""Commands for the patient's side of a booking: submit, show, list, cancel, reschedule."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from cli import render
from cli.names import named_view
from cli.options import BookingId, JsonOutput, Limit, LocationFilter, WrongUsage, parse_start, start_at_location
from cli.runner import print_booking_of, print_bookings_of, refusals_reported, run_in_session
from cli.terminal import SafeConsole, print_json
from client import DEFAULT_LIST_LIMIT, BookingList, Session, parse_request
from domain.booking import BookingView, Contacts, Status
from workflows.booking.contracts import RequestedTime


def submit(
    file: Annotated[str, typer.Argument(help="JSON file with a booking request; - for standard input.")],
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait beyond the first three.")] = 0,
    as_json: JsonOutput = False,
) -> None:
    """Submit a booking request.

    The same request can be submitted again: it returns the same booking.
    """

    async def work(session: Session) -> BookingView:
        view = await session.desk.submit(request)
        if wait and view.status is Status.RECEIVED:
            view = await session.desk.wait(view.request_id, wait)
        return view

    with refusals_reported(as_json):
        request = parse_request(_read_file(file))
    print_booking_of(work, as_json)


def show(
    booking: BookingId,
    with_contacts: Annotated[
        bool, typer.Option("--contacts", help="Also show the patient and whom to call. For staff only.")
    ] = False,
    as_json: JsonOutput = False,
) -> None:
    """Show one booking."""

    async def work(session: Session) -> tuple[BookingView, Contacts | None]:
        view = named_view(await session.desk.show(booking), session.practice)
        return view, await session.desk.contacts(booking) if with_contacts else None

    view, contacts = run_in_session(work, as_json)
    if as_json:
        print_json(view.model_dump(mode="json") | ({"contacts": contacts.model_dump(mode="json")} if contacts else {}))
    else:
        render.print_booking(SafeConsole(), view, contacts)
    if not view.is_readable:
        raise typer.Exit(1)


def list_bookings(
    status: Annotated[
        Status | None,
        typer.Option(metavar="STATUS", help=f"Only bookings with this status: {', '.join(Status)}."),
    ] = None,
    location: LocationFilter = None,
    limit: Limit = DEFAULT_LIST_LIMIT,
    as_json: JsonOutput = False,
) -> None:
    """List bookings in the order of their visits."""

    async def work(session: Session) -> BookingList:
        return await session.desk.find(status=status, location=location, limit=limit)

    print_bookings_of(work, as_json, render.print_bookings)


def cancel(booking: BookingId, as_json: JsonOutput = False) -> None:
    """Cancel a request or a visit for the patient."""
    print_booking_of(lambda session: session.desk.cancel(booking), as_json)


def reschedule(
    booking: BookingId,
    start: Annotated[
        datetime, typer.Option(parser=parse_start, metavar="TIME", help="The new time, on the location's clock.")
    ],
    as_json: JsonOutput = False,
) -> None:
    """Pick another time for the patient.

    Possible while the time that was requested is not available.
    """

    async def work(session: Session) -> BookingView:
        time = RequestedTime(start=await start_at_location(session, booking, start))
        return await session.desk.reschedule(booking, time)

    print_booking_of(work, as_json)


def _read_file(name: str) -> bytes:
    """Raises WrongUsage."""
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise WrongUsage(f"cannot read {name}: {error.strerror}") from None
