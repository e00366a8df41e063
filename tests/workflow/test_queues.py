"""Writes that take their time in an office's queue: what lands, what is refused there, and what must not stand."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client

from activities.hold_contracts import ConfirmHoldResult, HoldResult
from activities.release import ReleaseResult
from activities.slots import SlotCheck
from adapters.errors import NotAuthorized, OutcomeUnknown, Unavailable
from domain.booking import Reason, Status
from domain.calendar import AppointmentStatus, EventKind, LandingState
from domain.matching import Verdict
from domain.policy import LandingPolicy
from domain.rules import Confirmation
from domain.slot import Cause, Conflict
from tests.support.by_hand import ByHand, by_hand, hour
from tests.support.courses import (
    APPROVE,
    DECLINE,
    RETRY,
    STAFF,
    Handle,
    cancel,
    confirmed,
    decide,
    until,
    waiting,
)
from workflows.booking.messages import AppointmentEvent, Resolution, ResolutionKind
from workflows.booking.workflow import BookingWorkflow

OFTEN = LandingPolicy(check_after=(timedelta(seconds=0.3),))
SELDOM = LandingPolicy(check_after=(timedelta(minutes=30),))
TAKEN = (Conflict(cause=Cause.APPOINTMENT),)


@pytest.fixture(params=[1000, 0], ids=["remembered", "forgotten"])
async def hand(client: Client, request: pytest.FixtureRequest) -> AsyncIterator[ByHand]:
    """In a practice whose own system takes what was written in later."""
    async with by_hand(client, remembered=request.param) as hand:
        hand.answers["write_hold"] = lambda _: HoldResult(appointment=on_its_way(hand))
        hand.answers["check_landing"] = lambda given: HoldResult(
            appointment=hand.visit(id=given.appointment_id, **dict(given.slot)), confirmed=given.confirm
        )
        yield hand


def on_its_way(hand: ByHand, **changes: Any) -> Any:
    return hand.visit(status=AppointmentStatus.TENTATIVE, landing=LandingState.ACCEPTED, **changes)


async def tell(handle: Handle, kind: EventKind, appointment: str = "11", landing: LandingState | None = None) -> None:
    news = AppointmentEvent(kind=kind, appointment_id=appointment, landing=landing)
    await handle.signal(BookingWorkflow.schedule_changed, news)


async def start(
    hand: ByHand, landing: LandingPolicy = OFTEN, confirmation: Confirmation = STAFF, **policy: Any
) -> Handle:
    return await hand.start(confirmation=confirmation, landing=landing, **policy)


# ---- what a person chose


async def test_what_a_person_chose_to_keep_is_not_touched_nor_asked_about_again(hand: ByHand) -> None:
    theirs = hand.visit(status=AppointmentStatus.TENTATIVE)
    hand.answers["release_hold"] = ReleaseResult(kept=(theirs,))
    handle = await start(hand)
    await waiting(handle, Reason.APPROVAL)
    await hand.has_told_desk("desk_exception")
    await decide(handle, DECLINE)
    await waiting(handle, Reason.HOLD_CHANGED)
    await decide(handle, APPROVE)
    await until(lambda: len(hand.made("remove_leftovers")) > 1)
    assert {(given.keep_ids, given.released_before) for given in hand.made("remove_leftovers")} == {(("11",), ())}
    await hand.has_told_desk("desk_exception", "desk_exception")


async def test_what_somebody_took_out_is_looked_for_before_it_is_written_again(hand: ByHand) -> None:
    confirm, hand.answers["confirm_hold"] = hand.answers["confirm_hold"], ConfirmHoldResult()
    hand.answers["write_hold"] = lambda _: HoldResult(appointment=hand.visit())
    handle = await start(hand)
    await waiting(handle, Reason.APPROVAL)
    await decide(handle, APPROVE)
    await waiting(handle, Reason.HOLD_CHANGED)
    hand.answers["confirm_hold"] = confirm
    await decide(handle, RETRY)
    await confirmed(handle)
    assert [(given.look_first, given.excluded_ids) for given in hand.made("write_hold")] == [(False, ()), (True, ())]


async def test_what_has_not_landed_is_not_approved_and_goes_on_by_itself(hand: ByHand) -> None:
    lands, hand.answers["check_landing"] = hand.answers["check_landing"], NotAuthorized("no")
    handle = await start(hand, confirmation=Confirmation.AUTOMATIC)
    view = await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    assert ResolutionKind.APPROVE not in view.resolutions
    hand.answers["check_landing"] = lands
    await confirmed(handle)


async def test_choosing_the_chart_does_not_make_a_hold_land(hand: ByHand) -> None:
    match = hand.answers["match_patient"]
    hand.answers["match_patient"] = match.model_copy(
        update={"verdict": Verdict.ASK, "chart": None, "candidates": ("7",), "reason": Reason.PATIENT_EXISTS}
    )
    handle = await start(hand, SELDOM, Confirmation.AUTOMATIC, placeholder_patient="99")
    await waiting(handle, Reason.PATIENT_EXISTS)
    view = await decide(handle, APPROVE)
    assert (view.status, view.reason) == (Status.RECEIVED, Reason.AWAITING_OFFICE)
    assert "confirmed" not in hand.told()


async def test_what_only_a_person_has_seen_is_confirmed_as_soon_as_it_shows(hand: ByHand) -> None:
    unclear = on_its_way(hand).model_copy(update={"landing": LandingState.INCOMPLETE})
    hand.answers["check_landing"] = lambda _: HoldResult(appointment=unclear)
    hand.answers["read_appointment"] = lambda _: on_its_way(hand)
    handle = await start(hand, confirmation=Confirmation.AUTOMATIC)
    await waiting(handle, Reason.LANDING_UNCLEAR)
    await decide(handle, APPROVE)
    await confirmed(handle)
    await until(lambda: len(hand.made("read_appointment")) > 1)
    assert hand.made("confirm_hold") == []
    hand.answers["read_appointment"] = lambda _: hand.visit(status=AppointmentStatus.TENTATIVE)
    await until(lambda: hand.made("confirm_hold"))
    assert [given.promised for given in hand.made("confirm_hold")] == [True]


async def test_what_a_person_saw_and_the_office_refused_after_all_goes_to_the_desk(hand: ByHand) -> None:
    unclear = on_its_way(hand).model_copy(update={"landing": LandingState.INCOMPLETE})
    hand.answers["check_landing"] = lambda _: HoldResult(appointment=unclear)
    hand.answers["read_appointment"] = lambda _: on_its_way(hand)
    handle = await start(hand, confirmation=Confirmation.AUTOMATIC)
    await waiting(handle, Reason.LANDING_UNCLEAR)
    await decide(handle, APPROVE)
    await confirmed(handle)
    await tell(handle, EventKind.LANDING, landing=LandingState.REFUSED)
    assert (await waiting(handle, Reason.REFUSED_BY_OFFICE)).status is Status.CONFIRMED
    assert (await decide(handle, APPROVE)).reason is None


# ---- what must not stand


async def refused(hand: ByHand) -> Handle:
    """The office did not take it in, and what the partner shows of it can't be taken back."""
    not_taken_in = hand.visit(status=AppointmentStatus.TENTATIVE, landing=LandingState.REFUSED)
    hand.answers["check_landing"] = HoldResult(appointment=not_taken_in)
    hand.answers["find_alternatives"] = SlotCheck(alternatives=(hand.slot,))
    hand.answers["remove_leftovers"] = hand.answers["release_hold"] = Unavailable("away")
    handle = await start(hand)
    view = await waiting(handle, Reason.REFUSED_BY_OFFICE)
    assert (view.alternatives, view.appointment_id) == ((hand.slot,), None)
    await hand.has_told("received")
    return handle


async def test_what_the_office_refused_is_decided_on_though_it_can_not_be_taken_back(hand: ByHand) -> None:
    handle = await refused(hand)
    await until(lambda: hand.made("remove_leftovers"))
    lands = hand.visit(id="12", status=AppointmentStatus.TENTATIVE)
    hand.answers["write_hold"] = HoldResult(appointment=lands)
    await decide(handle, RETRY)
    await waiting(handle, Reason.APPROVAL)
    written = hand.made("write_hold")[-1]
    assert (written.look_first, written.excluded_ids) == (True, ("11",))
    taken_back = len(hand.made("remove_leftovers"))
    await until(lambda: len(hand.made("remove_leftovers")) > taken_back)
    assert hand.made("remove_leftovers")[-1].appointment_id == "12"


async def test_a_cancel_is_heard_while_what_the_office_refused_can_not_be_taken_back(hand: ByHand) -> None:
    handle = await refused(hand)
    assert (await cancel(handle)).status is Status.CANCELLED
    hand.answers["release_hold"] = ReleaseResult(taken=("11",))
    await until(lambda: "cancelled" in hand.told())


async def moved(hand: ByHand, landing: LandingPolicy = SELDOM, **policy: Any) -> Handle:
    """Confirmed at another time than first: 11 was taken back through the queue, 12 stands."""
    hand.answers["check_landing"] = lambda given: HoldResult(
        appointment=hand.visit(id=given.appointment_id), confirmed=given.confirm
    )
    handle = await start(hand, landing, **policy)
    await tell(handle, EventKind.LANDING, landing=LandingState.LANDED)
    await waiting(handle, Reason.APPROVAL)
    await hand.has_told_desk("desk_exception")
    hand.slot = hand.slot.model_copy(update={"time": hour(hand.slot.time.start + timedelta(hours=2))})
    hand.answers["write_hold"] = lambda _: HoldResult(appointment=on_its_way(hand, id="12"))
    await tell(handle, EventKind.LANDING, "12", LandingState.LANDED)
    await decide(handle, Resolution(kind=ResolutionKind.START, start=hand.slot.time.start))
    await confirmed(handle)
    return handle


async def test_what_a_visit_has_replaced_and_the_office_keeps_is_taken_back_once_more_then_a_person_is_asked(
    hand: ByHand,
) -> None:
    hand.answers["remove_leftovers"] = ReleaseResult(taken=("11",), queued=True)
    handle = await moved(hand)
    await tell(handle, EventKind.CHANGE_FAILED)
    await until(lambda: hand.made("remove_leftovers"))
    assert [(given.appointment_id, given.released_before) for given in hand.made("remove_leftovers")] == [
        ("12", ("11",))
    ]
    await asyncio.sleep(0.5)
    assert hand.desk_told() == ["desk_exception"], "the approval alone"
    hand.answers["remove_leftovers"] = ReleaseResult(kept=(hand.visit(),))
    await tell(handle, EventKind.CHANGE_FAILED)
    view = await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    assert view.status is Status.CONFIRMED
    await decide(handle, RETRY)
    await waiting(handle, Reason.HOLD_CHANGED)
    hand.answers["remove_leftovers"] = ReleaseResult()
    await decide(handle, APPROVE)
    await tell(handle, EventKind.CHANGE_FAILED)
    await until(lambda: len(hand.made("remove_leftovers")) == 4)
    asked = [(given.released_twice, given.keep_ids) for given in hand.made("remove_leftovers")]
    assert asked == [((), ()), (("11",), ()), ((), ()), ((), ("11",))]


async def test_what_nobody_tells_is_found_by_looking_ever_more_rarely(hand: ByHand) -> None:
    await moved(hand, OFTEN)
    await asyncio.sleep(4)
    assert len(hand.made("remove_leftovers")) <= 5
    await until(lambda: len(hand.made("remove_leftovers")) >= 2)


async def test_what_has_ended_is_watched_until_the_visit_would_have_begun(hand: ByHand) -> None:
    """Nothing was known of the write: that it goes through a queue shows as it is taken back."""
    hand.answers["write_hold"] = OutcomeUnknown("lost")
    hand.answers["release_hold"] = ReleaseResult(taken=("11",), queued=True)
    handle = await start(hand, SELDOM)
    await until(lambda: hand.made("write_hold"))
    await handle.execute_update(BookingWorkflow.cancel)
    await until(lambda: hand.made("remove_leftovers"))
    await asyncio.sleep(0.5)
    await tell(handle, EventKind.CHANGE_FAILED)
    await until(lambda: len(hand.made("remove_leftovers")) == 2)
    assert (await handle.describe()).close_time is None


async def test_what_the_office_refuses_before_we_know_that_we_took_it_back_is_looked_for_at_once(hand: ByHand) -> None:
    told = asyncio.Event()

    async def refused(_: Any) -> Any:
        await told.wait()
        return ReleaseResult(taken=("11",), queued=True)

    hand.answers["release_hold"] = refused
    handle = await start(hand, SELDOM)
    await until(lambda: hand.made("write_hold"))
    await handle.execute_update(BookingWorkflow.cancel)
    await until(lambda: hand.made("release_hold"))
    await tell(handle, EventKind.CHANGE_FAILED)
    told.set()
    await until(lambda: hand.made("remove_leftovers"))


async def test_a_confirmation_that_the_office_refused_is_made_once_more_then_a_person_is_asked(hand: ByHand) -> None:
    hand.answers["read_appointment"] = lambda _: hand.visit(status=AppointmentStatus.TENTATIVE)
    handle = await start(hand, confirmation=Confirmation.AUTOMATIC)
    await confirmed(handle)
    await tell(handle, EventKind.CHANGE_FAILED)
    await until(lambda: hand.made("confirm_hold"))
    await asyncio.sleep(0.5)
    assert len(hand.made("confirm_hold")) == 1
    await tell(handle, EventKind.CHANGE_FAILED)
    await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    await decide(handle, RETRY)
    await until(lambda: len(hand.made("confirm_hold")) == 2)


async def test_a_sweep_does_not_make_up_for_a_write_that_was_begun_after_it(hand: ByHand) -> None:
    hand.answers["check_landing"] = NotAuthorized("no")
    looked = asyncio.Event()

    async def slowly(_: Any) -> Any:
        await looked.wait()
        return ReleaseResult()

    hand.answers["remove_leftovers"] = slowly
    looks = LandingPolicy(check_after=(timedelta(seconds=0.3), timedelta(minutes=30)))
    handle = await start(hand, looks, late_commit=timedelta(seconds=0.1))
    await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    await until(lambda: hand.made("remove_leftovers"))
    await tell(handle, EventKind.LANDING, landing=LandingState.LANDED)
    await until(lambda: len(hand.made("check_landing")) == 2)
    assert len(hand.made("remove_leftovers")) == 1
    looked.set()
    await until(lambda: len(hand.made("remove_leftovers")) == 2)


# ---- what is told, and what landed


async def test_a_refusal_is_not_lost_on_what_is_told_after_it_nor_on_a_look_that_failed(hand: ByHand) -> None:
    hand.answers["check_landing"] = NotAuthorized("no")
    hand.answers["find_alternatives"] = lambda _: hand.answers["recheck_slot"](_)
    handle = await start(hand, SELDOM)
    await until(lambda: hand.made("write_hold"))
    await tell(handle, EventKind.LANDING, landing=LandingState.REFUSED)
    await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    for kind, landing in ((EventKind.LANDING, LandingState.LANDED), (EventKind.CHANGED, None)):
        await tell(handle, kind, landing=landing)
    await until(lambda: len(hand.made("check_landing")) == 2)
    refused = on_its_way(hand).model_copy(update={"landing": LandingState.REFUSED})
    hand.answers["check_landing"] = lambda _: HoldResult(appointment=refused)
    await tell(handle, EventKind.CHANGE_FAILED)
    await waiting(handle, Reason.REFUSED_BY_OFFICE)
    assert {given.reported for given in hand.made("check_landing")} == {LandingState.REFUSED}


async def test_what_lost_its_chair_as_it_landed_is_written_again_for_the_chart_that_the_office_made(
    hand: ByHand,
) -> None:
    """On a parent's chart at first; by then the child has one of its own."""
    hand.answers["match_patient"] = hand.answers["match_patient"].model_copy(update={"dependent": True})
    hand.answers["check_landing"] = HoldResult(conflicts=TAKEN, patient="8")
    hand.answers["find_alternatives"] = lambda _: hand.answers["recheck_slot"](_)
    handle = await start(hand)
    await waiting(handle, Reason.SLOT_TAKEN)
    later = hour(hand.slot.time.start + timedelta(hours=2))
    await decide(handle, Resolution(kind=ResolutionKind.START, start=later.start))
    await until(lambda: len(hand.made("write_hold")) == 2)
    assert [given.patient for given in hand.made("write_hold")] == ["7", "8"]
    assert [given.dependent is not None for given in hand.made("write_hold")] == [True, False]


async def test_a_hold_that_stands_elsewhere_is_confirmed_and_told_there(hand: ByHand) -> None:
    elsewhere = hand.slot.model_copy(update={"time": hour(hand.slot.time.start + timedelta(days=1))})
    hand.answers["write_hold"] = lambda _: HoldResult(appointment=hand.visit(**dict(elsewhere)))
    hand.answers["confirm_hold"] = lambda _: ConfirmHoldResult(appointment=hand.visit(**dict(elsewhere)))
    handle = await start(hand, confirmation=Confirmation.AUTOMATIC)
    await confirmed(handle)
    await until(lambda: hand.told())
    assert [given.slot for given in hand.made("confirm_hold")] == [elsewhere]
    assert [given.start for given in hand.made("notify")] == [elsewhere.time.start]


async def test_a_look_whose_end_is_not_known_is_followed_by_another(hand: ByHand) -> None:
    lands = hand.answers["check_landing"]
    hand.answers["check_landing"] = lambda given: lands(given).model_copy(update={"ambiguous": True})
    await confirmed(await start(hand, confirmation=Confirmation.AUTOMATIC))
    await until(lambda: hand.made("remove_leftovers"))
