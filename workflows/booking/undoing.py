"""What an ended booking leaves behind: nothing, however long the office is away."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.booking.desk import Desk
    from workflows.booking.interruptions import NeedsStaff
    from workflows.booking.state import BookingState
    from workflows.booking.taking_back import TakingBack


class Undoing:
    def __init__(self, state: BookingState, taking_back: TakingBack, desk: Desk) -> None:
        self._state = state
        self._taking_back = taking_back
        self._desk = desk

    async def all_is_taken_back(self) -> None:
        """The appointment, the claim, and whatever may still show in the calendar, until nothing may any more."""
        if self._state.write_begun:
            await self._take_back()
        if self._state.claimed:
            await self._taking_back.release_claim()
        await self.nothing_comes_back()

    async def _take_back(self) -> None:
        """Also the hold that stood until its successor has landed. Where the practice system refuses, a person
        removes it and says so.
        """
        while True:
            try:
                await self._taking_back.withdraw()
            except NeedsStaff as need:
                if not await self._desk.takes_care_of(need):
                    continue
                self._taking_back.forget_hold()
            if self._state.appointment is None:
                return

    async def nothing_comes_back(self) -> None:
        """What was taken back may land yet, come late, or the taking back be refused by the practice's own system.

        The first and the last may be told, which may be lost: so it is looked for, until the visit would begin.
        """
        while True:
            try:
                return await self._taking_back.undo_late_commits()
            except NeedsStaff as need:
                await self._desk.takes_care_of(need)
