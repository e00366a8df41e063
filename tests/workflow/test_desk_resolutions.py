"""The desk resolves an exception, by update or by signal, and the calendar shows the result."""

import asyncio
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from temporalio.client import Client

from client import DeskClient, NotPossible
from domain.booking import Reason, Status
from tests.support.bookings import (
    ALEX,
    NOVA,
    appointment_starts,
    appointments_of,
    at,
    build_request,
    manager_email_subjects,
    next_free_day,
    resolve_and_wait,
    submit_and_wait,
    submit_held,
    wait_for_outcome,
)
from tests.support.polling import wait_until
from tests.support.sandbox import SandboxControl
from tests.support.views import wait_for_view
from tests.support.workflow_handles import APPROVE
from workflows.booking.contracts import RequestedTime, Resolution, ResolutionKind, SignalName, workflow_id


async def test_second_resolution_of_an_exception_is_refused_with_the_reason(
    bookings: DeskClient, control: SandboxControl
) -> None:
    view = await submit_and_wait(bookings, build_request(at(next_free_day(), 9), service="exam"))
    assert (view.status, view.reason) == (Status.HELD, Reason.APPROVAL)
    assert (await resolve_and_wait(bookings, view, APPROVE)).status is Status.CONFIRMED
    refusal = "There is no open exception; the booking is confirmed. To move the visit, the desk moves the appointment"
    with pytest.raises(NotPossible, match=refusal):
        await bookings.resolve(view.request_id, APPROVE)


async def test_exception_can_be_resolved_by_signal(
    bookings: DeskClient, control: SandboxControl, client: Client
) -> None:
    """A resolution that is not allowed is set aside."""
    view = await submit_and_wait(bookings, build_request(at(next_free_day(), 9), service="exam"))
    handle = client.get_workflow_handle(workflow_id(view.request_id))
    await handle.signal(SignalName.RESOLVE, Resolution(kind=ResolutionKind.PATIENT, patient="1"))
    assert (await bookings.show(view.request_id)).status is Status.HELD
    await handle.signal(SignalName.RESOLVE, Resolution(kind=ResolutionKind.DECLINE))
    view = await wait_for_view(
        bookings, view, lambda view: view.status is Status.DECLINED and not appointments_of(control, view)
    )
    assert (view.reason, appointments_of(control, view)) == (Reason.DECLINED_BY_STAFF, [])


async def test_ambiguous_patient_resolved_as_new_gets_a_separate_chart(
    bookings: DeskClient, control: SandboxControl
) -> None:
    view = await submit_and_wait(bookings, build_request(at(next_free_day(), 9), ALEX))
    assert (view.reason, len(view.patient_candidates)) == (Reason.PATIENT_AMBIGUOUS, 2)
    final_view = await resolve_and_wait(bookings, view, Resolution(kind=ResolutionKind.NEW_PATIENT))
    assert final_view.status is Status.CONFIRMED
    charts = [row for row in control.state()["patients"] if row["lastName"] == "Doublet"]
    assert len(charts) == 3
    assert appointments_of(control, final_view)[0]["patient"]["id"] not in view.patient_candidates


async def test_patient_may_pick_an_alternative_but_not_move_a_confirmed_visit(
    bookings: DeskClient, control: SandboxControl
) -> None:
    start = at(next_free_day(), 9)
    await submit_and_wait(bookings, build_request(start))
    second = await submit_and_wait(bookings, build_request(start, NOVA))
    assert second.reason is Reason.SLOT_TAKEN
    final_view = await bookings.reschedule(second.request_id, RequestedTime(start=second.alternatives[0].time.start))
    final_view = await wait_for_outcome(bookings, final_view)
    assert (final_view.status, final_view.start) == (Status.CONFIRMED, second.alternatives[0].time.start)
    with pytest.raises(NotPossible, match="Another time can be picked only"):
        await bookings.reschedule(second.request_id, RequestedTime(start=start))


async def test_unconfirmed_hold_expires_is_escalated_and_can_still_be_booked(
    bookings: DeskClient, control: SandboxControl
) -> None:
    day = next_free_day()
    view = await submit_and_wait(bookings, build_request(at(day, 9), NOVA, service="hurried"))
    assert view.status is Status.HELD
    view = await wait_for_view(bookings, view, lambda view: view.reason is Reason.HOLD_EXPIRED)
    assert (view.status, view.reason, appointments_of(control, view)) == (Status.NEEDS_STAFF, Reason.HOLD_EXPIRED, [])
    await wait_until(lambda: "A booking is still waiting for a decision" in manager_email_subjects(control))
    final_view = await resolve_and_wait(bookings, view, Resolution(kind=ResolutionKind.START, start=at(day, 10)))
    assert final_view.status is Status.CONFIRMED
    assert len(appointments_of(control, final_view)) == 1


async def test_mistyped_chart_can_be_corrected_while_the_placeholder_hold_stands(
    bookings: DeskClient, control: SandboxControl
) -> None:
    """Brooklyn holds the slot under a placeholder patient until the match is settled."""
    start = next_free_day().astimezone(ZoneInfo("America/New_York")).replace(hour=9)
    view = await submit_and_wait(bookings, build_request(start, ALEX, location="brooklyn", service="consult"))
    assert (view.reason, len(appointments_of(control, view))) == (Reason.PATIENT_AMBIGUOUS, 1)
    mistyped = Resolution(kind=ResolutionKind.PATIENT, patient="404404")
    refused = await resolve_and_wait(bookings, view, mistyped)
    assert (refused.reason, refused.appointment_id) == (Reason.REFUSED_BY_SYSTEM, view.appointment_id)
    corrected = Resolution(kind=ResolutionKind.PATIENT, patient=view.patient_candidates[0])
    final_view = await resolve_and_wait(bookings, view, corrected)
    assert final_view.status is Status.CONFIRMED
    (row,) = appointments_of(control, final_view)
    assert (row["id"], row["patient"]["id"]) == (view.appointment_id, view.patient_candidates[0])


@pytest.mark.parametrize("days_later", [0, 7])
async def test_another_time_after_a_write_with_unknown_outcome_leaves_one_appointment(
    bookings: DeskClient, control: SandboxControl, days_later: int
) -> None:
    first_start = at(next_free_day(), 9)
    control.fault(system="ascend", method="GET", path="/v1/appointments$", kind="forbidden", skip=1)
    view = await submit_and_wait(bookings, build_request(first_start))
    assert (view.reason, appointment_starts(control, view)) == (Reason.NOT_AUTHORIZED, [first_start])
    new_start = first_start + timedelta(days=days_later, hours=5)
    final_view = await resolve_and_wait(bookings, view, start_resolution(new_start))
    assert (final_view.status, final_view.start) == (Status.CONFIRMED, new_start)
    assert appointment_starts(control, view) == [new_start]


async def test_hold_at_another_time_supersedes_the_earlier_one(bookings: DeskClient, control: SandboxControl) -> None:
    day = next_free_day()
    view = await submit_held(bookings, at(day, 9))
    new_start = at(day, 9) + timedelta(minutes=30)
    await bookings.resolve(view.request_id, start_resolution(new_start))
    await wait_for_view(
        bookings, view, lambda view: view.start == new_start and appointment_starts(control, view) == [new_start]
    )


async def test_earlier_hold_stands_if_the_desk_books_the_new_time_first(
    bookings: DeskClient, control: SandboxControl
) -> None:
    day = next_free_day()
    view = await submit_held(bookings, at(day, 9))
    control.fault(system="ascend", method="POST", path="/v1/appointments", kind="hold_before", seconds=60)
    place = {"operatory": view.operatory, "provider": view.provider}
    to_ten = start_resolution(at(day, 10)).model_copy(update=place)
    resolving = asyncio.create_task(bookings.resolve(view.request_id, to_ten))
    await wait_until(control.held)
    control.desk(do="book", start=at(day, 10).isoformat(), duration=30, patient="9000000000302", **place)
    control.release()
    await resolving
    lost = await wait_for_view(bookings, view, lambda view: view.reason is Reason.SLOT_TAKEN)
    assert (lost.appointment_id, appointment_starts(control, view)) == (view.appointment_id, [at(day, 9)])
    final_view = await resolve_and_wait(bookings, view, APPROVE)
    assert (final_view.status, appointment_starts(control, final_view)) == (Status.CONFIRMED, [at(day, 9)])


async def test_hold_can_move_by_half_its_length_although_the_calendar_refuses_overlaps(
    bookings: DeskClient, control: SandboxControl
) -> None:
    day = next_free_day()
    control.settings(overlap="reject_400")
    view = await submit_and_wait(bookings, build_request(at(day, 9), note="Please call first."))
    assert view.appointment_id is not None
    new_start = at(day, 9) + timedelta(minutes=30)
    final_view = await resolve_and_wait(bookings, view, start_resolution(new_start))
    final_view = await wait_for_view(bookings, final_view, lambda _: appointment_starts(control, view) == [new_start])
    assert final_view.reason is not Reason.SLOT_TAKEN


def start_resolution(start: datetime) -> Resolution:
    return Resolution(kind=ResolutionKind.START, start=start)


async def test_decline_is_kept_with_who_declined_and_why(bookings: DeskClient, control: SandboxControl) -> None:
    view = await submit_held(bookings, at(next_free_day(), 9))
    assert view.exception_opened_at is not None
    decline = Resolution(kind=ResolutionKind.DECLINE, by="sam", note="We do not offer this.")
    await resolve_and_wait(bookings, view, decline)
    declined = await bookings.show(view.request_id)
    assert (declined.declined_by, declined.decline_note) == ("sam", "We do not offer this.")
    assert declined.exception_opened_at is None
