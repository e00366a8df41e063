"""A confirmed visit until it is over: the patient knows, the office system has it, and its outcome is recorded."""

import asyncio
import itertools
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.hold_contracts import ReadAppointmentInput
    from activities.holds import HoldActivities
    from domain.booking import Reason, Status
    from domain.calendar import Appointment, AppointmentStatus, EventKind, LandingState
    from domain.wording import MessageKind
    from workflows.booking.background import BackgroundRunner
    from workflows.booking.contracts import ResolutionKind
    from workflows.booking.desk_queue import DeskQueue
    from workflows.booking.hold import HoldSteps
    from workflows.booking.notifications import Notifications
    from workflows.booking.state.booking_state import BookingState
    from workflows.booking.state.polling import poll_interval
    from workflows.booking.status_publisher import StatusPublisher
    from workflows.shared.outcomes import NeedsStaff
    from workflows.shared.timers import wait_until

OUTCOME_KNOWN_AFTER = timedelta(hours=12)
"""The desk has this time after the visit's end to record how it went."""
_OUTCOMES = {
    AppointmentStatus.COMPLETED: Status.COMPLETED,
    AppointmentStatus.NO_SHOW: Status.NO_SHOW,
    AppointmentStatus.BROKEN: Status.CANCELLED,
}


class VisitFollowUp:
    def __init__(
        self,
        state: BookingState,
        background: BackgroundRunner,
        holds: HoldSteps,
        queue: DeskQueue,
        notifications: Notifications,
        status_publisher: StatusPublisher,
    ) -> None:
        self._state = state
        self._background = background
        self._holds = holds
        self._queue = queue
        self._notifications = notifications
        self._status_publisher = status_publisher
        self._was_confirmed_again = False

    async def notify_confirmed(self) -> None:
        """Tell the patient. If no message reaches them, the desk is asked to call."""
        sending = self._notifications.notify_patient(MessageKind.CONFIRMED)
        # Shielded: the message goes out even if this task is cancelled meanwhile.
        if not await asyncio.shield(sending):
            await self._queue.ask(NeedsStaff(Reason.NOT_REACHED))

    async def watch_office_record(self) -> None:
        """Check the practice's own record after each doubt, and confirm once more what was not confirmed there."""
        for checks in itertools.count():
            await self._wait_for_doubt(checks)
            problem = await self._check_office_record()
            while problem is not None and await self._queue.ask(problem) is ResolutionKind.RETRY:
                problem = await self._check_office_record()

    async def _wait_for_doubt(self, checks: int) -> None:
        """Wait for an event, or for the next check of an appointment that so far only a person has seen."""
        state = self._state
        if not state.office.was_seen_by_staff:
            await workflow.wait_condition(
                lambda: state.pending_event is not None and state.pending_event.kind is EventKind.CHANGE_FAILED
            )
            return
        check_at = workflow.now() + poll_interval(checks, state.booking.policy.landing.check_after)
        await wait_until(check_at, lambda: state.pending_event is not None, "Check the practice's own record again")

    async def _check_office_record(self) -> NeedsStaff | None:
        """Read the appointment. Return what a person must settle."""
        state, event = self._state, self._state.pending_event
        appointment = await self._read_appointment("Check the practice's own record")
        state.office.acknowledge_event(event)
        if appointment is None or not appointment.status.occupies_time:
            state.office.end_vouching()  # the outcome of the visit will say so
            return None
        if appointment.landing is not LandingState.LANDED:
            was_refused = event is not None and event.landing in (LandingState.REFUSED, LandingState.TIMED_OUT)
            return NeedsStaff(Reason.REFUSED_BY_OFFICE) if was_refused else None
        state.office.end_vouching()
        return await self._confirm_again() if appointment.status is AppointmentStatus.TENTATIVE else None

    async def _confirm_again(self) -> NeedsStaff | None:
        """Repeat the confirmation once; if that did not help either, the desk must see to it."""
        self._was_confirmed_again = not self._was_confirmed_again
        if not self._was_confirmed_again:
            return NeedsStaff(Reason.REFUSED_BY_SYSTEM)
        try:
            await self._holds.confirm_again()
        except NeedsStaff as problem:
            return problem
        return None

    async def wait_for_outcome(self) -> Status | None:
        """How the visit went, as the desk recorded it; ``None`` if the patient cancelled before.

        If the desk moved the appointment, the new time is followed.
        """
        while not await self._wait_for_cancel_until(self._outcome_known_at()):
            appointment = await self._read_appointment("Read how the visit went")
            if appointment is None:
                return Status.CANCELLED
            self._state.reservation.refresh(appointment)
            if appointment.status in _OUTCOMES or workflow.now() >= self._outcome_known_at():
                return _OUTCOMES.get(appointment.status, Status.COMPLETED)
            self._status_publisher.change_status(Status.CONFIRMED, self._state.lifecycle.reason)
        return None

    async def _wait_for_cancel_until(self, deadline: datetime) -> bool:
        lifecycle = self._state.lifecycle
        return await wait_until(deadline, lambda: lifecycle.is_cancelled, "Wait for the end of the visit")

    def _outcome_known_at(self) -> datetime:
        appointment = self._state.reservation.appointment
        assert appointment is not None
        return appointment.time.end + OUTCOME_KNOWN_AFTER

    async def _read_appointment(self, summary: str) -> Appointment | None:
        """The appointment as the practice system has it; ``None``: somebody deleted it.

        If the practice system refuses to say, the desk may say that the appointment stands.
        """
        state = self._state
        assert state.reservation.appointment is not None
        request = ReadAppointmentInput(
            location=state.booking.policy.location, appointment_id=state.reservation.appointment.id
        )
        while True:
            try:
                return await self._background.run_until_done(HoldActivities.read_appointment, request, summary)
            except NeedsStaff as problem:
                if await self._queue.ask(problem) is ResolutionKind.APPROVE:
                    return state.reservation.appointment
