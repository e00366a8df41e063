"""Requests to the example practice's locations behind NexHealth, and what their office systems have of them."""

import asyncio
import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from client import DeskClient
from domain.booking import BookingView
from tests.support.bookings import Person, build_request
from tests.support.sandbox import SandboxControl
from tests.support.views import wait_for_view

OFFICE_IDS = {"portland": 101, "phoenix": 102, "boston": 103}
"""NexHealth's ids of the locations. They run Dentrix, Dentrix Enterprise and Eaglesoft."""
ZONES = {"portland": "America/Los_Angeles", "phoenix": "America/Phoenix", "boston": "America/New_York"}
CHARTED_PATIENTS: dict[str, Person] = {
    "portland": ("Opal", "Sampleton", "1981-01-15", "opal@patients.example", "+15035550121"),
    "phoenix": ("Jasper", "Mockridge", "1976-06-30", "jasper@patients.example", "+16025550131"),
    "boston": ("Coral", "Placeholm", "1991-09-09", "coral@patients.example", "+16175550141"),
}
"""One patient of each location who has a chart there."""

_days_ahead = itertools.count(5)


def next_free_start(location: str) -> datetime:
    """Nine o'clock on a working day that no other test uses."""
    now = datetime.now(ZoneInfo(ZONES[location]))
    day = next(day for day in (now + timedelta(days=n) for n in _days_ahead) if day.isoweekday() <= 5)
    return day.replace(hour=9, minute=0, second=0, microsecond=0)


async def submit_at_office(
    bookings: DeskClient,
    location: str,
    start: datetime,
    person: Person | None = None,
    service: str = "cleaning",
    note: str = "",
) -> BookingView:
    """Without ``person``: for the location's charted patient."""
    patient = person or CHARTED_PATIENTS[location]
    return await bookings.submit(build_request(start, patient, location=location, service=service, note=note))


async def wait_for_operatory(bookings: DeskClient, view: BookingView) -> int:
    return int((await wait_for_view(bookings, view, lambda view: view.operatory is not None)).operatory or 0)


def office_appointments(control: SandboxControl, view: BookingView) -> list[dict[str, Any]]:
    """The appointments in the office system that carry the booking's reference and are not cancelled."""
    rows = control.state()["nexhealth"]["office"]["appointments"]
    return [row for row in rows if view.reference in (row.get("note") or "") and not row.get("cancelled")]


async def settle_and_read_office(control: SandboxControl, view: BookingView) -> list[dict[str, Any]]:
    """Let the sandbox carry out everything that is queued, and read the booking's appointments after that."""
    control.clock(settle=True)
    return office_appointments(control, view)


async def wait_for_only_appointment(
    control: SandboxControl, view: BookingView, condition: Callable[[dict[str, Any]], bool], seconds: float = 30
) -> None:
    """Wait until the office system has exactly one appointment of the booking, and it meets the condition."""
    for _ in range(int(seconds * 5)):
        if [condition(row) for row in office_appointments(control, view)] == [True]:
            return
        await asyncio.sleep(0.2)
    pytest.fail(f"in the office system: {office_appointments(control, view)}")


async def wait_for_no_appointment(control: SandboxControl, view: BookingView, seconds: float = 12) -> None:
    for _ in range(int(seconds * 5)):
        if not office_appointments(control, view):
            return
        await asyncio.sleep(0.2)
    pytest.fail(f"still in the office system: {office_appointments(control, view)}")


def office_charts(control: SandboxControl, first_name: str, last_name: str) -> list[dict[str, Any]]:
    charts = control.state()["nexhealth"]["office"]["patients"]
    return [chart for chart in charts if (chart["first"], chart["last"]) == (first_name, last_name)]
