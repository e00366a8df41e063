"""Bookings as the practice's staff see them: submit, wait, show, list, resolve, reschedule, cancel."""

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

from client.errors import BadRequest, NoAnswer, NoSuchBooking, NotPossible
from client.requests import prepare_booking
from client.visibility import (
    initial_memo,
    initial_search_attributes,
    list_order,
    received_view,
    started_digest,
    started_reference,
    view_from_visibility,
)
from domain.booking import BookingView, Contacts, Status
from domain.practice import Practice
from domain.request import BookingRequest
from workflows.booking.contracts import (
    ANSWER_GRACE,
    ANSWER_TIMEOUT,
    NOT_ALLOWED,
    OTHER_BOOKING,
    SUBMIT_UPDATE_ID,
    WAIT_UPDATE_ID,
    Answer,
    BookingInput,
    RequestedTime,
    Resolution,
    WaitOptions,
    request_id_of,
    workflow_id,
)
from workflows.booking.workflow import BookingWorkflow

RPC_TIMEOUT = ANSWER_TIMEOUT + ANSWER_GRACE
ANSWER_SECONDS = ANSWER_TIMEOUT.total_seconds()
MAX_UPDATE_WAIT = timedelta(seconds=8)
"""How long ``wait`` holds one update open. It must be short, because a booking has room for ten updates at once."""
MIN_POLL_INTERVAL, MAX_POLL_INTERVAL = timedelta(seconds=1), timedelta(seconds=30)
"""After that ``wait`` polls with queries, at growing intervals. Queries leave nothing in the history."""
START_TIMEOUT = timedelta(seconds=20)
"""How long ``submit`` tries to make sure that the server has the request, after the first answer was lost."""
DEFAULT_LIST_LIMIT = 100
MAX_CONCURRENT_QUERIES = 10
RPC_TIMEOUTS_PER_CALL = 2
"""How many RPC timeouts a call may last. A repeated update has the same id, so it takes effect once. By the second
attempt, earlier waiting updates have ended and left room for it."""
NO_ANSWER_STATUSES = (
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,  # the call's own timeout
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.RESOURCE_EXHAUSTED,
)
WORKFLOW_FAILING_STATUS = RPCStatusCode.FAILED_PRECONDITION
"""The worker fails at this workflow again and again, for example because it lacks the sender's encryption keys."""


class BookingList(NamedTuple):
    views: list[BookingView]
    total: int
    """How many bookings match, including those beyond the limit."""


class DeskClient:
    """Starts bookings and talks to them, for the practice's own staff: a view says why, and names charts.

    What a patient may see comes from ``BookingClient``. Has no state of its own: share one per process.
    """

    def __init__(self, client: Client, practice: Practice, task_queue: str) -> None:
        self._client = client
        self._practice = practice
        self._task_queue = task_queue

    async def submit(self, request: BookingRequest) -> BookingView:
        """Start the booking, or attach to the one with this request id. Returns the decision, or ``received``.

        A request that was submitted before uses up no room in Temporal, however often it is submitted again.

        The request is durable once the server has it. A late or lost answer changes nothing, and the same request may
        be submitted again. Raises BadRequest when the request is wrong, or when its id was used for a request with
        other content. Raises RPCError when the request did not reach the server, or that is not known.
        """
        booking = prepare_booking(request, self._practice, datetime.now(UTC))
        try:
            answer = await self._start_and_wait(booking)
            if answer.view.reference != booking.reference and answer.digest == booking.digest:
                # Somebody submitted this request before, and this is the answer of that time.
                answer = answer.model_copy(update={"view": await self.wait(request.request_id, ANSWER_SECONDS)})
        except WorkflowAlreadyStartedError:
            answer = await self._answer_of_closed(booking)
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            _raise_if_cancelled(error)
            answer = await self._ensure_started(booking)
        if answer.digest != booking.digest:
            raise BadRequest(["request_id: already used for a request with other content; use a new one"])
        return answer.view

    async def wait(self, request_id: str, seconds: float) -> BookingView:
        """The booking once it is decided, or as it is after ``seconds``. Raises NoSuchBooking.

        Continues while the server is overloaded or unreachable. If no worker answers until the end, the view shows
        what the server knows.
        """
        deadline, interval = datetime.now(UTC) + timedelta(seconds=seconds), MIN_POLL_INTERVAL
        view = await self._try_query(request_id, deadline)
        if view is None or (view.status is Status.RECEIVED and view.reason is None):
            max_wait = min(MAX_UPDATE_WAIT, deadline - datetime.now(UTC))
            await self._wait_with_update(request_id, max_wait)
            view = await self._try_query(request_id, deadline) or view
        while view is None or view.status is Status.RECEIVED:
            remaining = deadline - datetime.now(UTC)
            if remaining <= timedelta(0):
                return view or await self._describe(request_id)
            await asyncio.sleep(min(interval, remaining).total_seconds())
            interval = min(2 * interval, MAX_POLL_INTERVAL)
            view = await self._try_query(request_id, deadline)
        return view

    async def show(self, request_id: str) -> BookingView:
        """The booking as it is; if no worker answers, what the server knows. Raises NoSuchBooking."""
        return await self._try_query(request_id, datetime.now(UTC) + RPC_TIMEOUT) or await self._describe(request_id)

    async def ask(self, request_id: str, within: timedelta) -> BookingView:
        """The booking as its workflow answers now, never as the server remembers it.

        Raises NoSuchBooking, and NoAnswer if no worker answers ``within`` this time.
        """
        try:
            async with asyncio.timeout(within.total_seconds()):
                return await self._query(request_id, within)
        except (TimeoutError, RPCError, WorkflowQueryFailedError) as error:
            raise NoAnswer("the booking does not answer now; try again later") from error

    async def contacts(self, request_id: str) -> Contacts:
        """The patient, and the guardian who booked for them. For staff only. Raises NoSuchBooking."""
        try:
            return await self._handle(request_id).query(BookingWorkflow.contacts, rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            raise _translate_error(error, request_id) from error

    async def find(
        self,
        *,
        status: Status | None = None,
        location: str | None = None,
        open_exceptions: bool = False,
        limit: int = DEFAULT_LIST_LIMIT,
    ) -> BookingList:
        """Bookings in the order of their visits; open exceptions the oldest first. Raises UnknownName.

        At most ``limit``: the soonest open ones, then, if there is room, the latest closed ones. The list lags behind
        by some milliseconds. A booking that does not answer in time is shown as the server knows it.
        """
        clauses = ["WorkflowType = 'BookingWorkflow'"]
        if status is not None:
            clauses.append(f"BookingStatus = '{status.value}'")
        if location is not None:
            self._practice.location(location)
            clauses.append(f"BookingLocation = '{location}'")
        if open_exceptions:
            clauses.append("ExceptionReason IS NOT NULL AND ExecutionStatus = 'Running'")
        executions = [execution async for execution in self._client.list_workflows(" AND ".join(clauses))]
        by_age = (lambda execution: (False, execution.start_time.timestamp())) if open_exceptions else list_order
        first = sorted(executions, key=by_age)[:limit]
        slots, deadline = asyncio.Semaphore(MAX_CONCURRENT_QUERIES), _call_deadline()
        views = await asyncio.gather(*(self._query_or_listed(execution, slots, deadline) for execution in first))
        order = _exception_age if open_exceptions else _visit_start
        return BookingList(sorted(views, key=order), len(executions))

    async def resolve(self, request_id: str, resolution: Resolution) -> BookingView:
        """The desk's answer to an open exception. Raises NotPossible, NoSuchBooking, NoAnswer.

        A resolution without ``exception_number`` answers the exception that is open now.
        """
        number = resolution.exception_number
        if number is None:
            number = (await self.show(request_id)).exception_number
        names = {"request_id": request_id_of(request_id), "exception_number": number}
        return await self._update(request_id, BookingWorkflow.resolve_exception, resolution.model_copy(update=names))

    async def reschedule(self, request_id: str, time: RequestedTime) -> BookingView:
        """The patient picks another time because the first was not available. Raises as ``resolve`` does."""
        bound = time.model_copy(update={"request_id": request_id_of(request_id)})
        return await self._update(request_id, BookingWorkflow.reschedule, bound)

    async def cancel(self, request_id: str) -> BookingView:
        """The patient cancels the request or the visit. Raises as ``resolve`` does."""
        return await self._update(request_id, BookingWorkflow.cancel)

    async def _start_and_wait(self, booking: BookingInput) -> Answer:
        start = WithStartWorkflowOperation(BookingWorkflow.run, booking, **self._start_options(booking))
        try:
            return await self._client.execute_update_with_start_workflow(
                BookingWorkflow.wait_for_decision,
                start_workflow_operation=start,
                id=SUBMIT_UPDATE_ID,
                rpc_timeout=RPC_TIMEOUT,
            )
        except BaseException:
            _discard_start_outcome(start)
            raise

    async def _ensure_started(self, booking: BookingInput) -> Answer:
        """No answer came in time, so it is not known whether the server has the request. Make sure that it has."""
        try:
            handle = await self._client.start_workflow(
                BookingWorkflow.run, booking, rpc_timeout=START_TIMEOUT, **self._start_options(booking)
            )
        except WorkflowAlreadyStartedError:
            return await self._answer_of_closed(booking)
        execution = await handle.describe(rpc_timeout=RPC_TIMEOUT)
        view = received_view(booking, await started_reference(execution, booking), self._practice)
        return Answer(view=view, digest=await started_digest(execution, booking))

    async def _answer_of_closed(self, booking: BookingInput) -> Answer:
        """A booking with this request id has ended. It is not started again."""
        view = await self.show(booking.request.request_id)
        execution = await self._handle(booking.request.request_id).describe(rpc_timeout=RPC_TIMEOUT)
        return Answer(view=view, digest=await started_digest(execution, booking))

    def _start_options(self, booking: BookingInput) -> dict[str, Any]:
        """With these, starting a booking that runs attaches to it, and one that has ended is not started again."""
        return {
            "id": workflow_id(booking.request.request_id),
            "task_queue": self._task_queue,
            "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
            "id_reuse_policy": WorkflowIDReusePolicy.REJECT_DUPLICATE,
            "priority": Priority(fairness_key=booking.policy.location),
            "search_attributes": initial_search_attributes(booking),
            "memo": initial_memo(booking),
            "static_summary": f"{booking.policy.label} at {booking.policy.location}",
        }

    async def _query(self, request_id: str, rpc_timeout: timedelta) -> BookingView:
        try:
            return await self._handle(request_id).query(BookingWorkflow.view, rpc_timeout=rpc_timeout)
        except WorkflowQueryFailedError:
            # If the workflow was terminated before a task handled its last events, no worker can answer for it.
            execution = await self._handle(request_id).describe(rpc_timeout=RPC_TIMEOUT)
            if execution.close_time is None:
                raise
            return await view_from_visibility(execution, self._practice)
        except RPCError as error:
            raise _translate_error(error, request_id) from error

    async def _try_query(self, request_id: str, deadline: datetime) -> BookingView | None:
        """``None`` when no worker answers now, or not until shortly after ``deadline``."""
        remaining = max(deadline - datetime.now(UTC), timedelta(0))
        try:
            return await self._query(request_id, min(RPC_TIMEOUT, remaining + ANSWER_GRACE))
        except RPCError as error:
            if error.status not in (*NO_ANSWER_STATUSES, WORKFLOW_FAILING_STATUS):
                raise
            return None

    async def _describe(self, request_id: str) -> BookingView:
        """What the server knows of the booking without a worker."""
        try:
            execution = await self._handle(request_id).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            raise _translate_error(error, request_id) from error
        return await view_from_visibility(execution, self._practice)

    async def _wait_with_update(self, request_id: str, max_wait: timedelta) -> None:
        """Return when the booking is decided, at the latest after ``max_wait``, or at once if that is not possible.

        All callers of all times share one update. Whoever comes after its end is not made to wait, and its answer may
        be an old one. So the caller asks for the view.
        """
        if max_wait <= timedelta(0):
            return
        try:
            await self._handle(request_id).execute_update(
                BookingWorkflow.wait_until_decided,
                WaitOptions(timeout=max_wait),
                id=WAIT_UPDATE_ID,
                rpc_timeout=max_wait + ANSWER_GRACE,
            )
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            _raise_if_cancelled(error)
        except (RPCError, WorkflowUpdateFailedError):
            pass

    async def _query_or_listed(
        self, execution: WorkflowExecution, slots: asyncio.Semaphore, deadline: datetime
    ) -> BookingView:
        async with slots:
            remaining = deadline - datetime.now(UTC)
            if remaining > timedelta(0):
                with suppress(RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
                    return await self._handle(execution.id).query(
                        BookingWorkflow.view, rpc_timeout=min(RPC_TIMEOUT, remaining)
                    )
            return await view_from_visibility(execution, self._practice)

    async def _update(self, request_id: str, update: Any, *args: Any) -> BookingView:
        handle, update_id = self._handle(request_id), uuid4().hex
        deadline = _call_deadline()
        while datetime.now(UTC) < deadline:
            try:
                view: BookingView = await handle.execute_update(
                    update, *args, id=update_id, rpc_timeout=RPC_TIMEOUT, result_type=BookingView
                )
                return view
            except WorkflowUpdateRPCTimeoutOrCancelledError as error:
                _raise_if_cancelled(error)
            except WorkflowUpdateFailedError as error:
                cause = error.cause
                if isinstance(cause, ApplicationError) and cause.type in (NOT_ALLOWED, OTHER_BOOKING):
                    raise NotPossible(cause.message) from None
                raise
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    raise NotPossible(_closed_message(await self.show(request_id))) from error
                if error.status not in NO_ANSWER_STATUSES:
                    raise  # it is not known whether the update arrived
                await asyncio.sleep(1)
        raise NoAnswer("the booking does not answer; show it later to see whether the change was made")

    def _handle(self, request_id: str) -> WorkflowHandle[BookingWorkflow, BookingView]:
        return self._client.get_workflow_handle_for(BookingWorkflow.run, workflow_id(request_id_of(request_id)))


def _visit_start(view: BookingView) -> datetime:
    return view.start


def _exception_age(view: BookingView) -> datetime:
    """The oldest first. A booking that does not answer comes first too: it has been left alone for an unknown time."""
    return view.exception_opened_at or datetime.min.replace(tzinfo=UTC)


def _call_deadline() -> datetime:
    return datetime.now(UTC) + RPC_TIMEOUTS_PER_CALL * RPC_TIMEOUT


def _discard_start_outcome(start: WithStartWorkflowOperation[BookingWorkflow, BookingView]) -> None:
    """Retrieve the outcome of the start. Otherwise asyncio logs that its exception was never retrieved."""
    outcome = asyncio.ensure_future(start.workflow_handle())
    outcome.add_done_callback(lambda task: task.cancelled() or task.exception())


def _raise_if_cancelled(error: WorkflowUpdateRPCTimeoutOrCancelledError) -> None:
    """The SDK raises the same error for a late answer and for a caller that was cancelled."""
    if isinstance(error.__cause__, asyncio.CancelledError):
        raise error.__cause__


def _closed_message(view: BookingView) -> str:
    if view.status.is_final:
        return f"the booking is already {view.status}"
    return f"the booking was closed while it was {view.status}; it can no longer be changed"


def _translate_error(error: RPCError, request_id: str) -> Exception:
    if error.status is RPCStatusCode.NOT_FOUND:
        return NoSuchBooking(f"no booking has the id {request_id}")
    return error
