"""What must hold of bookings, seen from outside: the client's answers and the practice's calendar."""

import asyncio
import itertools
import os
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from temporalio.client import Client
from temporalio.worker import Replayer

from client import BadRequest, BookingClient, NotPossible, validate_request
from domain.booking import BookingView, Reason, Status
from domain.request import BookingRequest
from runtime.keys import Keyring
from runtime.plugin import holdfast_plugin
from tests.support.courses import says_more_than_that_it_goes_on, until
from tests.support.sandbox import SandboxControl
from tests.support.views import wait_for_view
from workflows.booking.messages import NewTime, Resolution, ResolutionKind, workflow_id
from workflows.booking.workflow import BookingWorkflow

TESS = ("Tess", "Sampleton", "1980-01-15", "tess@patients.example", "+15105550111")
NOVA = ("Nova", "Newcomer", "1991-04-02", "nova@patients.example", "+15105550121")
APPROVE = Resolution(kind=ResolutionKind.APPROVE)
_days = itertools.count(4)


def a_day() -> datetime:
    """A fresh working day's midnight in Oakland, so that tests do not meet."""
    while True:
        day = datetime.now(ZoneInfo("America/Los_Angeles")) + timedelta(days=next(_days))
        if day.isoweekday() <= 5:
            return day.replace(hour=0, minute=0, second=0, microsecond=0)


def at(day: datetime, hour: int) -> datetime:
    return day.replace(hour=hour)


def request(start: datetime, person: tuple[str, ...] = TESS, **changes: Any) -> BookingRequest:
    first, last, born, email, mobile = person
    content = {
        "request_id": os.urandom(8).hex(),
        "location": "oakland",
        "service": "cleaning",
        "start": start.isoformat(),
        "patient": {"first_name": first, "last_name": last, "date_of_birth": born, "email": email, "mobile": mobile},
        "consent": {"email": True, "sms": True},
    }
    return validate_request(content | changes)


def written(control: SandboxControl, view: BookingView) -> list[dict[str, Any]]:
    """Appointments that carry the booking's reference and occupy a chair."""
    rows = control.state()["appointments"]
    return [row for row in rows if view.reference in (row["note"] or "") and row["status"] != "BROKEN"]


async def settled(bookings: BookingClient, view: BookingView) -> BookingView:
    return await bookings.wait(view.request_id, 40)


async def decided(bookings: BookingClient, view: BookingView, decision: Resolution) -> BookingView:
    """What came of it, also where that took longer than whoever decides is kept waiting."""
    return await gone_on(bookings, await bookings.resolve(view.request_id, decision))


async def gone_on(bookings: BookingClient, view: BookingView) -> BookingView:
    return (
        view
        if says_more_than_that_it_goes_on(view)
        else await wait_for_view(bookings, view, says_more_than_that_it_goes_on)
    )


async def cancelled(bookings: BookingClient, view: BookingView) -> BookingView:
    view = await bookings.cancel(view.request_id)
    return (
        view
        if view.status.is_final
        else await wait_for_view(bookings, view, lambda now: now.status is Status.CANCELLED)
    )


async def test_a_known_patient_is_confirmed_and_told_once_on_each_channel(
    bookings: BookingClient, control: SandboxControl
) -> None:
    view = await settled(bookings, await bookings.submit(request(at(a_day(), 9))))
    assert view.status is Status.CONFIRMED
    (row,) = written(control, view)
    assert (row["status"], row["needsFollowup"], row["patient"]["id"]) == ("CONFIRMED", False, "9000000000301")
    await until(lambda: control.state()["emails"] and control.state()["texts"])
    state = control.state()
    assert (len(state["emails"]), len(state["texts"])) == (1, 1)


async def test_one_request_sent_many_times_at_once_makes_one_chart_and_one_appointment(
    bookings: BookingClient, control: SandboxControl
) -> None:
    one = request(at(a_day(), 9), NOVA)
    views = await asyncio.gather(*(bookings.submit(one) for _ in range(5)))
    assert len({view.reference for view in [await settled(bookings, v) for v in views]}) == 1
    assert len(written(control, await bookings.show(one.request_id))) == 1
    assert sum(row["lastName"] == "Newcomer" for row in control.state()["patients"]) == 1


async def test_a_known_patient_costs_six_calls_to_the_practice_system(
    bookings: BookingClient, control: SandboxControl
) -> None:
    """On a machine that stalls just then a row is read once more before it is written back."""
    busy = a_day()
    where = {"operatory": "12000000000303", "provider": "9000000000201", "patient": "9000000000302"}
    for hour in (9, 10, 11, 13, 14):
        control.desk(do="book", start=at(busy, hour).isoformat(), **where)
    await settled(bookings, await bookings.submit(request(at(busy, 9), NOVA)))
    six = {
        "GET /v1/patients": 1,
        "GET /v1/appointments": 2,
        "GET /v1/events": 1,
        "POST /v1/appointments": 1,
        "PUT /v1/appointments/{id}": 1,
    }
    for _ in range(3):
        before = control.state()["calls"]["ascend"]
        await settled(bookings, await bookings.submit(request(at(a_day(), 9))))
        after = control.state()["calls"]["ascend"]
        made = {call: count - before.get(call, 0) for call, count in after.items() if count > before.get(call, 0)}
        if made == six:
            return
    assert made == six


async def test_a_request_id_used_for_other_content_is_refused(bookings: BookingClient, control: SandboxControl) -> None:
    one = request(at(a_day(), 9))
    await bookings.submit(one)
    with pytest.raises(BadRequest, match="request_id: already used"):
        await bookings.submit(one.model_copy(update={"note": "something else"}))


async def test_of_many_who_want_one_slot_one_gets_it_and_all_others_get_alternatives(
    bookings: BookingClient, control: SandboxControl
) -> None:
    start = at(a_day(), 10)
    people = [
        ("Rival", f"Number{chr(65 + n)}", "1990-01-01", f"r{n}@example.com", f"+151055501{n:02}") for n in range(12)
    ]
    sent = await asyncio.gather(*(bookings.submit(request(start, person)) for person in people))
    views = [await settled(bookings, view) for view in sent]
    winners = [view for view in views if view.status is Status.CONFIRMED]
    assert len(winners) == 1
    assert all(v.reason is Reason.SLOT_TAKEN and len(v.alternatives) == 3 for v in views if v not in winners)
    assert sum(len(written(control, view)) for view in views) == 1


async def test_with_any_provider_two_get_one_each_and_the_third_is_refused(
    bookings: BookingClient, control: SandboxControl
) -> None:
    start = at(a_day(), 9)
    people = [("Any", f"Body{c}", "1990-01-01", f"{c}@example.com", f"+1510555017{i}") for i, c in enumerate("abc")]
    sent = [await bookings.submit(request(start, person, service="exam")) for person in people]
    views = [await settled(bookings, view) for view in sent]
    assert sorted(view.status for view in views) == [Status.HELD, Status.HELD, Status.NEEDS_STAFF]
    assert len({view.provider for view in views if view.status is Status.HELD}) == 2


async def test_a_write_that_was_committed_but_not_answered_leaves_one_appointment(
    bookings: BookingClient, control: SandboxControl
) -> None:
    for kind in ("status_after", "drop_after"):
        control.fault(system="ascend", method="POST", path="/v1/appointments", kind=kind, status=500)
        view = await settled(bookings, await bookings.submit(request(at(a_day(), 9))))
        assert view.status is Status.CONFIRMED
        assert len(written(control, view)) == 1
        assert control.state()["calls"]["ascend"]["POST /v1/appointments"] == 1, "found, not written again"
        control.reset(keep_subscriptions=True)


async def test_a_write_that_was_lost_before_it_was_committed_is_written_again(
    bookings: BookingClient, control: SandboxControl
) -> None:
    control.fault(system="ascend", method="POST", path="/v1/appointments", kind="drop_before")
    view = await settled(bookings, await bookings.submit(request(at(a_day(), 9))))
    assert (view.status, len(written(control, view))) == (Status.CONFIRMED, 1)
    assert control.state()["calls"]["ascend"]["POST /v1/appointments"] == 2


async def test_a_twin_that_was_committed_late_is_taken_back_while_the_booking_waits_for_approval(
    bookings: BookingClient, control: SandboxControl
) -> None:
    control.fault(system="ascend", method="POST", path="/v1/appointments", kind="late_commit", seconds=6)
    view = await settled(bookings, await bookings.submit(request(at(a_day(), 9), service="exam")))
    assert view.status is Status.HELD
    await until(lambda: operations(control).count("CREATE") == 2)
    await until(lambda: len(written(control, view)) == 1)
    assert [row["id"] for row in written(control, view)] == [view.appointment_id]


async def test_a_confirmation_that_is_carried_out_late_does_not_bring_a_cancelled_visit_back(
    bookings: BookingClient, control: SandboxControl
) -> None:
    view = await settled(bookings, await bookings.submit(request(at(a_day(), 9), service="exam")))
    control.fault(system="ascend", method="PUT", path="/v1/appointments", kind="late_commit", seconds=5)
    assert (await decided(bookings, view, APPROVE)).status is Status.CONFIRMED
    await cancelled(bookings, view)
    await until(lambda: statuses(control)[-3:-1] == ["BROKEN", "CONFIRMED"])
    assert statuses(control)[-1] == "BROKEN", "it came back and went again"
    assert written(control, view) == []


def operations(control: SandboxControl) -> list[str]:
    return [entry["operation"] for entry in control.state()["log"] if entry["domainType"] == "AppointmentV1"]


def statuses(control: SandboxControl) -> list[str]:
    """That the visit has had, one after the other."""
    changes = [entry["payload"]["status"] for entry in control.state()["log"] if entry["operation"] == "UPDATE"]
    return [status for status, _ in itertools.groupby(changes)]


async def test_where_a_late_twin_may_not_be_looked_for_the_desk_is_told(
    bookings: BookingClient, control: SandboxControl
) -> None:
    control.fault(system="ascend", method="POST", path="/v1/appointments", kind="drop_after")
    view = await settled(bookings, await bookings.submit(request(at(a_day(), 9))))
    assert view.status is Status.CONFIRMED
    control.fault(system="ascend", method="GET", path="/v1/appointments", kind="forbidden", times=None)
    await until(lambda: to_desk(control))
    assert to_desk(control) == ["A booking needs a decision"]
    assert (await bookings.show(view.request_id)).status is Status.CONFIRMED


def to_desk(control: SandboxControl) -> list[str]:
    return [mail["subject"] for mail in control.state()["emails"] if mail["to"].startswith("desk")]


async def test_what_the_desk_books_between_our_look_and_our_write_stays_and_ours_is_taken_back(
    bookings: BookingClient, control: SandboxControl
) -> None:
    start = at(a_day(), 9)
    control.fault(system="ascend", method="POST", path="/v1/appointments", kind="hold_before", seconds=60)
    sending = asyncio.create_task(bookings.submit(request(start)))
    await until(control.held)
    where = {"operatory": "12000000000303", "provider": "9000000000202", "patient": "9000000000302"}
    theirs = control.desk(do="book", start=start.isoformat(), duration=60, **where)
    control.release()
    view = await settled(bookings, await sending)
    assert (view.reason, written(control, view)) == (Reason.SLOT_TAKEN, [])
    assert len(view.alternatives) == 3
    assert [row["id"] for row in control.state()["appointments"]] == [theirs["id"]]


async def test_a_block_put_over_the_slot_is_seen_at_write(bookings: BookingClient, control: SandboxControl) -> None:
    day = a_day()
    for chair in ("12000000000301", "12000000000302"):
        begin, end = at(day, 9).isoformat(), at(day, 10).isoformat()
        control.desk(do="block", location="7000000000101", operatory=chair, start=begin, end=end)
    view = await settled(bookings, await bookings.submit(request(at(day, 9))))
    assert (view.status, view.reason) == (Status.NEEDS_STAFF, Reason.SLOT_BLOCKED)


async def test_staff_decide_once_and_a_second_decision_is_refused_with_the_reason(
    bookings: BookingClient, control: SandboxControl
) -> None:
    view = await settled(bookings, await bookings.submit(request(at(a_day(), 9), service="exam")))
    assert (view.status, view.reason) == (Status.HELD, Reason.APPROVAL)
    assert (await decided(bookings, view, APPROVE)).status is Status.CONFIRMED
    with pytest.raises(NotPossible, match="There is no open exception; the booking is confirmed"):
        await bookings.resolve(view.request_id, APPROVE)


async def test_staff_decide_by_signal_too(bookings: BookingClient, control: SandboxControl, client: Client) -> None:
    view = await settled(bookings, await bookings.submit(request(at(a_day(), 9), service="exam")))
    handle = client.get_workflow_handle(workflow_id(view.request_id))
    await handle.signal(BookingWorkflow.resolve, Resolution(kind=ResolutionKind.PATIENT, patient="1"))
    assert (await bookings.show(view.request_id)).status is Status.HELD
    await handle.signal(BookingWorkflow.resolve, Resolution(kind=ResolutionKind.DECLINE))
    view = await wait_for_view(bookings, view, lambda now: now.status is Status.DECLINED and not written(control, now))
    assert (view.reason, written(control, view)) == (Reason.DECLINED_BY_STAFF, [])


async def test_a_doubtful_patient_is_settled_by_staff_and_never_merged(
    bookings: BookingClient, control: SandboxControl
) -> None:
    stranger = ("Alex", "Doublet", "1988-08-08", "third@example.com", "+15105550199")
    view = await settled(bookings, await bookings.submit(request(at(a_day(), 9), stranger)))
    assert (view.reason, len(view.patient_candidates)) == (Reason.PATIENT_AMBIGUOUS, 2)
    done = await decided(bookings, view, Resolution(kind=ResolutionKind.NEW_PATIENT))
    assert done.status is Status.CONFIRMED
    charts = [row for row in control.state()["patients"] if row["lastName"] == "Doublet"]
    assert len(charts) == 3
    assert written(control, done)[0]["patient"]["id"] not in view.patient_candidates


async def test_a_hold_that_the_desk_deleted_goes_to_a_person_and_can_be_booked_anew(
    bookings: BookingClient, control: SandboxControl
) -> None:
    day = a_day()
    view = await settled(bookings, await bookings.submit(request(at(day, 9), service="exam")))
    control.desk(do="delete", id=view.appointment_id)
    changed = await decided(bookings, view, APPROVE)
    assert changed.reason is Reason.HOLD_CHANGED
    again = Resolution(kind=ResolutionKind.START, start=at(day, 10))
    done = await decided(bookings, view, again)
    assert done.status is Status.CONFIRMED
    (row,) = written(control, done)
    assert datetime.fromisoformat(row["start"]) == at(day, 10)


async def test_a_hold_that_the_desk_moved_is_confirmed_where_it_is(
    bookings: BookingClient, control: SandboxControl
) -> None:
    day = a_day()
    view = await settled(bookings, await bookings.submit(request(at(day, 9), service="exam")))
    control.desk(do="move", id=view.appointment_id, start=at(day, 11).isoformat())
    done = await decided(bookings, view, APPROVE)
    assert (done.status, done.start) == (Status.CONFIRMED, at(day, 11))


async def test_the_patient_may_pick_an_alternative_and_nothing_else_moves(
    bookings: BookingClient, control: SandboxControl
) -> None:
    start = at(a_day(), 9)
    await settled(bookings, await bookings.submit(request(start)))
    late = await settled(bookings, await bookings.submit(request(start, NOVA)))
    assert late.reason is Reason.SLOT_TAKEN
    done = await bookings.reschedule(late.request_id, NewTime(start=late.alternatives[0].time.start))
    done = await gone_on(bookings, done)
    assert (done.status, done.start) == (Status.CONFIRMED, late.alternatives[0].time.start)
    with pytest.raises(NotPossible, match="Another time can be picked only"):
        await bookings.reschedule(late.request_id, NewTime(start=start))


@pytest.mark.parametrize("service", ["cleaning", "exam"])
async def test_a_withdrawn_booking_leaves_the_slot_free_and_may_be_taken_again(
    bookings: BookingClient, control: SandboxControl, client: Client, service: str
) -> None:
    start = at(a_day(), 9)
    view = await settled(bookings, await bookings.submit(request(start, service=service)))
    await cancelled(bookings, view)
    await until(lambda: not written(control, view))
    await client.get_workflow_handle(view.id).result()  # the claim ends after the visit
    again = await settled(bookings, await bookings.submit(request(start, service=service)))
    assert again.appointment_id is not None
    with pytest.raises(NotPossible, match="already cancelled"):
        await bookings.cancel(view.request_id)


async def test_a_hold_that_nobody_confirms_is_escalated_then_taken_back_and_stays_in_the_queue(
    bookings: BookingClient, control: SandboxControl
) -> None:
    day = a_day()
    view = await settled(bookings, await bookings.submit(request(at(day, 9), NOVA, service="hurried")))
    assert view.status is Status.HELD
    view = await wait_for_view(bookings, view, lambda now: now.reason is Reason.HOLD_EXPIRED)
    assert (view.status, view.reason, written(control, view)) == (Status.NEEDS_STAFF, Reason.HOLD_EXPIRED, [])
    await until(lambda: "A booking is still waiting for a decision" in to_manager(control))
    done = await decided(bookings, view, Resolution(kind=ResolutionKind.START, start=at(day, 10)))
    assert done.status is Status.CONFIRMED
    assert len(written(control, done)) == 1


def to_manager(control: SandboxControl) -> list[str]:
    return [mail["subject"] for mail in control.state()["emails"] if mail["to"].startswith("manager")]


async def test_a_business_no_is_an_answer_and_writes_nothing(bookings: BookingClient, control: SandboxControl) -> None:
    day = a_day()
    early = await settled(bookings, await bookings.submit(request(at(day, 6))))
    assert (early.status, early.reason) == (Status.DECLINED, Reason.OUTSIDE_RULES)
    phone = await settled(bookings, await bookings.submit(request(at(day, 9), service="emergency")))
    assert (phone.status, phone.reason) == (Status.DECLINED, Reason.CALL_ONLY)
    assert control.state()["appointments"] == []


@pytest.mark.parametrize(
    ("service", "other", "meant", "reason", "decision"),
    [
        ("first-visit", TESS, NOVA, Reason.NOT_FOR_EXISTING_PATIENTS, ResolutionKind.APPROVE),
        ("recall", NOVA, TESS, Reason.NOT_FOR_NEW_PATIENTS, ResolutionKind.NEW_PATIENT),
    ],
)
async def test_a_service_that_is_not_for_this_patient_is_left_to_a_person(
    bookings: BookingClient,
    control: SandboxControl,
    service: str,
    other: tuple[str, ...],
    meant: tuple[str, ...],
    reason: Reason,
    decision: ResolutionKind,
) -> None:
    day = a_day()
    charts = len(control.state()["patients"])
    view = await settled(bookings, await bookings.submit(request(at(day, 9), other, service=service)))
    assert (view.status, view.reason) == (Status.NEEDS_STAFF, reason)
    assert (written(control, view), len(control.state()["patients"])) == ([], charts)
    assert ResolutionKind.DECLINE in view.resolutions
    done = await decided(bookings, view, Resolution(kind=decision))
    assert (done.status, len(written(control, done))) == (Status.CONFIRMED, 1)
    welcome = await settled(bookings, await bookings.submit(request(at(day, 10), meant, service=service)))
    assert welcome.status is Status.CONFIRMED


async def test_the_queue_lists_what_waits_for_a_person(bookings: BookingClient, control: SandboxControl) -> None:
    view = await settled(bookings, await bookings.submit(request(at(a_day(), 9), note="Please call first.")))
    assert view.reason is Reason.SPECIAL_REQUEST
    for _ in range(100):
        queue = await bookings.find(location="oakland", open_exceptions=True)
        if view.request_id in [waiting.request_id for waiting in queue.views]:
            return
        await asyncio.sleep(0.2)
    pytest.fail("the booking is not in the queue")


async def test_history_to_confirmed_stays_short_and_replays(
    bookings: BookingClient, control: SandboxControl, client: Client
) -> None:
    view = await settled(bookings, await bookings.submit(request(at(a_day(), 9))))
    history = await client.get_workflow_handle(workflow_id(view.request_id)).fetch_history()
    assert len(history.events) <= 45
    await _replayer(client).replay_workflow(history)


def _replayer(client: Client) -> Replayer:
    keys = Keyring({"test": b"holdfast tests, not a secret key"})
    return Replayer(workflows=[BookingWorkflow], plugins=[holdfast_plugin(keys, client.namespace)])
