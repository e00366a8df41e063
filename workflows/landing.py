"""From a request to a confirmed appointment: every step of it, and the way back."""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.holds import HoldActivities, HoldToConfirm, HoldToWithdraw, HoldToWrite, LandingToCheck
    from activities.patients import ChartToCreate, PatientActivities, PatientToMatch
    from activities.slots import SlotActivities, SlotWanted
    from domain.booking import Reason
    from domain.calendar import LandingState
    from domain.matching import Verdict
    from domain.rules import Confirmation
    from domain.slot import Cause, Conflict, Slot
    from workflows.contracts import BookingInput
    from workflows.practice_steps import PracticeSteps
    from workflows.state import BookingState, Declined, NeedsStaff, OnItsWay, Withdrawn

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
            PatientToMatch(location=policy.location, person=request.patient, returning=request.returning),
            "Is this patient known?",
        )
        self._state.match = match
        if match.verdict is Verdict.NEW and not policy.new_patients:
            raise NeedsStaff(Reason.NOT_FOR_NEW_PATIENTS)
        if match.verdict is Verdict.MATCHED and not policy.existing_patients:
            raise NeedsStaff(Reason.NOT_FOR_EXISTING_PATIENTS)

    async def _secure_slot(self) -> None:
        check = await self._steps.urgent(
            SlotActivities.recheck_slot, self._slot_wanted(), "Claim the time and re-check the live day"
        )
        if check.slot is not None:
            self._state.slot = check.slot
        elif check.too_many_open:
            raise NeedsStaff(Reason.TOO_MANY_OPEN)
        else:
            reason = _why_not(check.conflicts)
            if reason is Reason.OUTSIDE_RULES and self._state.version == 1 and not self._state.approved:
                raise Declined(reason, alternatives=check.alternatives)
            raise NeedsStaff(reason, alternatives=check.alternatives)

    async def _chart(self) -> str:
        match = self._state.match
        if match is not None and match.chart is not None:
            return match.chart
        request = self._given.request
        self._state.match = await self._steps.urgent(
            PatientActivities.create_chart,
            ChartToCreate(
                reference=self._given.reference,
                location=request.location,
                person=request.patient,
                language=request.language,
                not_these=self._state.not_these,
                provider=self._state.slot.provider if self._state.slot is not None else None,
            ),
            "Create a chart for the new patient",
        )
        if self._state.doubt is not None or self._state.match.chart is None:
            raise NeedsStaff(self._state.doubt or Reason.PATIENT_AMBIGUOUS)
        return self._state.match.chart

    async def _hold(self, patient: str, *, confirm: bool = False) -> None:
        state = self._state
        if state.moving:
            await self.withdraw(keep_claim=True)
        for _ in range(CANDIDATES_TO_TRY):
            if state.appointment is not None:
                return
            if state.slot is None:
                await self._secure_slot()
            await self._write_hold(patient, confirm)
        if state.appointment is None:
            raise NeedsStaff(Reason.SLOT_TAKEN, alternatives=state.alternatives)

    async def _write_hold(self, patient: str, confirm: bool) -> None:
        state = self._state
        given = self._hold_to_write(patient, confirm=confirm)
        state.write_begun = state.write_open = True
        state.confirm_begun |= confirm
        summary = "Write the hold, read it back" + (", confirm it" if confirm else "")
        try:
            written = await self._steps.urgent(HoldActivities.write_hold, given, summary)
        except (NeedsStaff, Withdrawn):
            self._expect_late_commit()
            raise
        state.write_open = False
        if written.ambiguous:
            self._expect_late_commit()
        state.slot = None
        if written.appointment is not None:
            state.looks, state.held_at = 0, None
            state.written(written.appointment, workflow.now())
            state.confirmed = written.confirmed
            state.slot = given.slot

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
        seen = await self._steps.urgent(
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
        except (NeedsStaff, Withdrawn):
            self._expect_late_commit()
            raise
        if confirmed.ambiguous:
            self._expect_late_commit()
        if confirmed.appointment is None:
            self.forget_hold()
            raise NeedsStaff(Reason.HOLD_CHANGED)
        state.appointment = confirmed.appointment
        state.confirmed = True

    def _expect_late_commit(self) -> None:
        self._state.late_until = workflow.now() + self._given.policy.late_commit

    async def withdraw(self, *, keep_claim: bool = False) -> None:
        """Take back whatever was written; raises NeedsStaff when the practice system refuses."""
        state = self._state
        given = self._to_withdraw().model_copy(update={"confirmed": state.confirm_begun, "keep_claim": keep_claim})
        await self._steps.cleanup(HoldActivities.withdraw_hold, given, "Take the hold back")
        self.forget_hold(keep_claim=keep_claim)

    def forget_hold(self, *, keep_claim: bool = False) -> None:
        state = self._state
        if state.appointment is not None:
            state.withdrawn_ids += (state.appointment.id,)
        if state.queued and not state.status.is_final:
            self._expect_late_commit()  # the office may refuse to take it back; what has ended is watched anyway
        state.appointment = None
        state.confirmed = state.moving = False
        if not keep_claim:
            state.slot = None

    async def sweep_twins(self) -> None:
        await self._steps.cleanup(HoldActivities.sweep_twins, self._to_withdraw(), "Look for a late twin")

    async def release_claim(self) -> None:
        await self._steps.cleanup(SlotActivities.release_claim, self._given.reference, "Free the claim")

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
        state = self._state
        return HoldToWithdraw(
            reference=self._given.reference,
            location=self._given.policy.location,
            start=state.start,
            appointment_id=state.appointment.id if state.appointment else None,
        )

    def _hold_to_write(self, patient: str, *, confirm: bool = False) -> HoldToWrite:
        state = self._state
        slot = state.slot or (state.appointment.slot if state.appointment else None)
        assert slot is not None
        return HoldToWrite(
            reference=self._given.reference,
            location=self._given.policy.location,
            service=self._given.policy.service,
            slot=slot,
            patient=patient,
            new_patient=state.match is not None and "created" in state.match.because,
            note=self._given.request.note,
            confirm=confirm,
            look_first=state.write_open,
            not_these=state.withdrawn_ids,
        )


def _why_not(conflicts: tuple[Conflict, ...]) -> Reason:
    causes = {conflict.cause for conflict in conflicts}
    if any(cause.is_rule for cause in causes):
        return Reason.OUTSIDE_RULES
    return Reason.SLOT_BLOCKED if Cause.BLOCK in causes else Reason.SLOT_TAKEN
