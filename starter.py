"""The command line: submit and follow bookings, work the front desk's queue, check a practice, run the demo.

Exit codes: 0 done, 1 refused with a reason, 2 wrong usage. With ``--json`` the last line on standard output is
one JSON object; everything else goes to standard error. Web backends use ``client.bookings`` directly.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console
from temporalio.client import WorkflowQueryFailedError, WorkflowQueryRejectedError, WorkflowUpdateFailedError
from temporalio.service import RPCError

from adapters.errors import OutsideError
from adapters.practice_file import PracticeFileError
from client import render, subscribing
from client.bookings import AT_MOST, UNANSWERED, BookingClient, Found, NoSuchBooking, NotPossible
from client.check import run_checks
from client.edge import BadRequest, parse_request
from client.openings import find_openings
from client.session import Session, open_session
from domain.booking import BookingView, Contacts, Status
from domain.practice import UnknownName
from runtime.codec import DecryptionError
from runtime.process import keep_to_ourselves
from settings import ConfigurationError
from workflows.booking.messages import NewTime, Resolution, ResolutionKind

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, rich_markup_mode=None)
err = Console(stderr=True)
Result = TypeVar("Result")


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("must be a date and time as in 2026-12-01T09:00:00-08:00") from None
    if instant.tzinfo is None:
        raise typer.BadParameter("needs an offset from UTC, as in 2026-12-01T09:00:00-08:00")
    return instant


Json = Annotated[bool, typer.Option("--json", help="One JSON object as the last line on standard output.")]
Id = Annotated[str, typer.Argument(help="Request id, with or without 'booking-' in front.")]
Location = Annotated[str | None, typer.Option(help="Only this location.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the soonest.")]


@app.command()
def submit(
    file: Annotated[str, typer.Argument(help="File with a booking request in JSON, or - for standard input.")],
    wait: Annotated[float, typer.Option(help="Wait so many seconds for a decision.")] = 0,
    as_json: Json = False,
) -> None:
    """Submit a booking request; submitting the same one again returns the same booking."""

    async def work(session: Session) -> BookingView:
        view = await session.bookings.submit(request)
        if wait and view.status is Status.RECEIVED:
            view = await session.bookings.wait(view.request_id, wait)
        return view

    with _refusing(as_json):
        request = parse_request(_read(file))
    _one_booking(work, as_json)


@app.command()
def show(
    booking: Id,
    who: Annotated[
        bool, typer.Option("--contacts", help="Also whom it is for and whom to call: for staff alone.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Where a booking stands."""

    async def work(session: Session) -> tuple[BookingView, Contacts | None]:
        view = await session.bookings.show(booking)
        return view, await session.bookings.who(booking) if who else None

    view, known = _run(work, as_json)
    if as_json:
        _emit(view.model_dump(mode="json") | ({"who": known.model_dump(mode="json")} if known else {}))
    else:
        render.booking(Console(), view, known)


@app.command("list")
def list_(
    status: Annotated[Status | None, typer.Option()] = None,
    location: Location = None,
    limit: Limit = AT_MOST,
    as_json: Json = False,
) -> None:
    """Bookings, in the order of their visits; of many, the soonest."""

    async def work(session: Session) -> Found:
        return await session.bookings.find(status=status, location=location, limit=limit)

    _many_bookings(work, as_json, "Bookings")


@app.command()
def exceptions(location: Location = None, limit: Limit = AT_MOST, as_json: Json = False) -> None:
    """The front desk's queue: what waits for a person, and what may be done."""

    async def work(session: Session) -> Found:
        return await session.bookings.find(location=location, open_exceptions=True, limit=limit)

    _many_bookings(work, as_json, "Front desk's queue")


@app.command()
def openings(
    location: Annotated[str, typer.Option(help="The location's id in the practice file.")],
    service: Annotated[str, typer.Option(help="The service's id in the practice file.")],
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    days: Annotated[int, typer.Option(min=1, max=60, help="So many days.")] = 7,
    as_json: Json = False,
) -> None:
    """What can be booked, from the live calendar."""

    async def work(session: Session) -> Any:
        day: date | None = first.date() if first else None
        return await find_openings(session.settings, session.practice, location, service, day, days)

    found = _run(work, as_json, needs_temporal=False)
    if as_json:
        _emit({"openings": [slot.model_dump(mode="json") for slot in found]})
    else:
        render.openings(Console(), found, location, service)


@app.command()
def resolve(
    booking: Id,
    approve: Annotated[bool, typer.Option("--approve", help="Accept it as it stands.")] = False,
    decline: Annotated[str | None, typer.Option(metavar="REASON", help="Say no, and why.")] = None,
    patient: Annotated[str | None, typer.Option(metavar="PID", help="It is this chart.")] = None,
    new_patient: Annotated[bool, typer.Option("--new-patient", help="It is nobody we know.")] = False,
    start: Annotated[
        datetime | None, typer.Option(parser=_instant, metavar="ISO", help="Book this time instead.")
    ] = None,
    provider: Annotated[str | None, typer.Option(help="With --start.")] = None,
    operatory: Annotated[str | None, typer.Option(help="With --start.")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try again as it is.")] = False,
    exception_number: Annotated[
        int | None,
        typer.Option("--exception", metavar="N", help="Only if exception N, as show numbers it, is still open."),
    ] = None,
    by: Annotated[str, typer.Option(help="Who decides.")] = "staff",
    as_json: Json = False,
) -> None:
    """Decide on what waits for a person."""
    chosen = {
        ResolutionKind.APPROVE: approve,
        ResolutionKind.DECLINE: decline is not None,
        ResolutionKind.PATIENT: patient is not None,
        ResolutionKind.NEW_PATIENT: new_patient,
        ResolutionKind.START: start is not None,
        ResolutionKind.RETRY: retry,
    }
    kinds = [kind for kind, picked in chosen.items() if picked]
    if len(kinds) != 1:
        raise typer.BadParameter("give exactly one of --approve, --decline, --patient, --new-patient, --start, --retry")
    if decline is not None and not decline.strip():
        raise typer.BadParameter("--decline: say why")
    if start is None and (provider or operatory):
        raise typer.BadParameter("--provider and --operatory only go with --start")
    decision = _decision(
        kind=kinds[0], exception_number=exception_number, by=by, patient=patient, note=decline or "", start=start
    )

    async def work(session: Session) -> BookingView:
        place = await _place(session, booking, provider, operatory)
        return await session.bookings.resolve(booking, decision.model_copy(update=place))

    _one_booking(work, as_json)


@app.command()
def cancel(booking: Id, as_json: Json = False) -> None:
    """Take a request or a visit back for the patient."""
    _one_booking(lambda session: session.bookings.cancel(booking), as_json)


@app.command()
def reschedule(
    booking: Id,
    start: Annotated[datetime, typer.Option(parser=_instant, metavar="ISO", help="The new time, with offset.")],
    as_json: Json = False,
) -> None:
    """Pick another time for the patient while the first could not be had."""
    _one_booking(lambda session: session.bookings.reschedule(booking, NewTime(start=start)), as_json)


@app.command()
def check(as_json: Json = False) -> None:
    """Settings, rules and connections, against the live systems: what is wrong before the first patient finds out."""
    findings = asyncio.run(run_checks())
    if as_json:
        _emit({"ok": all(f.ok for f in findings), "findings": [f.as_dict() for f in findings]})
    else:
        render.findings(Console(), findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@app.command()
def subscribe(
    connection: Annotated[str, typer.Argument(help="Name of a connection through NexHealth.")],
    rotate: Annotated[bool, typer.Option("--rotate", help="Change the secret: once to begin, once to finish.")] = False,
    as_json: Json = False,
) -> None:
    """Have NexHealth tell us when a booking lands. Prints the signing secret: keep it."""
    done = _run(
        lambda session: subscribing.subscribe(session, connection, rotate=rotate), as_json, needs_temporal=False
    )
    if as_json:
        _emit(done.model_dump(mode="json"))
    else:
        render.subscribed(Console(), done)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Play the morning, then end.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the last morning and begin a new one.")] = False,
    as_json: Json = False,
) -> None:
    """Bring everything up on an embedded default and play a practice's morning."""
    from demo.morning import run_demo

    raise typer.Exit(run_demo(once=once, fresh=fresh, as_json=as_json))


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as wrong:
        raise typer.BadParameter(f"cannot read {file}: {wrong.strerror}") from None


def _decision(**given: Any) -> Resolution:
    try:
        return Resolution(**given)
    except ValidationError as refusal:
        told = "; ".join(error["msg"].removeprefix("Value error, ") for error in refusal.errors())
        raise typer.BadParameter(f"--{given['kind']}: {told}") from None


async def _place(session: Session, booking: str, provider: str | None, operatory: str | None) -> dict[str, Any]:
    if provider is None and operatory is None:
        return {}
    location = session.practice.location((await session.bookings.show(booking)).location)
    return {
        "provider": location.provider_id(provider) if provider else None,
        "operatory": location.operatory_id(operatory) if operatory else None,
    }


def _run(work: Callable[[Session], Awaitable[Result]], as_json: bool, *, needs_temporal: bool = True) -> Result:
    async def inside() -> Result:
        async with open_session(connect=needs_temporal) as session:
            return await work(session)

    with _refusing(as_json):
        return asyncio.run(inside())


@contextmanager
def _refusing(as_json: bool) -> Iterator[None]:
    """What is foreseen ends the command with its reason; what is not, with a traceback."""
    try:
        yield
    except (BadRequest, ConfigurationError, PracticeFileError) as wrong:
        _refuse(as_json, wrong.problems)
    except (NoSuchBooking, NotPossible, UnknownName, ConnectionError, OutsideError) as refused:
        _refuse(as_json, [str(refused)])
    except RPCError as failure:
        _refuse(as_json, [_unserved(failure)])
    except OverflowError:
        _refuse(as_json, ["the date lies too far away"])
    except (WorkflowQueryFailedError, WorkflowQueryRejectedError, WorkflowUpdateFailedError) as failure:
        _refuse(as_json, [f"the booking cannot answer ({failure}); the worker's log says more"])
    except DecryptionError as failure:
        _refuse(as_json, [f"{failure}; PAYLOAD_KEYS and TEMPORAL_NAMESPACE must be the worker's"])


def _unserved(failure: RPCError) -> str:
    if failure.status in UNANSWERED:
        return f"no answer in time ({failure.status.name}); see whether a worker is running, and Temporal"
    return f"Temporal refuses: {failure.message}"


def _refuse(as_json: bool, problems: Any) -> NoReturn:
    for problem in problems:
        err.print(problem, style="red", markup=False, highlight=False, soft_wrap=True)
    if as_json:
        _emit({"error": "; ".join(problems), "problems": list(problems)})
    raise typer.Exit(1)


def _one_booking(work: Callable[[Session], Coroutine[Any, Any, BookingView]], as_json: bool) -> None:
    view = _run(work, as_json)
    if as_json:
        _emit(view.model_dump(mode="json"))
    else:
        render.booking(Console(), view)


def _many_bookings(work: Callable[[Session], Coroutine[Any, Any, Found]], as_json: bool, title: str) -> None:
    found = _run(work, as_json)
    if as_json:
        _emit({"bookings": [view.model_dump(mode="json") for view in found.views], "total": found.total})
    else:
        render.bookings(Console(), found, title)


def _emit(content: Any) -> None:
    print(json.dumps(content, ensure_ascii=False))


def main() -> None:
    keep_to_ourselves()
    try:
        app()
        code: Any = 0
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)  # the SDK may crash an orderly interpreter exit


if __name__ == "__main__":
    main()

__all__ = ["BookingClient", "app", "main"]
