"""Waiting for a practice's own system to take in what was written: told by news, looked up now and then."""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.booking import Reason, Status
    from domain.messages import Kind
    from domain.policy import LandingPolicy
    from workflows.booking.interruptions import NeedsStaff
    from workflows.booking.landing import Landing
    from workflows.booking.listing import Listing
    from workflows.booking.notices import Notices
    from workflows.booking.state import BookingState
    from workflows.booking.taking_back import TakingBack
    from workflows.shared.timers import beside, happens_before


class Office:
    def __init__(
        self,
        policy: LandingPolicy,
        state: BookingState,
        landing: Landing,
        taking_back: TakingBack,
        notices: Notices,
        listing: Listing,
    ) -> None:
        self._policy = policy
        self._state = state
        self._landing = landing
        self._taking_back = taking_back
        self._notices = notices
        self._listing = listing

    async def takes_it(self) -> None:
        """Returns when the hold has landed or is not wanted any more.

        Raises NeedsStaff where it was refused, and where it has not landed in time for a person to act.
        """
        async with beside(self.clears_up()):
            await self._takes_it()

    async def _takes_it(self) -> None:
        state, begun = self._state, workflow.now()
        tell_at: datetime | None = begun + self._policy.notify_patient_after
        while state.on_its_way and not state.withdrawn:
            was_off = state.office_off
            self._listing.become(Status.RECEIVED, Reason.OFFICE_OFFLINE if was_off else Reason.AWAITING_OFFICE)
            if was_off:
                self._notices.tell_patient(Kind.REQUESTED)
                tell_at = None
            ask_at = self._ask_at(begun)
            await self._next(min(at for at in (state.look_at, ask_at, tell_at) if at is not None))
            if state.withdrawn:
                return
            if self.look_is_due():
                await self._landing.look()
            elif tell_at is not None and workflow.now() >= tell_at:
                tell_at = None
                self._notices.tell_patient(Kind.RECEIVED)
            elif workflow.now() >= ask_at:
                await self._landing.look(surely=True)
                if state.on_its_way:
                    raise NeedsStaff(Reason.NOT_LANDED)
            if was_off and not state.office_off:
                begun = workflow.now()

    async def is_back(self) -> None:
        """Returns when the confirmation that could not be written may be tried again, or is not wanted any more.

        Raises NeedsStaff where that would be too late for a person to act.
        """
        state = self._state
        ask_at = self._ask_at(state.office_off_since or workflow.now())
        self._listing.become(Status.HELD, Reason.AWAITING_CONFIRMATION)
        self._notices.tell_patient(Kind.HELD)
        await self._next(min(ask_at, state.look_at or ask_at))
        if state.office_off and workflow.now() < ask_at:
            return
        if state.office_off and not state.withdrawn:
            raise NeedsStaff(Reason.NOT_CONFIRMED)

    def look_is_due(self) -> bool:
        state = self._state
        return state.on_its_way and state.look_at is not None and workflow.now() >= state.look_at

    async def clears_up(self) -> None:
        """What must not stand any more goes while the booking waits; what keeps us from it the desk is told."""
        state = self._state
        try:
            while True:
                await workflow.wait_condition(lambda: state.sweep_at is not None)
                await self._taking_back.undo_late_commits()
        except NeedsStaff as need:
            self._notices.tell_desk(Kind.DESK_EXCEPTION, need.reason, aside=True)

    async def _next(self, at: datetime) -> None:
        state, planned = self._state, self._state.look_at
        await happens_before(
            at, lambda: state.withdrawn or state.look_at != planned, "Until the practice's own system has it"
        )

    def _ask_at(self, begun: datetime) -> datetime:
        """In time for a person to act before the visit; an office that is off is not waited for in vain."""
        in_time = self._state.start - self._policy.lead_time
        if not self._state.office_off:
            in_time = min(begun + self._policy.max_wait, in_time)
        return max(in_time, begun + self._policy.min_wait)
