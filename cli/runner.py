"""Run a command's work in a session, and print its result or the reason why it was refused."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn, TypeVar

import typer
from temporalio.client import WorkflowQueryFailedError, WorkflowQueryRejectedError, WorkflowUpdateFailedError
from temporalio.service import RPCError

from adapters.errors import OutsideError
from adapters.practice_file import PracticeFileError
from cli import render
from cli.names import named_view
from cli.terminal import SafeConsole, print_json
from client import NO_ANSWER_STATUSES, BadRequest, BookingList, NoSuchBooking, NotPossible, Session, open_session
from domain.booking import BookingView
from domain.practice import Practice, UnknownName
from runtime.codec import DecryptionError
from runtime.logs import configure_logging
from settings import ConfigurationError, load_settings

Result = TypeVar("Result")
error_console = SafeConsole(stderr=True)


def run_in_session(
    work: Callable[[Session], Awaitable[Result]], as_json: bool, *, needs_temporal: bool = True
) -> Result:
    """The result of ``work``. Ends the command with exit code 1 when it is refused for an expected reason."""

    async def open_and_work() -> Result:
        settings = load_settings()
        configure_logging(settings.log_format, "WARNING")
        async with open_session(settings, connect=needs_temporal) as session:
            return await work(session)

    with refusals_reported(as_json):
        return asyncio.run(open_and_work())


def print_booking_of(work: Callable[[Session], Awaitable[BookingView]], as_json: bool) -> None:
    """Print a booking with the practice file's names."""

    async def work_with_names(session: Session) -> BookingView:
        return named_view(await work(session), session.practice)

    view = run_in_session(work_with_names, as_json)
    if as_json:
        print_json(view.model_dump(mode="json"))
    else:
        render.print_booking(SafeConsole(), view)


def print_bookings_of(
    work: Callable[[Session], Awaitable[BookingList]],
    as_json: bool,
    render_list: Callable[[SafeConsole, BookingList, Practice], None],
) -> None:
    async def work_with_names(session: Session) -> tuple[BookingList, Practice]:
        views, total = await work(session)
        return BookingList([named_view(view, session.practice) for view in views], total), session.practice

    bookings, practice = run_in_session(work_with_names, as_json)
    if as_json:
        print_json({"bookings": [view.model_dump(mode="json") for view in bookings.views], "total": bookings.total})
    else:
        render_list(SafeConsole(), bookings, practice)


@contextmanager
def refusals_reported(as_json: bool) -> Iterator[None]:
    """Turn an expected error into its reason and exit code 1. An unexpected one keeps its traceback."""
    try:
        yield
    except (BadRequest, ConfigurationError, PracticeFileError) as error:
        _refuse(as_json, error.problems)
    except (NoSuchBooking, NotPossible, UnknownName, ConnectionError, OutsideError) as error:
        _refuse(as_json, [str(error)])
    except RPCError as error:
        _refuse(as_json, [_rpc_reason(error)])
    except OverflowError:
        _refuse(as_json, ["the date is too far in the future"])
    except (WorkflowQueryFailedError, WorkflowQueryRejectedError, WorkflowUpdateFailedError) as error:
        _refuse(as_json, [f"the booking cannot answer ({error}); see the worker's log"])
    except DecryptionError as error:
        _refuse(as_json, [f"{error}; PAYLOAD_KEYS and TEMPORAL_NAMESPACE must be the same as the worker's"])


def _rpc_reason(error: RPCError) -> str:
    if error.status in NO_ANSWER_STATUSES:
        return f"no answer in time ({error.status.name}); check that Temporal and a worker are running"
    return f"Temporal refused the call: {error.message}"


def _refuse(as_json: bool, problems: Sequence[str]) -> NoReturn:
    for problem in problems:
        error_console.print(problem, style="red", markup=False, highlight=False, soft_wrap=True)
    if as_json:
        print_json({"error": "; ".join(problems), "problems": list(problems)})
    raise typer.Exit(1)
