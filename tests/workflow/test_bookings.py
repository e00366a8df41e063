"""Bookings seen from outside: the client's answers and the practice's calendar."""

import asyncio

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.worker import Replayer

from client import BadRequest, DeskClient, NotPossible
from domain.booking import Reason, Status
from runtime.keys import Keyring
from runtime.plugin import holdfast_plugin
from tests.support.bookings import (
    NOVA,
    TESS,
    Person,
    appointments_of,
    at,
    build_request,
    cancel_and_wait,
    next_free_day,
    resolve_and_wait,
    submit_and_wait,
    wait_for_decision,
)
from tests.support.polling import wait_until
from tests.support.sandbox import SandboxControl
from workflows.booking.contracts import Resolution, ResolutionKind, workflow_id
from workflows.booking.workflow import BookingWorkflow


async def test_charted_patient_is_confirmed_and_notified_once_on_each_channel(
    bookings: DeskClient, control: SandboxControl
) -> None:
    view = await submit_and_wait(bookings, build_request(at(next_free_day(), 9)))
    assert view.status is Status.CONFIRMED
    (row,) = appointments_of(control, view)
    assert (row["status"], row["needsFollowup"], row["patient"]["id"]) == ("CONFIRMED", False, "9000000000301")
    await wait_until(lambda: control.state()["emails"] and control.state()["texts"])
    state = control.state()
    assert (len(state["emails"]), len(state["texts"])) == (1, 1)


async def test_concurrent_repeats_of_one_request_make_one_chart_and_one_appointment(
    bookings: DeskClient, control: SandboxControl
) -> None:
    request = build_request(at(next_free_day(), 9), NOVA)
    views = await asyncio.gather(*(bookings.submit(request) for _ in range(5)))
    assert len({view.reference for view in [await wait_for_decision(bookings, view) for view in views]}) == 1
    assert len(appointments_of(control, await bookings.show(request.request_id))) == 1
    assert sum(row["lastName"] == "Newcomer" for row in control.state()["patients"]) == 1


async def test_repeated_submits_use_up_one_update_and_return_what_is_known_now(
    bookings: DeskClient, client: Client, control: SandboxControl
) -> None:
    request = build_request(at(next_free_day(), 9), NOVA, service="exam")
    assert (await submit_and_wait(bookings, request)).status is Status.HELD
    for _ in range(20):
        assert (await bookings.submit(request)).status is Status.HELD
    await bookings.cancel(request.request_id)
    assert (await bookings.submit(request)).status is Status.CANCELLED
    events = [
        event async for event in client.get_workflow_handle(workflow_id(request.request_id)).fetch_history_events()
    ]
    accepted = [e for e in events if e.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED]
    assert len(accepted) <= 3  # the submit, one wait, the cancel


async def test_booking_a_charted_patient_takes_six_ascend_calls(bookings: DeskClient, control: SandboxControl) -> None:
    """On a machine that stalls, one row is read once more before it is written back, so there are three tries."""
    day = next_free_day()
    desk_appointment = {"operatory": "12000000000303", "provider": "9000000000201", "patient": "9000000000302"}
    for hour in (9, 10, 11, 13, 14):
        control.desk(do="book", start=at(day, hour).isoformat(), **desk_appointment)
    await submit_and_wait(bookings, build_request(at(day, 9), NOVA))
    expected_calls = {
        "GET /v1/patients": 1,
        "GET /v1/appointments": 2,
        "GET /v1/events": 1,
        "POST /v1/appointments": 1,
        "PUT /v1/appointments/{id}": 1,
    }
    for _ in range(3):
        before = control.state()["calls"]["ascend"]
        await submit_and_wait(bookings, build_request(at(next_free_day(), 9)))
        after = control.state()["calls"]["ascend"]
        calls = {call: count - before.get(call, 0) for call, count in after.items() if count > before.get(call, 0)}
        if calls == expected_calls:
            return
    assert calls == expected_calls


async def test_request_id_reused_with_other_content_is_refused(bookings: DeskClient, control: SandboxControl) -> None:
    request = build_request(at(next_free_day(), 9))
    await bookings.submit(request)
    with pytest.raises(BadRequest, match="request_id: already used"):
        await bookings.submit(request.model_copy(update={"note": "something else"}))


async def test_one_of_many_concurrent_requests_gets_the_slot_and_the_others_get_alternatives(
    bookings: DeskClient, control: SandboxControl
) -> None:
    start = at(next_free_day(), 10)
    people = [
        ("Concurrent", f"Number{chr(65 + n)}", f"{1950 + 3 * n}-07-28", f"r{n}@example.com", f"+151055501{n:02}")
        for n in range(12)
    ]
    submitted = await asyncio.gather(*(bookings.submit(build_request(start, person)) for person in people))
    views = [await wait_for_decision(bookings, view) for view in submitted]
    confirmed_views = [view for view in views if view.status is Status.CONFIRMED]
    assert len(confirmed_views) == 1
    assert all(
        view.reason is Reason.SLOT_TAKEN and len(view.alternatives) == 3
        for view in views
        if view not in confirmed_views
    )
    assert sum(len(appointments_of(control, view)) for view in views) == 1


async def test_service_with_two_providers_takes_two_bookings_at_one_time(
    bookings: DeskClient, control: SandboxControl
) -> None:
    start = at(next_free_day(), 9)
    people = [
        ("Any", f"Body{letter}", f"199{i}-07-2{i}", f"{letter}@example.com", f"+1510555017{i}")
        for i, letter in enumerate("abc")
    ]
    submitted = [await bookings.submit(build_request(start, person, service="exam")) for person in people]
    views = [await wait_for_decision(bookings, view) for view in submitted]
    assert sorted(view.status for view in views) == [Status.HELD, Status.HELD, Status.NEEDS_STAFF]
    assert len({view.provider for view in views if view.status is Status.HELD}) == 2


@pytest.mark.parametrize("service", ["cleaning", "exam"])
async def test_slot_of_a_cancelled_booking_can_be_booked_again(
    bookings: DeskClient, control: SandboxControl, client: Client, service: str
) -> None:
    start = at(next_free_day(), 9)
    view = await submit_and_wait(bookings, build_request(start, service=service))
    await cancel_and_wait(bookings, view)
    await wait_until(lambda: not appointments_of(control, view))
    await client.get_workflow_handle(view.id).result()  # the claim is released after the appointment
    next_view = await submit_and_wait(bookings, build_request(start, service=service))
    assert next_view.appointment_id is not None
    with pytest.raises(NotPossible, match="already cancelled"):
        await bookings.cancel(view.request_id)


async def test_declined_request_writes_nothing(bookings: DeskClient, control: SandboxControl) -> None:
    day = next_free_day()
    before_opening = await submit_and_wait(bookings, build_request(at(day, 6)))
    assert (before_opening.status, before_opening.reason) == (Status.DECLINED, Reason.OUTSIDE_RULES)
    call_only = await submit_and_wait(bookings, build_request(at(day, 9), service="emergency"))
    assert (call_only.status, call_only.reason) == (Status.DECLINED, Reason.CALL_ONLY)
    assert control.state()["appointments"] == []


@pytest.mark.parametrize(
    ("service", "excluded_patient", "eligible_patient", "reason", "resolution"),
    [
        ("first-visit", TESS, NOVA, Reason.NOT_FOR_EXISTING_PATIENTS, ResolutionKind.APPROVE),
        ("recall", NOVA, TESS, Reason.NOT_FOR_NEW_PATIENTS, ResolutionKind.NEW_PATIENT),
    ],
)
async def test_service_that_is_not_for_this_patient_opens_an_exception(
    bookings: DeskClient,
    control: SandboxControl,
    service: str,
    excluded_patient: Person,
    eligible_patient: Person,
    reason: Reason,
    resolution: ResolutionKind,
) -> None:
    day = next_free_day()
    chart_count = len(control.state()["patients"])
    view = await submit_and_wait(bookings, build_request(at(day, 9), excluded_patient, service=service))
    assert (view.status, view.reason) == (Status.NEEDS_STAFF, reason)
    assert (appointments_of(control, view), len(control.state()["patients"])) == ([], chart_count)
    assert ResolutionKind.DECLINE in view.resolutions
    final_view = await resolve_and_wait(bookings, view, Resolution(kind=resolution))
    assert (final_view.status, len(appointments_of(control, final_view))) == (Status.CONFIRMED, 1)
    eligible_view = await submit_and_wait(bookings, build_request(at(day, 10), eligible_patient, service=service))
    assert eligible_view.status is Status.CONFIRMED


async def test_history_of_a_confirmed_booking_is_short_and_replays(
    bookings: DeskClient, control: SandboxControl, client: Client
) -> None:
    view = await submit_and_wait(bookings, build_request(at(next_free_day(), 9)))
    history = await client.get_workflow_handle(workflow_id(view.request_id)).fetch_history()
    assert len(history.events) <= 45
    await _replayer(client).replay_workflow(history)


def _replayer(client: Client) -> Replayer:
    keys = Keyring({"test": b"holdfast tests, not a secret key"})
    return Replayer(workflows=[BookingWorkflow], plugins=[holdfast_plugin(keys, client.namespace)])
