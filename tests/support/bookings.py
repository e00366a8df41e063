"""Requests to the example practice's location in Oakland, and what the sandbox's Ascend calendar has of them."""

import itertools
import os
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from client import DeskClient, validate_request
from domain.booking import BookingView, Status
from domain.request import BookingRequest
from tests.support.sandbox import SandboxControl
from tests.support.views import wait_for_view
from tests.support.workflow_handles import has_outcome
from workflows.booking.contracts import Resolution

Person = tuple[str, str, str, str, str]
"""First name, last name, date of birth, email and mobile number."""

TESS: Person = ("Tess", "Sampleton", "1980-01-15", "tess@patients.example", "+15105550111")
"""Has a chart in Oakland."""
NOVA: Person = ("Nova", "Newcomer", "1991-04-02", "nova@patients.example", "+15105550121")
"""Has no chart anywhere."""
ALEX: Person = ("Alex", "Doublet", "1988-08-08", "third@example.com", "+15105550199")
"""Two charts in Oakland have this name and date of birth, but neither has these contact details."""

_days_ahead = itertools.count(4)


def next_free_day() -> datetime:
    """Midnight in Oakland of a working day that no other test uses."""
    while True:
        day = datetime.now(ZoneInfo("America/Los_Angeles")) + timedelta(days=next(_days_ahead))
        if day.isoweekday() <= 5:
            return day.replace(hour=0, minute=0, second=0, microsecond=0)


def at(day: datetime, hour: int) -> datetime:
    return day.replace(hour=hour)


def build_request(start: datetime, person: Person = TESS, **changes: Any) -> BookingRequest:
    """A request for a cleaning in Oakland, with changes."""
    content = {
        "request_id": os.urandom(8).hex(),
        "location": "oakland",
        "service": "cleaning",
        "start": start.isoformat(),
        "patient": person_fields(person),
        "consent": {"email": True, "sms": True},
    }
    return validate_request(content | changes)


def person_fields(person: Person) -> dict[str, str]:
    fields = ("first_name", "last_name", "date_of_birth", "email", "mobile")
    return dict(zip(fields, person, strict=True))


async def submit_and_wait(bookings: DeskClient, request: BookingRequest) -> BookingView:
    """Submit a request and wait for its decision."""
    return await wait_for_decision(bookings, await bookings.submit(request))


async def submit_held(bookings: DeskClient, start: datetime, service: str = "exam") -> BookingView:
    """Submit a request of a new patient for a service that the desk must approve."""
    view = await submit_and_wait(bookings, build_request(start, NOVA, service=service))
    assert view.status is Status.HELD
    return view


async def wait_for_decision(bookings: DeskClient, view: BookingView) -> BookingView:
    return await bookings.wait(view.request_id, 40)


async def resolve_and_wait(bookings: DeskClient, view: BookingView, resolution: Resolution) -> BookingView:
    """Resolve the open exception and wait for the outcome, even if the call itself returns before it."""
    return await wait_for_outcome(bookings, await bookings.resolve(view.request_id, resolution))


async def wait_for_outcome(bookings: DeskClient, view: BookingView) -> BookingView:
    return view if has_outcome(view) else await wait_for_view(bookings, view, has_outcome)


async def cancel_and_wait(bookings: DeskClient, view: BookingView) -> BookingView:
    """Cancel the booking and wait until it is cancelled, even if the call itself returns before that."""
    view = await bookings.cancel(view.request_id)
    return (
        view
        if view.status.is_final
        else await wait_for_view(bookings, view, lambda view: view.status is Status.CANCELLED)
    )


async def wait_for_confirmed(bookings: DeskClient, view: BookingView) -> BookingView:
    return await wait_for_view(bookings, view, lambda view: view.status is Status.CONFIRMED)


def appointments_of(control: SandboxControl, view: BookingView) -> list[dict[str, Any]]:
    """The appointments in Ascend that carry the booking's reference and occupy an operatory."""
    rows = control.state()["appointments"]
    return [row for row in rows if view.reference in (row["note"] or "") and row["status"] != "BROKEN"]


def appointment_starts(control: SandboxControl, view: BookingView) -> list[datetime]:
    return [datetime.fromisoformat(row["start"]) for row in appointments_of(control, view)]


def desk_email_subjects(control: SandboxControl) -> list[str]:
    return [email["subject"] for email in control.state()["emails"] if email["to"].startswith("desk")]


def manager_email_subjects(control: SandboxControl) -> list[str]:
    return [email["subject"] for email in control.state()["emails"] if email["to"].startswith("manager")]
