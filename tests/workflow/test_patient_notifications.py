"""Which messages a patient receives, and in which order."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from activities.hold_contracts import ConfirmHoldResult, HoldResult
from activities.slots import SlotCheck
from adapters.errors import Unavailable
from domain.booking import MessageState, Reason, Status
from domain.calendar import AppointmentStatus
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
from tests.support.workflow_harness import WorkflowHarness, accept_message, wait_despite_cancellation
from tests.support.workflow_history import wait_until_cancel_requested
from workflows.booking.contracts import Resolution, ResolutionKind
from workflows.booking.workflow import BookingWorkflow


async def test_cancel_during_the_write_sends_only_the_cancellation_message(harness: WorkflowHarness) -> None:
    write, may_finish = harness.responses["write_hold"], asyncio.Event()

    async def write_despite_cancellation(request: Any) -> Any:
        await wait_despite_cancellation(may_finish)
        return write(request)

    harness.responses["write_hold"] = write_despite_cancellation
    handle = await harness.start_booking(confirmation=Confirmation.STAFF)
    await wait_until(lambda: harness.calls_to("write_hold"))
    cancelling = asyncio.create_task(cancel(handle))
    await wait_until_cancel_requested(handle, "write_hold")
    may_finish.set()
    await cancelling
    assert (await handle.result()).status is Status.CANCELLED
    assert (harness.patient_messages(), harness.desk_messages()) == (["cancelled"], [])
    assert len(harness.calls_to("release_everything")) == 1


async def test_superseded_message_is_not_sent_any_more(harness: WorkflowHarness) -> None:
    notify, harness.responses["notify"] = harness.responses["notify"], Unavailable("unavailable")
    handle = await harness.start_booking(confirmation=Confirmation.STAFF)
    await wait_until(lambda: "held" in harness.patient_messages())
    await resolve(handle, DECLINE)
    sent: list[str] = []

    def record(request: Any) -> Any:
        sent.append(str(request.kind))
        return notify(request)

    harness.responses["notify"] = record
    assert (await handle.result()).status is Status.DECLINED
    await asyncio.sleep(3)  # enough for another attempt at the first message
    assert sent == ["declined"]


async def test_patient_hears_of_each_expiry_and_each_new_hold(harness: WorkflowHarness) -> None:
    release_result, unavailable = harness.responses["release_everything"], Unavailable("unavailable")
    harness.responses["release_everything"] = unavailable
    handle = await harness.start_booking(confirmation=Confirmation.STAFF, hold_expiry=SECOND)
    await harness.wait_for_patient_messages("held")
    harness.responses["release_everything"] = release_result
    await wait_for_exception(handle, Reason.HOLD_EXPIRED)
    await harness.wait_for_patient_messages("held", "expired")
    harness.responses["release_everything"] = unavailable
    await resolve(handle, RETRY)
    await wait_for_exception(handle, Reason.APPROVAL)
    await harness.wait_for_patient_messages("held", "expired", "held")
    harness.responses["release_everything"] = release_result
    await wait_for_exception(handle, Reason.HOLD_EXPIRED)
    await harness.wait_for_patient_messages("held", "expired", "held", "expired")
    assert len({(call.kind, call.version) for call in harness.calls_to("notify")}) == 4
    await cancel(handle)


async def test_cancel_does_not_wait_for_messages(harness: WorkflowHarness) -> None:
    harness.responses["notify"] = Unavailable("unavailable")
    handle = await harness.start_booking()
    await wait_for_confirmed(handle)
    assert (await cancel(handle)).status is Status.CANCELLED
    await wait_until(lambda: harness.calls_to("release_everything"))


async def test_message_that_is_superseded_while_it_is_sent_does_not_wait_for_quiet_hours_to_end(
    harness: WorkflowHarness,
) -> None:
    accept, may_finish = harness.responses["notify"], asyncio.Event()

    async def respond_with_quiet_hours(request: Any) -> Any:
        if len(harness.calls_to("notify")) > 1:
            return accept(request)
        await wait_despite_cancellation(may_finish)
        quiet_hours_end = datetime.now(UTC) + SECOND
        return accept(request).model_copy(update={"state": "quiet_hours", "not_before": quiet_hours_end})

    harness.responses["notify"] = respond_with_quiet_hours
    handle = await harness.start_booking()
    await wait_for_confirmed(handle)
    await wait_until(lambda: harness.calls_to("notify"))
    await cancel(handle)
    may_finish.set()
    await handle.result()
    assert harness.patient_messages() == ["confirmed", "visit_cancelled"]


async def test_last_message_is_sent_after_every_older_one(harness: WorkflowHarness) -> None:
    """This holds even if the message between them was superseded before it was sent."""
    may_finish, sent = asyncio.Event(), list[str]()

    async def send(notice: Any) -> MessageState:
        if notice.kind == "held":
            await wait_despite_cancellation(may_finish)
        sent.append(str(notice.kind))
        return accept_message(notice)

    harness.responses["notify"] = send
    harness.responses["write_hold"] = lambda _: HoldResult(
        appointment=harness.appointment(status=AppointmentStatus.TENTATIVE)
    )
    handle = await harness.start_booking(confirmation=Confirmation.STAFF)
    await wait_for_exception(handle, Reason.APPROVAL)
    await wait_until(lambda: harness.patient_messages() == ["held"])
    assert (await resolve(handle, APPROVE)).status is Status.CONFIRMED
    await cancel(handle)
    may_finish.set()
    await wait_until(lambda: len(sent) == 2)
    assert sent == ["held", "visit_cancelled"]


async def test_patient_who_heard_of_a_hold_hears_that_it_was_lost(harness: WorkflowHarness) -> None:
    harness.responses["match_patient"] = Match(
        verdict=Verdict.ASK, reason=Reason.PATIENT_AMBIGUOUS, candidates=("7", "8")
    )
    harness.responses["confirm_hold"] = ConfirmHoldResult(
        conflicts=(Conflict(cause=Cause.APPOINTMENT, appointment="99"),)
    )
    harness.responses["find_alternatives"] = SlotCheck()
    handle = await harness.start_booking(confirmation=Confirmation.STAFF)
    await wait_for_exception(handle, Reason.PATIENT_AMBIGUOUS)
    await harness.wait_for_patient_messages("received")
    await resolve(handle, Resolution(kind=ResolutionKind.PATIENT, patient="7"))
    await wait_for_exception(handle, Reason.APPROVAL)
    await harness.wait_for_patient_messages("received", "held")
    await resolve(handle, APPROVE)
    await wait_for_exception(handle, Reason.SLOT_TAKEN)
    await harness.wait_for_patient_messages("received", "held", "received")
    await cancel(handle)


async def test_guardian_is_notified_if_only_the_guardian_can_be_reached(harness: WorkflowHarness) -> None:
    child = {"last_name": "Sampleton", "date_of_birth": "2019-01-15"}
    guardian = {
        "first_name": "Ma",
        "last_name": "Sampleton",
        "date_of_birth": "1985-03-02",
        "email": "ma@patients.example",
    }
    handle = await harness.start_booking(
        request_changes={"patient": {"first_name": "Tad", **child}, "guardian": guardian}
    )
    await wait_for_confirmed(handle)
    await harness.wait_for_patient_messages("confirmed")
    assert [notice.to for notice in harness.calls_to("notify")] == ["ma@patients.example"]
    assert harness.calls_to("recheck_slot")[0].visitor.contacts == ("ma@patients.example",)
    assert (await handle.query(BookingWorkflow.view)).reason is None
