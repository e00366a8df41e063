"""The front desk's queue as one booking sees it: open an exception, escalate it, and wait for the answer."""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.booking import Reason, Status
    from domain.wording import MessageKind
    from workflows.booking.contracts import ResolutionKind
    from workflows.booking.escalation import EscalationSchedule
    from workflows.booking.notifications import Notifications
    from workflows.booking.state.booking_state import BookingState
    from workflows.booking.status_publisher import StatusPublisher
    from workflows.shared.outcomes import NeedsStaff
    from workflows.shared.timers import wait_until


class DeskQueue:
    def __init__(self, state: BookingState, notifications: Notifications, status_publisher: StatusPublisher) -> None:
        self._state = state
        self._notifications = notifications
        self._status_publisher = status_publisher
        self._one_at_a_time = asyncio.Lock()

    def open(self, problem: NeedsStaff, status: Status) -> None:
        """Put an exception in the queue and tell the desk."""
        if self._state.exception.resolution is not None and not self._state.exception.is_declined:
            workflow.logger.warning("resolution_discarded", extra={"cause": "another exception was opened"})
        self._state.exception.open(problem, workflow.now())
        self._status_publisher.change_status(status, problem.reason)
        self._notifications.notify_desk(MessageKind.DESK_EXCEPTION, problem.reason)

    async def ask(self, problem: NeedsStaff) -> ResolutionKind:
        """Open an exception that does not change the booking's status, and wait for the answer.

        The booking waits for one such exception at a time; the desk hears of the next one at once.
        """
        exception, lifecycle = self._state.exception, self._state.lifecycle
        if self._one_at_a_time.locked():
            self._notifications.notify_desk(MessageKind.DESK_EXCEPTION, problem.reason, is_separate=True)
        async with self._one_at_a_time:
            former_reason = lifecycle.reason
            self.open(problem, lifecycle.status)
            try:
                await self._wait_for_answer()
                return exception.take_resolution().kind
            finally:
                self._notifications.cancel_pending_desk_notice()
                if exception.problem is problem:
                    exception.close()
                    self._status_publisher.change_status(lifecycle.status, former_reason)

    async def inform_until_acknowledged(self, reason: Reason) -> None:
        """Tell the desk about work that goes on: as an exception of its own, or by a message if one is open."""
        if self._state.exception.is_open and not self._state.lifecycle.is_confirmed_or_final:
            self._notifications.notify_desk(MessageKind.DESK_EXCEPTION, reason, is_separate=True)
        else:
            await self.ask(NeedsStaff(reason))

    def new_schedule(self) -> EscalationSchedule:
        return EscalationSchedule(self._state.booking.policy, self._state.reservation.start, workflow.now())

    def escalate(self, schedule: EscalationSchedule) -> None:
        """Remind the desk of the open exception."""
        assert self._state.exception.problem is not None
        self._notifications.notify_desk(MessageKind.DESK_ESCALATION, self._state.exception.problem.reason)
        schedule.plan_next(workflow.now())

    async def _wait_for_answer(self) -> None:
        exception, schedule = self._state.exception, self.new_schedule()
        exception.plan_next_action(schedule.next_at)
        while not await wait_until(schedule.next_at, lambda: exception.resolution is not None, "Wait for the desk"):
            self.escalate(schedule)
            exception.plan_next_action(schedule.next_at)
