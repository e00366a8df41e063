"""Messages go out beside the booking: they never hold it up, and it never ends before they have."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from temporalio.workflow import ActivityCancellationType

with workflow.unsafe.imports_passed_through():
    from activities.notifications import DeskNotice, NotificationActivities, PatientNotice
    from adapters.messenger import Channel
    from domain.booking import MessageState, Reason
    from domain.messages import LAST_WORDS, Kind
    from workflows.booking.messages import workflow_id
    from workflows.booking.state import BookingState
    from workflows.shared.activity_runner import SILENCE
    from workflows.shared.timers import ended, is_cancelled, sleep_until

Given = TypeVar("Given", PatientNotice, DeskNotice)

WITHIN = timedelta(hours=12)
RETRIES = RetryPolicy(
    initial_interval=timedelta(seconds=2), backoff_coefficient=2, maximum_interval=timedelta(minutes=10)
)
REACHED = "accepted"
OVERTAKEN = "overtaken"
DESK = "desk"


class Notices:
    """The latest word counts: what is still on its way when it is overtaken is not sent any more."""

    def __init__(self, state: BookingState) -> None:
        self._state = state
        self._latest: dict[str, asyncio.Task[bool]] = {}
        """On each of the patient's channels, and to the desk."""
        self._told: dict[tuple[Kind, int], asyncio.Task[bool]] = {}
        self._desk_version = 0

    def tell_patient(self, kind: Kind) -> asyncio.Task[bool]:
        """Send once on every channel the patient agreed to; the task says whether any reached them."""
        version = self._state.version
        if (kind, version) not in self._told:
            sending = [self._send(notice.channel, partial(self._deliver, notice)) for notice in self._to_patient(kind)]
            self._told[kind, version] = asyncio.create_task(_any(sending))
        return self._told[kind, version]

    def tell_desk(self, kind: Kind, reason: Reason, *, aside: bool = False) -> None:
        """``aside``: of something else than what the desk has before it; neither overtakes the other."""
        self._desk_version += 1
        notice = DeskNotice(
            booking=workflow_id(self._state.given.request.request_id),
            reference=self._state.given.reference,
            location=self._state.given.policy.location,
            kind=kind,
            version=self._desk_version,
            reason=reason,
            start=self._state.start,
        )
        to = kind if kind in LAST_WORDS else f"{DESK}, {reason}" if aside else DESK
        self._send(to, partial(self._deliver_to_desk, notice))

    def desk_has_acted(self) -> None:
        """What the desk was still to be told is not so any more."""
        if DESK in self._latest:
            self._latest[DESK].cancel()

    async def finished(self) -> None:
        await ended(self._latest.values())

    def _send(self, to: str, deliver: Callable[[], Coroutine[Any, Any, bool]]) -> asyncio.Task[bool]:
        older = self._latest.get(to)
        if older is not None:
            older.cancel()
        self._latest[to] = asyncio.create_task(_in_turn(older, deliver))
        return self._latest[to]

    def _to_patient(self, kind: Kind) -> list[PatientNotice]:
        request = self._state.given.request
        addresses = {
            Channel.EMAIL: request.reached.email if request.consent.email else None,
            Channel.SMS: request.reached.mobile if request.consent.sms else None,
        }
        return [
            PatientNotice(
                reference=self._state.given.reference,
                location=request.location,
                kind=kind,
                version=self._state.version,
                channel=channel,
                to=address,
                language=request.language,
                start=self._state.start,
                asked_at=self._state.asked_at,
            )
            for channel, address in addresses.items()
            if address
        ]

    async def _deliver(self, notice: PatientNotice) -> bool:
        summary = f"Tell the patient by {notice.channel}: {notice.kind}"
        sent = await _attempted(NotificationActivities.notify, notice, notice.channel, summary)
        while sent.not_before is not None:
            if is_cancelled():
                raise asyncio.CancelledError
            await sleep_until(sent.not_before, f"Quiet hours, then tell the patient: {notice.kind}")
            sent = await _attempted(NotificationActivities.notify, notice, notice.channel, summary)
        self._state.messages.append(sent)
        return sent.state == REACHED

    async def _deliver_to_desk(self, notice: DeskNotice) -> bool:
        summary = f"Tell the desk: {notice.reason}"
        sent = await _attempted(NotificationActivities.route_exception, notice, Channel.EMAIL, summary)
        if sent.state != REACHED:
            workflow.logger.warning("desk not told", extra={"cause": sent.state})
        return sent.state == REACHED


async def _in_turn(older: asyncio.Task[bool] | None, deliver: Callable[[], Coroutine[Any, Any, bool]]) -> bool:
    """Only after what it overtakes has ended, so that nobody hears the older word last."""
    if older is not None:
        await ended([older])
    return await deliver()


async def _any(sending: list[asyncio.Task[bool]]) -> bool:
    await ended(sending)
    reached = [sent.result() for sent in sending]
    return any(reached)


async def _attempted(
    step: Callable[[Any, Given], Awaitable[MessageState]], notice: Given, channel: Channel, summary: str
) -> MessageState:
    """How it ended, also where it could not be sent."""
    try:
        return await workflow.execute_activity_method(
            step,
            notice,
            start_to_close_timeout=timedelta(seconds=90),
            schedule_to_close_timeout=WITHIN,
            heartbeat_timeout=SILENCE,
            retry_policy=RETRIES,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
        )
    except ActivityError as failure:
        return MessageState(kind=notice.kind, channel=channel, version=notice.version, state=_why(failure))


def _why(failure: ActivityError) -> str:
    if is_cancelled_exception(failure):
        return OVERTAKEN
    cause = failure.cause
    return f"failed:{cause.type if isinstance(cause, ApplicationError) else type(cause).__name__}"
