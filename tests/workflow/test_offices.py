"""Bookings in practices whose own system takes writes in later: Dentrix, Dentrix Enterprise, Eaglesoft."""

import asyncio
import itertools
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from client import BookingClient, validate_request
from devstack import DevStack
from domain.booking import BookingView, Reason, Status
from tests.support.sandbox import SandboxControl
from tests.support.views import wait_for_view
from tests.workflow.test_bookings import cancelled
from workflows.booking.messages import Resolution, ResolutionKind

ZONES = {"portland": "America/Los_Angeles", "phoenix": "America/Phoenix", "boston": "America/New_York"}
OFFICES = {"portland": 101, "phoenix": 102, "boston": 103}
KNOWN = {
    "portland": ("Opal", "Sampleton", "1981-01-15", "opal@patients.example", "+15035550121"),
    "phoenix": ("Jasper", "Mockridge", "1976-06-30", "jasper@patients.example", "+16025550131"),
    "boston": ("Coral", "Placeholm", "1991-09-09", "coral@patients.example", "+16175550141"),
}
NOVA = ("Nova", "Newcomer", "1991-04-02", "nova@patients.example", "+15105550121")
_days = itertools.count(5)


def a_start(location: str) -> datetime:
    """Nine o'clock on a working day that no other test uses."""
    now = datetime.now(ZoneInfo(ZONES[location]))
    day = next(day for day in (now + timedelta(days=n) for n in _days) if day.isoweekday() <= 5)
    return day.replace(hour=9, minute=0, second=0, microsecond=0)


async def book(
    bookings: BookingClient,
    location: str,
    start: datetime,
    person: tuple[str, ...] = (),
    service: str = "cleaning",
    note: str = "",
) -> BookingView:
    first, last, born, email, mobile = person or KNOWN[location]
    patient = {"first_name": first, "last_name": last, "date_of_birth": born, "email": email, "mobile": mobile}
    content = {
        "request_id": os.urandom(8).hex(),
        "location": location,
        "service": service,
        "start": start.isoformat(),
        "patient": patient,
        "consent": {"email": True, "sms": True},
        "note": note,
    }
    return await bookings.submit(validate_request(content))


async def its_chair(bookings: BookingClient, view: BookingView) -> int:
    return int((await wait_for_view(bookings, view, lambda seen: seen.operatory is not None)).operatory or 0)


def in_office(control: SandboxControl, view: BookingView) -> list[dict[str, Any]]:
    """What the practice's own system has under our reference."""
    rows = control.state()["nexhealth"]["office"]["appointments"]
    return [row for row in rows if view.reference in (row.get("note") or "") and not row.get("cancelled")]


async def confirmed(bookings: BookingClient, view: BookingView) -> BookingView:
    return await wait_for_view(bookings, view, lambda seen: seen.status is Status.CONFIRMED)


async def settled_in_office(control: SandboxControl, view: BookingView) -> list[dict[str, Any]]:
    """The same, once everything that is queued has been written."""
    control.clock(settle=True)
    return in_office(control, view)


async def in_office_only(
    control: SandboxControl, view: BookingView, true: Callable[[dict[str, Any]], bool], seconds: float = 30
) -> None:
    for _ in range(int(seconds * 5)):
        if [true(row) for row in in_office(control, view)] == [True]:
            return
        await asyncio.sleep(0.2)
    pytest.fail(f"in the office: {in_office(control, view)}")


@pytest.mark.parametrize("location", list(OFFICES))
async def test_a_booking_is_confirmed_once_the_office_has_it(
    bookings: BookingClient, control: SandboxControl, location: str
) -> None:
    """Portland and Boston by webhook; Phoenix, whose system tells of no landing, by looking."""
    view = await confirmed(bookings, await book(bookings, location, a_start(location)))
    assert [row["confirmed"] for row in await settled_in_office(control, view)] == [True]


async def test_a_new_patient_gets_one_chart_with_the_first_appointment(
    bookings: BookingClient, control: SandboxControl
) -> None:
    view = await confirmed(bookings, await book(bookings, "boston", a_start("boston"), NOVA))
    (row,) = await settled_in_office(control, view)
    charts = [chart for chart in control.state()["nexhealth"]["office"]["patients"] if chart["last"] == NOVA[1]]
    assert [chart["id"] for chart in charts] == [row["patient"]]


async def test_a_booking_that_lands_by_webhook_costs_few_calls(
    bookings: BookingClient, control: SandboxControl
) -> None:
    start = a_start("portland")
    await confirmed(bookings, await book(bookings, "portland", start))  # reads what is kept afterwards
    before = control.state()["calls"]["nexhealth"]
    await confirmed(bookings, await book(bookings, "portland", start + timedelta(hours=1)))
    after = control.state()["calls"]["nexhealth"]
    made = {call: n - before.get(call, 0) for call, n in after.items() if n > before.get(call, 0)}
    assert sum(made.values()) <= 8, made


async def test_what_the_office_refuses_goes_to_the_desk_with_other_times(
    bookings: BookingClient, control: SandboxControl
) -> None:
    control.fault(system="office", kind="failed", method="insert", path="/101")
    sent = await book(bookings, "portland", a_start("portland"))
    view = await wait_for_view(bookings, sent, lambda seen: seen.status is Status.NEEDS_STAFF)
    assert view.reason is Reason.REFUSED_BY_OFFICE
    assert len(view.alternatives) == 3
    other = view.alternatives[0]
    decision = Resolution(kind=ResolutionKind.START, start=other.time.start, provider=other.provider)
    view = await confirmed(bookings, await bookings.resolve(view.request_id, decision))
    assert [row["confirmed"] for row in await settled_in_office(control, view)] == [True]


async def test_a_hold_stands_until_another_time_has_landed(bookings: BookingClient, control: SandboxControl) -> None:
    start = a_start("boston")
    sent = await book(bookings, "boston", start, note="Please call first.")
    view = await wait_for_view(bookings, sent, lambda seen: seen.reason is Reason.SPECIAL_REQUEST)
    control.fault(system="office", kind="failed", method="insert", path="/103")
    first = await settled_in_office(control, view)
    later = Resolution(kind=ResolutionKind.START, start=start + timedelta(hours=2))
    await bookings.resolve(view.request_id, later)
    view = await wait_for_view(bookings, sent, lambda seen: seen.reason is Reason.REFUSED_BY_OFFICE)
    assert (view.start, await settled_in_office(control, view)) == (start, first)
    view = await confirmed(bookings, await bookings.resolve(view.request_id, later))
    (row,) = await settled_in_office(control, view)
    assert (view.start, row["confirmed"]) == (start + timedelta(hours=2), True)
    assert row["id"] != first[0]["id"]


async def test_a_landing_that_is_unclear_is_looked_up_by_a_person(
    bookings: BookingClient, control: SandboxControl
) -> None:
    control.fault(system="office", kind="incomplete", method="insert", path="/103")
    sent = await book(bookings, "boston", a_start("boston"))
    view = await wait_for_view(bookings, sent, lambda seen: seen.status is Status.NEEDS_STAFF)
    assert view.reason is Reason.LANDING_UNCLEAR
    await bookings.resolve(view.request_id, Resolution(kind=ResolutionKind.APPROVE))
    await confirmed(bookings, view)


async def test_an_office_that_is_off_over_night_gets_its_bookings_in_the_morning(
    bookings: BookingClient, control: SandboxControl
) -> None:
    control.office(101, online=False)
    start = a_start("portland")
    sent = [await book(bookings, "portland", start + timedelta(hours=n), service="consult") for n in range(2)]
    control.clock(advance=9 * 3600)
    for view in sent:
        seen = await wait_for_view(bookings, view, lambda seen: seen.reason is not None)
        assert (seen.status, seen.reason) == (Status.RECEIVED, Reason.AWAITING_OFFICE)
        assert in_office(control, view) == []
    control.office(101, online=True)
    for view in sent:
        await confirmed(bookings, view)


async def test_an_office_that_is_off_is_said_to_be_and_told_when_it_is_back(
    bookings: BookingClient, control: SandboxControl
) -> None:
    """News of the landing itself is lost: only that of the office's return is there to wake the booking."""
    control.fault(system="webhook", kind="lost", path="appointment_insertion", times=None)
    await asyncio.sleep(5)  # as long as an earlier test's reading may be kept
    control.office(103, online=False)
    sent = await book(bookings, "boston", a_start("boston"))
    view = await wait_for_view(bookings, sent, lambda seen: seen.reason is Reason.OFFICE_OFFLINE)
    assert view.status is Status.RECEIVED
    view = await wait_for_view(bookings, view, lambda seen: bool(seen.messages))
    assert {message.kind for message in view.messages} == {"requested"}
    control.office(103, online=True)
    view = await wait_for_view(bookings, view, lambda seen: seen.status is Status.CONFIRMED, seconds=12)
    assert len(await settled_in_office(control, view)) == 1


async def test_what_was_approved_while_the_office_was_off_is_confirmed_when_it_is_back(
    bookings: BookingClient, control: SandboxControl
) -> None:
    sent = await book(bookings, "portland", a_start("portland"), note="Please call first.")
    view = await wait_for_view(bookings, sent, lambda seen: seen.reason is Reason.SPECIAL_REQUEST)
    assert view.note == "Please call first."
    control.office(101, online=False)
    await bookings.resolve(view.request_id, Resolution(kind=ResolutionKind.APPROVE))
    view = await wait_for_view(bookings, view, lambda seen: seen.reason is Reason.AWAITING_CONFIRMATION)
    assert [row["confirmed"] for row in in_office(control, view)] == [False]
    control.office(101, online=True)
    view = await confirmed(bookings, view)
    assert [row["confirmed"] for row in await settled_in_office(control, view)] == [True]


async def test_a_visit_that_the_desk_entered_meanwhile_stays_and_ours_is_taken_back(
    bookings: BookingClient, control: SandboxControl
) -> None:
    """G-series takes both: only the look after the landing shows that the chair is not ours."""
    control.office(101, online=False)
    start = a_start("portland")
    sent = await book(bookings, "portland", start, service="consult")
    taken = {"operatory": await its_chair(bookings, sent), "provider": 201, "patient": 901}
    theirs = control.office_desk(do="book", start=start.isoformat(), duration=60, **taken)
    control.office(101, online=True)
    view = await wait_for_view(bookings, sent, lambda seen: seen.status is Status.NEEDS_STAFF)
    assert view.reason is Reason.SLOT_TAKEN
    assert len(view.alternatives) == 3
    assert await settled_in_office(control, view) == []
    rows = control.state()["nexhealth"]["office"]["appointments"]
    assert [row["cancelled"] for row in rows if row["id"] == theirs["id"]] == [False]


async def test_a_hold_that_the_office_would_not_take_back_is_taken_back_again(
    bookings: BookingClient, control: SandboxControl
) -> None:
    """The desk was faster, and is asked for another time: it must not find ours there too."""
    control.office(101, online=False)
    start = a_start("portland")
    sent = await book(bookings, "portland", start, service="consult")
    taken = {"operatory": await its_chair(bookings, sent), "provider": 201, "patient": 901}
    control.office_desk(do="book", start=start.isoformat(), duration=60, **taken)
    control.fault(system="office", kind="incomplete", method="update", path="/101")
    control.office(101, online=True)
    view = await wait_for_view(bookings, sent, lambda seen: seen.status is Status.NEEDS_STAFF)
    for _ in range(60):
        refused = [hit["kind"] for hit in control.state()["hits"] if hit["system"] == "office"]
        if refused == ["incomplete"] and not in_office(control, view):
            return
        await asyncio.sleep(0.2)
    pytest.fail("still in the office")


@pytest.mark.parametrize("trouble", ["twice", "late", "lost", "forged"])
async def test_webhooks_may_come_twice_late_or_not_at_all(
    bookings: BookingClient, control: SandboxControl, trouble: str
) -> None:
    control.fault(system="webhook", kind=trouble, path="appointment_insertion", seconds=3)
    view = await confirmed(bookings, await book(bookings, "boston", a_start("boston")))
    assert len(await settled_in_office(control, view)) == 1


async def test_news_that_comes_before_the_answer_is_not_lost(bookings: BookingClient, control: SandboxControl) -> None:
    control.fault(system="nexhealth", kind="webhook_first", method="POST", path="^/appointments")
    view = await confirmed(bookings, await book(bookings, "boston", a_start("boston")))
    assert len(await settled_in_office(control, view)) == 1


@pytest.mark.parametrize("trouble", ["drop_after", "status_after", "late_commit"])
async def test_a_write_whose_answer_is_lost_lands_once(
    bookings: BookingClient, control: SandboxControl, trouble: str
) -> None:
    control.fault(system="nexhealth", kind=trouble, method="POST", path="^/appointments", seconds=2)
    view = await confirmed(bookings, await book(bookings, "portland", a_start("portland")))
    assert len(await settled_in_office(control, view)) == 1


async def test_a_request_taken_back_while_it_is_on_its_way_does_not_stay_in_the_office(
    bookings: BookingClient, control: SandboxControl
) -> None:
    control.office(103, online=False)
    sent = await book(bookings, "boston", a_start("boston"))
    view = await cancelled(bookings, sent)
    control.office(103, online=True)
    for _ in range(50):
        if await settled_in_office(control, view) == []:
            return
        await asyncio.sleep(0.2)
    pytest.fail("still in the office")


async def test_a_cancellation_that_the_office_refuses_again_and_again_goes_to_the_desk(
    bookings: BookingClient, control: SandboxControl
) -> None:
    view = await confirmed(bookings, await book(bookings, "boston", a_start("boston")))
    control.clock(settle=True)
    control.fault(system="office", kind="failed", method="update", path="/103", times=None)
    await bookings.cancel(view.request_id)
    view = await wait_for_view(bookings, view, lambda seen: seen.reason is Reason.REFUSED_BY_SYSTEM)
    assert view.status is Status.CANCELLED
    await bookings.resolve(view.request_id, Resolution(kind=ResolutionKind.APPROVE))
    await wait_for_view(bookings, view, lambda seen: seen.resolutions == ())


async def test_a_cancellation_that_the_office_refuses_is_found_though_nobody_tells(
    bookings: BookingClient, control: SandboxControl
) -> None:
    view = await confirmed(bookings, await book(bookings, "boston", a_start("boston")))
    control.clock(settle=True)
    control.fault(system="office", kind="failed", method="update", path="/103")
    control.fault(system="webhook", kind="lost", path="appointment_updated", times=None)
    await bookings.cancel(view.request_id)
    for _ in range(60):
        if not in_office(control, view):
            return
        await asyncio.sleep(0.2)
    pytest.fail("still in the office")


async def test_what_a_visit_has_replaced_goes_though_a_slow_office_refuses_it_first(
    bookings: BookingClient, control: SandboxControl
) -> None:
    start = a_start("boston")
    sent = await book(bookings, "boston", start, note="Please call first.")
    view = await wait_for_view(bookings, sent, lambda seen: seen.reason is Reason.SPECIAL_REQUEST)
    (first,) = await settled_in_office(control, view)
    control.nexhealth(write_every=4.0)
    control.fault(system="office", kind="failed", method="update", path="/103")
    await bookings.resolve(view.request_id, Resolution(kind=ResolutionKind.START, start=start + timedelta(hours=2)))
    view = await confirmed(bookings, view)
    assert first["id"] in [row["id"] for row in in_office(control, view)]
    await in_office_only(control, view, lambda row: row["id"] != first["id"] and row["confirmed"])


async def test_a_confirmation_that_the_office_refuses_is_made_once_more(
    bookings: BookingClient, control: SandboxControl
) -> None:
    control.fault(system="office", kind="failed", method="update", path="/103")
    view = await confirmed(bookings, await book(bookings, "boston", a_start("boston")))
    await in_office_only(control, view, lambda row: row["confirmed"])


async def test_a_stranger_cannot_bring_news(stack: DevStack, control: SandboxControl) -> None:
    body = b'{"event_name": "appointment_insertion.failed", "subdomain": "x", "data": {"appointment": {"id": 1}}}'
    answer = httpx.post(
        f"{stack.environment['PUBLIC_BASE_URL']}/webhooks/nexhealth",
        content=body,
        headers={"timestamp": "2026-12-01T00:00:00Z", "signature": "0" * 64},
        trust_env=False,
    )
    assert answer.status_code == 401
