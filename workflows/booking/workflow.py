"""One booking, from the patient's request to the end of the visit.

``run`` goes from phase to phase; phases.py has the table of the ways between them.
"""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from domain.booking import BookingView, Reason, Status
    from domain.wording import MessageKind
    from workflows.booking.background import BackgroundRunner
    from workflows.booking.cleanup import Cleanup
    from workflows.booking.compensation import Compensation
    from workflows.booking.contracts import OTHER_BOOKING, BookingInput, workflow_id
    from workflows.booking.desk import Desk
    from workflows.booking.desk_queue import DeskQueue
    from workflows.booking.handlers import BookingHandlers
    from workflows.booking.hold import HoldSteps
    from workflows.booking.notifications import Notifications
    from workflows.booking.office import OfficeWait
    from workflows.booking.patient import PatientSteps
    from workflows.booking.phases import Phase
    from workflows.booking.reservation import ReservationSteps
    from workflows.booking.slot import SlotSteps
    from workflows.booking.state.booking_state import BookingState
    from workflows.booking.status_publisher import StatusPublisher
    from workflows.booking.step_result import StepResult
    from workflows.booking.view import build_view
    from workflows.booking.visit import VisitFollowUp
    from workflows.shared.activity_runner import ActivityRunner
    from workflows.shared.outcomes import Cancelled, Declined, NeedsStaff
    from workflows.shared.timers import running_meanwhile


@workflow.defn
class BookingWorkflow(BookingHandlers):
    @workflow.init
    def __init__(self, booking: BookingInput) -> None:
        state = BookingState(booking, started_at=workflow.info().workflow_start_time, now=workflow.now())
        runner = ActivityRunner(booking.policy.connection, booking.policy.location)
        super().__init__(state, runner, Notifications(state))
        self._status_publisher = StatusPublisher(state)
        self._queue = DeskQueue(state, self._notifications, self._status_publisher)
        background = BackgroundRunner(runner, self._queue)
        compensation = Compensation(state, background)
        slots = SlotSteps(state, runner)
        holds = HoldSteps(state, runner, background, compensation, slots)
        self._reservation = ReservationSteps(state, PatientSteps(state, runner), slots, holds)
        self._office = OfficeWait(state, holds, compensation, self._notifications, self._status_publisher)
        self._desk = Desk(
            state, holds, compensation, self._office, self._queue, self._notifications, self._status_publisher
        )
        self._visit = VisitFollowUp(state, background, holds, self._queue, self._notifications, self._status_publisher)
        self._cleanup = Cleanup(state, compensation, self._queue)
        self._steps = {
            Phase.RESERVING: self._reserve,
            Phase.AWAITING_OFFICE: self._await_office,
            Phase.WITH_DESK: self._ask_desk,
            Phase.CONFIRMING: self._confirm,
            Phase.CONFIRMED: self._follow_visit,
            Phase.CLEANING_UP: self._clean_up,
        }
        self._problem: NeedsStaff | None = None
        """The exception with which the next phase goes to the desk."""
        self._last_notice: asyncio.Task[None] | None = None

    @workflow.run
    async def run(self, booking: BookingInput) -> BookingView:
        if workflow.info().workflow_id != workflow_id(booking.request.request_id):
            # A sealed request can be copied to another workflow by somebody without keys.
            raise ApplicationError("The request is another booking's.", type=OTHER_BOOKING, non_retryable=True)
        try:
            await self._go_through_phases(Phase.RESERVING)
            await self._finish()
        except (asyncio.CancelledError, ActivityError) as failure:
            if not is_cancelled_exception(failure):
                raise
            await self._end_after_cancellation()
            raise
        return build_view(self._state)

    async def _go_through_phases(self, phase: Phase) -> None:
        while phase is not Phase.CLOSED:
            self._status_publisher.enter_phase(phase)
            try:
                phase = await self._steps[phase]()
            except NeedsStaff as problem:
                phase = await self._hand_to_desk(problem)
            except Declined as answer:
                self._state.exception.offer(answer.alternatives, workflow.now())
                phase = self._end_without_visit(Status.DECLINED, answer.reason, MessageKind.DECLINED)
            except Cancelled:
                phase = self._end_as_cancelled()
        self._status_publisher.enter_phase(phase)

    # The phases. Each returns the next one.

    async def _reserve(self) -> Phase:
        if await self._reservation.reserve() is StepResult.OFFICE_PENDING:
            return self._next_open_phase()
        return Phase.CONFIRMING

    async def _await_office(self) -> Phase:
        if not self._is_waiting_for_landing():
            await self._office.wait_to_retry_confirmation()
            self._check_not_cancelled()
        elif await self._office.wait_until_landed() is StepResult.HOLD_RELEASED_EARLIER:
            self._state.exception.close()
            return self._next_open_phase()
        return Phase.RESERVING

    async def _ask_desk(self) -> Phase:
        assert self._problem is not None
        problem, self._problem = self._problem, None
        await self._desk.resolve(problem)
        return self._next_open_phase()

    async def _confirm(self) -> Phase:
        result = await self._reservation.ensure_confirmed()
        if result is StepResult.HOLD_RELEASED_EARLIER:
            self._state.exception.close()
        if result is not StepResult.DONE:
            return self._next_open_phase()
        self._check_not_cancelled()
        self._status_publisher.change_status(Status.CONFIRMED)
        return Phase.CONFIRMED

    async def _follow_visit(self) -> Phase:
        """Stay open in case the patient cancels, then record how the visit went."""
        async with running_meanwhile(
            self._visit.notify_confirmed(), self._cleanup.watch_for_leftovers(), self._visit.watch_office_record()
        ):
            outcome = await self._visit.wait_for_outcome()
            if outcome is None:
                return self._end_as_cancelled()
        self._status_publisher.change_status(outcome)
        return Phase.CLOSED

    async def _clean_up(self) -> Phase:
        await self._cleanup.compensate()
        return Phase.CLOSED

    # The ways between them.

    def _next_open_phase(self) -> Phase:
        """Where to go on after a wait, by what has become of the hold."""
        self._check_not_cancelled()
        if self._is_waiting_for_landing() or self._state.is_confirmation_blocked_by_office:
            return Phase.AWAITING_OFFICE
        return Phase.RESERVING

    def _is_waiting_for_landing(self) -> bool:
        return self._state.reservation.is_landing and not self._state.reservation.is_moving

    def _check_not_cancelled(self) -> None:
        """Raises Cancelled."""
        if self._state.lifecycle.is_cancelled:
            raise Cancelled

    async def _hand_to_desk(self, problem: NeedsStaff) -> Phase:
        """An open booking waits for the desk's decision. A settled one asks the desk and tries the phase again."""
        lifecycle = self._state.lifecycle
        if not lifecycle.is_confirmed_or_final:
            if lifecycle.is_cancelled:
                return self._end_as_cancelled()
            self._problem = problem
            return Phase.WITH_DESK
        await self._queue.ask(problem)
        if lifecycle.status is Status.CONFIRMED:
            return Phase.CONFIRMED
        return Phase.CLEANING_UP if lifecycle.must_compensate else Phase.CLOSED

    def _end_as_cancelled(self) -> Phase:
        was_confirmed = self._state.lifecycle.status is Status.CONFIRMED
        kind = MessageKind.VISIT_CANCELLED if was_confirmed else MessageKind.CANCELLED
        return self._end_without_visit(Status.CANCELLED, Reason.CANCELLED_BY_PATIENT, kind)

    def _end_without_visit(self, status: Status, reason: Reason, kind: MessageKind) -> Phase:
        """Tell the patient first; what was written is released after that."""
        self._state.lifecycle.require_compensation()
        self._state.exception.close()
        self._status_publisher.change_status(status, reason)
        self._last_notice = asyncio.create_task(self._ensure_patient_knows(self._notifications.notify_patient(kind)))
        return Phase.CLEANING_UP

    async def _ensure_patient_knows(self, sending: asyncio.Task[bool]) -> None:
        """Ask the desk to call the patient if nothing told them how the booking ended.

        Nobody is called who cancelled, who waited for the answer and heard it, or whom a message reached.
        """
        if await sending or self._state.lifecycle.is_cancelled:
            return
        await workflow.wait_condition(workflow.all_handlers_finished)
        if not self._state.lifecycle.has_answered_final:
            await self._queue.ask(NeedsStaff(Reason.NOT_REACHED))

    async def _end_after_cancellation(self) -> None:
        """The workflow was cancelled in Temporal: end as if the patient had cancelled, where that is still possible."""
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()  # or every later await would raise again
        lifecycle = self._state.lifecycle
        if not lifecycle.status.is_final and not self._has_visit_begun():
            self._end_as_cancelled()
        if lifecycle.must_compensate and lifecycle.phase is not Phase.CLOSED:
            await self._go_through_phases(Phase.CLEANING_UP)
        await self._finish()

    async def _finish(self) -> None:
        """A booking ends after its last message was sent and the last caller was answered."""
        if self._last_notice is not None:
            await asyncio.shield(self._last_notice)
        await self._notifications.wait_until_sent()
        await workflow.wait_condition(workflow.all_handlers_finished)
