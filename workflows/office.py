"""Waiting for a practice's own system to take in what was written: told by news, looked up now and then."""

from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.booking import Reason
    from domain.messages import Kind
    from domain.policy import LandingPolicy
    from workflows.landing import Landing
    from workflows.notices import Notices
    from workflows.state import BookingState, NeedsStaff
    from workflows.taking_back import TakingBack
    from workflows.waiting import beside, happens_before

AT_LEAST = timedelta(minutes=5)
"""However soon the visit is, an office gets so long before a person is asked."""


class Office:
    def __init__(
        self,
        policy: LandingPolicy,
        state: BookingState,
        landing: Landing,
        taking_back: TakingBack,
        notices: Notices,
    ) -> None:
        self._policy = policy
        self._state = state
        self._landing = landing
        self._taking_back = taking_back
        self._notices = notices

    async def takes_it(self) -> None:
        """Returns when the hold has landed or is not wanted any more.

        Raises NeedsStaff where it was refused, and where it has not landed in time for a person to act.
        """
        async with beside(self.clears_up()):
            await self._takes_it()

    async def _takes_it(self) -> None:
        state, begun = self._state, workflow.now()
        ask_at = max(min(begun + self._policy.patience, state.start - self._policy.margin), begun + AT_LEAST)
        tell_at: datetime | None = begun + self._policy.tell_patient_after
        while state.on_its_way and not state.withdrawn:
            next_at = min(at for at in (state.look_at, ask_at, tell_at) if at is not None)
            await happens_before(
                next_at, lambda: self.look_is_due() or state.withdrawn, "Until the practice's own system has it"
            )
            if state.withdrawn:
                return
            if self.look_is_due():
                await self._landing.look()
            elif tell_at is not None and workflow.now() >= tell_at:
                tell_at = None
                self._notices.tell_patient(Kind.RECEIVED)
            elif workflow.now() >= ask_at:
                raise NeedsStaff(Reason.NOT_LANDED)

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
            self._notices.tell_desk(Kind.DESK_EXCEPTION, need.reason)
