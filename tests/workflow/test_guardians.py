"""Bookings that a parent makes for a child who has no chart."""

from typing import Any

import pytest

from client import BookingClient
from domain.booking import Reason, Status
from tests.support.sandbox import SandboxControl
from tests.support.views import wait_for_view
from tests.workflow.test_bookings import TESS, a_day, at, request, settled, written
from tests.workflow.test_offices import KNOWN, NOVA, a_start, confirmed, settled_in_office


def a_child(parent: tuple[str, ...]) -> tuple[str, ...]:
    """Reached where the parent is."""
    return "Minnow", parent[1], "2018-03-04", parent[3], parent[4]


def by(parent: tuple[str, ...]) -> dict[str, str]:
    names = ("first_name", "last_name", "date_of_birth", "email", "mobile")
    return dict(zip(names, parent, strict=True))


def in_office(control: SandboxControl, first: str, last: str) -> list[dict[str, Any]]:
    charts = control.state()["nexhealth"]["office"]["patients"]
    return [chart for chart in charts if (chart["first"], chart["last"]) == (first, last)]


async def test_the_visit_is_the_childs_and_its_chart_is_made_with_it(
    bookings: BookingClient, control: SandboxControl
) -> None:
    parent = KNOWN["portland"]
    wanted = request(a_start("portland"), a_child(parent), location="portland", guardian=by(parent))
    view = await confirmed(bookings, await bookings.submit(wanted))
    assert "POST /patients" not in control.state()["calls"]["nexhealth"]
    (row,) = await settled_in_office(control, view)
    (child,) = in_office(control, "Minnow", parent[1])
    assert row["patient"] == child["id"]
    assert len(in_office(control, *parent[:2])) == 1, "the parent's chart is the one there was"


async def test_a_parent_who_is_new_too_gets_one_chart(bookings: BookingClient, control: SandboxControl) -> None:
    wanted = request(a_start("portland"), a_child(NOVA), location="portland", guardian=by(NOVA))
    view = await confirmed(bookings, await bookings.submit(wanted))
    (row,) = await settled_in_office(control, view)
    (child,) = in_office(control, "Minnow", NOVA[1])
    assert row["patient"] == child["id"]


async def test_a_parent_in_doubt_is_for_a_person(bookings: BookingClient, control: SandboxControl) -> None:
    parent = KNOWN["portland"]
    stranger = (*parent[:3], "elsewhere@patients.example", "+15035550199")
    wanted = request(a_start("portland"), a_child(stranger), location="portland", guardian=by(stranger))
    sent = await bookings.submit(wanted)
    view = await wait_for_view(bookings, sent, lambda seen: seen.status is Status.NEEDS_STAFF)
    assert view.reason is Reason.PATIENT_AMBIGUOUS
    assert view.patient_candidates == (), "a parent's chart is not offered for the child"


@pytest.mark.parametrize("guardian", [None, by(TESS)])
async def test_where_nobody_books_for_dependents_the_child_gets_a_chart_like_anybody(
    bookings: BookingClient, control: SandboxControl, guardian: dict[str, str] | None
) -> None:
    view = await settled(bookings, await bookings.submit(request(at(a_day(), 9), a_child(TESS), guardian=guardian)))
    assert view.status is Status.CONFIRMED
    (row,) = written(control, view)
    (child,) = [chart for chart in control.state()["patients"] if chart["firstName"] == "Minnow"]
    assert str(row["patient"]["id"]) == str(child["id"])
