"""What an ended booking leaves behind: nothing, however long the office is away."""

from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.booking import Reason
    from domain.calendar import EventKind, LandingState
    from workflows.contracts import ResolutionKind
    from workflows.desk import Desk
    from workflows.landing import Landing
    from workflows.state import BookingState, NeedsStaff
    from workflows.waiting import happens_before, sleep_until

QUEUE_DRAINS_WITHIN = timedelta(hours=24)
"""Where writes are queued: longer than an office's server is off over night."""


class Undoing:
    def __init__(self, state: BookingState, landing: Landing, desk: Desk) -> None:
        self._state = state
        self._landing = landing
        self._desk = desk

    async def all_is_taken_back(self) -> None:
        """The appointment, whatever may still be added to the calendar, and the claim."""
        state = self._state
        if state.write_begun:
            await self._take_back()
        if state.claimed:
            await self._landing.release_claim()
        if state.queued:
            await self._watch_the_queue()
        elif state.late_until is not None and workflow.now() < state.late_until:
            await sleep_until(state.late_until, "A late commit would show by now")
            await self._take_back()

    async def _take_back(self) -> None:
        """Where the practice system refuses, a person removes it and says so."""
        while True:
            try:
                return await self._landing.withdraw()
            except NeedsStaff as need:
                if await self._desk.asked(need) is ResolutionKind.APPROVE:
                    return self._landing.forget_hold()

    async def _watch_the_queue(self) -> None:
        """What was taken back may land yet, and the taking back be refused by the practice's own system.

        Both are told by news, which may be lost: so look as often as for a landing, and once more in the end.
        """
        state, end = self._state, workflow.now() + QUEUE_DRAINS_WITHIN
        for wait in (*state.given.policy.landing.look_after, QUEUE_DRAINS_WITHIN):
            await self._heed_news_until(min(workflow.now() + wait, end))
            await self._take_back()

    async def _heed_news_until(self, look_at: datetime) -> None:
        state = self._state
        while await happens_before(look_at, lambda: state.news is not None, "Until nothing can land any more"):
            news, state.news = state.news, None
            if news is not None and news.kind is EventKind.CHANGE_FAILED:
                await self._desk.asked(NeedsStaff(Reason.REFUSED_BY_SYSTEM))
            elif news is not None and news.landing is LandingState.LANDED:
                await self._take_back()
