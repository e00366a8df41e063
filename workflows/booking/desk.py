"""The front desk's queue as one booking sees it: ask, remind, and take the answer."""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.booking import Reason, Status
    from domain.messages import Kind
    from workflows.booking.decisions import apply
    from workflows.booking.interruptions import Declined, NeedsStaff, Withdrawn
    from workflows.booking.landing import Landing
    from workflows.booking.listing import Listing
    from workflows.booking.messages import ResolutionKind
    from workflows.booking.notices import Notices
    from workflows.booking.office import Office
    from workflows.booking.state import BookingState
    from workflows.booking.taking_back import TakingBack
    from workflows.shared.activity_runner import LATE_AFTER
    from workflows.shared.timers import Reminders, beside, done_before, happens_before


class Desk:
    def __init__(
        self,
        state: BookingState,
        landing: Landing,
        taking_back: TakingBack,
        office: Office,
        notices: Notices,
        listing: Listing,
    ) -> None:
        self._state = state
        self._landing = landing
        self._taking_back = taking_back
        self._office = office
        self._notices = notices
        self._listing = listing
        self._one_question = asyncio.Lock()

    async def decides(self, need: NeedsStaff) -> None:
        """The booking can't go on without a person: wait, keep the time claimed, then apply the decision.

        Returns also when nothing is left to decide, because the hold has landed after all, or the desk has confirmed
        it in its own calendar. Raises Declined, also when the visit would begin, and Withdrawn.
        """
        state = self._state
        state.alternatives = need.alternatives
        self._open(need, Status.HELD if need.reason is Reason.APPROVAL else Status.NEEDS_STAFF)
        self._notices.tell_patient(Kind.HELD if state.is_held else Kind.RECEIVED)
        async with beside(self._office.clears_up()):
            await self._somebody_acts()
        if state.withdrawn:
            raise Withdrawn
        self._notices.desk_has_acted()
        if state.resolution is None:
            state.close_exception()
        else:
            apply(state.take_resolution(), state)
        self._listing.become(Status.HELD if state.is_held else Status.RECEIVED)

    async def takes_care_of(self, need: NeedsStaff) -> bool:
        """Something that must not stand does. What a person says is settled is left to them; else it is tried again."""
        state = self._state
        if await self.asked(need) is not ResolutionKind.APPROVE:
            state.taken_back = tuple(dict.fromkeys(state.taken_back))
            state.next_sweep = workflow.now()
            return False
        state.left += need.standing
        if state.late_until is not None and state.late_until <= workflow.now():
            state.late_until = None
        if not need.standing:
            state.next_sweep = None
        return True

    async def asked(self, need: NeedsStaff) -> ResolutionKind:
        """Something beside the booking's own course needs a person: whether it was done by hand or is tried again.

        One exception at a time is open; of one that must wait for its turn the desk is told at once.
        """
        state = self._state
        if self._one_question.locked():
            self._notices.tell_desk(Kind.DESK_EXCEPTION, need.reason, aside=True)
        async with self._one_question:
            before = state.reason
            self._open(need, state.status)
            try:
                await self._somebody_answers()
                return state.take_resolution().kind
            finally:
                self._notices.desk_has_acted()
                if state.need is need:
                    state.close_exception()
                    self._listing.become(state.status, before)

    async def knows(self, reason: Reason) -> None:
        """Told beside work that goes on: as an exception of its own, in its turn; at once where another is open."""
        if self._state.need is not None and not self._state.settled:
            self._notices.tell_desk(Kind.DESK_EXCEPTION, reason, aside=True)
        else:
            await self.asked(NeedsStaff(reason))

    def _open(self, need: NeedsStaff, status: Status) -> None:
        if self._state.resolution is not None:
            workflow.logger.warning("resolution ignored", extra={"cause": "something else is to be decided by now"})
        self._state.open_exception(need)
        self._listing.become(status, need.reason)
        self._notices.tell_desk(Kind.DESK_EXCEPTION, need.reason)

    async def _somebody_answers(self) -> None:
        state, reminders = self._state, self._reminders()
        state.deadline = reminders.next_at
        while not await happens_before(state.deadline, lambda: state.resolution is not None, "Waiting for a person"):
            self._remind(reminders)
            state.deadline = reminders.next_at

    async def _somebody_acts(self) -> None:
        state, reminders = self._state, self._reminders()
        while True:
            expires = state.hold_expires()
            state.deadline = min(reminders.next_at, state.start, expires or state.start)
            if await self._somebody_acts_before_deadline():
                return
            now = workflow.now()
            if self._office.look_is_due():
                await self._look()
                if not state.on_its_way:
                    return
            elif now >= state.start and state.need is not None and state.need.reason is Reason.NOT_CONFIRMED:
                state.confirmed = True  # approved and in the calendar: it takes place
                return
            elif expires is not None and now >= expires:
                await self._expire_hold()
                if state.need is None:
                    return
            elif now >= state.start:
                self._notices.tell_desk(Kind.DESK_EXPIRED, Reason.EXPIRED)
                raise Declined(Reason.EXPIRED)
            elif now >= reminders.next_at:
                self._remind(reminders)

    async def _somebody_acts_before_deadline(self) -> bool:
        state = self._state
        assert state.deadline is not None
        planned = state.look_at
        look_at = planned if state.on_its_way and planned is not None else state.deadline
        await happens_before(
            min(state.deadline, look_at),
            lambda: state.acted or self._office.look_is_due() or state.look_at != planned,
            "Waiting for a person",
        )
        return state.acted

    async def _look(self) -> None:
        """What keeps us from looking is news to the desk only the first time."""
        try:
            await self._landing.look()
        except NeedsStaff as need:
            if self._state.need is None or need.reason is not self._state.need.reason:
                raise

    async def _expire_hold(self) -> None:
        """A hold that may not be taken back stands for another term: so often it is tried again, at last when the
        visit would begin.

        One that the desk has confirmed stands for good.
        """
        state = self._state
        within = max(state.start - workflow.now(), LATE_AFTER)
        try:
            if not await done_before(lambda: state.acted, self._taking_back.withdraw(), within, "Taken back by then"):
                state.held_at = state.held_at and workflow.now()
                return
        except NeedsStaff as need:
            state.held_at = state.held_at and workflow.now()
            return self._open(need, Status.NEEDS_STAFF)
        if state.is_held or workflow.now() >= state.start:
            return
        state.version += 1
        self._open(NeedsStaff(Reason.HOLD_EXPIRED), Status.NEEDS_STAFF)
        self._notices.tell_patient(Kind.EXPIRED)

    def _reminders(self) -> Reminders:
        return Reminders(self._state.given.policy.staff_deadline, self._state.start)

    def _remind(self, reminders: Reminders) -> None:
        assert self._state.need is not None
        self._notices.tell_desk(Kind.DESK_ESCALATION, self._state.need.reason)
        reminders.reminded()
