"""A confirmed visit, until it is over: the patient knows of it, the office has it, and how it went is recorded."""

import asyncio
import itertools
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.hold_contracts import ReadAppointmentInput
    from activities.holds import HoldActivities
    from domain.booking import Reason, Status
    from domain.calendar import Appointment, AppointmentStatus, EventKind, LandingState
    from domain.messages import Kind
    from workflows.booking.desk import Desk
    from workflows.booking.interruptions import NeedsStaff
    from workflows.booking.landing import Landing
    from workflows.booking.listing import Listing
    from workflows.booking.messages import ResolutionKind
    from workflows.booking.notices import Notices
    from workflows.booking.state import BookingState
    from workflows.shared.activity_runner import PracticeSteps
    from workflows.shared.timers import happens_before

OUTCOME_KNOWN_AFTER = timedelta(hours=12)
"""After the visit's end the desk has so long to record how it went."""


class Visit:
    def __init__(
        self,
        state: BookingState,
        steps: PracticeSteps,
        landing: Landing,
        desk: Desk,
        notices: Notices,
        listing: Listing,
    ) -> None:
        self._state = state
        self._steps = steps
        self._landing = landing
        self._desk = desk
        self._notices = notices
        self._listing = listing
        self._confirmed_again = False

    async def is_told(self) -> None:
        """A patient whom no message reaches is called by the desk."""
        told = self._notices.tell_patient(Kind.CONFIRMED)
        if not await asyncio.shield(told):
            await self._desk.asked(NeedsStaff(Reason.NOT_REACHED))

    async def is_in_the_office(self) -> None:
        """What only a person has seen there is looked for; what was not confirmed there is, once more."""
        for looks in itertools.count():
            await self._is_in_doubt(looks)
            need = await self._see_to_it()
            while need is not None and await self._desk.asked(need) is ResolutionKind.RETRY:
                need = await self._see_to_it()

    async def _is_in_doubt(self, looks: int) -> None:
        state = self._state
        if not state.vouched:
            await workflow.wait_condition(lambda: state.told is not None and state.told.kind is EventKind.CHANGE_FAILED)
            return
        look_at = workflow.now() + state.rarely(looks)
        await happens_before(look_at, lambda: state.told is not None, "Until the practice's own system shows it")

    async def _see_to_it(self) -> NeedsStaff | None:
        """What a person must settle."""
        state, told = self._state, self._state.told
        found = await self._read("Does the practice's own system have it?")
        state.looked_into(told)
        if found is None or not found.status.occupies_chair:
            state.vouched = False  # the visit's outcome will say so
            return None
        if found.landing is not LandingState.LANDED:
            refused = told is not None and told.landing in (LandingState.REFUSED, LandingState.TIMED_OUT)
            return NeedsStaff(Reason.REFUSED_BY_OFFICE) if refused else None
        state.vouched = False
        return await self._confirm_again() if found.status is AppointmentStatus.TENTATIVE else None

    async def _confirm_again(self) -> NeedsStaff | None:
        self._confirmed_again = not self._confirmed_again
        if not self._confirmed_again:
            return NeedsStaff(Reason.REFUSED_BY_SYSTEM)
        try:
            await self._landing.confirm_again()
        except NeedsStaff as need:
            return need
        return None

    async def is_over(self) -> Status | None:
        """How it went, as the desk recorded it; ``None``: the patient took it back before.

        A visit that the desk moved meanwhile is followed to its new end.
        """
        while not await self._taken_back_before(self._outcome_known_at()):
            found = await self._read("How did the visit go?")
            if found is None:
                return Status.CANCELLED
            self._state.appointment = found
            if found.status in _OUTCOMES or workflow.now() >= self._outcome_known_at():
                return _OUTCOMES.get(found.status, Status.COMPLETED)
            self._listing.become(Status.CONFIRMED, self._state.reason)
        return None

    async def _taken_back_before(self, deadline: datetime) -> bool:
        return await happens_before(deadline, lambda: self._state.withdrawn, "Until the visit is over")

    def _outcome_known_at(self) -> datetime:
        assert self._state.appointment is not None
        return self._state.appointment.time.end + OUTCOME_KNOWN_AFTER

    async def _read(self, purpose: str) -> Appointment | None:
        """As the practice system has it now; where it does not say, as a person says it was kept."""
        state = self._state
        assert state.appointment is not None
        given = ReadAppointmentInput(location=state.given.policy.location, appointment_id=state.appointment.id)
        while True:
            try:
                return await self._steps.cleanup(HoldActivities.read_appointment, given, purpose)
            except NeedsStaff as need:
                if await self._desk.asked(need) is ResolutionKind.APPROVE:
                    return state.appointment


_OUTCOMES = {
    AppointmentStatus.COMPLETED: Status.COMPLETED,
    AppointmentStatus.NO_SHOW: Status.NO_SHOW,
    AppointmentStatus.BROKEN: Status.CANCELLED,
}
