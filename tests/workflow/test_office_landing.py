"""Bookings at practices with queued writes (Dentrix, Dentrix Enterprise, Eaglesoft): how they land."""

from datetime import timedelta

import pytest

from client import DeskClient
from domain.booking import Reason, Status
from tests.support.bookings import NOVA, wait_for_confirmed
from tests.support.office_bookings import (
    OFFICE_IDS,
    next_free_start,
    settle_and_read_office,
    submit_at_office,
    wait_for_only_appointment,
    wait_for_operatory,
)
from tests.support.sandbox import SandboxControl
from tests.support.views import wait_for_view
from tests.support.workflow_handles import APPROVE
from workflows.booking.contracts import Resolution, ResolutionKind


@pytest.mark.parametrize("location", list(OFFICE_IDS))
async def test_booking_is_confirmed_once_it_has_landed(
    bookings: DeskClient, control: SandboxControl, location: str
) -> None:
    """Portland and Boston send a webhook. Phoenix's system sends none for a landing, so the booking polls."""
    view = await wait_for_confirmed(bookings, await submit_at_office(bookings, location, next_free_start(location)))
    assert [row["confirmed"] for row in await settle_and_read_office(control, view)] == [True]


async def test_new_patient_gets_one_chart_with_the_first_appointment(
    bookings: DeskClient, control: SandboxControl
) -> None:
    view = await wait_for_confirmed(
        bookings, await submit_at_office(bookings, "boston", next_free_start("boston"), NOVA)
    )
    (row,) = await settle_and_read_office(control, view)
    charts = [chart for chart in control.state()["nexhealth"]["office"]["patients"] if chart["last"] == NOVA[1]]
    assert [chart["id"] for chart in charts] == [row["patient"]]


async def test_booking_that_lands_by_webhook_takes_at_most_eight_calls(
    bookings: DeskClient, control: SandboxControl
) -> None:
    start = next_free_start("portland")
    await wait_for_confirmed(bookings, await submit_at_office(bookings, "portland", start, service="consult"))
    # That filled the caches.
    before = control.state()["calls"]["nexhealth"]
    await wait_for_confirmed(bookings, await submit_at_office(bookings, "portland", start + timedelta(hours=1)))
    after = control.state()["calls"]["nexhealth"]
    calls = {call: count - before.get(call, 0) for call, count in after.items() if count > before.get(call, 0)}
    assert sum(calls.values()) <= 8, calls


async def test_hold_that_the_office_refuses_goes_to_the_desk_with_alternatives(
    bookings: DeskClient, control: SandboxControl
) -> None:
    control.fault(system="office", kind="failed", method="insert", path="/101")
    submitted = await submit_at_office(bookings, "portland", next_free_start("portland"))
    view = await wait_for_view(bookings, submitted, lambda view: view.status is Status.NEEDS_STAFF)
    assert view.reason is Reason.REFUSED_BY_OFFICE
    assert len(view.alternatives) == 3
    alternative = view.alternatives[0]
    resolution = Resolution(kind=ResolutionKind.START, start=alternative.time.start, provider=alternative.provider)
    view = await wait_for_confirmed(bookings, await bookings.resolve(view.request_id, resolution))
    assert [row["confirmed"] for row in await settle_and_read_office(control, view)] == [True]


async def test_earlier_hold_stands_until_the_new_one_has_landed(bookings: DeskClient, control: SandboxControl) -> None:
    start = next_free_start("boston")
    submitted = await submit_at_office(bookings, "boston", start, note="Please call first.")
    view = await wait_for_view(bookings, submitted, lambda view: view.reason is Reason.SPECIAL_REQUEST)
    control.fault(system="office", kind="failed", method="insert", path="/103")
    first_rows = await settle_and_read_office(control, view)
    two_hours_later = Resolution(kind=ResolutionKind.START, start=start + timedelta(hours=2))
    await bookings.resolve(view.request_id, two_hours_later)
    view = await wait_for_view(bookings, submitted, lambda view: view.reason is Reason.REFUSED_BY_OFFICE)
    assert (view.start, await settle_and_read_office(control, view)) == (start, first_rows)
    view = await wait_for_confirmed(bookings, await bookings.resolve(view.request_id, two_hours_later))
    (row,) = await settle_and_read_office(control, view)
    assert (view.start, row["confirmed"]) == (start + timedelta(hours=2), True)
    assert row["id"] != first_rows[0]["id"]


async def test_unclear_landing_is_settled_by_the_desk(bookings: DeskClient, control: SandboxControl) -> None:
    control.fault(system="office", kind="incomplete", method="insert", path="/103")
    submitted = await submit_at_office(bookings, "boston", next_free_start("boston"))
    view = await wait_for_view(bookings, submitted, lambda view: view.status is Status.NEEDS_STAFF)
    assert view.reason is Reason.LANDING_UNCLEAR
    await bookings.resolve(view.request_id, APPROVE)
    await wait_for_confirmed(bookings, view)


async def test_hold_yields_to_an_appointment_that_the_desk_entered_before_it_landed(
    bookings: DeskClient, control: SandboxControl
) -> None:
    """The partner accepts both. Only the check after the landing shows that the slot is not ours."""
    control.office(101, online=False)
    start = next_free_start("portland")
    submitted = await submit_at_office(bookings, "portland", start, service="consult")
    place = {"operatory": await wait_for_operatory(bookings, submitted), "provider": 201, "patient": 901}
    desk_appointment = control.office_desk(do="book", start=start.isoformat(), duration=60, **place)
    control.office(101, online=True)
    view = await wait_for_view(bookings, submitted, lambda view: view.status is Status.NEEDS_STAFF)
    assert view.reason is Reason.SLOT_TAKEN
    assert len(view.alternatives) == 3
    assert await settle_and_read_office(control, view) == []
    rows = control.state()["nexhealth"]["office"]["appointments"]
    assert [row["cancelled"] for row in rows if row["id"] == desk_appointment["id"]] == [False]


@pytest.mark.parametrize("fault_kind", ["drop_after", "status_after", "late_commit"])
async def test_write_whose_answer_is_lost_lands_once(
    bookings: DeskClient, control: SandboxControl, fault_kind: str
) -> None:
    control.fault(system="nexhealth", kind=fault_kind, method="POST", path="^/appointments", seconds=2)
    view = await wait_for_confirmed(bookings, await submit_at_office(bookings, "portland", next_free_start("portland")))
    assert len(await settle_and_read_office(control, view)) == 1


async def test_confirmation_that_the_office_refuses_is_repeated(bookings: DeskClient, control: SandboxControl) -> None:
    control.fault(system="office", kind="failed", method="update", path="/103")
    view = await wait_for_confirmed(bookings, await submit_at_office(bookings, "boston", next_free_start("boston")))
    await wait_for_only_appointment(control, view, lambda row: row["confirmed"])
