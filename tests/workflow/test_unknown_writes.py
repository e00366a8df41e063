"""Writes whose answer is lost or that are carried out late never leave two appointments."""

import itertools

from client import DeskClient
from domain.booking import Status
from tests.support.bookings import (
    appointments_of,
    at,
    build_request,
    cancel_and_wait,
    desk_email_subjects,
    next_free_day,
    resolve_and_wait,
    submit_and_wait,
)
from tests.support.polling import wait_until
from tests.support.sandbox import SandboxControl
from tests.support.workflow_handles import APPROVE


async def test_committed_write_without_an_answer_is_found_instead_of_repeated(
    bookings: DeskClient, control: SandboxControl
) -> None:
    for kind in ("status_after", "drop_after"):
        control.fault(system="ascend", method="POST", path="/v1/appointments", kind=kind, status=500)
        view = await submit_and_wait(bookings, build_request(at(next_free_day(), 9)))
        assert view.status is Status.CONFIRMED
        assert len(appointments_of(control, view)) == 1
        assert control.state()["calls"]["ascend"]["POST /v1/appointments"] == 1, "the write was found, not repeated"
        await cancel_and_wait(bookings, view)  # the patient may have only one visit of a kind to come
        control.reset(keep_subscriptions=True)


async def test_write_that_was_lost_before_its_commit_is_repeated(bookings: DeskClient, control: SandboxControl) -> None:
    control.fault(system="ascend", method="POST", path="/v1/appointments", kind="drop_before")
    view = await submit_and_wait(bookings, build_request(at(next_free_day(), 9)))
    assert (view.status, len(appointments_of(control, view))) == (Status.CONFIRMED, 1)
    assert control.state()["calls"]["ascend"]["POST /v1/appointments"] == 2


async def test_late_twin_is_removed_while_the_booking_waits_for_approval(
    bookings: DeskClient, control: SandboxControl
) -> None:
    control.fault(system="ascend", method="POST", path="/v1/appointments", kind="late_commit", seconds=6)
    view = await submit_and_wait(bookings, build_request(at(next_free_day(), 9), service="exam"))
    assert view.status is Status.HELD
    await wait_until(lambda: appointment_operations(control).count("CREATE") == 2)
    await wait_until(lambda: len(appointments_of(control, view)) == 1)
    assert [row["id"] for row in appointments_of(control, view)] == [view.appointment_id]


async def test_late_confirmation_does_not_restore_a_cancelled_appointment(
    bookings: DeskClient, control: SandboxControl
) -> None:
    view = await submit_and_wait(bookings, build_request(at(next_free_day(), 9), service="exam"))
    control.fault(system="ascend", method="PUT", path="/v1/appointments", kind="late_commit", seconds=5)
    assert (await resolve_and_wait(bookings, view, APPROVE)).status is Status.CONFIRMED
    await cancel_and_wait(bookings, view)
    await wait_until(lambda: status_changes(control)[-3:-1] == ["BROKEN", "CONFIRMED"])
    assert status_changes(control)[-1] == "BROKEN", "the late confirmation was broken again"
    assert appointments_of(control, view) == []


async def test_desk_is_notified_if_a_late_twin_cannot_be_looked_for(
    bookings: DeskClient, control: SandboxControl
) -> None:
    control.fault(system="ascend", method="POST", path="/v1/appointments", kind="drop_after")
    view = await submit_and_wait(bookings, build_request(at(next_free_day(), 9)))
    assert view.status is Status.CONFIRMED
    control.fault(system="ascend", method="GET", path="/v1/appointments", kind="forbidden", times=None)
    await wait_until(lambda: desk_email_subjects(control))
    assert desk_email_subjects(control) == ["A booking needs a decision"]
    assert (await bookings.show(view.request_id)).status is Status.CONFIRMED


def appointment_operations(control: SandboxControl) -> list[str]:
    return [entry["operation"] for entry in control.state()["log"] if entry["domainType"] == "AppointmentV1"]


def status_changes(control: SandboxControl) -> list[str]:
    """The statuses that the appointment has had, without repeats."""
    changes = [entry["payload"]["status"] for entry in control.state()["log"] if entry["operation"] == "UPDATE"]
    return [status for status, _ in itertools.groupby(changes)]
