"""Bookings at practices with queued writes: what must not stand is removed from the office system."""

import asyncio
from datetime import timedelta

import pytest

from client import DeskClient
from domain.booking import Reason, Status
from tests.support.bookings import cancel_and_wait, wait_for_confirmed
from tests.support.office_bookings import (
    next_free_start,
    office_appointments,
    settle_and_read_office,
    submit_at_office,
    wait_for_no_appointment,
    wait_for_only_appointment,
    wait_for_operatory,
)
from tests.support.sandbox import SandboxControl
from tests.support.views import wait_for_view
from tests.support.workflow_handles import APPROVE
from workflows.booking.contracts import Resolution, ResolutionKind


async def test_refused_release_of_a_hold_is_repeated(bookings: DeskClient, control: SandboxControl) -> None:
    """The desk booked the slot first and is asked for another time. It must not find our hold there too."""
    control.office(101, online=False)
    start = next_free_start("portland")
    submitted = await submit_at_office(bookings, "portland", start, service="consult")
    place = {"operatory": await wait_for_operatory(bookings, submitted), "provider": 201, "patient": 901}
    control.office_desk(do="book", start=start.isoformat(), duration=60, **place)
    control.fault(system="office", kind="incomplete", method="update", path="/101")
    control.office(101, online=True)
    view = await wait_for_view(bookings, submitted, lambda view: view.status is Status.NEEDS_STAFF)
    for _ in range(60):
        fault_kinds = [hit["kind"] for hit in control.state()["hits"] if hit["system"] == "office"]
        if fault_kinds == ["incomplete"] and not office_appointments(control, view):
            return
        await asyncio.sleep(0.2)
    pytest.fail("still in the office system")


async def test_hold_cancelled_before_it_landed_is_removed_after_landing(
    bookings: DeskClient, control: SandboxControl
) -> None:
    control.office(103, online=False)
    submitted = await submit_at_office(bookings, "boston", next_free_start("boston"))
    view = await cancel_and_wait(bookings, submitted)
    control.office(103, online=True)
    for _ in range(50):
        if await settle_and_read_office(control, view) == []:
            return
        await asyncio.sleep(0.2)
    pytest.fail("still in the office system")


async def test_cancellation_that_the_office_keeps_refusing_goes_to_the_desk(
    bookings: DeskClient, control: SandboxControl
) -> None:
    view = await wait_for_confirmed(bookings, await submit_at_office(bookings, "boston", next_free_start("boston")))
    control.clock(settle=True)
    control.fault(system="office", kind="failed", method="update", path="/103", times=None)
    await bookings.cancel(view.request_id)
    view = await wait_for_view(bookings, view, lambda view: view.reason is Reason.REFUSED_BY_SYSTEM)
    assert view.status is Status.CANCELLED
    await bookings.resolve(view.request_id, APPROVE)
    await wait_for_view(bookings, view, lambda view: view.resolutions == ())


async def test_refused_cancellation_is_repeated_without_a_webhook(
    bookings: DeskClient, control: SandboxControl
) -> None:
    view = await wait_for_confirmed(bookings, await submit_at_office(bookings, "boston", next_free_start("boston")))
    control.clock(settle=True)
    control.fault(system="office", kind="failed", method="update", path="/103")
    control.fault(system="webhook", kind="lost", path="appointment_updated", times=None)
    await bookings.cancel(view.request_id)
    await wait_for_no_appointment(control, view)


async def test_superseded_hold_is_removed_although_a_slow_office_refuses_its_release_first(
    bookings: DeskClient, control: SandboxControl
) -> None:
    start = next_free_start("boston")
    submitted = await submit_at_office(bookings, "boston", start, note="Please call first.")
    view = await wait_for_view(bookings, submitted, lambda view: view.reason is Reason.SPECIAL_REQUEST)
    (first,) = await settle_and_read_office(control, view)
    control.nexhealth(write_every=4.0)
    control.fault(system="office", kind="failed", method="update", path="/103")
    await bookings.resolve(view.request_id, Resolution(kind=ResolutionKind.START, start=start + timedelta(hours=2)))
    view = await wait_for_confirmed(bookings, view)
    assert first["id"] in [row["id"] for row in office_appointments(control, view)]
    await wait_for_only_appointment(control, view, lambda row: row["id"] != first["id"] and row["confirmed"])
