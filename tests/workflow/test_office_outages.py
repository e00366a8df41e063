"""Bookings at practices whose office system is offline for a while."""

import asyncio
from datetime import timedelta

from client import DeskClient
from domain.booking import Reason, Status
from tests.support.bookings import wait_for_confirmed
from tests.support.office_bookings import next_free_start, office_appointments, settle_and_read_office, submit_at_office
from tests.support.sandbox import SandboxControl
from tests.support.views import wait_for_view
from tests.support.workflow_handles import APPROVE


async def test_bookings_made_overnight_land_when_the_office_comes_online(
    bookings: DeskClient, control: SandboxControl
) -> None:
    control.office(101, online=False)
    start = next_free_start("portland")
    submitted = [
        await submit_at_office(bookings, "portland", start + timedelta(hours=n), service=service)
        for n, service in enumerate(("consult", "cleaning"))
    ]
    control.clock(advance=9 * 3600)
    for view in submitted:
        waiting_view = await wait_for_view(bookings, view, lambda view: view.reason is not None)
        assert (waiting_view.status, waiting_view.reason) == (Status.RECEIVED, Reason.AWAITING_OFFICE)
        assert office_appointments(control, view) == []
    control.office(101, online=True)
    for view in submitted:
        await wait_for_confirmed(bookings, view)


async def test_booking_reports_an_offline_office_and_continues_when_it_comes_online(
    bookings: DeskClient, control: SandboxControl
) -> None:
    """The webhook about the landing is lost, so only the office's return wakes the booking."""
    control.fault(system="webhook", kind="lost", path="appointment_insertion", times=None)
    await asyncio.sleep(5)  # a status that an earlier test read may be cached this long
    control.office(103, online=False)
    submitted = await submit_at_office(bookings, "boston", next_free_start("boston"))
    view = await wait_for_view(bookings, submitted, lambda view: view.reason is Reason.OFFICE_OFFLINE)
    assert view.status is Status.RECEIVED
    view = await wait_for_view(bookings, view, lambda view: bool(view.messages))
    assert {message.kind for message in view.messages} == {"requested"}
    control.office(103, online=True)
    view = await wait_for_view(bookings, view, lambda view: view.status is Status.CONFIRMED, seconds=12)
    assert len(await settle_and_read_office(control, view)) == 1


async def test_booking_approved_while_the_office_is_offline_is_confirmed_when_it_comes_online(
    bookings: DeskClient, control: SandboxControl
) -> None:
    submitted = await submit_at_office(bookings, "portland", next_free_start("portland"), note="Please call first.")
    view = await wait_for_view(bookings, submitted, lambda view: view.reason is Reason.SPECIAL_REQUEST)
    assert view.note == "Please call first."
    control.office(101, online=False)
    await bookings.resolve(view.request_id, APPROVE)
    view = await wait_for_view(bookings, view, lambda view: view.reason is Reason.AWAITING_CONFIRMATION)
    assert [row["confirmed"] for row in office_appointments(control, view)] == [False]
    control.office(101, online=True)
    view = await wait_for_confirmed(bookings, view)
    assert [row["confirmed"] for row in await settle_and_read_office(control, view)] == [True]
