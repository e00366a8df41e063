"""A booking that ends leaves nothing behind, and the desk hears of what cannot be released."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import Client

from activities.hold_contracts import HoldResult
from activities.release import ReleaseResult
from adapters.errors import Refused, Unavailable
from domain.booking import Reason, Status
from domain.matching import Match, Verdict
from domain.rules import Confirmation
from domain.slot import Cause, Conflict
from tests.support.polling import wait_until
from tests.support.workflow_handles import (
    APPROVE,
    DECLINE,
    RETRY,
    SECOND,
    cancel,
    resolve,
    wait_for_confirmed,
    wait_for_exception,
)
from tests.support.workflow_harness import WorkflowHarness


async def test_refused_cleanup_opens_an_exception_and_the_visit_can_still_be_cancelled(
    harness: WorkflowHarness,
) -> None:
    harness.responses["write_hold"] = lambda _: HoldResult(
        appointment=harness.appointment(), confirmed=True, may_commit_late=True
    )
    harness.responses["remove_leftovers"] = Refused("no")
    handle = await harness.start_booking()
    view = await wait_for_exception(handle, Reason.REFUSED_BY_SYSTEM)
    assert view.status is Status.CONFIRMED
    harness.responses["remove_leftovers"] = ReleaseResult()
    view = await resolve(handle, RETRY)
    assert (view.status, view.reason) == (Status.CONFIRMED, None)
    await wait_until(lambda: len(harness.calls_to("remove_leftovers")) == 2)
    await cancel(handle)
    assert (await handle.result()).reason is Reason.CANCELLED_BY_PATIENT


async def test_desk_hears_of_a_chart_that_was_created_for_a_booking_without_a_visit(harness: WorkflowHarness) -> None:
    harness.responses["match_patient"] = Match(verdict=Verdict.NEW)
    harness.responses["write_hold"] = HoldResult(conflicts=(Conflict(cause=Cause.APPOINTMENT),))
    handle = await harness.start_booking()
    await wait_for_exception(handle, Reason.SLOT_TAKEN)
    await cancel(handle)
    view = await wait_for_exception(handle, Reason.CHART_LEFT)
    assert (view.status, view.patient_candidates) == (Status.CANCELLED, ("8",))
    await resolve(handle, APPROVE)
    final_view = await handle.result()
    assert (final_view.status, final_view.reason) == (Status.CANCELLED, Reason.CANCELLED_BY_PATIENT)


async def test_cancel_does_not_wait_for_cleanup(harness: WorkflowHarness) -> None:
    harness.responses["write_hold"] = lambda _: HoldResult(
        appointment=harness.appointment(), confirmed=True, may_commit_late=True
    )
    handle = await harness.start_booking(late_commit=timedelta(hours=1))
    await wait_for_confirmed(handle)
    assert (await cancel(handle)).status is Status.CANCELLED
    await wait_until(lambda: harness.calls_to("release_everything"))


async def test_claim_that_may_exist_is_released_when_the_booking_ends(harness: WorkflowHarness) -> None:
    harness.responses["recheck_slot"] = Refused("no")
    handle = await harness.start_booking()
    await wait_for_exception(handle, Reason.REFUSED_BY_SYSTEM)
    await cancel(handle)
    await handle.result()
    assert len(harness.calls_to("release_claim")) == 1


async def test_claim_is_released_when_a_person_removed_the_hold(harness: WorkflowHarness) -> None:
    harness.responses["release_everything"] = Refused("no")
    handle = await harness.start_booking(confirmation=Confirmation.STAFF)
    await wait_for_exception(handle, Reason.APPROVAL)
    await resolve(handle, DECLINE)
    view = await wait_for_exception(handle, Reason.REFUSED_BY_SYSTEM)
    assert view.status is Status.DECLINED
    await resolve(handle, APPROVE)
    final_view = await handle.result()
    assert (final_view.status, final_view.reason) == (Status.DECLINED, Reason.DECLINED_BY_STAFF)
    assert len(harness.calls_to("release_claim")) == 1


def schedule_visit_soon(harness: WorkflowHarness) -> None:
    """The visit is so near that the desk must hear of a late release within seconds: after half the time left."""
    harness.schedule_visit_in(12)


@pytest.mark.parametrize("failure", [Unavailable("unavailable"), ValueError("a bug")], ids=["unavailable", "bug"])
async def test_desk_hears_of_a_late_release_before_the_visit_and_retries_continue(
    harness: WorkflowHarness, failure: Exception
) -> None:
    schedule_visit_soon(harness)
    harness.responses["release_everything"] = failure
    handle = await harness.start_booking()
    await wait_for_confirmed(handle)
    await cancel(handle)
    view = await wait_for_exception(handle, Reason.NOT_RELEASED)
    assert (view.status, view.start > view.updated_at) == (Status.CANCELLED, True)
    calls_so_far = len(harness.calls_to("release_everything"))
    await wait_until(lambda: len(harness.calls_to("release_everything")) > calls_so_far)
    harness.responses["release_everything"] = ReleaseResult()
    final_view = await handle.result()
    assert (final_view.status, final_view.reason, final_view.resolutions) == (
        Status.CANCELLED,
        Reason.CANCELLED_BY_PATIENT,
        (),
    )
    assert harness.desk_messages().count("desk_exception") == 1


async def test_release_continues_after_the_desk_acknowledged_that_it_is_late(harness: WorkflowHarness) -> None:
    schedule_visit_soon(harness)
    harness.responses["release_everything"] = Unavailable("unavailable")
    handle = await harness.start_booking()
    await wait_for_confirmed(handle)
    await cancel(handle)
    await wait_for_exception(handle, Reason.NOT_RELEASED)
    await resolve(handle, APPROVE)
    harness.responses["release_everything"] = ReleaseResult()
    assert (await handle.result()).reason is Reason.CANCELLED_BY_PATIENT


async def test_late_release_does_not_close_the_open_exception(harness: WorkflowHarness) -> None:
    schedule_visit_soon(harness)
    harness.responses["release_everything"] = Unavailable("unavailable")
    handle = await harness.start_booking(confirmation=Confirmation.STAFF, hold_expiry=SECOND)
    await wait_until(lambda: Reason.NOT_RELEASED in [call.reason for call in harness.calls_to("route_exception")])
    await wait_for_exception(handle, Reason.APPROVAL)
    await resolve(handle, DECLINE)
    harness.responses["release_everything"] = ReleaseResult()
    assert (await handle.result()).reason is Reason.DECLINED_BY_STAFF


async def test_desk_hears_of_both_an_unreached_patient_and_a_late_release(harness: WorkflowHarness) -> None:
    schedule_visit_soon(harness)
    harness.responses["release_everything"] = Unavailable("unavailable")
    handle = await harness.start_booking(confirmation=Confirmation.STAFF, consent=False)
    await wait_for_exception(handle, Reason.APPROVAL)
    await resolve(handle, DECLINE)
    await wait_for_exception(handle, Reason.NOT_REACHED)
    await wait_until(lambda: Reason.NOT_RELEASED in [call.reason for call in harness.calls_to("route_exception")])
    await resolve(handle, APPROVE)
    await wait_for_exception(handle, Reason.NOT_RELEASED)
    harness.responses["release_everything"] = ReleaseResult()
    assert (await handle.result()).reason is Reason.DECLINED_BY_STAFF


async def test_unconfirmed_hold_is_released_as_unconfirmed(harness: WorkflowHarness) -> None:
    """A confirmed appointment would be marked as broken, to keep its history."""
    slot_lost = HoldResult(conflicts=(Conflict(cause=Cause.APPOINTMENT),))
    harness.responses["write_hold"] = slot_lost
    handle = await harness.start_booking()
    await wait_for_exception(handle, Reason.SLOT_TAKEN)
    await cancel(handle)
    await handle.result()
    assert [call.confirmed for call in harness.calls_to("release_everything")] == [False]


async def test_cancel_and_resolution_in_one_workflow_task_end_the_booking(client: Client) -> None:
    """No worker runs while both updates arrive."""
    harness = WorkflowHarness(client)
    async with harness.running_workers():
        handle = await harness.start_booking(consent=False)
        await wait_for_exception(handle, Reason.NOT_REACHED)
    updates = [asyncio.create_task(cancel(handle)), asyncio.create_task(resolve(handle, APPROVE))]
    await asyncio.sleep(0.5)
    async with harness.running_workers():
        final_view = await asyncio.wait_for(handle.result(), 30)
        await asyncio.gather(*updates, return_exceptions=True)
    assert final_view.status is Status.CANCELLED
    await harness.terminate_and_replay()
