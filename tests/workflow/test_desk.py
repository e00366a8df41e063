"""What the front desk does in its own calendar is neither contradicted nor written over."""

import asyncio
import subprocess
import sys
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from client import BookingClient
from devstack import ROOT, DevStack
from domain.booking import BookingView, Reason, Status
from tests.support.courses import until
from tests.support.sandbox import SandboxControl
from tests.support.views import wait_for_view
from tests.workflow.test_bookings import (
    NOVA,
    a_day,
    at,
    cancelled,
    decided,
    request,
    settled,
    written,
)
from workflows.booking.messages import Resolution, ResolutionKind

STRANGER = ("Alex", "Doublet", "1988-08-08", "third@example.com", "+15105550199")
SOMEBODY = "9000000000302"
OP1, HAZEL = "12000000000301", "9000000000202"
APPROVE = Resolution(kind=ResolutionKind.APPROVE)


async def held(bookings: BookingClient, start: datetime, service: str = "exam") -> BookingView:
    view = await settled(bookings, await bookings.submit(request(start, NOVA, service=service)))
    assert view.status is Status.HELD
    return view


def moved_to(start: datetime) -> Resolution:
    return Resolution(kind=ResolutionKind.START, start=start)


def starts(control: SandboxControl, view: BookingView) -> list[datetime]:
    return [datetime.fromisoformat(row["start"]) for row in written(control, view)]


async def test_a_cancel_breaks_also_what_the_desk_has_confirmed_itself(
    bookings: BookingClient, control: SandboxControl
) -> None:
    view = await held(bookings, at(a_day(), 9))
    control.desk(do="set_status", id=view.appointment_id, status="CONFIRMED")
    view = await cancelled(bookings, view)
    await wait_for_view(bookings, view, lambda _: not written(control, view))
    assert [row["status"] for row in control.state()["appointments"]] == ["BROKEN"], "its history is kept"


async def test_what_the_desk_has_confirmed_itself_does_not_expire(
    bookings: BookingClient, control: SandboxControl
) -> None:
    view = await held(bookings, at(a_day(), 9), "hurried")
    control.desk(do="set_status", id=view.appointment_id, status="CONFIRMED")
    view = await wait_for_view(bookings, view, lambda now: now.status is Status.CONFIRMED)
    assert [row["id"] for row in written(control, view)] == [view.appointment_id]
    assert not any("could not hold" in text["body"] for text in control.state()["texts"])


async def test_a_hold_that_the_desk_has_moved_does_not_expire(bookings: BookingClient, control: SandboxControl) -> None:
    day = a_day()
    view = await held(bookings, at(day, 9), "hurried")
    control.desk(do="move", id=view.appointment_id, start=at(day, 11).isoformat())
    view = await wait_for_view(bookings, view, lambda now: now.reason is Reason.HOLD_CHANGED)
    assert (view.start, starts(control, view)) == (at(day, 11), [at(day, 11)])
    assert (await decided(bookings, view, APPROVE)).status is Status.CONFIRMED


async def test_a_hold_that_the_desk_gave_to_another_patient_does_not_expire(
    bookings: BookingClient, control: SandboxControl
) -> None:
    view = await held(bookings, at(a_day(), 9), "hurried")
    control.desk(do="move", id=view.appointment_id, patient="9000000000304")
    view = await wait_for_view(bookings, view, lambda now: now.reason is Reason.HOLD_CHANGED)
    (row,) = written(control, view)
    assert (row["id"], row["patient"]["id"]) == (view.appointment_id, "9000000000304")


async def test_a_decline_of_what_the_desk_has_confirmed_itself_is_left_to_the_desk(
    bookings: BookingClient, control: SandboxControl
) -> None:
    view = await held(bookings, at(a_day(), 9))
    control.desk(do="set_status", id=view.appointment_id, status="CONFIRMED")
    await bookings.resolve(view.request_id, Resolution(kind=ResolutionKind.DECLINE))
    view = await wait_for_view(bookings, view, lambda now: now.reason is Reason.HOLD_CHANGED)
    assert (view.status, len(written(control, view))) == (Status.DECLINED, 1)
    await bookings.resolve(view.request_id, APPROVE)
    await wait_for_view(bookings, view, lambda now: now.resolutions == ())


async def test_an_approval_looks_again_and_what_the_desk_has_booked_since_stays(
    bookings: BookingClient, control: SandboxControl
) -> None:
    start = at(a_day(), 9)
    view = await held(bookings, start)
    where = {"operatory": view.operatory, "provider": view.provider, "patient": SOMEBODY}
    theirs = control.desk(do="book", start=start.isoformat(), duration=30, **where)
    done = await decided(bookings, view, APPROVE)
    assert (done.reason, len(done.alternatives)) == (Reason.SLOT_TAKEN, 3)
    assert [row["id"] for row in control.state()["appointments"]] == [theirs["id"]]


async def test_after_a_wait_for_a_person_the_day_is_looked_at_before_anything_is_written(
    bookings: BookingClient, control: SandboxControl
) -> None:
    start = at(a_day(), 9)
    view = await settled(bookings, await bookings.submit(request(start, STRANGER)))
    assert view.reason is Reason.PATIENT_AMBIGUOUS
    control.desk(do="book", start=start.isoformat(), duration=60, operatory=OP1, provider=HAZEL, patient=SOMEBODY)
    charts = len(control.state()["patients"])
    await bookings.resolve(view.request_id, Resolution(kind=ResolutionKind.NEW_PATIENT))
    await wait_for_view(bookings, view, lambda now: now.reason is Reason.SLOT_TAKEN)
    state = control.state()
    assert (state["calls"]["ascend"].get("POST /v1/appointments", 0), len(state["patients"])) == (0, charts)


@pytest.mark.parametrize("days_later", [0, 7])
async def test_another_time_after_a_write_whose_end_is_not_known_leaves_one_appointment_there(
    bookings: BookingClient, control: SandboxControl, days_later: int
) -> None:
    first = at(a_day(), 9)
    control.fault(system="ascend", method="GET", path="/v1/appointments$", kind="forbidden", skip=1)
    view = await settled(bookings, await bookings.submit(request(first)))
    assert (view.reason, starts(control, view)) == (Reason.REFUSED_BY_SYSTEM, [first])
    wanted = first + timedelta(days=days_later, hours=5)
    done = await decided(bookings, view, moved_to(wanted))
    assert (done.status, done.start, starts(control, view)) == (Status.CONFIRMED, wanted, [wanted])


async def test_another_time_takes_the_place_of_the_hold(bookings: BookingClient, control: SandboxControl) -> None:
    day = a_day()
    view = await held(bookings, at(day, 9))
    wanted = at(day, 9) + timedelta(minutes=30)
    await bookings.resolve(view.request_id, moved_to(wanted))
    await wait_for_view(bookings, view, lambda now: now.start == wanted and starts(control, view) == [wanted])


async def test_a_hold_stands_until_another_time_is_secured(bookings: BookingClient, control: SandboxControl) -> None:
    day = a_day()
    view = await held(bookings, at(day, 9))
    control.fault(system="ascend", method="POST", path="/v1/appointments", kind="hold_before", seconds=60)
    where = {"operatory": view.operatory, "provider": view.provider}
    ten = moved_to(at(day, 10)).model_copy(update=where)
    resolving = asyncio.create_task(bookings.resolve(view.request_id, ten))
    await until(control.held)
    control.desk(do="book", start=at(day, 10).isoformat(), duration=30, patient=SOMEBODY, **where)
    control.release()
    await resolving
    lost = await wait_for_view(bookings, view, lambda now: now.reason is Reason.SLOT_TAKEN)
    assert (lost.appointment_id, starts(control, view)) == (view.appointment_id, [at(day, 9)])
    done = await decided(bookings, view, APPROVE)
    assert (done.status, starts(control, done)) == (Status.CONFIRMED, [at(day, 9)])


async def test_where_the_calendar_refuses_what_overlaps_a_hold_can_still_move_by_half_its_length(
    bookings: BookingClient, control: SandboxControl
) -> None:
    day = a_day()
    control.settings(overlap="reject_400")
    view = await settled(bookings, await bookings.submit(request(at(day, 9), note="Please call first.")))
    assert view.appointment_id is not None
    wanted = at(day, 9) + timedelta(minutes=30)
    done = await decided(bookings, view, moved_to(wanted))
    done = await wait_for_view(bookings, done, lambda _: starts(control, view) == [wanted])
    assert done.reason is not Reason.SLOT_TAKEN


async def test_a_chart_that_is_not_there_can_be_corrected_and_the_hold_stands(
    bookings: BookingClient, control: SandboxControl
) -> None:
    """Brooklyn holds the time under a placeholder while the patient is not settled."""
    start = a_day().astimezone(ZoneInfo("America/New_York")).replace(hour=9)
    view = await settled(
        bookings, await bookings.submit(request(start, STRANGER, location="brooklyn", service="consult"))
    )
    assert (view.reason, len(written(control, view))) == (Reason.PATIENT_AMBIGUOUS, 1)
    mistyped = Resolution(kind=ResolutionKind.PATIENT, patient="404404")
    asked = await decided(bookings, view, mistyped)
    assert (asked.reason, asked.appointment_id) == (Reason.REFUSED_BY_SYSTEM, view.appointment_id)
    right = Resolution(kind=ResolutionKind.PATIENT, patient=view.patient_candidates[0])
    done = await decided(bookings, view, right)
    assert done.status is Status.CONFIRMED
    (row,) = written(control, done)
    assert (row["id"], row["patient"]["id"]) == (view.appointment_id, view.patient_candidates[0])


@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["panel", "json"])
async def test_staff_who_ask_see_whom_to_call(bookings: BookingClient, stack: DevStack, arguments: list[str]) -> None:
    view = await settled(bookings, await bookings.submit(request(at(a_day(), 9))))

    def show(*more: str) -> str:
        command = [sys.executable, "starter.py", "show", view.request_id, *arguments, *more]
        done = subprocess.run(command, cwd=ROOT, env=stack.environment, capture_output=True, text=True, timeout=60)
        return done.stdout + done.stderr

    patient = (await bookings.contacts(view.request_id)).patient
    told = [patient.last_name, str(patient.date_of_birth), str(patient.mobile), str(patient.email)]
    assert [each in show("--contacts") for each in told] == [True] * 4
    assert [each in show() for each in told] == [False] * 4
