"""From a request to a confirmed appointment: every step of it, and the way back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.holds import HoldActivities, HoldToConfirm, HoldToWrite, HoldWritten, LandingToCheck, Write
    from activities.patients import ChartToCreate, PatientActivities, PatientToMatch
    from activities.slots import SlotActivities, SlotWanted
    from activities.withdrawals import HoldToWithdraw, WithdrawalActivities
    from domain.booking import Reason, Status
    from domain.calendar import Appointment, AppointmentStatus, LandingState
    from domain.matching import Match, Verdict
    from domain.rules import Confirmation
    from domain.slot import Cause, Conflict, Slot
    from workflows.contracts import BookingInput
    from workflows.practice_steps import PracticeSteps
    from workflows.state import BookingState, Declined, NeedsStaff, OnItsWay
    from workflows.waiting import sleep_until

Given = TypeVar("Given", bound=HoldToWrite)

CANDIDATES_TO_TRY = 3


class Landing:
    """Moves a booking forward until it is confirmed; what an earlier round settled is not done again."""

    def __init__(self, given: BookingInput, state: BookingState, steps: PracticeSteps) -> None:
        self._given = given
        self._state = state
        self._steps = steps

    async def book(self) -> None:
        """The whole of it; every step is skipped that an earlier round has already taken."""
        if self._given.policy.call_only:
            raise Declined(Reason.CALL_ONLY)
        await self._look_up()
        if self._state.doubt is not None:
            if self._given.policy.placeholder_patient:
                await self._hold(self._given.policy.placeholder_patient)
            raise NeedsStaff(self._state.doubt)
        patient = await self._chart()
        needed = self._approval_needed()
        await self._hold(patient, confirm=needed is None)
        if self._state.on_its_way:
            raise OnItsWay
        if self._state.replaced is not None:  # a person has seen the new one land
            await self.sweep_twins()
            self._state.replaced = None
        if needed is not None:
            raise NeedsStaff(needed)
        if not self._state.confirmed:
            await self._confirm(patient)
        self._state.alternatives = ()

    async def _look_up(self) -> None:
        """Who it is and whether the time is free, asked side by side."""
        wanted = []
        if self._state.match is None:
            wanted.append(self._match_patient())
        if self._state.slot is None:
            wanted.append(self._secure_slot())
        for outcome in await asyncio.gather(*wanted, return_exceptions=True):
            if outcome is not None:
                raise outcome

    async def _match_patient(self) -> None:
        request, policy = self._given.request, self._given.policy
        match = await self._steps.urgent(
            PatientActivities.match_patient,
            PatientToMatch(
                location=policy.location,
                person=request.patient,
                guardian=request.guardian,
                returning=request.returning,
            ),
            "Is this patient known?",
        )
        self._state.match = match
        is_new = match.verdict is Verdict.NEW or match.dependent
        if is_new and not policy.new_patients:
            raise NeedsStaff(Reason.NOT_FOR_NEW_PATIENTS)
        if match.verdict is Verdict.MATCHED and not is_new and not policy.existing_patients:
            raise NeedsStaff(Reason.NOT_FOR_EXISTING_PATIENTS)

    async def _secure_slot(self) -> None:
        self._state.claimed = True
        check = await self._steps.urgent(
            SlotActivities.recheck_slot, self._slot_wanted(), "Claim the time and re-check the live day"
        )
        if check.slot is not None:
            self._state.slot = check.slot
        elif check.too_many_open:
            raise NeedsStaff(Reason.TOO_MANY_OPEN)
        else:
            reason = _why_not(check.conflicts)
            if reason is Reason.OUTSIDE_RULES and self._state.version == 1 and not self._state.attended:
                raise Declined(reason, alternatives=check.alternatives)
            raise NeedsStaff(reason, alternatives=check.alternatives)

    async def _chart(self) -> str:
        match = self._state.match
        if match is not None and match.chart is not None:
            return match.chart
        request = self._given.request
        dependent = match is not None and match.dependent
        created = await self._steps.urgent(
            PatientActivities.create_chart,
            ChartToCreate(
                reference=self._given.reference,
                location=request.location,
                person=request.guardian if dependent and request.guardian else request.patient,
                language=request.language,
                not_these=self._state.not_these,
                provider=self._state.slot.provider if self._state.slot is not None else None,
            ),
            "Create a chart for the new patient",
        )
        self._state.match = created.model_copy(update={"dependent": dependent})
        if self._state.doubt is not None or created.chart is None:
            raise NeedsStaff(self._state.doubt or Reason.PATIENT_AMBIGUOUS)
        return created.chart

    async def _hold(self, patient: str, *, confirm: bool = False) -> None:
        """Write it, once the day shows room for it. A hold at another time stands until this one has its chair."""
        state = self._state
        for _ in range(CANDIDATES_TO_TRY):
            if state.appointment is not None and not state.moving:
                return
            if state.slot is None:
                await self._secure_slot()
            await self._write_hold(patient, confirm)
        if state.appointment is None or state.moving:
            raise NeedsStaff(Reason.SLOT_TAKEN, alternatives=state.alternatives)

    async def _write_hold(self, patient: str, confirm: bool) -> None:
        state = self._state
        assert state.slot is not None
        slot, earlier = state.slot, state.appointment
        state.writes += (Write(slot=slot, patient=patient),)
        given = self._hold_to_write(patient, confirm=confirm)
        state.write_open = True
        summary = "Write the hold, read it back" + (", confirm it" if confirm else "")
        try:
            written = await self._and_confirm(HoldActivities.write_hold, given, summary)
        except BaseException:  # also where Temporal cancels the booking
            self._expect_late_commit()
            raise
        state.write_open = False
        if written.ambiguous:
            self._expect_late_commit()
        state.slot = None
        if written.appointment is not None:
            state.looks, state.held_at, state.moving = 0, None, False
            state.written(written.appointment, workflow.now())
            state.confirmed = written.confirmed
            state.slot = slot
            self._replaces(earlier)
            if written.conflicts:
                raise NeedsStaff(Reason.HOLD_CHANGED)
        elif not written.conflicts:
            raise NeedsStaff(Reason.HOLD_CHANGED)
        elif earlier is not None and _is_in_the_way(earlier, slot, written):
            await self.withdraw()

    def _replaces(self, earlier: Appointment | None) -> None:
        """It has been taken back where the new one has landed; else it stands until then."""
        state = self._state
        state.replaced = earlier if state.on_its_way else None
        if earlier is not None and state.replaced is None:
            state.withdrawn_ids += (earlier.id,)

    async def _and_confirm(
        self, step: Callable[[HoldActivities, Given], Awaitable[HoldWritten]], given: Given, summary: str
    ) -> HoldWritten:
        """A step that may confirm in the same breath: until it has answered, it may have."""
        state, begun = self._state, self._state.confirm_begun
        state.confirm_begun |= given.confirm
        written = await self._steps.urgent(step, given, summary)
        state.confirm_begun = begun or written.confirmed or (given.confirm and written.ambiguous)
        return written

    async def look(self) -> None:
        """See whether the practice's own system has taken the hold in; see to it that the chair is ours.

        Raises NeedsStaff where it was refused, lost or is not to be found out.
        """
        state = self._state
        assert state.appointment is not None
        news, state.news = state.news, None
        told = news.landing if news is not None and news.appointment_id == state.appointment.id else None
        given = self._hold_to_write(state.appointment.patient, confirm=self._approval_needed() is None)
        state.looks += 1
        state.plan_look(workflow.now())
        seen = await self._and_confirm(
            HoldActivities.await_landing,
            LandingToCheck(**dict(given), appointment_id=state.appointment.id, told=told),
            "Has the practice's own system taken it in?",
        )
        if seen.appointment is None:
            self.forget_hold()
            if not seen.conflicts:
                raise NeedsStaff(Reason.HOLD_CHANGED)
            raise NeedsStaff(Reason.SLOT_TAKEN, alternatives=await self._other_times())
        state.written(seen.appointment, workflow.now())
        state.confirmed = seen.confirmed
        self._replaces(state.replaced)
        if seen.conflicts:
            raise NeedsStaff(Reason.HOLD_CHANGED)
        if seen.appointment.landing in (LandingState.REFUSED, LandingState.TIMED_OUT):
            await self.withdraw()
            refused = seen.appointment.landing is LandingState.REFUSED
            reason = Reason.REFUSED_BY_OFFICE if refused else Reason.NOT_LANDED
            raise NeedsStaff(reason, alternatives=await self._other_times())
        if seen.appointment.landing is LandingState.INCOMPLETE:
            raise NeedsStaff(Reason.LANDING_UNCLEAR)

    async def _other_times(self) -> tuple[Slot, ...]:
        found = await self._steps.urgent(SlotActivities.nearest_openings, self._slot_wanted(), "Find other times")
        return found.alternatives

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
        given = HoldToConfirm(**dict(hold), appointment_id=state.appointment.id)
        try:
            confirmed = await self._steps.urgent(HoldActivities.confirm_hold, given, "Confirm the hold")
        except BaseException:  # also where Temporal cancels the booking
            self._expect_late_commit()
            raise
        if confirmed.ambiguous:
            self._expect_late_commit()
        if confirmed.appointment is None:
            self.forget_hold()
            if not confirmed.conflicts:
                raise NeedsStaff(Reason.HOLD_CHANGED)
            raise NeedsStaff(Reason.SLOT_TAKEN, alternatives=await self._other_times())
        state.appointment = confirmed.appointment
        state.confirmed = True

    def _expect_late_commit(self) -> None:
        self._state.late_until = workflow.now() + self._given.policy.late_commit

    async def withdraw(self) -> None:
        """Take back whatever was written. What the desk has confirmed stays; while the booking goes on, it is adopted.

        Raises NeedsStaff where the practice system refuses, or the desk has otherwise made it its own.
        """
        taken = await self._steps.cleanup(WithdrawalActivities.withdraw_hold, self._to_withdraw(), "Take the hold back")
        self._state.claimed = False
        kept = taken.kept if taken is not None else ()  # older histories recorded none
        if not kept:
            return self.forget_hold()
        if self._state.status.is_final:
            raise NeedsStaff(Reason.HOLD_CHANGED)
        self._adopt(kept)

    def _adopt(self, kept: tuple[Appointment, ...]) -> None:
        """What the desk has confirmed is approved. The rest is for a person, and does not expire any more."""
        state = self._state
        ours = [a for a in kept if a.reference == self._given.reference]
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
        if state.appointment is not None:
            state.withdrawn_ids += (state.appointment.id,)
        if state.queued and not state.status.is_final:
            self._expect_late_commit()  # the office may refuse to take it back; what has ended is watched anyway
        state.appointment, state.replaced = state.replaced, None
        state.moving = state.appointment is not None
        state.confirmed = False
        state.slot = None

    async def sweep_twins(self) -> None:
        """Take back what came late. Raises NeedsStaff where the practice system refuses, or the desk has it now."""
        swept = await self._steps.cleanup(WithdrawalActivities.sweep_twins, self._to_withdraw(), "Look for a late twin")
        if swept.kept:
            raise NeedsStaff(Reason.HOLD_CHANGED)

    async def undo_late_commits(self) -> None:
        """Take back what a lost write added, once it would show. Raises NeedsStaff where we may not look."""
        if self._state.late_until is not None:
            await sleep_until(self._state.late_until, "A late twin would show by now")
            await self.sweep_twins()
            self._state.late_until = None

    async def release_claim(self) -> None:
        await self._steps.cleanup(SlotActivities.release_claim, self._given.reference, "Free the claim")
        self._state.claimed = False

    def _slot_wanted(self) -> SlotWanted:
        """Until it lands or ends, the claim stays; were this booking cut off, it would lapse by itself."""
        request, wanted = self._given.request, self._state.wanted
        return SlotWanted(
            reference=self._given.reference,
            location=request.location,
            service=request.service,
            start=wanted.start,
            provider=wanted.provider,
            operatory=wanted.operatory,
            contact=request.patient.mobile or request.patient.email,
            claim_until=workflow.now() + self._given.policy.hold_expiry,
        )

    def _to_withdraw(self) -> HoldToWithdraw:
        """At the end of the booking all of it goes; until then what the hold was to replace stays."""
        state, is_final = self._state, self._state.status.is_final
        return HoldToWithdraw(
            reference=self._given.reference,
            location=self._given.policy.location,
            start=state.start,
            appointment_id=state.appointment.id if state.appointment else None,
            slots=tuple(write.slot for write in state.writes),
            keep=state.replaced.id if state.replaced and not is_final else None,
            taken_back=state.withdrawn_ids,
            confirmed=is_final and state.confirmed,
            called_off=is_final and (state.confirm_begun or state.status is Status.CANCELLED),
        )

    def _hold_to_write(self, patient: str, *, confirm: bool = False) -> HoldToWrite:
        state = self._state
        slot = state.slot or (state.appointment.slot if state.appointment else None)
        assert slot is not None
        replaced = state.appointment if state.moving else state.replaced
        match, request = state.match, self._given.request
        dependent = match is not None and match.dependent
        return HoldToWrite(
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
            not_these=state.withdrawn_ids,
            writes=state.writes,
            replaces=replaced.id if replaced else None,
        )


def _is_in_the_way(earlier: Appointment, slot: Slot, written: HoldWritten) -> bool:
    """Whether the practice system itself refused the new time, maybe for our own hold at the earlier one."""
    unnamed = any(c.cause is Cause.APPOINTMENT and c.appointment is None for c in written.conflicts)
    return unnamed and earlier.time.overlaps(slot.time)


def _why_not(conflicts: tuple[Conflict, ...]) -> Reason:
    causes = {conflict.cause for conflict in conflicts}
    if any(cause.is_rule for cause in causes):
        return Reason.OUTSIDE_RULES
    return Reason.SLOT_BLOCKED if Cause.BLOCK in causes else Reason.SLOT_TAKEN
