"""From a request to a confirmed appointment: who it is for, when, the hold, and its confirmation.

Every step skips what an earlier round has already settled, so each may be run again.
"""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.booking import Reason
    from workflows.booking.hold import HoldSteps
    from workflows.booking.patient import PatientSteps
    from workflows.booking.slot import SlotSteps
    from workflows.booking.state.booking_state import BookingState
    from workflows.booking.step_result import StepResult
    from workflows.shared.outcomes import Declined, NeedsStaff

MAX_SLOTS_TRIED = 3
"""If each slot is lost between the re-check and the read-back, the desk decides."""


class ReservationSteps:
    def __init__(self, state: BookingState, patients: PatientSteps, slots: SlotSteps, holds: HoldSteps) -> None:
        self._state = state
        self._patients = patients
        self._slots = slots
        self._holds = holds

    async def reserve(self) -> StepResult:
        """Match the patient, secure the slot, and write the hold: DONE or OFFICE_PENDING.

        Raises NeedsStaff, also if the desk must approve the visit, and Declined.
        """
        state, policy = self._state, self._state.booking.policy
        if policy.call_only:
            raise Declined(Reason.CALL_ONLY)
        await self._match_and_secure()
        if state.patient.doubt is not None:
            if policy.placeholder_patient:
                await self._hold(policy.placeholder_patient)
            raise NeedsStaff(state.patient.doubt)
        chart = await self._patients.get_or_create_chart()
        approval_reason = state.approval_reason
        await self._hold(chart, confirm=approval_reason is None)
        if state.reservation.is_landing:
            return StepResult.OFFICE_PENDING
        if state.reservation.superseded is not None:  # the desk has seen the new hold land
            self._holds.supersede(state.reservation.superseded)
            state.leftovers.plan_check_now(workflow.now())
        if approval_reason is not None:
            raise NeedsStaff(approval_reason)
        return StepResult.DONE

    async def ensure_confirmed(self) -> StepResult:
        """Make the hold final, unless the write has already done so. Raises NeedsStaff if the hold was lost."""
        if not self._state.reservation.is_confirmed:
            result = await self._holds.confirm(await self._patients.get_or_create_chart())
            if result is not StepResult.DONE:
                return result
        self._state.exception.offer((), workflow.now())
        return StepResult.DONE

    async def _match_and_secure(self) -> None:
        """Match the patient and secure the slot at the same time; neither needs the other.

        A new booking claims its slot before that, so that a crowd that loses the slot does not look up all its charts.
        """
        must_match, must_secure = self._state.patient.match is None, self._state.reservation.slot is None
        has_lost = must_match and must_secure and not await self._slots.claim()
        steps = []
        if must_match and not has_lost:
            steps.append(self._patients.match())
        if must_secure:
            steps.append(self._slots.secure())
        for failure in await asyncio.gather(*steps, return_exceptions=True):
            if failure is not None:
                raise failure
        if must_match and has_lost:
            await self._patients.match()  # the slot has become free meanwhile

    async def _hold(self, chart: str, *, confirm: bool = False) -> None:
        """Write the hold once a slot is free. A hold at an earlier time stands until the new one is written."""
        reservation = self._state.reservation
        for _ in range(MAX_SLOTS_TRIED):
            if reservation.appointment is not None and not reservation.is_moving:
                return
            if reservation.slot is None:
                await self._slots.secure()
            await self._holds.write(chart, confirm=confirm)
        if reservation.appointment is None or reservation.is_moving:
            raise NeedsStaff(Reason.SLOT_TAKEN, alternatives=self._state.exception.alternatives)
