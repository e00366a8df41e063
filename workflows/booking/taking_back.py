"""Taking back what was written, and watching that it does not stand again."""

from collections.abc import Awaitable, Callable
from functools import partial

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.release import ReleaseActivities, ReleaseInput, ReleaseResult
    from activities.slots import SlotActivities
    from domain.booking import Reason, Status
    from domain.calendar import Appointment, AppointmentStatus
    from domain.matching import Match, Verdict
    from workflows.booking.interruptions import NeedsStaff
    from workflows.booking.messages import BookingInput
    from workflows.booking.state import BookingState
    from workflows.shared.activity_runner import PracticeSteps
    from workflows.shared.timers import happens_before


class TakingBack:
    """What must not stand any more goes, and is looked for until it can't come back.

    A lost write may be carried out late. Where writes are queued, what was taken back may land yet, or the practice's
    own system may refuse to take it back; NexHealth shows it as cancelled all the same, until it hears of that.
    """

    def __init__(self, given: BookingInput, state: BookingState, steps: PracticeSteps) -> None:
        self._given = given
        self._state = state
        self._steps = steps

    async def withdraw(self) -> None:
        """Take back whatever was written. What the desk has confirmed stays; while the booking goes on, it is adopted.

        Raises NeedsStaff where the practice system refuses, or the desk has otherwise made it its own.
        """
        state = self._state
        state.giving_back = True
        try:
            kept = await self._taken_back_by(ReleaseActivities.release_hold, "Take the hold back")
        except NeedsStaff:  # refused: should it be gone later, it was not us
            state.giving_back = False
            raise
        state.giving_back = False
        state.claimed = False
        if not kept:
            known = state.appointment
            state.write_open |= known is not None and known.id not in state.taken_back
            return self.forget_hold()
        if state.status.is_final:
            raise self._still_stands(kept)
        self._adopt(kept)

    def _adopt(self, kept: tuple[Appointment, ...]) -> None:
        """What the desk has confirmed is approved. The rest is for a person, and does not expire any more."""
        state = self._state
        ours = [a for a in kept if a.reference == self._given.reference and a.id not in state.taken_back]
        if not ours:
            self.forget_hold()
            raise NeedsStaff(Reason.HOLD_CHANGED)
        state.appointment, state.slot = ours[0], ours[0].slot
        state.held_at, state.moving = None, False
        if ours[0].status is AppointmentStatus.TENTATIVE:
            raise NeedsStaff(Reason.HOLD_CHANGED)
        if state.doubt is not None and ours[0].patient != self._given.policy.placeholder_patient:
            state.match = Match(verdict=Verdict.MATCHED, chart=ours[0].patient, because=("staff",))
        state.approved = True
        state.close_exception()

    def forget_hold(self) -> None:
        """It is not there any more; what it was to replace stands again."""
        state = self._state
        state.plan_sweep(workflow.now(), anew=True)  # it may land yet, or not be taken back
        state.appointment, state.replaced = state.replaced, None
        state.moving = state.appointment is not None
        state.held_at = workflow.now() if state.is_held else None
        state.confirmed = False
        state.slot = None

    async def give_up(self, appointment_id: str) -> None:
        """The office has not taken it in. It goes beside what a person decides, however long the office is away."""
        state = self._state
        state.not_landed += (appointment_id,)
        state.write_open = True
        self.forget_hold()
        self.sweep_now()
        await self.release_claim()

    def sweep_now(self) -> None:
        self._state.next_sweep = workflow.now()

    async def sweep(self) -> None:
        """Take back what must not stand: it came late, or the office did not take it back.

        Raises NeedsStaff where the practice system refuses, or the desk has made it its own.
        """
        kept = await self._taken_back_by(ReleaseActivities.remove_leftovers, "Look for what must not stand any more")
        if kept:
            raise self._still_stands(kept)

    def _still_stands(self, kept: tuple[Appointment, ...]) -> NeedsStaff:
        ids = tuple(a.id for a in kept)
        refused = set(ids) <= set(self._twice())
        return NeedsStaff(Reason.REFUSED_BY_SYSTEM if refused else Reason.HOLD_CHANGED, standing=ids)

    def _twice(self) -> tuple[str, ...]:
        taken_back = self._state.taken_back
        return tuple(i for i in dict.fromkeys(taken_back) if taken_back.count(i) > 1)

    async def _taken_back_by(
        self, step: Callable[[ReleaseActivities, ReleaseInput], Awaitable[ReleaseResult]], summary: str
    ) -> tuple[Appointment, ...]:
        """What the desk has made its own and so was left."""
        state, begun = self._state, workflow.now()
        late_until = state.late_until
        known = [state.news[i] for i in state.taken_back if i in state.news]
        if state.next_sweep is not None:
            state.plan_sweep(begun)
        given = self._to_withdraw()
        taken = await self._steps.cleanup(step, given, summary, late=Reason.NOT_RELEASED, before=given.start)
        for news in known:
            state.looked_into(news)
        if late_until is not None and late_until <= begun and state.late_until == late_until:
            state.late_until = None
        state.queued |= taken.queued
        self.is_taken_back(*taken.taken)
        return taken.kept

    def is_taken_back(self, *ids: str) -> None:
        """Through a queue, it may come back."""
        state, now = self._state, workflow.now()
        state.taken_back += ids
        if ids:
            state.plan_sweep(now, anew=True)
        if any(i in state.news for i in ids):
            state.next_sweep = now

    async def undo_late_commits(self) -> None:
        """Until nothing may come back any more. Raises NeedsStaff where we may not look, or it stands for good."""
        state = self._state
        while (planned := state.sweep_at) is not None:
            if not await happens_before(planned, partial(state.is_swept_before, planned), "What must not stand shows"):
                await self.sweep()

    async def release_claim(self) -> None:
        await self._steps.cleanup(SlotActivities.release_claim, self._given.reference, "Free the claim")
        self._state.claimed = False

    def expect_late_commit(self) -> None:
        self._state.late_until = workflow.now() + self._given.policy.late_commit

    def _to_withdraw(self) -> ReleaseInput:
        """At the end of the booking all of it goes; until then what the hold was to replace stays."""
        state, is_final = self._state, self._state.status.is_final
        stays = (state.replaced.id,) if state.replaced is not None and not is_final else ()
        return ReleaseInput(
            reference=self._given.reference,
            location=self._given.policy.location,
            start=state.start,
            appointment_id=state.appointment.id if state.appointment else None,
            slots=tuple(write.slot for write in state.writes),
            patients=tuple(write.patient for write in state.writes),
            keep_ids=(*state.left, *stays),
            released_before=tuple(dict.fromkeys(state.taken_back)),
            released_twice=self._twice(),
            confirmed=is_final and state.confirmed,
            cancelled=is_final and (state.confirm_begun or state.status is Status.CANCELLED),
        )
