"""Securing a slot for the visit: claimed and checked against the live calendar, or alternatives near it."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.slots import SlotActivities, SlotRequest
    from domain.booking import Reason
    from domain.slot import Cause, Conflict, Slot
    from workflows.booking.state.booking_state import BookingState
    from workflows.shared.activity_runner import ActivityRunner
    from workflows.shared.outcomes import Declined, NeedsStaff


class SlotSteps:
    def __init__(self, state: BookingState, runner: ActivityRunner) -> None:
        self._state = state
        self._runner = runner

    async def claim(self) -> bool:
        """Claim the requested time before anything is read. Returns whether it is claimed.

        Whoever loses it asks the practice system for nothing but alternatives.
        """
        self._state.leftovers.expect_claim()
        is_claimed = await self._runner.run_once(SlotActivities.claim_slot, self._slot_request(), "Claim the slot")
        return is_claimed is not False  # without an answer, ``secure`` finds out

    async def secure(self) -> None:
        """Claim the requested time and check it. Raises NeedsStaff, or Declined if the practice's rules say no."""
        state = self._state
        state.leftovers.expect_claim()
        check = await self._runner.run_urgent(
            SlotActivities.recheck_slot, self._slot_request(), "Claim the slot and re-check the live calendar"
        )
        if check.slot is not None:
            return state.reservation.secure(check.slot)
        if check.refused_for is not None:
            raise NeedsStaff(check.refused_for)
        reason = _reason_for(check.conflicts)
        is_first_request = state.lifecycle.message_version == 1 and not state.exception.staff_override
        if reason is Reason.OUTSIDE_RULES and is_first_request:
            raise Declined(reason, alternatives=check.alternatives)
        raise NeedsStaff(reason, alternatives=check.alternatives)

    async def find_alternatives(self) -> tuple[Slot, ...]:
        """Openings near the requested time; none if they cannot be read now."""
        try:
            check = await self._runner.run_urgent(
                SlotActivities.find_alternatives, self._slot_request(), "Find alternatives"
            )
        except NeedsStaff:
            return ()  # the reason why the desk is asked matters more
        return check.alternatives

    def _slot_request(self) -> SlotRequest:
        """The claim lives until the booking lands or ends. If the booking were cut off, it would expire by itself."""
        booking, requested = self._state.booking, self._state.reservation.requested
        return SlotRequest(
            reference=booking.reference,
            location=booking.request.location,
            service=booking.request.service,
            start=requested.start,
            provider=requested.provider,
            operatory=requested.operatory,
            visitor=self._state.visitor,
            limits=self._state.limits,
            claim_expires_at=booking.policy.hold_deadline(workflow.now()),
            asked_at=self._state.lifecycle.patient_acted_at,
            staff_override=self._state.exception.staff_override,
        )


def _reason_for(conflicts: tuple[Conflict, ...]) -> Reason:
    causes = {conflict.cause for conflict in conflicts}
    if any(cause.is_rule for cause in causes):
        return Reason.OUTSIDE_RULES
    if Cause.INACTIVE in causes:
        return Reason.NOT_ACTIVE
    if Cause.CAP in causes:
        return Reason.DAY_FULL
    return Reason.SLOT_BLOCKED if Cause.BLOCK in causes else Reason.SLOT_TAKEN
