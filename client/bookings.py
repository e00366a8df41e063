"""Bookings as a web backend sees them: submit, show, list, resolve, cancel."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowExecution,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from client.edge import BadRequest, prepare
from client.listed import as_listed, digest_in, how_soon, listing, memo, received, reference_in
from domain.booking import BookingView, Contacts, Status
from domain.practice import Practice
from domain.request import BookingRequest
from workflows.booking.messages import (
    ANSWER_GRACE,
    ANSWER_TIMEOUT,
    NOT_ALLOWED,
    Answer,
    BookingInput,
    NewTime,
    Resolution,
    WaitOptions,
    request_id_of,
    workflow_id,
)
from workflows.booking.workflow import BookingWorkflow

RPC_TIMEOUT = ANSWER_TIMEOUT + ANSWER_GRACE
HEARD_WITHIN = timedelta(seconds=8)
"""Whoever waits is told at once of a decision that comes so soon; a booking has room for ten who are told at once."""
LOOKS_FIRST, LOOKS_AT_LEAST = timedelta(seconds=1), timedelta(seconds=30)
"""Later decisions are looked for, ever more rarely: a look leaves nothing in the history."""
SURELY_WITHIN = timedelta(seconds=20)
AT_MOST = 100
"""Listed where nobody says otherwise."""
ASKED_AT_ONCE = 10
ASKED_TIMES = 2
"""The same update, asked again under its id, is done once; those who wait have left room for it by then."""
UNANSWERED = (
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,  # the call's own timeout
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.RESOURCE_EXHAUSTED,
)
CANT_GO_ON = RPCStatusCode.FAILED_PRECONDITION
"""Its worker fails at it again and again, as one that has not the keys of whoever sent it."""


class NoSuchBooking(LookupError):
    """No booking has this id."""


class NotPossible(RuntimeError):
    """The booking's state does not allow it; the text says why and what is."""


class NoAnswer(ConnectionError):
    """The booking did not answer: it may or may not be done. Look, or ask the same again."""


class Found(NamedTuple):
    views: list[BookingView]
    total: int
    """So many there are, listed or not."""


class BookingClient:
    """Starts bookings and speaks to them. Holds no state of its own; share one per process."""

    def __init__(self, client: Client, practice: Practice, task_queue: str) -> None:
        self._client = client
        self._practice = practice
        self._task_queue = task_queue

    async def submit(self, request: BookingRequest) -> BookingView:
        """Start the booking, or attach to the one with this request id, and return the decision or ``received``.

        The request is durable once the server has it: an answer that is late or lost changes nothing, and
        the same request may be sent again. Raises BadRequest where it is refused, also for an id that was
        used for other content, and RPCError where it could not be handed over, or nobody can say.
        """
        given = prepare(request, self._practice, datetime.now(UTC))
        try:
            answer = await self._start_and_ask(given)
        except WorkflowAlreadyStartedError:
            answer = await self._of_one_that_is_over(given)
        except WorkflowUpdateRPCTimeoutOrCancelledError as late:
            _unless_cancelled(late)
            answer = await self._as_handed_over(given)
        if answer.digest != given.digest:
            raise BadRequest(["request_id: already used for a request with other content; use a new one"])
        return answer.view

    async def wait(self, request_id: str, seconds: float) -> BookingView:
        """The booking once it is decided, or as it stands after ``seconds``. Raises NoSuchBooking.

        A server that is overloaded or away meanwhile is asked again. Where no worker answers to the end, what the
        server itself can tell is told.
        """
        end, pause = datetime.now(UTC) + timedelta(seconds=seconds), LOOKS_FIRST
        view = await self._look(request_id, end)
        if view is None or (view.status is Status.RECEIVED and view.reason is None):
            view = await self._heard(request_id, min(HEARD_WITHIN, end - datetime.now(UTC))) or view
        while view is None or view.status is Status.RECEIVED:
            left = end - datetime.now(UTC)
            if left <= timedelta(0):
                return view or await self._listed(request_id)
            await asyncio.sleep(min(pause, left).total_seconds())
            pause = min(2 * pause, LOOKS_AT_LEAST)
            view = await self._look(request_id, end)
        return view

    async def show(self, request_id: str) -> BookingView:
        """Where the booking stands; where no worker answers, what the server itself can tell. Raises NoSuchBooking."""
        return await self._look(request_id, datetime.now(UTC) + RPC_TIMEOUT) or await self._listed(request_id)

    async def who(self, request_id: str) -> Contacts:
        """Whom it is for, and whom to call: for the practice's staff alone. Raises NoSuchBooking."""
        try:
            return await self._handle(request_id).query(BookingWorkflow.contacts, rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            raise _translated(error, request_id) from error

    async def _seen(self, request_id: str, within: timedelta) -> BookingView:
        try:
            return await self._handle(request_id).query(BookingWorkflow.view, rpc_timeout=within)
        except WorkflowQueryFailedError:
            # Closed from outside before a task had handled what happened last: no worker can tell of it any more.
            described = await self._handle(request_id).describe(rpc_timeout=RPC_TIMEOUT)
            if described.close_time is None:
                raise
            return await as_listed(described, self._practice)
        except RPCError as error:
            raise _translated(error, request_id) from error

    async def find(
        self,
        *,
        status: Status | None = None,
        location: str | None = None,
        open_exceptions: bool = False,
        limit: int = AT_MOST,
    ) -> Found:
        """Bookings by status and location, in the order of their visits; of more than ``limit`` the soonest open ones.

        Where there is room, those that are over come in, the latest first. The listing lags by some milliseconds. Of a
        booking that does not answer in time only what is listed is told.
        """
        clauses = ["WorkflowType = 'BookingWorkflow'"]
        if status is not None:
            clauses.append(f"BookingStatus = '{status.value}'")
        if location is not None:
            self._practice.location(location)
            clauses.append(f"BookingLocation = '{location}'")
        if open_exceptions:
            clauses.append("ExceptionReason IS NOT NULL AND ExecutionStatus = 'Running'")
        listed = [execution async for execution in self._client.list_workflows(" AND ".join(clauses))]
        soonest = sorted(listed, key=how_soon)[:limit]
        turns, end = asyncio.Semaphore(ASKED_AT_ONCE), datetime.now(UTC) + ASKED_TIMES * RPC_TIMEOUT
        views = await asyncio.gather(*(self._view(execution, turns, end) for execution in soonest))
        return Found(sorted(views, key=lambda view: view.start), len(listed))

    async def resolve(self, request_id: str, decision: Resolution) -> BookingView:
        """A person's decision on an open exception. Raises NotPossible, NoSuchBooking, NoAnswer."""
        return await self._update(request_id, BookingWorkflow.resolve_exception, decision)

    async def reschedule(self, request_id: str, time: NewTime) -> BookingView:
        """The patient picks another time while the first could not be had. Raises as ``resolve`` does."""
        return await self._update(request_id, BookingWorkflow.reschedule, time)

    async def cancel(self, request_id: str) -> BookingView:
        """The patient takes the request or the visit back. Raises as ``resolve`` does."""
        return await self._update(request_id, BookingWorkflow.cancel)

    async def _start_and_ask(self, given: BookingInput) -> Answer:
        start = WithStartWorkflowOperation(BookingWorkflow.run, given, **self._start_options(given))
        try:
            return await self._client.execute_update_with_start_workflow(
                BookingWorkflow.wait_for_decision,
                start_workflow_operation=start,
                id=uuid4().hex,
                rpc_timeout=RPC_TIMEOUT,
            )
        except BaseException:
            _forget(start)
            raise

    async def _as_handed_over(self, given: BookingInput) -> Answer:
        """No answer came in time, not even that the server has the request: make sure of that, and say no more."""
        try:
            handle = await self._client.start_workflow(
                BookingWorkflow.run, given, rpc_timeout=SURELY_WITHIN, **self._start_options(given)
            )
        except WorkflowAlreadyStartedError:
            return await self._of_one_that_is_over(given)
        described = await handle.describe(rpc_timeout=RPC_TIMEOUT)
        view = received(given, await reference_in(described, given), self._practice)
        return Answer(view=view, digest=await digest_in(described, given))

    async def _of_one_that_is_over(self, given: BookingInput) -> Answer:
        """A booking with this request id has ended: it is not started anew."""
        view = await self.show(given.request.request_id)
        described = await self._handle(given.request.request_id).describe(rpc_timeout=RPC_TIMEOUT)
        return Answer(view=view, digest=await digest_in(described, given))

    def _start_options(self, given: BookingInput) -> dict[str, Any]:
        """Whoever starts a booking a second time attaches to it."""
        return {
            "id": workflow_id(given.request.request_id),
            "task_queue": self._task_queue,
            "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
            "id_reuse_policy": WorkflowIDReusePolicy.REJECT_DUPLICATE,
            "priority": Priority(fairness_key=given.policy.location),
            "search_attributes": listing(given),
            "memo": memo(given),
            "static_summary": f"{given.policy.label} at {given.policy.location}",
        }

    async def _look(self, request_id: str, end: datetime) -> BookingView | None:
        """Where the booking stands; ``None``: nobody answers now, or not soon after ``end``."""
        left = max(end - datetime.now(UTC), timedelta(0))
        try:
            return await self._seen(request_id, min(RPC_TIMEOUT, left + ANSWER_GRACE))
        except RPCError as error:
            if error.status not in (*UNANSWERED, CANT_GO_ON):
                raise
            return None

    async def _listed(self, request_id: str) -> BookingView:
        """What the server itself can tell of the booking."""
        try:
            described = await self._handle(request_id).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            raise _translated(error, request_id) from error
        return await as_listed(described, self._practice)

    async def _heard(self, request_id: str, within: timedelta) -> BookingView | None:
        """Told at once of a decision, or where the booking stands then; ``None``: it can be seen only."""
        if within <= timedelta(0):
            return None
        try:
            answer = await self._handle(request_id).execute_update(
                BookingWorkflow.wait_for_decision_within,
                WaitOptions(timeout=within),
                id=uuid4().hex,
                rpc_timeout=within + ANSWER_GRACE,
            )
            return answer.view
        except WorkflowUpdateRPCTimeoutOrCancelledError as late:
            _unless_cancelled(late)
        except RPCError:
            pass
        return None

    async def _view(self, execution: WorkflowExecution, turns: asyncio.Semaphore, end: datetime) -> BookingView:
        async with turns:
            left = end - datetime.now(UTC)
            if left > timedelta(0):
                with suppress(RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
                    return await self._handle(execution.id).query(
                        BookingWorkflow.view, rpc_timeout=min(RPC_TIMEOUT, left)
                    )
            return await as_listed(execution, self._practice)

    async def _update(self, request_id: str, update: Any, *args: Any) -> BookingView:
        handle, update_id = self._handle(request_id), uuid4().hex
        end = datetime.now(UTC) + ASKED_TIMES * RPC_TIMEOUT
        while datetime.now(UTC) < end:
            try:
                view: BookingView = await handle.execute_update(
                    update, *args, id=update_id, rpc_timeout=RPC_TIMEOUT, result_type=BookingView
                )
                return view
            except WorkflowUpdateRPCTimeoutOrCancelledError as late:
                _unless_cancelled(late)
            except WorkflowUpdateFailedError as refusal:
                cause = refusal.cause
                if isinstance(cause, ApplicationError) and cause.type == NOT_ALLOWED:
                    raise NotPossible(cause.message) from None
                raise
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    raise NotPossible(_closed(await self.show(request_id))) from error
                if error.status not in UNANSWERED:
                    raise  # whether it arrived is not known
                await asyncio.sleep(1)
        raise NoAnswer("the booking does not answer; whether it is done can be seen later")

    def _handle(self, request_id: str) -> WorkflowHandle[BookingWorkflow, BookingView]:
        return self._client.get_workflow_handle_for(BookingWorkflow.run, workflow_id(request_id_of(request_id)))


def _forget(start: WithStartWorkflowOperation[BookingWorkflow, BookingView]) -> None:
    """The start's own outcome is of no interest any more; asyncio would complain if nobody looked at it."""
    unused = asyncio.ensure_future(start.workflow_handle())
    unused.add_done_callback(lambda task: task.cancelled() or task.exception())


def _unless_cancelled(late: WorkflowUpdateRPCTimeoutOrCancelledError) -> None:
    """The SDK tells of a caller that was cancelled as of an answer that was late."""
    if isinstance(late.__cause__, asyncio.CancelledError):
        raise late.__cause__


def _closed(view: BookingView) -> str:
    if view.status.is_final:
        return f"the booking is already {view.status}"
    return f"the booking was closed while it was {view.status}: nothing can be changed in it any more"


def _translated(error: RPCError, request_id: str) -> Exception:
    if error.status is RPCStatusCode.NOT_FOUND:
        return NoSuchBooking(f"no booking has the id {request_id}")
    return error
