"""A booking between two times: the hold stands while a person has another one tried."""

import asyncio
from datetime import timedelta
from typing import Any

from activities.hold_contracts import ConfirmHoldResult, HoldResult
from activities.release import ReleaseResult
from activities.slots import SlotCheck
from adapters.errors import Unavailable
from domain.booking import Reason, Status
from domain.calendar import AppointmentStatus, LandingState
from domain.matching import Match, Verdict
from domain.policy import LandingPolicy
from domain.slot import Cause, Conflict, Slot
from tests.support.by_hand import ByHand, hour, surely
from tests.support.courses import (
    APPROVE,
    SECONDS,
    STAFF,
    Handle,
    asked_to_end,
    cancel,
    confirmed,
    decide,
    until,
    waiting,
)
from workflows.booking.messages import Resolution, ResolutionKind
from workflows.booking.workflow import BookingWorkflow

OFTEN = LandingPolicy(check_after=(timedelta(seconds=0.3),))


def held(hand: ByHand, **changes: Any) -> HoldResult:
    return HoldResult(appointment=hand.visit(status=AppointmentStatus.TENTATIVE, **changes))


async def moving(hand: ByHand) -> Handle:
    """The hold has landed; a person picked another time, and that one is on its way."""
    first, later = hand.slot, Slot(time=hour(hand.slot.time.start + timedelta(days=9)), provider="2", operatory="3")
    hand.answers["write_hold"] = lambda _: held(hand, **dict(first))
    handle = await hand.start(confirmation=STAFF, landing=OFTEN)
    await waiting(handle, Reason.APPROVAL)
    on_its_way = held(hand, id="12", landing=LandingState.ACCEPTED, **dict(later))
    hand.answers["recheck_slot"] = SlotCheck(slot=later)
    hand.answers["write_hold"] = on_its_way
    hand.answers["check_landing"] = on_its_way
    hand.answers["release_hold"] = ReleaseResult(taken=("12",), queued=True)
    await decide(handle, Resolution(kind=ResolutionKind.START, start=later.time.start))
    await until(lambda: hand.made("check_landing"))
    return handle


async def test_what_was_to_be_replaced_is_not_spared_where_the_booking_has_ended(hand: ByHand) -> None:
    handle = await moving(hand)
    assert (await cancel(handle)).status is Status.CANCELLED
    await until(lambda: len(hand.made("remove_leftovers")) > 1)
    assert {given.appointment_id for given in hand.made("remove_leftovers")} == {None}
    assert (await handle.query(BookingWorkflow.view)).appointment_id is None


async def test_what_was_to_be_replaced_goes_by_its_id_wherever_the_desk_has_moved_it(hand: ByHand) -> None:
    handle = await moving(hand)
    await cancel(handle)
    await until(lambda: hand.made("remove_leftovers"))
    assert [given.appointment_id for given in hand.made("release_hold")] == ["12", "11"]


async def test_a_hold_that_stands_again_expires(hand: ByHand) -> None:
    """Its successor was refused by the office. As long as that takes, nothing can be taken back."""
    first, later = hand.slot, Slot(time=hour(hand.slot.time.start + timedelta(days=9)), provider="2", operatory="3")
    hand.answers["match_patient"] = Match(verdict=Verdict.ASK, candidates=("7", "8"), reason=Reason.PATIENT_AMBIGUOUS)
    hand.answers["write_hold"] = lambda _: held(hand, **dict(first))
    hand.answers["release_hold"] = Unavailable("away")
    handle = await hand.start(landing=OFTEN, placeholder_patient="99", hold_expiry=SECONDS)
    await waiting(handle, Reason.PATIENT_AMBIGUOUS)
    hand.answers["recheck_slot"] = SlotCheck(slot=later)
    hand.answers["write_hold"] = held(hand, id="12", landing=LandingState.ACCEPTED, **dict(later))
    hand.answers["check_landing"] = held(hand, id="12", landing=LandingState.REFUSED, **dict(later))
    hand.answers["find_alternatives"] = SlotCheck()
    await decide(handle, Resolution(kind=ResolutionKind.START, start=later.time.start))
    assert (await waiting(handle, Reason.REFUSED_BY_OFFICE)).appointment_id == "11"
    hand.answers["release_hold"] = ReleaseResult()
    await waiting(handle, Reason.HOLD_EXPIRED)


async def test_what_the_desk_confirmed_at_the_old_time_is_not_taken_for_the_new_one(hand: ByHand) -> None:
    """Where the calendar refuses what overlaps our own hold."""
    first = hand.slot
    later = Slot(time=hour(first.time.start + timedelta(minutes=30)), provider="2", operatory="3")
    hand.answers["write_hold"] = lambda _: held(hand, **dict(first))
    handle = await hand.start(confirmation=STAFF)
    await waiting(handle, Reason.APPROVAL)
    hand.answers["recheck_slot"] = SlotCheck(slot=later)
    hand.answers["write_hold"] = HoldResult(conflicts=(Conflict(cause=Cause.APPOINTMENT, time=later.time),))
    hand.answers["release_hold"] = lambda given: ReleaseResult(
        kept=(hand.visit(reference=given.reference, **dict(first)),)
    )
    await decide(handle, Resolution(kind=ResolutionKind.START, start=later.time.start))
    await waiting(handle, Reason.HOLD_CHANGED)
    assert "confirmed" not in hand.told()


async def test_what_is_approved_as_it_stands_is_had_anew_at_its_own_time(hand: ByHand) -> None:
    """A person picked another time, could not have it, and kept the hold, just as that expired."""
    first, later = hand.slot, Slot(time=hour(hand.slot.time.start + timedelta(days=9)), provider="2", operatory="3")
    taken = (Conflict(cause=Cause.APPOINTMENT),)
    gone = asyncio.Event()

    async def slowly(_: Any) -> ReleaseResult:
        await surely(gone)
        return ReleaseResult(taken=("11",))

    hand.answers["write_hold"] = held(hand).model_copy(update={"conflicts": taken})
    hand.answers["release_hold"] = slowly
    handle = await hand.start(hold_expiry=timedelta(seconds=5))
    await waiting(handle, Reason.HOLD_CHANGED)
    hand.answers["recheck_slot"] = SlotCheck(conflicts=taken)
    await decide(handle, Resolution(kind=ResolutionKind.START, start=later.time.start))
    await waiting(handle, Reason.SLOT_TAKEN)
    await until(lambda: hand.made("release_hold"))
    hand.answers["recheck_slot"] = SlotCheck(slot=first)
    hand.answers["write_hold"] = lambda given: HoldResult(appointment=hand.visit(), confirmed=given.confirm)
    hand.answers["confirm_hold"] = ConfirmHoldResult()
    deciding = asyncio.create_task(decide(handle, APPROVE))
    await asked_to_end(handle, "release_hold")
    gone.set()
    await deciding
    await confirmed(handle)
    assert hand.made("recheck_slot")[-1].start == first.time.start
