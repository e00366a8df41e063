"""What a booking believes of the chart after a long wait."""

import asyncio
from datetime import timedelta

from activities.hold_contracts import HoldResult
from adapters.errors import Refused
from domain.booking import Reason, Status
from domain.calendar import AppointmentStatus, EventKind
from domain.matching import Match, Verdict
from domain.rules import Confirmation
from tests.support.queued_writes import signal_event, start_queued, use_queued_writes
from tests.support.workflow_handles import (
    APPROVE,
    RETRY,
    BookingHandle,
    cancel,
    resolve,
    wait_for_confirmed,
    wait_for_exception,
)
from tests.support.workflow_harness import WorkflowHarness

SOON = timedelta(seconds=0.5)
"""A chart that was read longer ago is read again."""
INACTIVE = Match(verdict=Verdict.ASK, reason=Reason.CHART_INACTIVE, candidates=("7",))


def use_tentative_hold(harness: WorkflowHarness) -> None:
    hold = harness.appointment(status=AppointmentStatus.TENTATIVE)
    harness.responses["write_hold"] = HoldResult(appointment=hold)


async def start_and_wait_for_desk(harness: WorkflowHarness) -> BookingHandle:
    """A booking that waited for the desk longer than a chart may be trusted."""
    use_tentative_hold(harness)
    handle = await harness.start_booking(confirmation=Confirmation.STAFF, chart_max_age=SOON)
    await wait_for_exception(handle, Reason.APPROVAL)
    await asyncio.sleep(SOON.total_seconds())
    return handle


async def test_booking_that_did_not_wait_reads_its_chart_once(harness: WorkflowHarness) -> None:
    handle = await harness.start_booking()
    await wait_for_confirmed(handle)
    assert harness.calls_to("recheck_chart") == []


async def test_chart_that_was_merged_while_the_desk_had_the_booking_is_followed(harness: WorkflowHarness) -> None:
    handle = await start_and_wait_for_desk(harness)
    harness.responses["recheck_chart"] = Match(verdict=Verdict.MATCHED, chart="8")
    await resolve(handle, APPROVE)
    await wait_for_confirmed(handle)
    assert [request.patient for request in harness.calls_to("confirm_hold")] == ["8"]
    await cancel(handle)
    await handle.result()
    assert harness.calls_to("release_everything")[-1].patients == ("7", "8")


async def test_chart_that_became_inactive_while_the_desk_had_the_booking_is_asked_about(
    harness: WorkflowHarness,
) -> None:
    handle = await start_and_wait_for_desk(harness)
    harness.responses["recheck_chart"] = INACTIVE
    view = await resolve(handle, APPROVE)
    assert (view.status, view.reason, view.patient_candidates) == (
        Status.NEEDS_STAFF,
        Reason.CHART_INACTIVE,
        ("7",),
    )
    assert harness.calls_to("confirm_hold") == []


async def test_inactive_chart_that_the_desk_approved_is_not_asked_about_again(harness: WorkflowHarness) -> None:
    handle = await start_and_wait_for_desk(harness)
    harness.responses["recheck_chart"] = INACTIVE
    await resolve(handle, APPROVE)
    await wait_for_exception(handle, Reason.CHART_INACTIVE)
    await asyncio.sleep(SOON.total_seconds())
    await resolve(handle, APPROVE)
    await wait_for_confirmed(handle)
    assert [request.patient for request in harness.calls_to("confirm_hold")] == ["7"]


async def test_chart_is_read_again_before_a_new_write(harness: WorkflowHarness) -> None:
    harness.responses["write_hold"] = Refused("no")
    handle = await harness.start_booking(chart_max_age=SOON)
    await wait_for_exception(handle, Reason.REFUSED_BY_SYSTEM)
    await asyncio.sleep(SOON.total_seconds())
    harness.responses["recheck_chart"] = Match(verdict=Verdict.MATCHED, chart="8")
    harness.responses["write_hold"] = lambda request: HoldResult(
        appointment=harness.appointment(patient=request.patient), confirmed=True
    )
    await resolve(handle, RETRY)
    await wait_for_confirmed(handle)
    assert [request.patient for request in harness.calls_to("write_hold")] == ["7", "8"]


async def test_hold_that_lands_after_a_long_wait_is_confirmed_only_when_the_chart_was_read_again(
    harness: WorkflowHarness,
) -> None:
    use_queued_writes(harness)
    handle = await start_queued(harness, confirmation=Confirmation.AUTOMATIC, chart_max_age=SOON)
    await asyncio.sleep(2 * SOON.total_seconds())
    harness.responses["recheck_chart"] = INACTIVE
    await signal_event(handle, EventKind.CHANGED)
    await wait_for_exception(handle, Reason.CHART_INACTIVE)
    assert not any(request.confirm for request in harness.calls_to("settle_landing")[-1:])
    assert harness.calls_to("confirm_hold") == []
