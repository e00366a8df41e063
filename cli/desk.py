"""Commands for the front desk: the queue of open exceptions, and how to resolve one."""

from datetime import datetime
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from cli.options import BookingId, JsonOutput, Limit, LocationFilter, parse_instant
from cli.runner import print_booking_of, print_bookings_of
from cli.session import Session
from client import DEFAULT_LIST_LIMIT, BookingList
from domain.booking import BookingView
from workflows.booking.contracts import Resolution, ResolutionKind


def exceptions(location: LocationFilter = None, limit: Limit = DEFAULT_LIST_LIMIT, as_json: JsonOutput = False) -> None:
    """Show the desk's queue: bookings that need a person."""

    async def work(session: Session) -> BookingList:
        return await session.bookings.find(location=location, open_exceptions=True, limit=limit)

    print_bookings_of(work, as_json, "Front desk's queue")


def resolve(
    booking: BookingId,
    approve: Annotated[bool, typer.Option("--approve", help="Accept the booking as it is.")] = False,
    decline: Annotated[str | None, typer.Option(metavar="REASON", help="Decline it, and say why.")] = None,
    patient: Annotated[str | None, typer.Option(metavar="PID", help="Choose this chart for the patient.")] = None,
    new_patient: Annotated[bool, typer.Option("--new-patient", help="Create a new chart.")] = False,
    start: Annotated[
        datetime | None, typer.Option(parser=parse_instant, metavar="ISO", help="Book this time instead.")
    ] = None,
    provider: Annotated[str | None, typer.Option(help="Only with --start.")] = None,
    operatory: Annotated[str | None, typer.Option(help="Only with --start.")] = None,
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
        raise typer.BadParameter("--decline: say why")
    if start is None and (provider or operatory):
        raise typer.BadParameter("--provider and --operatory can only be used with --start")
    resolution = _resolution(
        kind=kind, exception_number=exception_number, by=by, patient=patient, note=decline or "", start=start
    )

    async def work(session: Session) -> BookingView:
        ids = await _practice_system_ids(session, booking, provider, operatory)
        return await session.bookings.resolve(booking, resolution.model_copy(update=ids))

    print_booking_of(work, as_json)


def _only_kind(options: dict[ResolutionKind, bool]) -> ResolutionKind:
    """The one that was chosen. Raises BadParameter when there are none or several."""
    kinds = [kind for kind, is_chosen in options.items() if is_chosen]
    if len(kinds) != 1:
        raise typer.BadParameter("give exactly one of --approve, --decline, --patient, --new-patient, --start, --retry")
    return kinds[0]


def _resolution(**fields: Any) -> Resolution:
    """Raises BadParameter."""
    try:
        return Resolution(**fields)
    except ValidationError as error:
        problems = "; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors())
        raise typer.BadParameter(f"--{fields['kind']}: {problems}") from None


async def _practice_system_ids(
    session: Session, booking: str, provider: str | None, operatory: str | None
) -> dict[str, Any]:
    """The practice system's ids for names of the practice file. Raises UnknownName."""
    if provider is None and operatory is None:
        return {}
    location = session.practice.location((await session.bookings.show(booking)).location)
    return {
        "provider": location.provider_id(provider) if provider else None,
        "operatory": location.operatory_id(operatory) if operatory else None,
    }
