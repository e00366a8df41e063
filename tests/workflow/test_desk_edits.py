"""Desk edits win: the booking neither contradicts nor overwrites what the desk does in its calendar."""

import asyncio
from datetime import datetime

from client import DeskClient
from domain.booking import Reason, Status
from tests.support.bookings import (
    ALEX,
    appointment_starts,
    appointments_of,
    at,
    build_request,
    cancel_and_wait,
    next_free_day,
    resolve_and_wait,
    submit_and_wait,
    submit_held,
    wait_for_decision,
)
from tests.support.polling import wait_until
from tests.support.sandbox import SandboxControl
from tests.support.views import wait_for_view
from tests.support.workflow_handles import APPROVE
from workflows.booking.contracts import Resolution, ResolutionKind

OTHER_PATIENT = "9000000000302"
OPERATORY, PROVIDER = "12000000000301", "9000000000202"


async def test_cancel_breaks_an_appointment_that_the_desk_confirmed(
    bookings: DeskClient, control: SandboxControl
) -> None:
    view = await submit_held(bookings, at(next_free_day(), 9))
    control.desk(do="set_status", id=view.appointment_id, status="CONFIRMED")
    view = await cancel_and_wait(bookings, view)
    await wait_for_view(bookings, view, lambda _: not appointments_of(control, view))
    assert [row["status"] for row in control.state()["appointments"]] == ["BROKEN"], "the appointment is kept as broken"


async def test_hold_that_the_desk_confirmed_does_not_expire(bookings: DeskClient, control: SandboxControl) -> None:
    view = await submit_held(bookings, at(next_free_day(), 9), "hurried")
    control.desk(do="set_status", id=view.appointment_id, status="CONFIRMED")
    view = await wait_for_view(bookings, view, lambda view: view.status is Status.CONFIRMED)
    assert [row["id"] for row in appointments_of(control, view)] == [view.appointment_id]
    assert not any("could not hold" in text["body"] for text in control.state()["texts"])


async def test_hold_that_the_desk_moved_does_not_expire(bookings: DeskClient, control: SandboxControl) -> None:
    day = next_free_day()
    view = await submit_held(bookings, at(day, 9), "hurried")
    control.desk(do="move", id=view.appointment_id, start=at(day, 11).isoformat())
    view = await wait_for_view(bookings, view, lambda view: view.reason is Reason.HOLD_CHANGED)
    assert (view.start, appointment_starts(control, view)) == (at(day, 11), [at(day, 11)])
    assert (await resolve_and_wait(bookings, view, APPROVE)).status is Status.CONFIRMED


async def test_hold_that_the_desk_gave_to_another_patient_does_not_expire(
    bookings: DeskClient, control: SandboxControl
) -> None:
    view = await submit_held(bookings, at(next_free_day(), 9), "hurried")
    control.desk(do="move", id=view.appointment_id, patient="9000000000304")
    view = await wait_for_view(bookings, view, lambda view: view.reason is Reason.HOLD_CHANGED)
    (row,) = appointments_of(control, view)
    assert (row["id"], row["patient"]["id"]) == (view.appointment_id, "9000000000304")


async def test_decline_leaves_an_appointment_that_the_desk_confirmed_to_the_desk(
    bookings: DeskClient, control: SandboxControl
) -> None:
    view = await submit_held(bookings, at(next_free_day(), 9))
    control.desk(do="set_status", id=view.appointment_id, status="CONFIRMED")
    await bookings.resolve(view.request_id, Resolution(kind=ResolutionKind.DECLINE))
    view = await wait_for_view(bookings, view, lambda view: view.reason is Reason.HOLD_CHANGED)
    assert (view.status, len(appointments_of(control, view))) == (Status.DECLINED, 1)
    await bookings.resolve(view.request_id, APPROVE)
    await wait_for_view(bookings, view, lambda view: view.resolutions == ())


async def test_approval_rechecks_the_slot_and_keeps_what_the_desk_booked_there(
    bookings: DeskClient, control: SandboxControl
) -> None:
    start = at(next_free_day(), 9)
    view = await submit_held(bookings, start)
    place = {"operatory": view.operatory, "provider": view.provider, "patient": OTHER_PATIENT}
    desk_appointment = control.desk(do="book", start=start.isoformat(), duration=30, **place)
    final_view = await resolve_and_wait(bookings, view, APPROVE)
    assert (final_view.reason, len(final_view.alternatives)) == (Reason.SLOT_TAKEN, 3)
    assert [row["id"] for row in control.state()["appointments"]] == [desk_appointment["id"]]


async def test_slot_is_rechecked_after_an_exception_before_anything_is_written(
    bookings: DeskClient, control: SandboxControl
) -> None:
    start = at(next_free_day(), 9)
    view = await submit_and_wait(bookings, build_request(start, ALEX))
    assert view.reason is Reason.PATIENT_AMBIGUOUS
    control.desk(
        do="book", start=start.isoformat(), duration=60, operatory=OPERATORY, provider=PROVIDER, patient=OTHER_PATIENT
    )
    chart_count = len(control.state()["patients"])
    await bookings.resolve(view.request_id, Resolution(kind=ResolutionKind.NEW_PATIENT))
    await wait_for_view(bookings, view, lambda view: view.reason is Reason.SLOT_TAKEN)
    state = control.state()
    assert (state["calls"]["ascend"].get("POST /v1/appointments", 0), len(state["patients"])) == (0, chart_count)


async def test_hold_that_the_desk_deleted_opens_an_exception_and_can_be_booked_again(
    bookings: DeskClient, control: SandboxControl
) -> None:
    day = next_free_day()
    view = await submit_and_wait(bookings, build_request(at(day, 9), service="exam"))
    control.desk(do="delete", id=view.appointment_id)
    changed = await resolve_and_wait(bookings, view, APPROVE)
    assert changed.reason is Reason.HOLD_CHANGED
    another_time = Resolution(kind=ResolutionKind.START, start=at(day, 10))
    final_view = await resolve_and_wait(bookings, view, another_time)
    assert final_view.status is Status.CONFIRMED
    (row,) = appointments_of(control, final_view)
    assert datetime.fromisoformat(row["start"]) == at(day, 10)


async def test_hold_that_the_desk_moved_is_confirmed_at_its_new_time(
    bookings: DeskClient, control: SandboxControl
) -> None:
    day = next_free_day()
    view = await submit_and_wait(bookings, build_request(at(day, 9), service="exam"))
    control.desk(do="move", id=view.appointment_id, start=at(day, 11).isoformat())
    final_view = await resolve_and_wait(bookings, view, APPROVE)
    assert (final_view.status, final_view.start) == (Status.CONFIRMED, at(day, 11))


async def test_hold_yields_to_an_appointment_that_the_desk_books_during_the_write(
    bookings: DeskClient, control: SandboxControl
) -> None:
    start = at(next_free_day(), 9)
    control.fault(system="ascend", method="POST", path="/v1/appointments", kind="hold_before", seconds=60)
    submitting = asyncio.create_task(bookings.submit(build_request(start)))
    await wait_until(control.held)
    place = {"operatory": "12000000000303", "provider": "9000000000202", "patient": "9000000000302"}
    desk_appointment = control.desk(do="book", start=start.isoformat(), duration=60, **place)
    control.release()
    view = await wait_for_decision(bookings, await submitting)
    assert (view.reason, appointments_of(control, view)) == (Reason.SLOT_TAKEN, [])
    assert len(view.alternatives) == 3
    assert [row["id"] for row in control.state()["appointments"]] == [desk_appointment["id"]]


async def test_block_over_the_slot_is_noticed_at_the_recheck(bookings: DeskClient, control: SandboxControl) -> None:
    day = next_free_day()
    for operatory in ("12000000000301", "12000000000302"):
        start, end = at(day, 9).isoformat(), at(day, 10).isoformat()
        control.desk(do="block", location="7000000000101", operatory=operatory, start=start, end=end)
    view = await submit_and_wait(bookings, build_request(at(day, 9)))
    assert (view.status, view.reason) == (Status.NEEDS_STAFF, Reason.SLOT_BLOCKED)
