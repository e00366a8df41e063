"""An approved hold whose confirmation waits for an office system that is offline."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client

from activities.hold_contracts import ConfirmHoldResult, HoldResult
from activities.release import ReleaseResult
from adapters.errors import Unavailable
from client import DeskClient
from domain.booking import Reason, Status
from domain.calendar import AppointmentStatus, EventKind
from domain.policy import LandingPolicy
from domain.rules import Confirmation
from tests.support.polling import wait_until
from tests.support.workflow_handles import APPROVE, RETRY, BookingHandle, wait_for_confirmed, wait_for_view
from tests.support.workflow_harness import WorkflowHarness, running_harness
from workflows.booking.contracts import AppointmentEvent, SignalName
from workflows.booking.workflow import BookingWorkflow

SHORT_WAIT = timedelta(seconds=0.2)
LONG_LEAD_TIME = timedelta(days=30)
"""Longer than the time until the visit, so the desk is asked as soon as the minimum wait allows."""
HOLD_EXPIRY = timedelta(seconds=1)


def landing_policy(**changes: Any) -> LandingPolicy:
    return LandingPolicy(**{"check_after": (SHORT_WAIT,), "min_wait": timedelta(0), **changes})


@pytest.fixture
async def harness(client: Client) -> AsyncIterator[WorkflowHarness]:
    """Only with a worker that caches workflows."""
    async with running_harness(client) as harness:
        yield harness


async def start_approved(harness: WorkflowHarness, bookings: DeskClient, **policy: Any) -> BookingHandle:
    """A landed hold that a person approved after the office went offline. All earlier messages are sent.

    No release succeeds before the approval, so the hold cannot expire however long the approval takes.
    """
    harness.responses["release_everything"] = Unavailable("unavailable")
    harness.responses["write_hold"] = lambda _: HoldResult(
        appointment=harness.appointment(status=AppointmentStatus.TENTATIVE)
    )
    harness.responses["confirm_hold"] = ConfirmHoldResult(office_offline=True)
    booking = await harness.start_booking(confirmation=Confirmation.STAFF, **policy)
    await wait_for_view(booking, lambda view: view.reason is Reason.APPROVAL)
    await wait_until(lambda: harness.patient_messages() and harness.desk_messages())
    await bookings.resolve(booking.id, APPROVE)
    view = await wait_for_view(booking, lambda view: view.reason not in (Reason.APPROVAL, None))
    assert view.reason in (Reason.AWAITING_CONFIRMATION, Reason.NOT_CONFIRMED)
    harness.responses["release_everything"] = ReleaseResult()
    return booking


async def test_approved_hold_waits_for_the_office_and_does_not_expire(
    harness: WorkflowHarness, bookings: DeskClient
) -> None:
    booking = await start_approved(harness, bookings, hold_expiry=HOLD_EXPIRY)
    view = await booking.query(BookingWorkflow.view)
    assert (view.status, view.reason) == (Status.HELD, Reason.AWAITING_CONFIRMATION)
    earlier_releases = harness.calls_to("release_everything")
    await asyncio.sleep(2 * HOLD_EXPIRY.total_seconds())
    assert (harness.calls_to("release_everything"), harness.patient_messages()) == (earlier_releases, ["held"])
    harness.responses["confirm_hold"] = lambda _: ConfirmHoldResult(appointment=harness.appointment())
    await booking.signal(SignalName.OFFICE_CAME_ONLINE)
    await wait_for_confirmed(booking)
    assert [call.check_online_first for call in harness.calls_to("confirm_hold")] == [False, False]
    await harness.wait_for_patient_messages("held", "confirmed")


async def test_confirmation_is_retried_from_time_to_time_and_checks_the_office_first(
    harness: WorkflowHarness, bookings: DeskClient
) -> None:
    booking = await start_approved(harness, bookings, landing=landing_policy(check_while_offline=timedelta(seconds=1)))
    harness.responses["confirm_hold"] = lambda _: ConfirmHoldResult(appointment=harness.appointment())
    await wait_for_confirmed(booking)
    first, *later = (call.check_online_first for call in harness.calls_to("confirm_hold"))
    assert (first, set(later)) == (False, {True})


async def test_another_event_retries_the_confirmation_only_once(harness: WorkflowHarness, bookings: DeskClient) -> None:
    booking = await start_approved(harness, bookings)
    change_failed = AppointmentEvent(kind=EventKind.CHANGE_FAILED, appointment_id="11")
    await booking.signal(SignalName.SCHEDULE_CHANGED, change_failed)
    await wait_until(lambda: len(harness.calls_to("confirm_hold")) > 1)
    await asyncio.sleep(1)
    assert len(harness.calls_to("confirm_hold")) == 2


async def start_not_confirmed(harness: WorkflowHarness, bookings: DeskClient, **policy: Any) -> BookingHandle:
    """The office stayed offline too long, so the desk is asked to confirm the hold by hand."""
    booking = await start_approved(
        harness, bookings, landing=landing_policy(lead_time=LONG_LEAD_TIME, min_wait=SHORT_WAIT), **policy
    )
    view = await wait_for_view(booking, lambda view: view.reason is Reason.NOT_CONFIRMED)
    assert view.status is Status.NEEDS_STAFF
    await wait_until(lambda: harness.desk_messages().count("desk_exception") == 2)
    return booking


async def test_booking_is_confirmed_when_the_desk_confirmed_it_by_hand(
    harness: WorkflowHarness, bookings: DeskClient
) -> None:
    booking = await start_not_confirmed(harness, bookings)
    await bookings.resolve(booking.id, APPROVE)
    await wait_for_confirmed(booking)
    assert len(harness.calls_to("confirm_hold")) == 1


async def test_exception_closes_when_the_office_comes_online(harness: WorkflowHarness, bookings: DeskClient) -> None:
    booking = await start_not_confirmed(harness, bookings, hold_expiry=HOLD_EXPIRY)
    earlier_releases = harness.calls_to("release_everything")
    await asyncio.sleep(2 * HOLD_EXPIRY.total_seconds())
    harness.responses["confirm_hold"] = lambda _: ConfirmHoldResult(appointment=harness.appointment())
    await booking.signal(SignalName.OFFICE_CAME_ONLINE)
    await wait_for_confirmed(booking)
    assert harness.calls_to("release_everything") == earlier_releases


async def test_retry_by_the_desk_confirms_without_waiting_for_the_office(
    harness: WorkflowHarness, bookings: DeskClient
) -> None:
    booking = await start_not_confirmed(harness, bookings)
    harness.responses["confirm_hold"] = lambda _: ConfirmHoldResult(appointment=harness.appointment())
    await bookings.resolve(booking.id, RETRY)
    await wait_for_confirmed(booking)


async def test_approved_visit_counts_as_confirmed_when_it_begins(
    harness: WorkflowHarness, bookings: DeskClient
) -> None:
    harness.schedule_visit_in(10)
    booking = await start_not_confirmed(harness, bookings)
    await wait_for_confirmed(booking)
    assert harness.calls_to("release_everything") == []


async def test_booking_that_waits_for_the_office_can_be_cancelled(
    harness: WorkflowHarness, bookings: DeskClient
) -> None:
    booking = await start_approved(harness, bookings)
    view = await bookings.cancel(booking.id)
    assert view.status is Status.CANCELLED
    assert await booking.result()
    assert harness.calls_to("release_everything")
