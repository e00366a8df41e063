"""Every step of a booking in the test's hand: for what the sandbox can't time, or a practice would need days for."""

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
from workflows.booking.messages import BookingInput, workflow_id
from workflows.booking.workflow import BookingWorkflow

STEPS: dict[str, Callable[..., Any]] = {
    step.__name__: step
    for step in (
        PatientActivities.match_patient,
        SlotActivities.recheck_slot,
        SlotActivities.find_alternatives,
        SlotActivities.release_claim,
        HoldActivities.write_hold,
        HoldActivities.check_landing,
        HoldActivities.confirm_hold,
        ReleaseActivities.release_hold,
        ReleaseActivities.remove_leftovers,
        HoldActivities.read_appointment,
        NotificationActivities.notify,
        NotificationActivities.route_exception,
    )
}


LOST_TASK = timedelta(seconds=2)
"""A worker that forgets a booking may drop a task that came meanwhile; the server hands it out again after so long."""


class ByHand:
    """Answers every step as a practice without trouble would; a test puts its own answer in place of any.

    An answer may be a value, an error to raise, or a function (also a coroutine) of what the step was given.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.name = f"by-hand-{os.urandom(4).hex()}"
        self.slot = Slot(time=hour(datetime.now(UTC) + timedelta(days=3)), provider="2", operatory="3")
        self.calls: list[tuple[str, Any]] = []
        self._started: list[WorkflowHandle[BookingWorkflow, BookingView]] = []
        self.answers: dict[str, Any] = {
            "match_patient": Match(verdict=Verdict.MATCHED, chart="7"),
            "recheck_slot": lambda _: SlotCheck(slot=self.slot),
            "release_claim": None,
            "write_hold": lambda given: HoldResult(appointment=self.visit(), confirmed=given.confirm),
            "confirm_hold": lambda _: ConfirmHoldResult(appointment=self.visit()),
            "release_hold": ReleaseResult(),
            "remove_leftovers": ReleaseResult(),
            "read_appointment": lambda _: self.visit(status=AppointmentStatus.COMPLETED),
            "notify": _sent,
            "route_exception": _sent_to_desk,
        }

    def visit(self, **changes: Any) -> Appointment:
        """What this booking has in the calendar."""
        shown = Appointment(id="11", patient="7", status=AppointmentStatus.CONFIRMED, **dict(self.slot))
        return shown.model_copy(update=changes)

    def begins_in(self, seconds: float) -> None:
        """The visit begins while the test looks on."""
        self.slot = self.slot.model_copy(update={"time": hour(datetime.now(UTC) + timedelta(seconds=seconds))})

    def made(self, step: str) -> list[Any]:
        """What this step was given, each time it ran."""
        return [given for name, given in self.calls if name == step]

    def told(self) -> list[str]:
        """What was sent to the patient, in that order, one channel."""
        return [str(given.kind) for given in self.made("notify")]

    def desk_told(self) -> list[str]:
        return [str(given.kind) for given in self.made("route_exception")]

    async def has_told(self, *kinds: str) -> None:
        """Messages go out beside the booking: wait until the patient has been sent these, and no others."""
        await _until(lambda: self.told() == list(kinds))
        assert self.told() == list(kinds)

    async def has_told_desk(self, *kinds: str) -> None:
        await _until(lambda: self.desk_told() == list(kinds))
        assert self.desk_told() == list(kinds)

    async def start(
        self,
        *,
        confirmation: Confirmation = Confirmation.AUTOMATIC,
        note: str = "",
        consent: bool = True,
        asked: Mapping[str, Any] | None = None,
        provider: str | None = None,
        **policy: Any,
    ) -> WorkflowHandle[BookingWorkflow, BookingView]:
        """``asked``: what the request says otherwise."""
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
                **(asked or {}),
            }
        )
        steers: dict[str, Any] = {
            "hold_expiry": timedelta(hours=24),
            "staff_deadline": timedelta(hours=4),
            "late_commit": timedelta(seconds=0.2),
        }
        given = BookingInput(
            request=request,
            reference=new_reference(),
            policy=BookingPolicy(
                rules_version="test",
                location="oakland",
                service="cleaning",
                label="Cleaning",
                connection=self.name,
                zone="America/Los_Angeles",
                duration=timedelta(hours=1),
                call_only=False,
                confirmation=confirmation,
                new_patients=True,
                existing_patients=True,
                **steers | policy,
            ),
            provider=provider,
            digest="",
        )
        handle = await self._client.start_workflow(
            BookingWorkflow.run,
            given,
            id=workflow_id(request.request_id),
            task_queue=self.name,
            task_timeout=LOST_TASK,
        )
        self._started.append(handle)
        return handle

    async def end(self) -> None:
        """Nobody answers any more: what still runs would run for ever. Every course must replay as it went."""
        for handle in self._started:
            with suppress(RPCError):
                await handle.terminate()
        plugin = holdfast_plugin(payload_keyring(load_settings()), self._client.namespace)
        replayer = Replayer(workflows=[BookingWorkflow], plugins=[plugin])
        for handle in self._started:
            await replayer.replay_workflow(await handle.fetch_history())

    @activity.defn(dynamic=True)
    async def step(self, args: Sequence[RawValue]) -> Any:
        name = activity.info().activity_type
        hints = get_type_hints(STEPS[name])
        hints.pop("return")
        (given,) = (activity.payload_converter().from_payload(args[0].payload, hint) for hint in hints.values())
        self.calls.append((name, given))
        answer = self.answers[name]
        if callable(answer):
            answer = answer(given)
        if asyncio.iscoroutine(answer):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer


@asynccontextmanager
async def by_hand(client: Client, remembered: int = 1000) -> AsyncIterator[ByHand]:
    """``remembered``: bookings that the worker has in memory; with none every task is played from the start again."""
    hand = ByHand(client)
    async with at_work(hand, client, remembered):
        try:
            yield hand
        finally:
            await hand.end()


@asynccontextmanager
async def at_work(hand: ByHand, client: Client, remembered: int = 1000) -> AsyncIterator[None]:
    try:
        async with (
            Worker(
                client,
                task_queue=hand.name,
                workflows=[BookingWorkflow],
                activities=[hand.step],
                max_cached_workflows=remembered,
            ),
            Worker(client, task_queue=practice_queue(hand.name), activities=[hand.step]),
        ):
            yield
    finally:
        bury_what_workers_had_in_memory()


def bury_what_workers_had_in_memory() -> None:
    """A worker that stops leaves the workflows it had in memory to Python's garbage collector.

    Collected by chance while another worker of this process runs a workflow, their ``finally`` blocks write into the
    history of that one.
    """
    complain, sys.unraisablehook = sys.unraisablehook, lambda _: None  # they can't await any more
    try:
        while gc.collect():  # some come to life again once
            pass
    finally:
        sys.unraisablehook = complain


async def surely(event: asyncio.Event) -> None:
    """For a step that goes on until this has happened, though its booking may not want it any more.

    It hears of that with a heartbeat, some seconds later; a worker that stops ends it all the same.
    """
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.shield(waiting)
    except asyncio.CancelledError:
        if activity.is_worker_shutdown():
            raise
        await waiting


async def _until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while not true() and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.05)


def hour(start: datetime) -> Interval:
    return Interval(start=start, end=start + timedelta(hours=1))


def _sent(notice: Any) -> MessageState:
    return MessageState(kind=notice.kind, channel=notice.channel, version=notice.version, state="accepted")


def _sent_to_desk(notice: Any) -> MessageState:
    return MessageState(kind=notice.kind, channel="email", version=notice.version, state="accepted")
