"""Messages go out beside the booking: they never hold it up, and it never ends before they have."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.messages import DeskNotice, MessageActivities, Notice
    from adapters.messenger import Channel
    from domain.booking import MessageState, Reason
    from domain.messages import Kind
    from workflows.practice_steps import SILENCE
    from workflows.state import BookingState
    from workflows.waiting import sleep_until

WITHIN = timedelta(hours=12)
RETRIES = RetryPolicy(
    initial_interval=timedelta(seconds=2), backoff_coefficient=2, maximum_interval=timedelta(minutes=10)
)
REACHED = frozenset({"accepted", "uncertain"})


class Notices:
    def __init__(self, state: BookingState) -> None:
        self._state = state
        self._sending: set[asyncio.Task[bool]] = set()
        self._told: set[tuple[Kind, int]] = set()
        self._desk_version = 0

    def tell_patient(self, kind: Kind) -> asyncio.Task[bool]:
        """Send once on every channel the patient agreed to; the task says whether any reached them."""
        return self._beside(self._tell_patient(kind))

    def tell_desk(self, kind: Kind, reason: Reason) -> None:
        self._desk_version += 1
        notice = DeskNotice(
            reference=self._state.given.reference,
            location=self._state.given.policy.location,
            kind=kind,
            version=self._desk_version,
            reason=reason,
            start=self._state.start,
        )
        self._beside(self._deliver_to_desk(notice))

    async def finished(self) -> None:
        while self._sending:
            await asyncio.gather(*self._sending)

    def _beside(self, work: Coroutine[Any, Any, bool]) -> asyncio.Task[bool]:
        task = asyncio.create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return task

    async def _tell_patient(self, kind: Kind) -> bool:
        if (kind, self._state.version) in self._told:
            return True
        self._told.add((kind, self._state.version))
        request = self._state.given.request
        addresses = {
            Channel.EMAIL: request.patient.email if request.consent.email else None,
            Channel.SMS: request.patient.mobile if request.consent.sms else None,
        }
        notices = [
            Notice(
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
        return any(await asyncio.gather(*(self._deliver(notice) for notice in notices)))

    async def _deliver(self, notice: Notice) -> bool:
        try:
            sent = await self._notify(notice)
            while sent.not_before is not None:
                await sleep_until(sent.not_before, f"Quiet hours, then tell the patient: {notice.kind}")
                sent = await self._notify(notice)
        except ActivityError as failure:
            sent = MessageState(
                kind=notice.kind,
                channel=notice.channel,
                version=notice.version,
                state=_why(failure),
            )
        self._state.messages.append(sent)
        return sent.state in REACHED

    async def _notify(self, notice: Notice) -> MessageState:
        return await workflow.execute_activity_method(
            MessageActivities.notify,
            notice,
            start_to_close_timeout=timedelta(seconds=90),
            schedule_to_close_timeout=WITHIN,
            heartbeat_timeout=SILENCE,
            retry_policy=RETRIES,
            summary=f"Tell the patient by {notice.channel}: {notice.kind}",
        )

    async def _deliver_to_desk(self, notice: DeskNotice) -> bool:
        try:
            sent = await workflow.execute_activity_method(
                MessageActivities.tell_desk,
                notice,
                start_to_close_timeout=timedelta(seconds=90),
                schedule_to_close_timeout=WITHIN,
                heartbeat_timeout=SILENCE,
                retry_policy=RETRIES,
                summary=f"Tell the desk: {notice.reason}",
            )
        except ActivityError as failure:
            workflow.logger.warning("desk not told", extra={"cause": _why(failure)})
            return False
        return sent.state in REACHED


def _why(failure: ActivityError) -> str:
    cause = failure.cause
    kind = cause.type if isinstance(cause, ApplicationError) else type(cause).__name__
    return f"failed:{kind}"
