"""Those who wait for a decision on a booking, and what is asked of one that no worker remembers."""

import asyncio

import pytest
from temporalio.api.enums.v1 import EventType

from activities.hold_contracts import HoldResult
from activities.slots import SlotCheck
from adapters.errors import Unavailable
from client import BookingClient
from domain.booking import Reason, Status
from domain.calendar import LandingState
from domain.slot import Cause, Conflict
from tests.support.by_hand import ByHand
from tests.support.courses import SECONDS, Handle, at_rest, cancel, happened, kinds, seen, waiting
from workflows.booking.workflow import BookingWorkflow

# ---- those who wait for a decision


@pytest.fixture
def undecided(hand: ByHand) -> ByHand:
    hand.answers["recheck_slot"] = Unavailable("away")
    return hand


ASKED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED


async def updates(handle: Handle) -> int:
    return (await kinds(handle)).count(ASKED)


async def test_a_long_wait_asks_once_and_then_looks(
    undecided: ByHand, bookings: BookingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.bookings.MAX_UPDATE_WAIT", SECONDS)
    free = SlotCheck(slot=undecided.slot)
    handle = await undecided.start()
    view = await handle.query(BookingWorkflow.view)
    waits = asyncio.create_task(bookings.wait(view.request_id, 60))
    await happened(handle, ASKED)
    await asyncio.sleep(5)
    assert await updates(handle) == 1
    undecided.answers["recheck_slot"] = free
    assert (await waits).status is Status.CONFIRMED


async def test_who_waits_while_the_office_takes_it_asks_nothing(hand: ByHand, bookings: BookingClient) -> None:
    hand.answers["write_hold"] = HoldResult(appointment=hand.visit(landing=LandingState.ACCEPTED))
    handle = await hand.start()
    await seen(handle, lambda view: view.reason is Reason.AWAITING_OFFICE)
    assert (await bookings.wait((await handle.query(BookingWorkflow.view)).request_id, 2)).status is Status.RECEIVED
    assert await updates(handle) == 0
    await cancel(handle)


async def test_as_many_as_may_wait_do_not_keep_anybody_from_cancelling(
    undecided: ByHand, bookings: BookingClient
) -> None:
    handle = await undecided.start()
    view = await handle.query(BookingWorkflow.view)
    waits = [asyncio.create_task(bookings.wait(view.request_id, 60)) for _ in range(12)]
    await asyncio.sleep(2)
    await bookings.cancel(view.request_id)
    assert {(await each).status for each in waits} == {Status.CANCELLED}


# ---- what is asked of a booking that no worker remembers


async def test_what_is_asked_after_a_rest_comes_after_what_has_happened(hand: ByHand) -> None:
    hand.answers["recheck_slot"] = SlotCheck(conflicts=(Conflict(cause=Cause.APPOINTMENT, time=hand.slot.time),))
    hand.answers["find_alternatives"] = SlotCheck()
    handles = [await hand.start() for _ in range(8)]
    for handle in handles:
        await waiting(handle, Reason.SLOT_TAKEN)
        await at_rest(handle)
    for handle in handles:
        assert (await cancel(handle)).status is Status.CANCELLED
        await handle.result()
    assert sorted(hand.told()) == ["cancelled"] * 8 + ["received"] * 8
