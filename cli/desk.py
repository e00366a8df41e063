"""Commands for the front desk: the queue of open exceptions, and how to resolve one."""

from datetime import datetime
from typing import Annotated, Any

import typer

from cli import render
from cli.options import BookingId, JsonOutput, Limit, LocationFilter, WrongUsage, parse_start, start_at_location
from cli.runner import print_booking_of, print_bookings_of
from client import DEFAULT_LIST_LIMIT, BookingList, Session
from domain.booking import BookingView
from workflows.booking.contracts import MAX_NOTE_LENGTH, Resolution, ResolutionKind


def exceptions(location: LocationFilter = None, limit: Limit = DEFAULT_LIST_LIMIT, as_json: JsonOutput = False) -> None:
    """Show the desk's queue: bookings that need a person."""

    async def work(session: Session) -> BookingList:
        return await session.desk.find(location=location, open_exceptions=True, limit=limit)

    print_bookings_of(work, as_json, render.print_queue)


def resolve(
    booking: BookingId,
    approve: Annotated[bool, typer.Option("--approve", help="Accept the booking as it is.")] = False,
    decline: Annotated[str | None, typer.Option(metavar="REASON", help="Decline it, and say why.")] = None,
    patient: Annotated[str | None, typer.Option(metavar="PID", help="Choose this chart for the patient.")] = None,
    new_patient: Annotated[bool, typer.Option("--new-patient", help="Create a new chart.")] = False,
    start: Annotated[
        datetime | None,
        typer.Option(parser=parse_start, metavar="TIME", help="Book this time instead, on the location's clock."),
    ] = None,
    provider: Annotated[str | None, typer.Option(help="A name of the practice file. Only with --start.")] = None,
    operatory: Annotated[str | None, typer.Option(help="A name of the practice file. Only with --start.")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try the same again.")] = False,
    exception_number: Annotated[
        int | None,
        typer.Option("--exception", metavar="N", help="Only if exception N, as numbered by show, is still open."),
    ] = None,
    by: Annotated[str, typer.Option(help="Who decides: an account name.")] = "staff",
    as_json: JsonOutput = False,
) -> None:
    """Resolve the open exception of a booking."""
    kind = _only_kind(
        {
            ResolutionKind.APPROVE: approve,
            ResolutionKind.DECLINE: decline is not None,
            ResolutionKind.PATIENT: patient is not None,
            ResolutionKind.NEW_PATIENT: new_patient,
            ResolutionKind.START: start is not None,
            ResolutionKind.RETRY: retry,
        }
    )
    if decline is not None and not decline.strip():
        raise WrongUsage("--decline: say why")
    if len(decline or "") > MAX_NOTE_LENGTH:
        raise WrongUsage(f"--decline: use at most {MAX_NOTE_LENGTH} characters")
    if patient is not None and not patient.strip():
        raise WrongUsage("--patient: name the chart")
    if start is None and (provider or operatory):
        raise WrongUsage("--provider and --operatory can only be used with --start")

    async def work(session: Session) -> BookingView:
        resolution = Resolution(
            kind=kind,
            exception_number=exception_number,
            by=by,
            patient=patient,
            note=decline or "",
            start=await start_at_location(session, booking, start) if start is not None else None,
            **await _practice_system_ids(session, booking, provider, operatory),
        )
        return await session.desk.resolve(booking, resolution)

    print_booking_of(work, as_json)


def _only_kind(options: dict[ResolutionKind, bool]) -> ResolutionKind:
    """The one that was chosen. Raises WrongUsage when there are none or several."""
    kinds = [kind for kind, is_chosen in options.items() if is_chosen]
    if len(kinds) != 1:
        raise WrongUsage("give exactly one of --approve, --decline, --patient, --new-patient, --start, --retry")
    return kinds[0]


async def _practice_system_ids(
    session: Session, booking: str, provider: str | None, operatory: str | None
) -> dict[str, Any]:
    """The practice system's ids for names of the practice file. Raises UnknownName."""
    if provider is None and operatory is None:
        return {}
    location = session.practice.location((await session.desk.show(booking)).location)
    return {
        "provider": location.provider_id(provider) if provider else None,
        "operatory": location.operatory_id(operatory) if operatory else None,
    }
