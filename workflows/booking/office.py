"""Waiting for the office system: until it has the hold, or until it is online for the confirmation.

Events tell when to look; a check now and then finds what no event told.
"""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.booking import Reason, Status
    from domain.wording import MessageKind
    from workflows.booking.compensation import Compensation
    from workflows.booking.hold import HoldSteps
    from workflows.booking.notifications import Notifications
    from workflows.booking.state.booking_state import BookingState
    from workflows.booking.status_publisher import StatusPublisher
    from workflows.booking.step_result import StepResult
    from workflows.shared.outcomes import NeedsStaff
    from workflows.shared.timers import running_meanwhile, wait_until


class OfficeWait:
    def __init__(
        self,
        state: BookingState,
        holds: HoldSteps,
        compensation: Compensation,
        notifications: Notifications,
        status_publisher: StatusPublisher,
    ) -> None:
        self._policy = state.booking.policy.landing
        self._state = state
        self._holds = holds
        self._compensation = compensation
        self._notifications = notifications
        self._status_publisher = status_publisher

    async def wait_until_landed(self) -> StepResult:
        """Return DONE when the hold has landed or the patient cancelled, HOLD_RELEASED_EARLIER if it is gone.

        Raises NeedsStaff if the hold was refused, or has not landed while a person can still act.
        """
        async with running_meanwhile(self.clean_up_while_waiting()):
            return await self._wait_until_landed()

    async def _wait_until_landed(self) -> StepResult:
        state, began_at = self._state, workflow.now()
        notify_at: datetime | None = began_at + self._policy.notify_patient_after
        while state.reservation.is_landing and not state.lifecycle.is_cancelled:
            was_offline = state.office.is_offline
            self._status_publisher.change_status(
                Status.RECEIVED, Reason.OFFICE_OFFLINE if was_offline else Reason.AWAITING_OFFICE
            )
            if was_offline:
                self._notifications.notify_patient(MessageKind.REQUESTED)
                notify_at = None
            ask_desk_at = self._ask_desk_at(began_at)
            wake_times = (state.office.next_check_at, ask_desk_at, notify_at)
            await self._wait_for_event(min(at for at in wake_times if at is not None))
            result = StepResult.DONE
            if state.lifecycle.is_cancelled:
                return result
            if self.is_check_due():
                result = await self._holds.settle_landing()
            elif notify_at is not None and workflow.now() >= notify_at:
                notify_at = None
                self._notifications.notify_patient(MessageKind.RECEIVED)
            elif workflow.now() >= ask_desk_at:
                result = await self._holds.settle_landing(even_if_offline=True)
                if result is StepResult.DONE and state.reservation.is_landing:
                    raise NeedsStaff(Reason.NOT_LANDED)
            if result is StepResult.HOLD_RELEASED_EARLIER:
                return result
            if self._is_overdue(began_at):
                raise NeedsStaff(Reason.NOT_LANDED)
            if was_offline and not state.office.is_offline:
                began_at = workflow.now()
        return StepResult.DONE

    async def wait_to_retry_confirmation(self) -> None:
        """Return when the confirmation may be tried again, or the patient cancelled.

        Raises NeedsStaff when a person must confirm it by hand before the visit.
        """
        state = self._state
        ask_desk_at = self._ask_desk_at(state.office.offline_since or workflow.now())
        self._status_publisher.change_status(Status.HELD, Reason.AWAITING_CONFIRMATION)
        self._notifications.notify_patient(MessageKind.HELD)
        await self._wait_for_event(min(ask_desk_at, state.office.next_check_at or ask_desk_at))
        if state.office.is_offline and workflow.now() >= ask_desk_at and not state.lifecycle.is_cancelled:
            raise NeedsStaff(Reason.NOT_CONFIRMED)

    def is_check_due(self) -> bool:
        next_check_at = self._state.office.next_check_at
        return self._state.reservation.is_landing and next_check_at is not None and workflow.now() >= next_check_at

    async def clean_up_while_waiting(self) -> None:
        """Remove leftovers while the booking waits. The desk hears of one that cannot be removed."""
        leftovers = self._state.leftovers
        try:
            while True:
                await workflow.wait_condition(lambda: leftovers.check_at is not None)
                await self._compensation.watch_for_leftovers()
        except NeedsStaff as problem:
            self._notifications.notify_desk(MessageKind.DESK_EXCEPTION, problem.reason, is_separate=True)

    async def _wait_for_event(self, deadline: datetime) -> None:
        state, planned = self._state, self._state.office.next_check_at
        await wait_until(
            deadline,
            lambda: state.lifecycle.is_cancelled or state.office.next_check_at != planned,
            "Wait for the office system",
        )

    def _is_overdue(self, began_at: datetime) -> bool:
        """Later writes have landed, and this one has had its time. Some office systems never tell of a refusal."""
        has_waited = workflow.now() >= began_at + self._policy.min_wait
        return has_waited and self._state.office.is_overdue and self._state.reservation.is_landing

    def _ask_desk_at(self, began_at: datetime) -> datetime:
        """Early enough for a person to act before the visit. Time in which the office is offline does not count."""
        ask_at = self._state.reservation.start - self._policy.lead_time
        if not self._state.office.is_offline:
            ask_at = min(began_at + self._policy.max_wait, ask_at)
        return max(ask_at, began_at + self._policy.min_wait)
