"""Queued writes: how a hold lands, or does not, in the practice's own system."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.hold_contracts import ConfirmHoldResult, HoldResult
from activities.release import ReleaseResult
from activities.slots import SlotCheck
from adapters.errors import Refused, Unavailable
from domain.booking import Reason, Status
from domain.calendar import AppointmentStatus, EventKind, LandingState
from domain.matching import Verdict
from domain.policy import LandingPolicy
from domain.rules import Confirmation
from domain.slot import Cause, Conflict
from tests.support.polling import wait_until
from tests.support.queued_writes import RARE_CHECKS, signal_event, start_queued, unlanded_appointment, use_queued_writes
from tests.support.workflow_handles import (
    APPROVE,
    DECLINE,
    RETRY,
    SECOND,
    BookingHandle,
    cancel,
    resolve,
    wait_for_confirmed,
    wait_for_exception,
    wait_for_view,
)
from tests.support.workflow_harness import WorkflowHarness, one_hour_from
from workflows.booking.contracts import Resolution, ResolutionKind
from workflows.booking.workflow import BookingWorkflow


@pytest.fixture
def harness(harness: WorkflowHarness) -> WorkflowHarness:
    """At a practice with queued writes."""
    use_queued_writes(harness)
    return harness


def use_unclear_landing(harness: WorkflowHarness) -> None:
    """Whether the hold has landed cannot be determined. Later reads show it as not landed."""
    unclear = unlanded_appointment(harness).model_copy(update={"landing": LandingState.INCOMPLETE})
    harness.responses["settle_landing"] = lambda _: HoldResult(appointment=unclear)
    harness.responses["read_appointment"] = lambda _: unlanded_appointment(harness)


async def test_unlanded_hold_cannot_be_approved_and_confirms_itself_once_it_lands(harness: WorkflowHarness) -> None:
    settle_landing, harness.responses["settle_landing"] = (
        harness.responses["settle_landing"],
        Refused("no"),
    )
    handle = await start_queued(harness, confirmation=Confirmation.AUTOMATIC)
    view = await wait_for_exception(handle, Reason.REFUSED_BY_SYSTEM)
    assert ResolutionKind.APPROVE not in view.resolutions
    harness.responses["settle_landing"] = settle_landing
    await wait_for_confirmed(handle)


async def test_choosing_a_chart_does_not_count_as_landing(harness: WorkflowHarness) -> None:
    match = harness.responses["match_patient"]
    harness.responses["match_patient"] = match.model_copy(
        update={"verdict": Verdict.ASK, "chart": None, "candidates": ("7",), "reason": Reason.PATIENT_EXISTS}
    )
    handle = await start_queued(harness, RARE_CHECKS, Confirmation.AUTOMATIC, placeholder_patient="99")
    await wait_for_exception(handle, Reason.PATIENT_EXISTS)
    view = await resolve(handle, APPROVE)
    assert (view.status, view.reason) == (Status.RECEIVED, Reason.AWAITING_OFFICE)
    assert "confirmed" not in harness.patient_messages()


async def test_appointment_that_only_a_person_has_seen_is_confirmed_once_it_is_visible(
    harness: WorkflowHarness,
) -> None:
    use_unclear_landing(harness)
    handle = await start_queued(harness, confirmation=Confirmation.AUTOMATIC)
    await wait_for_exception(handle, Reason.LANDING_UNCLEAR)
    await resolve(handle, APPROVE)
    await wait_for_confirmed(handle)
    await wait_until(lambda: len(harness.calls_to("read_appointment")) > 1)
    assert harness.calls_to("confirm_hold") == []
    harness.responses["read_appointment"] = lambda _: harness.appointment(status=AppointmentStatus.TENTATIVE)
    await wait_until(lambda: harness.calls_to("confirm_hold"))
    assert [call.promised for call in harness.calls_to("confirm_hold")] == [True]


async def test_refusal_after_a_person_saw_the_appointment_opens_an_exception(harness: WorkflowHarness) -> None:
    use_unclear_landing(harness)
    handle = await start_queued(harness, confirmation=Confirmation.AUTOMATIC)
    await wait_for_exception(handle, Reason.LANDING_UNCLEAR)
    await resolve(handle, APPROVE)
    await wait_for_confirmed(handle)
    await signal_event(handle, EventKind.LANDING, landing=LandingState.REFUSED)
    assert (await wait_for_exception(handle, Reason.REFUSED_BY_OFFICE)).status is Status.CONFIRMED
    assert (await resolve(handle, APPROVE)).reason is None


@pytest.mark.parametrize("finding", ["refused", "gone", "still unclear"])
async def test_decline_while_the_landing_is_looked_at_holds_for_whatever_is_found(
    harness: WorkflowHarness, finding: str
) -> None:
    use_unclear_landing(harness)
    handle = await start_queued(harness)
    await wait_for_exception(handle, Reason.LANDING_UNCLEAR)
    is_looking, may_end = asyncio.Event(), asyncio.Event()
    unclear, refused = (
        unlanded_appointment(harness).model_copy(update={"landing": landing})
        for landing in (LandingState.INCOMPLETE, LandingState.REFUSED)
    )
    appointment = {"refused": refused, "gone": None, "still unclear": unclear}[finding]

    async def look_slowly(_: Any) -> HoldResult:
        is_looking.set()
        await may_end.wait()
        return HoldResult(appointment=appointment)

    harness.responses |= {"settle_landing": look_slowly, "find_alternatives": SlotCheck()}
    await is_looking.wait()
    resolving = asyncio.create_task(handle.execute_update(BookingWorkflow.resolve_exception, DECLINE))
    await wait_for_view(handle, lambda view: view.status is Status.NEEDS_STAFF and not view.resolutions)
    may_end.set()
    await resolving
    final_view = await wait_for_view(handle, lambda view: view.status.is_final)
    assert (final_view.status, final_view.reason) == (Status.DECLINED, Reason.DECLINED_BY_STAFF)


async def start_refused(harness: WorkflowHarness) -> BookingHandle:
    """The office refused the hold, and the partner's record of it cannot be removed."""
    refused_hold = harness.appointment(status=AppointmentStatus.TENTATIVE, landing=LandingState.REFUSED)
    harness.responses["settle_landing"] = HoldResult(appointment=refused_hold)
    harness.responses["find_alternatives"] = SlotCheck(alternatives=(harness.slot,))
    harness.responses["remove_leftovers"] = harness.responses["release_everything"] = Unavailable("unavailable")
    handle = await start_queued(harness)
    view = await wait_for_exception(handle, Reason.REFUSED_BY_OFFICE)
    assert (view.alternatives, view.appointment_id) == ((harness.slot,), None)
    await harness.wait_for_patient_messages("received")
    return handle


async def test_refused_hold_can_be_retried_although_it_cannot_be_removed(harness: WorkflowHarness) -> None:
    handle = await start_refused(harness)
    await wait_until(lambda: harness.calls_to("remove_leftovers"))
    landed = harness.appointment(id="12", status=AppointmentStatus.TENTATIVE)
    harness.responses["write_hold"] = HoldResult(appointment=landed)
    await resolve(handle, RETRY)
    await wait_for_exception(handle, Reason.APPROVAL)
    second_write = harness.calls_to("write_hold")[-1]
    assert (second_write.look_first, second_write.excluded_ids) == (True, ("11",))
    calls_so_far = len(harness.calls_to("remove_leftovers"))
    await wait_until(lambda: len(harness.calls_to("remove_leftovers")) > calls_so_far)
    assert harness.calls_to("remove_leftovers")[-1].appointment_id == "12"


async def test_booking_can_be_cancelled_while_a_refused_hold_cannot_be_removed(harness: WorkflowHarness) -> None:
    handle = await start_refused(harness)
    assert (await cancel(handle)).status is Status.CANCELLED
    harness.responses["release_everything"] = ReleaseResult(released_ids=("11",))
    await wait_until(lambda: "cancelled" in harness.patient_messages())


async def test_refusal_survives_later_events_and_a_failed_check(harness: WorkflowHarness) -> None:
    harness.responses["settle_landing"] = Refused("no")
    harness.responses["find_alternatives"] = SlotCheck(slot=harness.slot)
    handle = await start_queued(harness, RARE_CHECKS)
    await wait_until(lambda: harness.calls_to("write_hold"))
    await signal_event(handle, EventKind.LANDING, landing=LandingState.REFUSED)
    await wait_for_exception(handle, Reason.REFUSED_BY_SYSTEM)
    for kind, landing in ((EventKind.LANDING, LandingState.LANDED), (EventKind.CHANGED, None)):
        await signal_event(handle, kind, landing=landing)
    await wait_until(lambda: len(harness.calls_to("settle_landing")) == 2)
    refused_hold = unlanded_appointment(harness).model_copy(update={"landing": LandingState.REFUSED})
    harness.responses["settle_landing"] = lambda _: HoldResult(appointment=refused_hold)
    await signal_event(handle, EventKind.CHANGE_FAILED)
    await wait_for_exception(handle, Reason.REFUSED_BY_OFFICE)
    assert {call.reported for call in harness.calls_to("settle_landing")} == {LandingState.REFUSED}


async def test_hold_lost_at_landing_is_written_again_for_the_new_chart(harness: WorkflowHarness) -> None:
    """The first hold was written on a parent's chart. By the time of the second the child has a chart of its own."""
    harness.responses["match_patient"] = harness.responses["match_patient"].model_copy(update={"dependent": True})
    harness.responses["settle_landing"] = HoldResult(conflicts=(Conflict(cause=Cause.APPOINTMENT),), patient="8")
    harness.responses["find_alternatives"] = SlotCheck(slot=harness.slot)
    handle = await start_queued(harness)
    await wait_for_exception(handle, Reason.SLOT_TAKEN)
    later = one_hour_from(harness.slot.time.start + timedelta(hours=2))
    await resolve(handle, Resolution(kind=ResolutionKind.START, start=later.start))
    await wait_until(lambda: len(harness.calls_to("write_hold")) == 2)
    assert [call.patient for call in harness.calls_to("write_hold")] == ["7", "8"]
    assert [call.dependent is not None for call in harness.calls_to("write_hold")] == [True, False]


async def test_hold_found_at_another_time_is_confirmed_and_announced_there(harness: WorkflowHarness) -> None:
    other_slot = harness.slot.model_copy(update={"time": one_hour_from(harness.slot.time.start + timedelta(days=1))})
    harness.responses["write_hold"] = lambda _: HoldResult(appointment=harness.appointment(**dict(other_slot)))
    harness.responses["confirm_hold"] = lambda _: ConfirmHoldResult(appointment=harness.appointment(**dict(other_slot)))
    handle = await start_queued(harness, confirmation=Confirmation.AUTOMATIC)
    await wait_for_confirmed(handle)
    await wait_until(lambda: harness.patient_messages())
    assert [call.slot for call in harness.calls_to("confirm_hold")] == [other_slot]
    assert [call.start for call in harness.calls_to("notify")] == [other_slot.time.start]


async def test_landing_check_with_unknown_outcome_is_followed_by_cleanup(harness: WorkflowHarness) -> None:
    settle_landing = harness.responses["settle_landing"]
    harness.responses["settle_landing"] = lambda request: settle_landing(request).model_copy(
        update={"may_commit_late": True}
    )
    await wait_for_confirmed(await start_queued(harness, confirmation=Confirmation.AUTOMATIC))
    await wait_until(lambda: harness.calls_to("remove_leftovers"))


async def test_landing_checks_become_less_frequent(harness: WorkflowHarness) -> None:
    unlanded = unlanded_appointment(harness)
    harness.responses |= {
        "write_hold": HoldResult(appointment=unlanded),
        "settle_landing": HoldResult(appointment=unlanded),
    }
    landing = LandingPolicy(
        check_after=(timedelta(seconds=0.3),), max_wait=timedelta(seconds=0.5), min_wait=timedelta(0)
    )
    handle = await harness.start_booking(landing=landing)
    await wait_for_exception(handle, Reason.NOT_LANDED)
    calls_so_far = len(harness.calls_to("settle_landing"))
    await asyncio.sleep(6)
    assert len(harness.calls_to("settle_landing")) - calls_so_far <= 5


async def test_desk_is_asked_soon_about_a_hold_that_later_writes_have_overtaken(harness: WorkflowHarness) -> None:
    """Some office systems tell of no refusal."""
    harness.responses["settle_landing"] = lambda _: HoldResult(
        appointment=unlanded_appointment(harness), is_overdue=True
    )
    started_at = datetime.now(UTC)
    handle = await start_queued(
        harness, LandingPolicy(check_after=(timedelta(seconds=0.3),), min_wait=SECOND), Confirmation.AUTOMATIC
    )
    await wait_for_exception(handle, Reason.NOT_LANDED)
    assert datetime.now(UTC) - started_at > SECOND


async def test_desk_is_not_asked_soon_about_a_hold_that_nothing_has_overtaken(harness: WorkflowHarness) -> None:
    harness.responses["settle_landing"] = lambda _: HoldResult(appointment=unlanded_appointment(harness))
    policy = LandingPolicy(check_after=(timedelta(seconds=0.3),), min_wait=timedelta(seconds=0.5))
    handle = await start_queued(harness, policy, Confirmation.AUTOMATIC)
    await wait_until(lambda: len(harness.calls_to("settle_landing")) >= 3)
    assert (await handle.query(BookingWorkflow.view)).reason is Reason.AWAITING_OFFICE
