"""Releasing what the booking wrote, and looking for leftovers until none can appear any more.

A write whose answer was lost may be carried out late. Where writes are queued, a released appointment may land yet, or
the office system may refuse the release; NexHealth shows it as cancelled until it hears of that.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.release import ReleaseActivities, ReleaseInput, ReleaseResult
    from activities.slots import SlotActivities
    from domain.booking import Reason, Status
    from domain.calendar import Appointment, AppointmentStatus
    from workflows.booking.background import BackgroundRunner
    from workflows.booking.state.booking_state import BookingState
    from workflows.shared.outcomes import NeedsStaff
    from workflows.shared.timers import wait_until


class Compensation:
    def __init__(self, state: BookingState, background: BackgroundRunner) -> None:
        self._state = state
        self._background = background

    async def release_everything(self) -> None:
        """Release everything that was written, and the claim.

        What the desk has confirmed stays; while the booking goes on, it becomes the booking's appointment.
        Raises NeedsStaff if the practice system refuses, or if the desk made the hold its own in another way.
        """
        state = self._state
        state.leftovers.begin_release()
        try:
            kept = await self._remove(ReleaseActivities.release_everything, "Release the hold")
        except NeedsStaff:  # it was refused: if the hold is gone later, that was not us
            state.leftovers.end_release()
            raise
        state.leftovers.end_release()
        state.leftovers.forget_claim()
        if not kept:
            appointment = state.reservation.appointment
            if appointment is not None and appointment.id not in state.leftovers.released:
                state.reservation.look_before_next_write()
            state.lose_hold(workflow.now())
        elif state.lifecycle.status.is_final:
            raise self._leftover_error(kept)
        else:
            self._adopt(kept)

    def _adopt(self, kept: tuple[Appointment, ...]) -> None:
        """An appointment that the desk confirmed is approved. Otherwise a person decides, and it does not expire."""
        state, booking = self._state, self._state.booking
        ours = [a for a in kept if a.reference == booking.reference and a.id not in state.leftovers.released]
        if not ours:
            state.lose_hold(workflow.now())
            raise NeedsStaff(Reason.HOLD_CHANGED)
        appointment = ours[0]
        state.reservation.adopt(appointment)
        if appointment.status is AppointmentStatus.TENTATIVE:
            raise NeedsStaff(Reason.HOLD_CHANGED)
        if state.patient.doubt is not None and appointment.patient != booking.policy.placeholder_patient:
            state.patient.choose(appointment.patient)
        state.exception.approve()
        state.exception.close()

    async def drop_unlanded_hold(self, appointment_id: str) -> None:
        """The office system did not take the hold in. Its release goes on while a person decides."""
        now = workflow.now()
        self._state.leftovers.add_unlanded(appointment_id)
        self._state.reservation.look_before_next_write()
        self._state.lose_hold(now)
        self._state.leftovers.plan_check_now(now)
        await self.release_claim()

    async def release_claim(self) -> None:
        await self._background.run_until_done(
            SlotActivities.release_claim, self._state.booking.reference, "Release the claim"
        )
        self._state.leftovers.forget_claim()

    async def watch_for_leftovers(self) -> None:
        """Remove leftovers until none can appear any more.

        Raises NeedsStaff if one may not be removed, or stands for good.
        """
        while (planned := self._state.leftovers.check_at) is not None:
            is_replanned = partial(self._is_replanned, planned)
            if not await wait_until(planned, is_replanned, "Check for late or refused removals"):
                await self._remove_leftovers()

    def _is_replanned(self, planned: datetime) -> bool:
        """The check was moved to another time, or is not needed any more."""
        return self._state.leftovers.check_at != planned

    async def _remove_leftovers(self) -> None:
        kept = await self._remove(ReleaseActivities.remove_leftovers, "Remove leftovers")
        if kept:
            raise self._leftover_error(kept)

    def _leftover_error(self, kept: tuple[Appointment, ...]) -> NeedsStaff:
        ids = tuple(a.id for a in kept)
        was_refused = set(ids) <= set(self._state.leftovers.released_twice)
        return NeedsStaff(Reason.REFUSED_BY_SYSTEM if was_refused else Reason.HOLD_CHANGED, leftover_ids=ids)

    async def _remove(
        self, activity: Callable[[ReleaseActivities, ReleaseInput], Awaitable[ReleaseResult]], summary: str
    ) -> tuple[Appointment, ...]:
        """Run a release, record what it removed, and return what the desk made its own."""
        state, began_at = self._state, workflow.now()
        late_commit_until = state.leftovers.late_commit_until
        events = [state.office.events[i] for i in state.leftovers.released if i in state.office.events]
        if state.leftovers.next_check_at is not None:
            state.plan_next_leftover_check(began_at)
        request = self._release_input()
        result = await self._background.run_until_done(
            activity, request, summary, reason_if_late=Reason.NOT_RELEASED, visit_start=request.start
        )
        for event in events:
            state.office.acknowledge_event(event)
        state.leftovers.end_late_commit(late_commit_until, began_at)
        state.leftovers.expect_queued_writes(result.queued)
        state.record_released_ids(*result.released_ids, now=workflow.now())
        return result.remaining

    def expect_late_commit(self) -> None:
        """A write may still be carried out, although nobody waits for its answer any more."""
        self._state.leftovers.expect_late_commit(workflow.now() + self._state.booking.policy.late_commit)

    def _release_input(self) -> ReleaseInput:
        """At the end of the booking everything goes; before that, the hold that is to be superseded stays."""
        state = self._state
        reservation, leftovers, status = state.reservation, state.leftovers, state.lifecycle.status
        staying = (reservation.superseded.id,) if reservation.superseded is not None and not status.is_final else ()
        return ReleaseInput(
            reference=state.booking.reference,
            location=state.booking.policy.location,
            start=reservation.start,
            appointment_id=reservation.appointment.id if reservation.appointment else None,
            slots=tuple(write.slot for write in reservation.writes),
            patients=(*(write.patient for write in reservation.writes), *state.patient.merged_into),
            keep_ids=(*leftovers.left_to_desk, *staying),
            released_before=tuple(dict.fromkeys(leftovers.released)),
            released_twice=leftovers.released_twice,
            confirmed=status.is_final and reservation.is_confirmed,
            may_break_desk_edits=status.is_final and (reservation.may_be_confirmed or status is Status.CANCELLED),
        )
