"""Callers that wait for a decision."""

import asyncio

import pytest
from temporalio.api.enums.v1 import EventType

from activities.hold_contracts import HoldResult
from activities.slots import SlotCheck
from adapters.errors import Unavailable
from client import DeskClient
from domain.booking import Reason, Status
from domain.calendar import LandingState
from domain.slot import Cause, Conflict
from tests.support.workflow_handles import SECOND, BookingHandle, cancel, wait_for_exception, wait_for_view
from tests.support.workflow_harness import WorkflowHarness
from tests.support.workflow_history import event_types, wait_for_event, wait_until_idle
from workflows.booking.workflow import BookingWorkflow

UPDATE_ACCEPTED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED


@pytest.fixture
def undecided(harness: WorkflowHarness) -> WorkflowHarness:
    """The slot cannot be checked, so no booking is decided."""
    harness.responses["recheck_slot"] = Unavailable("unavailable")
    return harness


async def count_updates(handle: BookingHandle) -> int:
    return (await event_types(handle)).count(UPDATE_ACCEPTED)


async def test_long_wait_sends_one_update_and_then_polls(
    undecided: WorkflowHarness, bookings: DeskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.bookings.MAX_UPDATE_WAIT", SECOND)
    free_slot = SlotCheck(slot=undecided.slot)
    handle = await undecided.start_booking()
    view = await handle.query(BookingWorkflow.view)
    waiting_caller = asyncio.create_task(bookings.wait(view.request_id, 60))
    await wait_for_event(handle, UPDATE_ACCEPTED)
    await asyncio.sleep(5)
    assert await count_updates(handle) == 1
    undecided.responses["recheck_slot"] = free_slot
    assert (await waiting_caller).status is Status.CONFIRMED


async def test_repeated_waits_share_one_update(
    undecided: WorkflowHarness, bookings: DeskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporal accepts 2,000 updates of a booking. Those of the desk and the patient need room."""
    monkeypatch.setattr("client.bookings.MAX_UPDATE_WAIT", SECOND)
    handle = await undecided.start_booking()
    view = await handle.query(BookingWorkflow.view)
    for _ in range(3):
        await bookings.wait(view.request_id, 2)
    assert await count_updates(handle) == 1


async def test_wait_for_a_landing_sends_no_update(harness: WorkflowHarness, bookings: DeskClient) -> None:
    harness.responses["write_hold"] = HoldResult(appointment=harness.appointment(landing=LandingState.ACCEPTED))
    handle = await harness.start_booking()
    await wait_for_view(handle, lambda view: view.reason is Reason.AWAITING_OFFICE)
    assert (await bookings.wait((await handle.query(BookingWorkflow.view)).request_id, 2)).status is Status.RECEIVED
    assert await count_updates(handle) == 0
    await cancel(handle)


async def test_many_waiting_callers_do_not_prevent_a_cancel(undecided: WorkflowHarness, bookings: DeskClient) -> None:
    handle = await undecided.start_booking()
    view = await handle.query(BookingWorkflow.view)
    waiting_callers = [asyncio.create_task(bookings.wait(view.request_id, 60)) for _ in range(12)]
    await asyncio.sleep(2)
    await bookings.cancel(view.request_id)
    assert {(await caller).status for caller in waiting_callers} == {Status.CANCELLED}


async def test_update_to_an_idle_booking_is_applied_after_earlier_events(harness: WorkflowHarness) -> None:
    harness.responses["recheck_slot"] = SlotCheck(
        conflicts=(Conflict(cause=Cause.APPOINTMENT, time=harness.slot.time),)
    )
    harness.responses["find_alternatives"] = SlotCheck()
    handles = [await harness.start_booking() for _ in range(8)]
    for handle in handles:
        await wait_for_exception(handle, Reason.SLOT_TAKEN)
        await wait_until_idle(handle)
    for handle in handles:
        assert (await cancel(handle)).status is Status.CANCELLED
        await handle.result()
    assert sorted(harness.patient_messages()) == ["cancelled"] * 8 + ["received"] * 8
