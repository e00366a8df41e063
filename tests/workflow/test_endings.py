"""How a booking ends: with what became of its visit, or taken back, and then nothing of it is left behind."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError

from activities.hold_contracts import HoldResult
from activities.release import ReleaseResult
from adapters.errors import NotAuthorized, OutcomeUnknown, Unavailable
from client import BookingClient, NotPossible
from domain.booking import Reason, Status
from domain.calendar import AppointmentStatus, EventKind, LandingState
from domain.policy import LandingPolicy
from domain.slot import Cause, Conflict
from tests.support.by_hand import ByHand, at_work, hour, surely
from tests.support.courses import (
    APPROVE,
    DECLINE,
    RETRY,
    SECONDS,
    STAFF,
    asked_to_end,
    cancel,
    confirmed,
    decide,
    seen,
    until,
    waiting,
)
from workflows.booking.messages import AppointmentEvent, NewTime
from workflows.booking.workflow import BookingWorkflow
from workflows.shared.search_attributes import APPOINTMENT_START, EXCEPTION_REASON

OUTCOME_DUE = timedelta(hours=12)
"""So long after a visit's end its outcome is read."""


# ---- a confirmed visit


def over_already(hand: ByHand) -> asyncio.Event:
    """The visit ended so long ago that its outcome is due; it is known as soon as the test says so."""
    end = datetime.now(UTC) - OUTCOME_DUE
    hand.slot = hand.slot.model_copy(update={"time": hour(end - timedelta(hours=1))})
    known, recorded = asyncio.Event(), hand.answers["read_appointment"]

    async def read(given: Any) -> Any:
        await known.wait()
        return recorded(given)

    hand.answers["read_appointment"] = read
    return known


async def test_an_outcome_that_may_not_be_read_waits_for_a_person(hand: ByHand) -> None:
    over_already(hand).set()
    read, hand.answers["read_appointment"] = hand.answers["read_appointment"], NotAuthorized("no")
    handle = await hand.start()
    view = await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    assert (view.status, view.resolutions) == (Status.CONFIRMED, ("approve", "retry"))
    hand.answers["read_appointment"] = read
    await decide(handle, RETRY)
    assert (await handle.result()).status is Status.COMPLETED


async def test_a_sweep_that_is_refused_waits_for_a_person_and_the_visit_can_still_be_cancelled(hand: ByHand) -> None:
    hand.answers["write_hold"] = lambda _: HoldResult(appointment=hand.visit(), confirmed=True, ambiguous=True)
    hand.answers["remove_leftovers"] = NotAuthorized("no")
    handle = await hand.start()
    view = await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    assert view.status is Status.CONFIRMED
    hand.answers["remove_leftovers"] = ReleaseResult()
    view = await decide(handle, RETRY)
    assert (view.status, view.reason) == (Status.CONFIRMED, None)
    await until(lambda: len(hand.made("remove_leftovers")) == 2)
    await cancel(handle)
    assert (await handle.result()).reason is Reason.CANCELLED_BY_PATIENT


async def test_a_cancel_does_not_wait_for_the_sweep(hand: ByHand) -> None:
    hand.answers["write_hold"] = lambda _: HoldResult(appointment=hand.visit(), confirmed=True, ambiguous=True)
    handle = await hand.start(late_commit=timedelta(hours=1))
    await confirmed(handle)
    assert (await cancel(handle)).status is Status.CANCELLED
    await until(lambda: hand.made("release_hold"))


async def test_a_visit_that_the_desk_moved_is_followed_to_its_new_end(hand: ByHand) -> None:
    over_already(hand)
    missed = asyncio.Event()

    async def read(_: Any) -> Any:
        if len(hand.made("read_appointment")) > 1:
            await missed.wait()
            return hand.visit(status=AppointmentStatus.NO_SHOW)
        end = datetime.now(UTC) - OUTCOME_DUE + 5 * SECONDS
        hand.slot = hand.slot.model_copy(update={"time": hour(end - timedelta(hours=1))})
        return hand.visit()

    hand.answers["read_appointment"] = read
    handle = await hand.start()
    await until(lambda: hand.made("read_appointment"))
    view = await seen(handle, lambda view: view.start == hand.slot.time.start)
    assert view.status is Status.CONFIRMED
    assert (await handle.describe()).typed_search_attributes.get(APPOINTMENT_START) is not None
    missed.set()
    assert (await handle.result()).status is Status.NO_SHOW


async def test_a_patient_who_was_never_reached_leaves_the_queue_with_the_visit(hand: ByHand) -> None:
    known = over_already(hand)
    hand.answers["notify"] = NotAuthorized("no")
    handle = await hand.start()
    await waiting(handle, Reason.NOT_REACHED)
    known.set()
    ended = await handle.result()
    assert (ended.status, ended.reason, ended.resolutions) == (Status.COMPLETED, None, ())
    assert (await handle.describe()).typed_search_attributes.get(EXCEPTION_REASON) is None


async def test_a_visit_that_has_begun_is_not_cancelled_online(hand: ByHand, bookings: BookingClient) -> None:
    known = over_already(hand)
    handle = await hand.start()
    view = await confirmed(handle)
    with pytest.raises(NotPossible, match="has begun"):
        await bookings.cancel(view.request_id)
    known.set()
    assert (await handle.result()).status is Status.COMPLETED
    assert hand.made("release_hold") == []


# ---- nothing is left behind


async def test_a_claim_of_which_nothing_is_known_ends_with_its_booking(hand: ByHand) -> None:
    hand.answers["recheck_slot"] = NotAuthorized("no")
    handle = await hand.start()
    await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    await cancel(handle)
    await handle.result()
    assert len(hand.made("release_claim")) == 1


async def test_a_claim_ends_too_where_a_person_took_the_hold_out(hand: ByHand) -> None:
    hand.answers["release_hold"] = NotAuthorized("no")
    handle = await hand.start(confirmation=STAFF)
    await waiting(handle, Reason.APPROVAL)
    await decide(handle, DECLINE)
    view = await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    assert view.status is Status.DECLINED
    await decide(handle, APPROVE)
    ended = await handle.result()
    assert (ended.status, ended.reason) == (Status.DECLINED, Reason.DECLINED_BY_STAFF)
    assert len(hand.made("release_claim")) == 1


def before_long(hand: ByHand) -> None:
    """The desk must know in half of the time that is left until the visit."""
    hand.begins_in(12)


@pytest.mark.parametrize("failure", [Unavailable("away"), ValueError("a bug")], ids=["away", "bug"])
async def test_the_desk_knows_before_the_visit_what_could_not_be_taken_back_and_it_is_tried_on(
    hand: ByHand, failure: Exception
) -> None:
    before_long(hand)
    hand.answers["release_hold"] = failure
    handle = await hand.start()
    await confirmed(handle)
    await cancel(handle)
    view = await waiting(handle, Reason.NOT_RELEASED)
    assert (view.status, view.start > view.updated_at) == (Status.CANCELLED, True)
    tried = len(hand.made("release_hold"))
    await until(lambda: len(hand.made("release_hold")) > tried)
    hand.answers["release_hold"] = ReleaseResult()
    ended = await handle.result()
    assert (ended.status, ended.reason, ended.resolutions) == (Status.CANCELLED, Reason.CANCELLED_BY_PATIENT, ())
    assert hand.desk_told().count("desk_exception") == 1


async def test_a_person_who_has_seen_it_is_not_asked_again_and_it_is_tried_on(hand: ByHand) -> None:
    before_long(hand)
    hand.answers["release_hold"] = Unavailable("away")
    handle = await hand.start()
    await confirmed(handle)
    await cancel(handle)
    await waiting(handle, Reason.NOT_RELEASED)
    await decide(handle, APPROVE)
    hand.answers["release_hold"] = ReleaseResult()
    assert (await handle.result()).reason is Reason.CANCELLED_BY_PATIENT


async def test_what_is_late_does_not_take_the_place_of_what_the_desk_has_before_it(hand: ByHand) -> None:
    before_long(hand)
    hand.answers["release_hold"] = Unavailable("away")
    handle = await hand.start(confirmation=STAFF, hold_expiry=SECONDS)
    await until(lambda: Reason.NOT_RELEASED in [given.reason for given in hand.made("route_exception")])
    await waiting(handle, Reason.APPROVAL)
    await decide(handle, DECLINE)
    hand.answers["release_hold"] = ReleaseResult()
    assert (await handle.result()).reason is Reason.DECLINED_BY_STAFF


async def test_who_could_not_be_told_and_what_could_not_be_taken_back_are_both_known_to_the_desk(hand: ByHand) -> None:
    before_long(hand)
    hand.answers["release_hold"] = Unavailable("away")
    handle = await hand.start(confirmation=STAFF, consent=False)
    await waiting(handle, Reason.APPROVAL)
    await decide(handle, DECLINE)
    await waiting(handle, Reason.NOT_REACHED)
    await until(lambda: Reason.NOT_RELEASED in [given.reason for given in hand.made("route_exception")])
    await decide(handle, APPROVE)
    await waiting(handle, Reason.NOT_RELEASED)
    hand.answers["release_hold"] = ReleaseResult()
    assert (await handle.result()).reason is Reason.DECLINED_BY_STAFF


@pytest.mark.parametrize(("step", "undone_by"), [("write_hold", "release_hold"), ("recheck_slot", "release_claim")])
async def test_temporals_own_cancel_takes_back_what_may_have_been_done(hand: ByHand, step: str, undone_by: str) -> None:
    hand.answers[step] = OutcomeUnknown("lost")
    handle = await hand.start()
    await until(lambda: hand.made(step))
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
    assert hand.made(undone_by)
    assert (await handle.query(BookingWorkflow.view)).status is Status.CANCELLED


async def test_temporals_own_cancel_is_not_lost_on_a_step_that_ends_all_the_same(hand: ByHand) -> None:
    write, stopped = hand.answers["write_hold"], asyncio.Event()

    async def deaf(given: Any) -> Any:
        await surely(stopped)
        return write(given)

    hand.answers["write_hold"] = deaf
    handle = await hand.start()
    await until(lambda: hand.made("write_hold"))
    await handle.cancel()
    await asked_to_end(handle, "write_hold")
    stopped.set()
    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), 30)
    assert hand.made("release_hold")
    assert hand.told() == ["cancelled"]


async def test_a_hold_that_was_never_confirmed_is_undone_not_broken(hand: ByHand) -> None:
    lost = HoldResult(conflicts=(Conflict(cause=Cause.APPOINTMENT),))
    hand.answers["write_hold"] = lost
    handle = await hand.start()
    await waiting(handle, Reason.SLOT_TAKEN)
    await cancel(handle)
    await handle.result()
    assert [given.confirmed for given in hand.made("release_hold")] == [False]


async def test_a_cancel_and_a_persons_answer_at_one_instant_end_the_booking(client: Client) -> None:
    """Both reach a worker in one task."""
    hand = ByHand(client)
    async with at_work(hand, client):
        handle = await hand.start(consent=False)
        await waiting(handle, Reason.NOT_REACHED)
    asked = [asyncio.create_task(cancel(handle)), asyncio.create_task(decide(handle, APPROVE))]
    await asyncio.sleep(0.5)
    async with at_work(hand, client):
        ended = await asyncio.wait_for(handle.result(), 30)
        await asyncio.gather(*asked, return_exceptions=True)
    assert ended.status is Status.CANCELLED
    await hand.end()


async def test_a_visit_that_the_office_refused_is_not_moved_by_the_patient_but_left_to_the_desk(
    hand: ByHand, bookings: BookingClient
) -> None:
    on_its_way = hand.visit(status=AppointmentStatus.TENTATIVE, landing=LandingState.ACCEPTED)
    unclear = on_its_way.model_copy(update={"landing": LandingState.INCOMPLETE})
    hand.answers |= {"write_hold": HoldResult(appointment=on_its_way), "read_appointment": on_its_way}
    hand.answers["check_landing"] = HoldResult(appointment=unclear)
    handle = await hand.start(landing=LandingPolicy(check_after=(timedelta(seconds=0.3),)))
    await waiting(handle, Reason.LANDING_UNCLEAR)
    await decide(handle, APPROVE)
    await confirmed(handle)
    refused = AppointmentEvent(kind=EventKind.LANDING, appointment_id="11", landing=LandingState.REFUSED)
    await handle.signal(BookingWorkflow.schedule_changed, refused)
    view = await waiting(handle, Reason.REFUSED_BY_OFFICE)
    with pytest.raises(NotPossible, match="the booking is confirmed"):
        await bookings.reschedule(view.request_id, NewTime(start=hand.slot.time.start + timedelta(hours=2)))
    assert (await waiting(handle, Reason.REFUSED_BY_OFFICE)).status is Status.CONFIRMED


async def test_temporals_cancel_does_not_take_the_last_word_nor_its_owner(hand: ByHand) -> None:
    hand.answers["notify"] = Unavailable("away")
    handle = await hand.start(confirmation=STAFF)
    await waiting(handle, Reason.APPROVAL)
    await decide(handle, DECLINE)
    await until(lambda: "declined" in hand.told())
    await handle.cancel()
    hand.answers["notify"] = NotAuthorized("no")
    assert (await waiting(handle, Reason.NOT_REACHED)).status is Status.DECLINED
    await decide(handle, APPROVE)
    with pytest.raises(WorkflowFailureError):
        await handle.result()
