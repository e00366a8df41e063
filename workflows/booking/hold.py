"""The hold itself: write it, check whether it has landed, confirm it.

After each call the state says what stands in the calendar; whoever needs a person to decide raises NeedsStaff.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.hold_contracts import (
        ConfirmHoldInput,
        ConfirmHoldResult,
        HoldResult,
        SettleLandingInput,
        WriteHoldInput,
        WriteRecord,
    )
    from activities.holds import HoldActivities
    from domain.booking import Reason
    from domain.calendar import Appointment, LandingState
    from domain.slot import Cause, Conflict, Slot
    from workflows.booking.background import LATE_AFTER, BackgroundRunner
    from workflows.booking.compensation import Compensation
    from workflows.booking.slot import SlotSteps
    from workflows.booking.state.booking_state import BookingState
    from workflows.booking.step_result import StepResult
    from workflows.shared.activity_runner import ActivityRunner
    from workflows.shared.outcomes import NeedsStaff
    from workflows.shared.timers import run_with_deadline

Input = TypeVar("Input", bound=WriteHoldInput)
Result = TypeVar("Result", HoldResult, ConfirmHoldResult)


class HoldSteps:
    def __init__(
        self,
        state: BookingState,
        runner: ActivityRunner,
        background: BackgroundRunner,
        compensation: Compensation,
        slots: SlotSteps,
    ) -> None:
        self._state = state
        self._runner = runner
        self._background = background
        self._compensation = compensation
        self._slots = slots

    async def write(self, chart: str, *, confirm: bool) -> None:
        """Write the hold in the secured slot. Without a hold afterwards, the slot was lost and another may be tried.

        Raises NeedsStaff if the desk has moved or removed the hold meanwhile.
        """
        state, reservation = self._state, self._state.reservation
        slot, former = reservation.slot, reservation.appointment
        assert slot is not None
        must_look_first = reservation.has_unknown_write
        reservation.begin_write(WriteRecord(slot=slot, patient=chart))
        request = WriteHoldInput(**self._hold_input(chart, confirm=confirm, look_first=must_look_first))
        summary = "Write the hold, read it back" + (", confirm it" if confirm else "")
        result = await self._run_and_maybe_confirm(HoldActivities.write_hold, request, summary)
        reservation.end_write()
        if result.refused_for is not None:
            raise NeedsStaff(result.refused_for)
        if result.appointment is not None:
            state.office.reset_checks()
            reservation.reset_term()
            state.record_hold(result.appointment, workflow.now())
            reservation.record_confirmed(result.confirmed)
            self.supersede(former)
            if result.conflicts:
                raise NeedsStaff(Reason.HOLD_CHANGED)
        elif not result.conflicts:
            reservation.add_lost(*result.removed_ids)
            reservation.look_before_next_write()
            raise NeedsStaff(Reason.HOLD_CHANGED)
        elif former is not None and _may_block(former, slot, result.conflicts):
            await self._release_blocking_hold()

    def supersede(self, former: Appointment | None) -> None:
        """The former hold is released if the new one has landed; otherwise it stands until then."""
        self._state.reservation.supersede(former)
        if former is not None and self._state.reservation.superseded is None:
            self._state.record_released_ids(former.id, now=workflow.now())

    async def settle_landing(self, *, even_if_offline: bool = False) -> StepResult:
        """Check once whether the office system has the hold, and settle who keeps the slot: DONE or
        HOLD_RELEASED_EARLIER.

        While the office system is offline there is nothing to see, unless ``even_if_offline``.
        Raises NeedsStaff if the hold was refused or lost, or if its landing cannot be determined.
        """
        state = self._state
        hold = state.reservation.appointment
        assert hold is not None
        event, online_since = state.pending_event, state.office.online_since
        is_chart_stale = state.is_chart_stale(workflow.now())
        request = SettleLandingInput(
            # A chart that was read long ago is read again first. The hold is confirmed after that.
            **self._hold_input(hold.patient, confirm=self._state.approval_reason is None and not is_chart_stale),
            appointment_id=hold.id,
            reported=event.landing if event is not None else None,
            check_online_first=not even_if_offline,
            online_since=online_since,
        )
        state.office.count_check()
        state.plan_landing_check(workflow.now())
        result = await self._run_and_maybe_confirm(
            HoldActivities.settle_landing, request, "Check whether the hold has landed"
        )
        state.office.acknowledge_event(event)
        if result.office_offline:
            state.record_offline(workflow.now(), checked_since=online_since)
            return StepResult.DONE
        state.office.assume_online()
        state.office.record_overdue(result.is_overdue)
        appointment = result.appointment
        # A new patient's chart gets another id with the first appointment.
        state.patient.rekey(appointment.patient if appointment is not None else result.patient, former=hold.patient)
        if appointment is None:
            return await self._explain_lost_hold(result.conflicts)
        state.record_hold(appointment, workflow.now())
        state.reservation.record_confirmed(result.confirmed)
        self.supersede(state.reservation.superseded)
        if result.conflicts:
            raise NeedsStaff(Reason.HOLD_CHANGED)
        if appointment.landing in (LandingState.REFUSED, LandingState.TIMED_OUT):
            raise await self._drop_unlanded_hold(appointment)
        if appointment.landing is LandingState.INCOMPLETE:
            raise NeedsStaff(Reason.LANDING_UNCLEAR)
        return StepResult.DONE

    async def confirm(self, chart: str) -> StepResult:
        """Make the hold final: DONE, OFFICE_PENDING or HOLD_RELEASED_EARLIER.

        Raises NeedsStaff if the hold was lost.
        """
        state = self._state
        assert state.reservation.appointment is not None
        hold_input = self._hold_input(chart)
        state.reservation.record_confirm_attempt(True)
        event, online_since = state.pending_event, state.office.online_since
        request = ConfirmHoldInput(
            **hold_input,
            appointment_id=state.reservation.appointment.id,
            check_online_first=state.office.is_offline,
            online_since=online_since,
        )
        result = await self._run_write(HoldActivities.confirm_hold, request, "Confirm the hold")
        if result.office_offline:
            state.office.acknowledge_event(event)
            state.record_offline(workflow.now(), checked_since=online_since)
            return StepResult.OFFICE_PENDING
        state.office.assume_online()
        if result.appointment is None:
            state.lifecycle.start_message_version()  # the patient may have heard that it is held
            return await self._explain_lost_hold(result.conflicts)
        state.reservation.confirm_as(result.appointment)
        return StepResult.DONE

    async def confirm_again(self) -> None:
        """Repeat a confirmation that did not reach the office system.

        The patient has been told, so the appointment does not yield to anything. Raises NeedsStaff if it is refused.
        """
        reservation = self._state.reservation
        appointment = reservation.appointment
        assert appointment is not None
        request = ConfirmHoldInput(
            **self._hold_input(appointment.patient),
            appointment_id=appointment.id,
            promised=True,
            check_online_first=True,
        )
        result = await self._background.run_until_done(
            HoldActivities.confirm_hold, request, "Confirm the appointment once more"
        )
        # Meanwhile the visit may have been read at a new time: write nothing older over it.
        if result.appointment is not None:
            reservation.refresh(result.appointment)

    async def _release_blocking_hold(self) -> None:
        """The practice system refused the new time because of our own hold at the earlier one: release that first."""
        state = self._state
        await run_with_deadline(
            self._compensation.release_everything(),
            max_wait=LATE_AFTER,
            stop_when=lambda: state.lifecycle.is_cancelled,
            summary="Release the earlier hold",
        )
        if state.reservation.appointment is not None and not state.reservation.is_moving:
            raise NeedsStaff(Reason.HOLD_CHANGED)  # the desk has confirmed the earlier one: which one is meant?

    async def _run_and_maybe_confirm(
        self,
        activity: Callable[[HoldActivities, Input], Awaitable[HoldResult]],
        request: Input,
        summary: str,
    ) -> HoldResult:
        """Run an activity that may also confirm the hold. Until it answers, it may have done so."""
        reservation = self._state.reservation
        was_possible = reservation.may_be_confirmed
        reservation.record_confirm_attempt(was_possible or request.confirm)
        result = await self._run_write(activity, request, summary)
        is_possible = result.confirmed or (request.confirm and result.may_commit_late)
        reservation.record_confirm_attempt(was_possible or is_possible)
        return result

    async def _run_write(
        self, activity: Callable[[HoldActivities, Input], Awaitable[Result]], request: Input, summary: str
    ) -> Result:
        """Run an activity that writes. If its outcome is unknown, the write may be carried out late."""
        try:
            result = await self._runner.run_urgent(activity, request, summary)
        except BaseException:  # includes a cancellation of the workflow by Temporal
            self._compensation.expect_late_commit()
            raise
        if result.may_commit_late:
            self._compensation.expect_late_commit()
        return result

    async def _drop_unlanded_hold(self, hold: Appointment) -> NeedsStaff:
        """The office system refused the hold, or did not take it in before the visit."""
        await self._compensation.drop_unlanded_hold(hold.id)
        reason = Reason.REFUSED_BY_OFFICE if hold.landing is LandingState.REFUSED else Reason.NOT_LANDED
        return NeedsStaff(reason, alternatives=await self._slots.find_alternatives())

    async def _explain_lost_hold(self, conflicts: tuple[Conflict, ...]) -> StepResult:
        """The hold is gone: we released it because of a conflict, or earlier, or somebody else removed it.

        Returns HOLD_RELEASED_EARLIER if an earlier release of ours explains it. Otherwise raises NeedsStaff.
        """
        state = self._state
        lost = state.reservation.appointment
        state.lose_hold(workflow.now())
        if conflicts:
            if lost is not None:
                state.record_released_ids(lost.id, now=workflow.now())
            raise NeedsStaff(Reason.SLOT_TAKEN, alternatives=await self._slots.find_alternatives())
        state.reservation.look_before_next_write()
        if not state.leftovers.is_release_pending:
            raise NeedsStaff(Reason.HOLD_CHANGED)
        state.leftovers.end_release()
        return StepResult.HOLD_RELEASED_EARLIER

    def _hold_input(self, chart: str, *, confirm: bool = False, look_first: bool | None = None) -> dict[str, Any]:
        """The fields of a WriteHoldInput, from which the inputs of the other hold activities are made too."""
        state, booking = self._state, self._state.booking
        slot = state.reservation.current_slot
        assert slot is not None
        is_on_guardians_chart = state.patient.is_on_guardians_chart
        return {
            "reference": booking.reference,
            "location": booking.policy.location,
            "service": booking.policy.service,
            "slot": slot,
            "patient": chart,
            "new_patient": state.patient.is_new_patient,
            "dependent": booking.request.patient if is_on_guardians_chart else None,
            "note": booking.request.note,
            "confirm": confirm,
            "look_first": state.reservation.has_unknown_write if look_first is None else look_first,
            "excluded_ids": state.leftovers.not_the_hold,
            "writes": state.reservation.writes,
            "lost_ids": state.reservation.lost_ids,
            "visitor": state.visitor,
            "limits": state.limits,
            "supersedes": state.reservation.id_to_supersede,
        }


def _may_block(former: Appointment, slot: Slot, conflicts: tuple[Conflict, ...]) -> bool:
    """Whether the practice system itself refused the new time, perhaps because of our own hold at the earlier one."""
    is_unnamed = any(c.cause is Cause.APPOINTMENT and c.appointment is None for c in conflicts)
    return is_unnamed and former.time.overlaps(slot.time)
