"""Bookings that wait for an office system that is known to be offline."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from activities.hold_contracts import HoldResult
from domain.booking import Reason, Status
from domain.policy import LandingPolicy
from tests.support.polling import wait_until
from tests.support.queued_writes import unlanded_appointment
from tests.support.workflow_handles import wait_for_confirmed, wait_for_view
from tests.support.workflow_harness import WorkflowHarness, running_harness
from tests.support.workflow_history import wait_for_event, wait_until_idle
from workflows.booking.contracts import SignalName

SHORT_WAIT = timedelta(seconds=0.2)
LONG_LEAD_TIME = timedelta(days=30)
"""Longer than the time until the visit, so the desk is asked as soon as the minimum wait allows."""


def landing_policy(**changes: Any) -> LandingPolicy:
    return LandingPolicy(**{"check_after": (SHORT_WAIT,), "min_wait": timedelta(0), **changes})


@pytest.fixture
async def harness(client: Client) -> AsyncIterator[WorkflowHarness]:
    """Every hold is accepted first. The office system is offline when the booking checks the landing."""
    async with running_harness(client) as harness:
        harness.responses["write_hold"] = lambda _: unlanded_result(harness)
        harness.responses["settle_landing"] = HoldResult(office_offline=True)
        yield harness


def unlanded_result(harness: WorkflowHarness) -> HoldResult:
    return HoldResult(appointment=unlanded_appointment(harness))


def confirmed_result(harness: WorkflowHarness) -> HoldResult:
    return HoldResult(appointment=harness.appointment(), confirmed=True)


def respond_by_online_check(harness: WorkflowHarness, result: HoldResult) -> None:
    """A check that asks first whether the office is online hears that it is not. Any other check gets the result."""
    harness.responses["settle_landing"] = lambda request: (
        HoldResult(office_offline=True) if request.check_online_first else result
    )


async def test_patient_hears_at_once_that_nothing_is_booked_yet_and_checks_pause(harness: WorkflowHarness) -> None:
    booking = await harness.start_booking(landing=landing_policy(notify_patient_after=2 * SHORT_WAIT))
    view = await wait_for_view(booking, lambda view: view.reason is Reason.OFFICE_OFFLINE)
    await harness.wait_for_patient_messages("requested")
    await asyncio.sleep(1)
    assert view.status is Status.RECEIVED
    assert (harness.patient_messages(), harness.desk_messages()) == (["requested"], [])
    assert len(harness.calls_to("settle_landing")) == 1


async def test_landing_is_checked_again_when_the_office_comes_online(harness: WorkflowHarness) -> None:
    """The check must not rely on an office status that was read before the office came online."""
    booking = await harness.start_booking(landing=landing_policy())
    await wait_for_view(booking, lambda view: view.reason is Reason.OFFICE_OFFLINE)
    await harness.wait_for_patient_messages("requested")
    harness.responses["settle_landing"] = confirmed_result(harness)
    await booking.signal(SignalName.OFFICE_CAME_ONLINE)
    await wait_for_confirmed(booking)
    first, second = harness.calls_to("settle_landing")
    assert (first.online_since, second.online_since is not None) == (None, True)
    await harness.wait_for_patient_messages("requested", "confirmed")


async def test_offline_office_is_checked_from_time_to_time_without_any_signal(harness: WorkflowHarness) -> None:
    booking = await harness.start_booking(landing=landing_policy(check_while_offline=timedelta(seconds=1)))
    await wait_for_view(booking, lambda view: view.reason is Reason.OFFICE_OFFLINE)
    harness.responses["settle_landing"] = confirmed_result(harness)
    await wait_for_confirmed(booking)


async def test_online_signal_during_a_check_outlives_the_result_of_that_check(harness: WorkflowHarness) -> None:
    may_finish = asyncio.Event()

    async def check_slowly(_: Any) -> HoldResult:
        await may_finish.wait()
        return HoldResult(office_offline=True)

    harness.responses["settle_landing"] = check_slowly
    booking = await harness.start_booking(landing=landing_policy())
    await wait_until(lambda: harness.calls_to("settle_landing"))
    await booking.signal(SignalName.OFFICE_CAME_ONLINE)
    harness.responses["settle_landing"] = confirmed_result(harness)
    await wait_for_event(booking, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
    may_finish.set()
    await wait_for_confirmed(booking)


async def test_maximum_wait_begins_when_the_office_comes_online(harness: WorkflowHarness) -> None:
    max_wait = timedelta(seconds=4)
    booking = await harness.start_booking(landing=landing_policy(max_wait=max_wait))
    await wait_for_view(booking, lambda view: view.reason is Reason.OFFICE_OFFLINE)
    await asyncio.sleep(5)
    harness.responses["settle_landing"] = unlanded_result(harness)
    online_at = datetime.now(UTC)
    await booking.signal(SignalName.OFFICE_CAME_ONLINE)
    view = await wait_for_view(booking, lambda view: view.status is Status.NEEDS_STAFF)
    assert view.reason is Reason.NOT_LANDED
    assert view.updated_at >= online_at + max_wait


async def test_desk_is_asked_before_the_visit_after_one_more_check(harness: WorkflowHarness) -> None:
    lead_time = timedelta(days=3) - timedelta(seconds=6)
    respond_by_online_check(harness, unlanded_result(harness))
    booking = await harness.start_booking(landing=landing_policy(lead_time=lead_time))
    view = await wait_for_view(booking, lambda view: view.status is Status.NEEDS_STAFF)
    assert view.reason is Reason.NOT_LANDED
    assert [call.check_online_first for call in harness.calls_to("settle_landing")][:2] == [True, False]


async def test_exception_closes_when_the_office_comes_online_and_the_hold_lands(harness: WorkflowHarness) -> None:
    respond_by_online_check(harness, unlanded_result(harness))
    booking = await harness.start_booking(landing=landing_policy(lead_time=LONG_LEAD_TIME, min_wait=2 * SHORT_WAIT))
    await wait_for_view(booking, lambda view: view.status is Status.NEEDS_STAFF)
    while [call.check_online_first for call in harness.calls_to("settle_landing")] != [True, False, True]:
        await asyncio.sleep(0.05)
    await wait_until_idle(booking)  # the booking knows that the office is offline
    harness.responses["settle_landing"] = confirmed_result(harness)
    await booking.signal(SignalName.OFFICE_CAME_ONLINE)
    await wait_for_confirmed(booking)


async def test_hold_that_landed_unnoticed_is_found_before_the_desk_is_asked(harness: WorkflowHarness) -> None:
    respond_by_online_check(harness, confirmed_result(harness))
    booking = await harness.start_booking(landing=landing_policy(lead_time=timedelta(days=3) - timedelta(seconds=2)))
    await wait_for_confirmed(booking)
    assert harness.desk_messages() == []
