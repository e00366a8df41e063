"""A time for the visit: claimed and seen to be free, or others near it."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.slots import SlotActivities, SlotRequest
    from domain.booking import Reason
    from domain.slot import Cause, Conflict, Slot
    from workflows.booking.interruptions import Declined, NeedsStaff
    from workflows.booking.messages import BookingInput
    from workflows.booking.state import BookingState
    from workflows.shared.activity_runner import PracticeSteps


class Times:
    def __init__(self, given: BookingInput, state: BookingState, steps: PracticeSteps) -> None:
        self._given = given
        self._state = state
        self._steps = steps

    async def secure(self) -> None:
        """Claim the time that is wanted and re-check it. Raises NeedsStaff, or Declined where the rules say no."""
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
            if reason is Reason.OUTSIDE_RULES and self._state.version == 1 and not self._state.staff_override:
                raise Declined(reason, alternatives=check.alternatives)
            raise NeedsStaff(reason, alternatives=check.alternatives)

    async def others(self) -> tuple[Slot, ...]:
        """None where they can't be read now: why a person is asked matters more."""
        try:
            found = await self._steps.urgent(SlotActivities.find_alternatives, self._slot_wanted(), "Find other times")
        except NeedsStaff:
            return ()
        return found.alternatives

    def _slot_wanted(self) -> SlotRequest:
        """Until it lands or ends, the claim stays; were this booking cut off, it would lapse by itself."""
        request, wanted = self._given.request, self._state.wanted
        return SlotRequest(
            reference=self._given.reference,
            location=request.location,
            service=request.service,
            start=wanted.start,
            provider=wanted.provider,
            operatory=wanted.operatory,
            contact=request.reached.mobile or request.reached.email,
            claim_expires_at=workflow.now() + self._given.policy.hold_expiry,
            asked_at=self._state.asked_at,
            staff_override=self._state.staff_override,
        )


def _why_not(conflicts: tuple[Conflict, ...]) -> Reason:
    causes = {conflict.cause for conflict in conflicts}
    if any(cause.is_rule for cause in causes):
        return Reason.OUTSIDE_RULES
    if Cause.CAP in causes:
        return Reason.DAY_FULL
    return Reason.SLOT_BLOCKED if Cause.BLOCK in causes else Reason.SLOT_TAKEN
