"""Runs real booking workflows while the test scripts every activity.

It covers what the sandbox cannot time and what would take days at a practice.
"""

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, get_type_hints

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.common import RawValue
from temporalio.service import RPCError
from temporalio.worker import Replayer, Worker

from activities.hold_contracts import ConfirmHoldResult, HoldResult
from activities.holds import HoldActivities
from activities.notifications import NotificationActivities
from activities.patients import PatientActivities
from activities.queues import practice_queue
from activities.release import ReleaseActivities, ReleaseResult
from activities.slots import SlotActivities, SlotCheck
from client import validate_request
from domain.booking import BookingView, MessageState
from domain.calendar import Appointment, AppointmentStatus
from domain.interval import Interval
from domain.matching import Match, Verdict
from domain.policy import BookingPolicy
from domain.reference import new_reference
from domain.rules import Confirmation
from domain.slot import Slot
from runtime.keys import payload_keyring
from runtime.plugin import holdfast_plugin
from settings import load_settings
from tests.support.polling import poll
from workflows.booking.contracts import BookingInput, workflow_id
from workflows.booking.workflow import BookingWorkflow

SCRIPTED_ACTIVITIES: dict[str, Callable[..., Any]] = {
    method.__name__: method
    for method in (
        PatientActivities.match_patient,
        PatientActivities.create_chart,
        SlotActivities.claim_slot,
        PatientActivities.recheck_chart,
        SlotActivities.recheck_slot,
        SlotActivities.find_alternatives,
        SlotActivities.release_claim,
        HoldActivities.write_hold,
        HoldActivities.settle_landing,
        HoldActivities.confirm_hold,
        ReleaseActivities.release_everything,
        ReleaseActivities.remove_leftovers,
        HoldActivities.read_appointment,
        NotificationActivities.notify,
        NotificationActivities.route_exception,
    )
}

DEFAULT_CACHE_SIZE = 1000
WORKFLOW_TASK_TIMEOUT = timedelta(seconds=2)
"""A worker that evicts a workflow may drop a task that arrives meanwhile. The server sends it again after this time."""


class WorkflowHarness:
    """Starts bookings, answers their activities, and records every activity call.

    By default each activity responds as a practice without trouble would. A test replaces entries of ``responses``.
    A response is a value, an error to raise, or a function (also a coroutine function) of the activity's input.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.name = f"harness-{os.urandom(4).hex()}"
        """Names the workflows' task queue and the bookings' connection."""
        self.slot = Slot(time=one_hour_from(datetime.now(UTC) + timedelta(days=3)), provider="2", operatory="3")
        """The requested slot, where the default responses see the appointment."""
        self._calls: list[tuple[str, Any]] = []
        """Activity name and input, in the order in which the activities ran."""
        self._handles: list[WorkflowHandle[BookingWorkflow, BookingView]] = []
        self.responses: dict[str, Any] = {
            "match_patient": Match(verdict=Verdict.MATCHED, chart="7"),
            "create_chart": Match(verdict=Verdict.MATCHED, chart="8", because=("created",)),
            "claim_slot": True,
            "recheck_chart": Match(verdict=Verdict.MATCHED, chart="7"),
            "recheck_slot": lambda _: SlotCheck(slot=self.slot),
            "release_claim": None,
            "write_hold": lambda request: HoldResult(appointment=self.appointment(), confirmed=request.confirm),
            "confirm_hold": lambda _: ConfirmHoldResult(appointment=self.appointment()),
            "release_everything": ReleaseResult(),
            "remove_leftovers": ReleaseResult(),
            "read_appointment": lambda _: self.appointment(status=AppointmentStatus.COMPLETED),
            "notify": accept_message,
            "route_exception": _accept_desk_message,
        }

    def appointment(self, **changes: Any) -> Appointment:
        """The booking's confirmed appointment in the calendar, with changes."""
        appointment = Appointment(id="11", patient="7", status=AppointmentStatus.CONFIRMED, **dict(self.slot))
        return appointment.model_copy(update=changes)

    def schedule_visit_in(self, seconds: float) -> None:
        """Move the slot so that the visit begins while the test runs."""
        self.move_slot(datetime.now(UTC) + timedelta(seconds=seconds))

    def move_slot(self, start: datetime) -> None:
        self.slot = self.slot.model_copy(update={"time": one_hour_from(start)})

    def calls_to(self, activity_name: str) -> list[Any]:
        """The input of each call to this activity, oldest first."""
        return [request for name, request in self._calls if name == activity_name]

    def patient_messages(self) -> list[str]:
        """The kinds of all messages to the patient, oldest first, on all channels."""
        return [str(notice.kind) for notice in self.calls_to("notify")]

    def desk_messages(self) -> list[str]:
        return [str(notice.kind) for notice in self.calls_to("route_exception")]

    async def wait_for_patient_messages(self, *kinds: str) -> None:
        """Messages are sent in the background. Wait until the patient was sent exactly these."""
        await poll(lambda: self.patient_messages() == list(kinds))
        assert self.patient_messages() == list(kinds)

    async def wait_for_desk_messages(self, *kinds: str) -> None:
        await poll(lambda: self.desk_messages() == list(kinds))
        assert self.desk_messages() == list(kinds)

    async def start_booking(
        self,
        *,
        confirmation: Confirmation = Confirmation.AUTOMATIC,
        note: str = "",
        consent: bool = True,
        request_changes: Mapping[str, Any] | None = None,
        provider: str | None = None,
        **policy: Any,
    ) -> WorkflowHandle[BookingWorkflow, BookingView]:
        """``policy``: fields of the BookingPolicy that differ from the harness's defaults."""
        request = validate_request(
            {
                "request_id": os.urandom(8).hex(),
                "location": "oakland",
                "service": "cleaning",
                "start": self.slot.time.start.isoformat(),
                "patient": {
                    "first_name": "Tess",
                    "last_name": "Sampleton",
                    "date_of_birth": "1980-01-15",
                    "email": "tess@patients.example",
                },
                "consent": {"email": consent},
                "note": note,
                **(request_changes or {}),
            }
        )
        default_rules: dict[str, Any] = {
            "zone": "America/Los_Angeles",
            "hold_expiry": timedelta(hours=24),
            "staff_deadline": timedelta(hours=4),
            "late_commit": timedelta(seconds=0.2),
        }
        booking = BookingInput(
            request=request,
            reference=new_reference(),
            policy=BookingPolicy(
                rules_version="test",
                location="oakland",
                service="cleaning",
                label="Cleaning",
                connection=self.name,
                duration=timedelta(hours=1),
                call_only=False,
                confirmation=confirmation,
                new_patients=True,
                existing_patients=True,
                **default_rules | policy,
            ),
            provider=provider,
            digest="",
        )
        handle = await self._client.start_workflow(
            BookingWorkflow.run,
            booking,
            id=workflow_id(request.request_id),
            task_queue=self.name,
            task_timeout=WORKFLOW_TASK_TIMEOUT,
        )
        self._handles.append(handle)
        return handle

    @asynccontextmanager
    async def running_workers(self, max_cached_workflows: int = DEFAULT_CACHE_SIZE) -> AsyncIterator[None]:
        """Run a worker for the workflows and one for the practice's activities.

        ``max_cached_workflows``: with 0, every workflow task replays the whole history.
        """
        try:
            async with (
                Worker(
                    self._client,
                    task_queue=self.name,
                    workflows=[BookingWorkflow],
                    activities=[self.respond],
                    max_cached_workflows=max_cached_workflows,
                ),
                Worker(self._client, task_queue=practice_queue(self.name), activities=[self.respond]),
            ):
                yield
        finally:
            collect_cached_workflows()

    async def terminate_and_replay(self) -> None:
        """End what still runs, because no worker serves it any more, and check that every history replays."""
        for handle in self._handles:
            with suppress(RPCError):
                await handle.terminate()
        plugin = holdfast_plugin(payload_keyring(load_settings()), self._client.namespace)
        replayer = Replayer(workflows=[BookingWorkflow], plugins=[plugin])
        for handle in self._handles:
            await replayer.replay_workflow(await handle.fetch_history())

    @activity.defn(dynamic=True)
    async def respond(self, args: Sequence[RawValue]) -> Any:
        """Record the call of any activity, and return or raise the scripted response."""
        name = activity.info().activity_type
        hints = get_type_hints(SCRIPTED_ACTIVITIES[name])
        hints.pop("return")
        (request,) = (activity.payload_converter().from_payload(args[0].payload, hint) for hint in hints.values())
        self._calls.append((name, request))
        response = self.responses[name]
        if callable(response):
            response = response(request)
        if asyncio.iscoroutine(response):
            response = await response
        if isinstance(response, Exception):
            raise response
        return response


@asynccontextmanager
async def running_harness(
    client: Client, max_cached_workflows: int = DEFAULT_CACHE_SIZE
) -> AsyncIterator[WorkflowHarness]:
    """A harness whose workers run during the block. After the block all histories are replayed."""
    harness = WorkflowHarness(client)
    async with harness.running_workers(max_cached_workflows):
        try:
            yield harness
        finally:
            await harness.terminate_and_replay()


def collect_cached_workflows() -> None:
    """Garbage-collect the workflows that a stopped worker had in its cache.

    If they were collected later, while another worker of this process runs a workflow, their ``finally`` blocks would
    write commands into that workflow's history.
    """
    original_hook, sys.unraisablehook = sys.unraisablehook, lambda _: None  # their awaits fail, which is expected
    try:
        while gc.collect():  # some objects are resurrected once
            pass
    finally:
        sys.unraisablehook = original_hook


async def wait_despite_cancellation(event: asyncio.Event) -> None:
    """For a scripted activity that goes on until the event is set, even if its workflow cancels it.

    The activity learns of its cancellation with a heartbeat, some seconds later. It ends if its worker shuts down.
    """
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.shield(waiting)
    except asyncio.CancelledError:
        if activity.is_worker_shutdown():
            raise
        await waiting


def one_hour_from(start: datetime) -> Interval:
    return Interval(start=start, end=start + timedelta(hours=1))


def accept_message(notice: Any) -> MessageState:
    """The response of a provider that accepts the message."""
    return MessageState(kind=notice.kind, channel=notice.channel, version=notice.version, state="accepted")


def _accept_desk_message(notice: Any) -> MessageState:
    return MessageState(kind=notice.kind, channel="email", version=notice.version, state="accepted")
