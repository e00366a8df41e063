"""From a request to a confirmed appointment: whose it is, when, the hold, its landing, and its confirmation."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.hold_contracts import (
        CheckLandingInput,
        ConfirmHoldInput,
        ConfirmHoldResult,
        HoldResult,
        WriteHoldInput,
        WriteRecord,
    )
    from activities.holds import HoldActivities
    from domain.booking import Reason
    from domain.calendar import Appointment, LandingState
    from domain.rules import Confirmation
    from domain.slot import Cause, Conflict, Slot
    from workflows.booking.charts import Charts
    from workflows.booking.interruptions import Declined, GivenBack, NeedsStaff, OnItsWay
    from workflows.booking.messages import BookingInput
    from workflows.booking.state import BookingState
    from workflows.booking.taking_back import TakingBack
    from workflows.booking.times import Times
    from workflows.shared.activity_runner import LATE_AFTER, PracticeSteps
    from workflows.shared.timers import done_before

Given = TypeVar("Given", bound=WriteHoldInput)
Written = TypeVar("Written", HoldResult, ConfirmHoldResult)

CANDIDATES_TO_TRY = 3


class Landing:
    """Moves a booking forward until it is confirmed; what an earlier round settled is not done again."""

    def __init__(self, given: BookingInput, state: BookingState, steps: PracticeSteps, taking_back: TakingBack) -> None:
        self._given = given
        self._state = state
        self._steps = steps
        self._taking_back = taking_back
        self._charts = Charts(given, state, steps)
        self._times = Times(given, state, steps)

    async def book(self) -> None:
        """The whole of it; every step is skipped that an earlier round has already taken."""
        if self._given.policy.call_only:
            raise Declined(Reason.CALL_ONLY)
        await self._look_up()
        if self._state.doubt is not None:
            if self._given.policy.placeholder_patient:
                await self._hold(self._given.policy.placeholder_patient)
            raise NeedsStaff(self._state.doubt)
        patient = await self._charts.chart()
        needed = self._approval_needed()
        await self._hold(patient, confirm=needed is None)
        if self._state.on_its_way:
            raise OnItsWay
        if self._state.replaced is not None:  # a person has seen the new one land
            self._replaces(self._state.replaced)
            self._taking_back.sweep_now()
        if needed is not None:
            raise NeedsStaff(needed)
        if not self._state.confirmed:
            await self._confirm(patient)
        self._state.alternatives = ()

    async def _look_up(self) -> None:
        """Contacts it is and whether the time is free, asked side by side."""
        wanted = []
        if self._state.match is None:
            wanted.append(self._charts.match())
        if self._state.slot is None:
            wanted.append(self._times.secure())
        for outcome in await asyncio.gather(*wanted, return_exceptions=True):
            if outcome is not None:
                raise outcome

    async def _hold(self, patient: str, *, confirm: bool = False) -> None:
        """Write it, once the day shows room for it. A hold at another time stands until this one has its chair."""
        state = self._state
        for _ in range(CANDIDATES_TO_TRY):
            if state.appointment is not None and not state.moving:
                return
            if state.slot is None:
                await self._times.secure()
            await self._write_hold(patient, confirm)
        if state.appointment is None or state.moving:
            raise NeedsStaff(Reason.SLOT_TAKEN, alternatives=state.alternatives)

    async def _write_hold(self, patient: str, confirm: bool) -> None:
        state = self._state
        assert state.slot is not None
        slot, earlier = state.slot, state.appointment
        state.writes += (WriteRecord(slot=slot, patient=patient),)
        given = self._hold_to_write(patient, confirm=confirm)
        state.write_open = True
        summary = "Write the hold, read it back" + (", confirm it" if confirm else "")
        written = await self._and_confirm(HoldActivities.write_hold, given, summary)
        state.write_open = False
        state.slot = None
        if written.appointment is not None:
            state.looks, state.held_at, state.moving = 0, None, False
            state.written(written.appointment, workflow.now())
            state.confirmed = written.confirmed
            self._replaces(earlier)
            if written.conflicts:
                raise NeedsStaff(Reason.HOLD_CHANGED)
        elif not written.conflicts:
            state.write_open = True  # who took it out may put it back
            raise NeedsStaff(Reason.HOLD_CHANGED)
        elif earlier is not None and _is_in_the_way(earlier, slot, written):
            earlier_gone = self._taking_back.withdraw()
            await done_before(lambda: state.withdrawn, earlier_gone, LATE_AFTER, "Taken back by then")
            if state.appointment is not None and not state.moving:  # the desk has confirmed it: which one is meant?
                raise NeedsStaff(Reason.HOLD_CHANGED)

    def _replaces(self, earlier: Appointment | None) -> None:
        """It has been taken back where the new one has landed; else it stands until then."""
        state = self._state
        state.replaced = earlier if state.on_its_way else None
        if earlier is not None and state.replaced is None:
            self._taking_back.is_taken_back(earlier.id)

    async def _and_confirm(
        self, step: Callable[[HoldActivities, Given], Awaitable[HoldResult]], given: Given, summary: str
    ) -> HoldResult:
        """A step that may confirm in the same breath: until it has answered, it may have."""
        state, begun = self._state, self._state.confirm_begun
        state.confirm_begun |= given.confirm
        written = await self._write(step, given, summary)
        state.confirm_begun = begun or written.confirmed or (given.confirm and written.ambiguous)
        return written

    async def _write(
        self, step: Callable[[HoldActivities, Given], Awaitable[Written]], given: Given, summary: str
    ) -> Written:
        """A step after which something may still be carried out late."""
        try:
            written = await self._steps.urgent(step, given, summary)
        except BaseException:  # also where Temporal cancels the booking
            self._taking_back.expect_late_commit()
            raise
        if written.ambiguous:
            self._taking_back.expect_late_commit()
        return written

    async def look(self, *, surely: bool = False) -> None:
        """See whether the practice's own system has taken the hold in; see to it that the chair is ours.

        While it is off there is nothing to see; ``surely``: look all the same.
        Raises NeedsStaff where it was refused, lost or is not to be found out, GivenBack where we had taken it back.
        """
        state = self._state
        assert state.appointment is not None
        news, patient = state.told, state.appointment.patient
        told = news.landing if news is not None else None
        given = self._hold_to_write(patient, confirm=self._approval_needed() is None)
        state.looks += 1
        state.plan_look(workflow.now())
        back_at = state.office_back_at
        seen = await self._and_confirm(
            HoldActivities.check_landing,
            CheckLandingInput(
                **dict(given),
                appointment_id=state.appointment.id,
                reported=told,
                check_online_first=not surely,
                online_since=back_at,
            ),
            "Has the practice's own system taken it in?",
        )
        state.looked_into(news)
        if seen.office_offline:
            return state.office_is_off(workflow.now(), unless_back_since=back_at)
        state.office_off_since = None
        self._charts.landed_under(seen.appointment.patient if seen.appointment is not None else seen.patient, patient)
        if seen.appointment is None:
            raise await self._lost(seen.conflicts)
        state.written(seen.appointment, workflow.now())
        state.confirmed = seen.confirmed
        self._replaces(state.replaced)
        if seen.conflicts:
            raise NeedsStaff(Reason.HOLD_CHANGED)
        if seen.appointment.landing in (LandingState.REFUSED, LandingState.TIMED_OUT):
            raise await self._not_taken_in(seen.appointment)
        if seen.appointment.landing is LandingState.INCOMPLETE:
            raise NeedsStaff(Reason.LANDING_UNCLEAR)

    async def _not_taken_in(self, hold: Appointment) -> NeedsStaff:
        """The office refused it, or let it lie."""
        await self._taking_back.give_up(hold.id)
        reason = Reason.REFUSED_BY_OFFICE if hold.landing is LandingState.REFUSED else Reason.NOT_LANDED
        return NeedsStaff(reason, alternatives=await self._times.others())

    async def _lost(self, conflicts: tuple[Conflict, ...]) -> NeedsStaff | GivenBack:
        """We took the hold back, for what has its chair or while it was wanted still; or somebody took it out, and
        may put it back.
        """
        state = self._state
        lost = state.appointment
        self._taking_back.forget_hold()
        if not conflicts:
            state.write_open = True
            if state.giving_back:
                state.giving_back = False
                return GivenBack()
            return NeedsStaff(Reason.HOLD_CHANGED)
        if lost is not None:
            self._taking_back.is_taken_back(lost.id)
        return NeedsStaff(Reason.SLOT_TAKEN, alternatives=await self._times.others())

    def _approval_needed(self) -> Reason | None:
        if self._state.approved:
            return None
        if self._given.request.note:
            return Reason.SPECIAL_REQUEST
        return Reason.APPROVAL if self._given.policy.confirmation is Confirmation.STAFF else None

    async def _confirm(self, patient: str) -> None:
        state = self._state
        assert state.appointment is not None
        hold = self._hold_to_write(patient)
        state.confirm_begun = True
        news, back_at = state.told, state.office_back_at
        given = ConfirmHoldInput(
            **dict(hold),
            appointment_id=state.appointment.id,
            check_online_first=state.office_off,
            online_since=back_at,
        )
        confirmed = await self._write(HoldActivities.confirm_hold, given, "Confirm the hold")
        if confirmed.office_offline:
            state.looked_into(news)
            state.office_is_off(workflow.now(), unless_back_since=back_at)
            raise OnItsWay
        state.office_off_since = None
        if confirmed.appointment is None:
            state.version += 1  # the patient may have heard that it is held
            raise await self._lost(confirmed.conflicts)
        state.appointment, state.slot = confirmed.appointment, confirmed.appointment.slot
        state.confirmed = True

    async def confirm_again(self) -> None:
        """The patient was told of it: it gives way to nothing any more. Raises NeedsStaff where it is refused."""
        state = self._state
        assert state.appointment is not None
        hold = self._hold_to_write(state.appointment.patient)
        given = ConfirmHoldInput(
            **dict(hold), appointment_id=state.appointment.id, promised=True, check_online_first=True
        )
        confirmed = await self._steps.cleanup(HoldActivities.confirm_hold, given, "Confirm the visit once more")
        state.appointment = confirmed.appointment or state.appointment

    def _hold_to_write(self, patient: str, *, confirm: bool = False) -> WriteHoldInput:
        state = self._state
        slot = state.slot or (state.appointment.slot if state.appointment else None)
        assert slot is not None
        replaced = state.appointment if state.moving else state.replaced
        match, request = state.match, self._given.request
        dependent = match is not None and match.dependent
        return WriteHoldInput(
            reference=self._given.reference,
            location=self._given.policy.location,
            service=self._given.policy.service,
            slot=slot,
            patient=patient,
            new_patient=dependent or (match is not None and "created" in match.because),
            dependent=request.patient if dependent else None,
            note=request.note,
            confirm=confirm,
            look_first=state.write_open,
            excluded_ids=tuple(dict.fromkeys((*state.taken_back, *state.left, *state.not_landed))),
            writes=state.writes,
            supersedes=replaced.id if replaced else None,
        )


def _is_in_the_way(earlier: Appointment, slot: Slot, written: HoldResult) -> bool:
    """Whether the practice system itself refused the new time, maybe for our own hold at the earlier one."""
    unnamed = any(c.cause is Cause.APPOINTMENT and c.appointment is None for c in written.conflicts)
    return unnamed and earlier.time.overlaps(slot.time)
