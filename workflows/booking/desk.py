"""The booking is with the front desk: keep the slot claimed until the desk answers or the exception settles itself."""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.booking import Reason, Status
    from domain.wording import MessageKind
    from workflows.booking.background import LATE_AFTER
    from workflows.booking.compensation import Compensation
    from workflows.booking.desk_queue import DeskQueue
    from workflows.booking.hold import HoldSteps
    from workflows.booking.notifications import Notifications
    from workflows.booking.office import OfficeWait
    from workflows.booking.resolutions import apply_resolution
    from workflows.booking.state.booking_state import BookingState
    from workflows.booking.status_publisher import StatusPublisher
    from workflows.booking.step_result import StepResult
    from workflows.shared.outcomes import Cancelled, Declined, NeedsStaff
    from workflows.shared.timers import run_with_deadline, running_meanwhile, wait_until


class Desk:
    def __init__(
        self,
        state: BookingState,
        holds: HoldSteps,
        compensation: Compensation,
        office: OfficeWait,
        queue: DeskQueue,
        notifications: Notifications,
        status_publisher: StatusPublisher,
    ) -> None:
        self._state = state
        self._holds = holds
        self._compensation = compensation
        self._office = office
        self._queue = queue
        self._notifications = notifications
        self._status_publisher = status_publisher

    async def resolve(self, problem: NeedsStaff) -> None:
        """Open the exception, wait for the answer, and apply it.

        Returns also when nothing is left to decide: the hold has landed after all, the desk has confirmed it in its
        own calendar, or it is gone because we released it. Raises NeedsStaff if another exception replaces
        this one, Declined if the desk says no or nobody answered before the visit, and Cancelled.
        """
        state = self._state
        state.exception.offer(problem.alternatives, workflow.now())
        self._queue.open(problem, Status.HELD if problem.reason is Reason.APPROVAL else Status.NEEDS_STAFF)
        self._notifications.notify_patient(
            MessageKind.HELD if state.reservation.is_hold_landed else MessageKind.RECEIVED
        )
        async with running_meanwhile(self._office.clean_up_while_waiting()):
            result = await self._wait_for_action()
        if result is StepResult.HOLD_RELEASED_EARLIER and not state.exception.is_declined:
            return state.exception.close()
        if state.lifecycle.is_cancelled:
            raise Cancelled
        self._notifications.cancel_pending_desk_notice()
        if state.exception.resolution is None:
            state.exception.close()
        else:
            apply_resolution(state.exception.take_resolution(), state)
        self._status_publisher.change_status(Status.HELD if state.reservation.is_hold_landed else Status.RECEIVED)

    async def _wait_for_action(self) -> StepResult:
        """Wait until somebody acts. Meanwhile check the landing, escalate, and let the hold expire."""
        state, schedule = self._state, self._queue.new_schedule()
        while True:
            expires_at, start = state.hold_expires_at, state.reservation.start
            deadline = min(schedule.next_at, start, expires_at or start)
            state.exception.plan_next_action(deadline)
            await self._wait_for_action_until(deadline)
            now = workflow.now()
            if state.has_desk_wait_ended:
                return StepResult.DONE
            if self._office.is_check_due():
                result = await self._check_landing()
                if result is StepResult.HOLD_RELEASED_EARLIER or not state.reservation.is_landing:
                    return result
            elif now >= start and state.exception.reason is Reason.NOT_CONFIRMED:
                state.reservation.record_confirmed(True)  # approved and in the calendar, so the visit happens
                return StepResult.DONE
            elif expires_at is not None and now >= expires_at:
                await self._expire_hold()
                if not state.exception.is_open:
                    return StepResult.DONE
            elif now >= start:
                self._notifications.notify_desk(MessageKind.DESK_EXPIRED, Reason.EXPIRED)
                raise Declined(Reason.EXPIRED)
            elif now >= schedule.next_at:
                self._queue.escalate(schedule)

    async def _wait_for_action_until(self, deadline: datetime) -> None:
        state, planned = self._state, self._state.office.next_check_at
        check_at = planned if state.reservation.is_landing and planned is not None else deadline
        await wait_until(
            min(deadline, check_at),
            lambda: state.has_desk_wait_ended or self._office.is_check_due() or state.office.next_check_at != planned,
            "Wait for the desk",
        )

    async def _check_landing(self) -> StepResult:
        """Check the landing; what prevents it is an exception only if the desk does not have the same one already."""
        try:
            return await self._holds.settle_landing()
        except NeedsStaff as problem:
            if problem.reason is not self._state.exception.reason:
                raise
            return StepResult.DONE

    async def _expire_hold(self) -> None:
        """Release the hold, because nobody decided in time. A hold that the desk has confirmed stands for good.

        A hold that cannot be released stands for another term, and the release is tried again after each term, at the
        latest when the visit would begin.
        """
        state = self._state
        try:
            was_released = await run_with_deadline(
                self._compensation.release_everything(),
                max_wait=max(state.reservation.start - workflow.now(), LATE_AFTER),
                stop_when=lambda: state.has_desk_wait_ended,
                summary="Release the expired hold",
            )
        except NeedsStaff as problem:
            state.reservation.renew_term(workflow.now())
            return self._queue.open(problem, Status.NEEDS_STAFF)
        if not was_released:
            return state.reservation.renew_term(workflow.now())
        if state.reservation.is_hold_landed or workflow.now() >= state.reservation.start:
            return
        state.lifecycle.start_message_version()
        self._queue.open(NeedsStaff(Reason.HOLD_EXPIRED), Status.NEEDS_STAFF)
        self._notifications.notify_patient(MessageKind.EXPIRED)
