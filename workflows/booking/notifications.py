"""Messages to the patient and the desk. They are sent in the background and never delay the booking.

The newest message counts: one that is still waiting to be sent when a newer one follows is cancelled. A booking does
not end before its messages were sent.
"""

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
    from domain.wording import NEVER_SUPERSEDED, MessageKind
    from workflows.booking.contracts import workflow_id
    from workflows.booking.state.booking_state import BookingState
    from workflows.shared.activity_runner import HEARTBEAT_TIMEOUT
    from workflows.shared.timers import is_task_cancelled, sleep_until, wait_all

AnyNotice = TypeVar("AnyNotice", PatientNotice, DeskNotice)

ATTEMPT_TIMEOUT = timedelta(seconds=90)
DELIVERY_TIMEOUT = timedelta(hours=12)
"""A message that could not be sent within this time is abandoned."""
DELIVERY_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=2), backoff_coefficient=2, maximum_interval=timedelta(minutes=10)
)
ACCEPTED = "accepted"
OVERTAKEN = "overtaken"
DESK = "desk"


class Notifications:
    def __init__(self, state: BookingState) -> None:
        self._state = state
        self._latest: dict[str, asyncio.Task[bool]] = {}
        """The newest message on each of the patient's channels, and to the desk."""
        self._by_kind: dict[tuple[MessageKind, int], asyncio.Task[bool]] = {}
        """Each kind is sent to the patient once for each message version."""
        self._desk_version = 0

    def notify_patient(self, kind: MessageKind) -> asyncio.Task[bool]:
        """Send once on every channel the patient agreed to. The task says whether any message was accepted."""
        version = self._state.lifecycle.message_version
        if (kind, version) not in self._by_kind:
            sending = [
                self._send(notice.channel, partial(self._deliver_to_patient, notice))
                for notice in self._patient_notices(kind)
            ]
            self._by_kind[kind, version] = asyncio.create_task(_wait_for_all_and_check_any_accepted(sending))
        return self._by_kind[kind, version]

    def notify_desk(self, kind: MessageKind, reason: Reason, *, is_separate: bool = False) -> None:
        """Tell the desk about an exception.

        ``is_separate``: it is not the exception that is open, so neither message supersedes the other.
        """
        self._desk_version += 1
        notice = DeskNotice(
            booking=workflow_id(self._state.booking.request.request_id),
            reference=self._state.booking.reference,
            location=self._state.booking.policy.location,
            kind=kind,
            version=self._desk_version,
            reason=reason,
            start=self._state.reservation.start,
        )
        topic = kind if kind in NEVER_SUPERSEDED else f"{DESK}, {reason}" if is_separate else DESK
        self._send(topic, partial(self._deliver_to_desk, notice))

    def cancel_pending_desk_notice(self) -> None:
        """The exception is closed, so the desk need not hear about it any more."""
        if DESK in self._latest:
            self._latest[DESK].cancel()

    async def wait_until_sent(self) -> None:
        await wait_all(self._latest.values())

    def _send(self, topic: str, deliver: Callable[[], Coroutine[Any, Any, bool]]) -> asyncio.Task[bool]:
        former = self._latest.get(topic)
        if former is not None:
            former.cancel()
        self._latest[topic] = asyncio.create_task(_deliver_after(former, deliver))
        return self._latest[topic]

    def _patient_notices(self, kind: MessageKind) -> list[PatientNotice]:
        request = self._state.booking.request
        addresses = {
            Channel.EMAIL: request.message_recipient.email if request.consent.email else None,
            Channel.SMS: request.message_recipient.mobile if request.consent.sms else None,
        }
        return [
            PatientNotice(
                reference=self._state.booking.reference,
                location=request.location,
                kind=kind,
                version=self._state.lifecycle.message_version,
                channel=channel,
                to=address,
                language=request.language,
                start=self._state.reservation.start,
                asked_at=self._state.lifecycle.patient_acted_at,
                booking=workflow_id(request.request_id),
            )
            for channel, address in addresses.items()
            if address
        ]

    async def _deliver_to_patient(self, notice: PatientNotice) -> bool:
        summary = f"Notify the patient by {notice.channel}: {notice.kind}"
        sent = await _try_to_send(NotificationActivities.notify, notice, notice.channel, summary)
        while sent.not_before is not None:
            if is_task_cancelled():
                raise asyncio.CancelledError
            await sleep_until(sent.not_before, f"Wait for the end of quiet hours: {notice.kind}")
            sent = await _try_to_send(NotificationActivities.notify, notice, notice.channel, summary)
        self._state.add_message(sent)
        return sent.state == ACCEPTED

    async def _deliver_to_desk(self, notice: DeskNotice) -> bool:
        summary = f"Route the exception to the desk: {notice.reason}"
        sent = await _try_to_send(NotificationActivities.route_exception, notice, Channel.EMAIL, summary)
        if sent.state != ACCEPTED:
            workflow.logger.warning("desk_not_notified", extra={"cause": sent.state})
        return sent.state == ACCEPTED


async def _deliver_after(former: asyncio.Task[bool] | None, deliver: Callable[[], Coroutine[Any, Any, bool]]) -> bool:
    """Deliver only after the former message has ended, so that nobody receives the older one last."""
    if former is not None:
        await wait_all([former])
    return await deliver()


async def _wait_for_all_and_check_any_accepted(sending: list[asyncio.Task[bool]]) -> bool:
    await wait_all(sending)
    accepted = [task.result() for task in sending]
    return any(accepted)


async def _try_to_send(
    activity: Callable[[Any, AnyNotice], Awaitable[MessageState]], notice: AnyNotice, channel: Channel, summary: str
) -> MessageState:
    """Send a message and say how that ended; a failure is an answer too."""
    try:
        return await workflow.execute_activity_method(
            activity,
            notice,
            start_to_close_timeout=ATTEMPT_TIMEOUT,
            schedule_to_close_timeout=DELIVERY_TIMEOUT,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            retry_policy=DELIVERY_RETRY,
            # A cancelled message may have been sent already: wait until the worker says so.
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
        )
    except ActivityError as failure:
        return MessageState(kind=notice.kind, channel=channel, version=notice.version, state=_failure_state(failure))


def _failure_state(failure: ActivityError) -> str:
    if is_cancelled_exception(failure):
        return OVERTAKEN
    cause = failure.cause
    return f"failed:{cause.type if isinstance(cause, ApplicationError) else type(cause).__name__}"
