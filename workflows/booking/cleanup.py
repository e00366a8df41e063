"""What an ended booking must not leave behind, however long the practice system is away."""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.booking import Reason
    from workflows.booking.compensation import Compensation
    from workflows.booking.contracts import ResolutionKind
    from workflows.booking.desk_queue import DeskQueue
    from workflows.booking.state.booking_state import BookingState
    from workflows.shared.outcomes import NeedsStaff
    from workflows.shared.timers import wait_all


class Cleanup:
    def __init__(self, state: BookingState, compensation: Compensation, desk_queue: DeskQueue) -> None:
        self._state = state
        self._compensation = compensation
        self._desk_queue = desk_queue

    async def compensate(self) -> None:
        """Release the appointment and the claim, then watch until no leftover can appear any more.

        Meanwhile the desk hears of a chart that nobody needs now.
        """
        if self._state.reservation.writes:
            await self._release_until_nothing_stands()
        if self._state.leftovers.may_have_claim:
            await self._compensation.release_claim()
        if not self._state.has_unused_chart:
            return await self.watch_for_leftovers()
        # No practice system lets us delete a chart, and the desk may want to keep it.
        naming_chart = asyncio.create_task(self._desk_queue.ask(NeedsStaff(Reason.CHART_LEFT)))
        try:
            await self.watch_for_leftovers()
            await wait_all([naming_chart])
        finally:
            naming_chart.cancel()

    async def _release_until_nothing_stands(self) -> None:
        """Includes the hold that stood until its successor landed.

        If the practice system refuses, a person removes the appointment and says so.
        """
        while True:
            try:
                await self._compensation.release_everything()
            except NeedsStaff as problem:
                if await self._ask_desk(problem) is not ResolutionKind.APPROVE:
                    continue
                self._state.lose_hold(workflow.now())
            if self._state.reservation.appointment is None:
                return

    async def watch_for_leftovers(self) -> None:
        """Look for leftovers until the visit would begin, because an event about one may be lost."""
        while True:
            try:
                return await self._compensation.watch_for_leftovers()
            except NeedsStaff as problem:
                await self._ask_desk(problem)

    async def _ask_desk(self, problem: NeedsStaff) -> ResolutionKind:
        """Ask a person to see to a leftover. If they say it is settled, it is left to them; else it is tried again."""
        answer = await self._desk_queue.ask(problem)
        if answer is ResolutionKind.APPROVE:
            self._state.leftovers.keep(problem.leftover_ids, workflow.now())
        else:
            self._state.leftovers.retry_release(workflow.now())
        return answer
