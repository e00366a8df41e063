"""Bookings that a guardian makes for a child who has no chart."""

import pytest

from client import DeskClient
from domain.booking import Reason, Status
from tests.support.bookings import (
    NOVA,
    TESS,
    Person,
    appointments_of,
    at,
    build_request,
    next_free_day,
    person_fields,
    submit_and_wait,
    wait_for_confirmed,
)
from tests.support.office_bookings import CHARTED_PATIENTS, next_free_start, office_charts, settle_and_read_office
from tests.support.sandbox import SandboxControl
from tests.support.views import wait_for_view


def child_of(guardian: Person) -> Person:
    """A child who is reached through the guardian's contact details."""
    return "Minnow", guardian[1], "2018-03-04", guardian[3], guardian[4]


async def test_child_gets_a_chart_with_the_appointment(bookings: DeskClient, control: SandboxControl) -> None:
    guardian = CHARTED_PATIENTS["portland"]
    request = build_request(
        next_free_start("portland"), child_of(guardian), location="portland", guardian=person_fields(guardian)
    )
    view = await wait_for_confirmed(bookings, await bookings.submit(request))
    assert "POST /patients" not in control.state()["calls"]["nexhealth"]
    (row,) = await settle_and_read_office(control, view)
    (child,) = office_charts(control, "Minnow", guardian[1])
    assert row["patient"] == child["id"]
    assert len(office_charts(control, *guardian[:2])) == 1, "the guardian keeps their only chart"


async def test_child_of_a_new_guardian_gets_a_chart_with_the_appointment(
    bookings: DeskClient, control: SandboxControl
) -> None:
    request = build_request(
        next_free_start("portland"), child_of(NOVA), location="portland", guardian=person_fields(NOVA)
    )
    view = await wait_for_confirmed(bookings, await bookings.submit(request))
    (row,) = await settle_and_read_office(control, view)
    (child,) = office_charts(control, "Minnow", NOVA[1])
    assert row["patient"] == child["id"]


async def test_ambiguous_guardian_opens_an_exception(bookings: DeskClient, control: SandboxControl) -> None:
    charted = CHARTED_PATIENTS["portland"]
    guardian: Person = (*charted[:3], "elsewhere@patients.example", "+15035550199")
    request = build_request(
        next_free_start("portland"), child_of(guardian), location="portland", guardian=person_fields(guardian)
    )
    submitted = await bookings.submit(request)
    view = await wait_for_view(bookings, submitted, lambda view: view.status is Status.NEEDS_STAFF)
    assert view.reason is Reason.PATIENT_AMBIGUOUS
    assert view.patient_candidates == (), "the guardian's chart is not offered for the child"


@pytest.mark.parametrize("guardian", [None, person_fields(TESS)])
async def test_child_at_ascend_gets_a_chart_of_its_own(
    bookings: DeskClient, control: SandboxControl, guardian: dict[str, str] | None
) -> None:
    """Ascend has no appointments for dependents, so the child is charted like any patient."""
    view = await submit_and_wait(bookings, build_request(at(next_free_day(), 9), child_of(TESS), guardian=guardian))
    assert view.status is Status.CONFIRMED
    (row,) = appointments_of(control, view)
    (child,) = [chart for chart in control.state()["patients"] if chart["firstName"] == "Minnow"]
    assert str(row["patient"]["id"]) == str(child["id"])
