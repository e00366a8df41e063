"""A resolution that arrives after its exception has closed or changed resolves nothing."""

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.hold_contracts import HoldResult
from activities.slots import SlotCheck
from adapters.errors import Refused
from domain.booking import Reason
from domain.calendar import LandingState
from domain.matching import Match, Verdict
from domain.rules import Confirmation
from tests.support.polling import wait_until
from tests.support.queued_writes import FREQUENT_CHECKS, unlanded_appointment
from tests.support.workflow_handles import APPROVE, cancel, resolve, wait_for_exception
from tests.support.workflow_harness import WorkflowHarness
from tests.support.workflow_history import wait_until_update_validated
from workflows.booking.contracts import Resolution, ResolutionKind, SignalName


async def test_resolution_of_a_closed_exception_is_refused(harness: WorkflowHarness) -> None:
    """The desk's page still shows the approval when the open exception is that the hold cannot be released."""
    harness.responses["release_everything"] = Refused("no")
    handle = await harness.start_booking(confirmation=Confirmation.STAFF)
    approval = await wait_for_exception(handle, Reason.APPROVAL)
    await cancel(handle)
    refusal = await wait_for_exception(handle, Reason.REFUSED_BY_SYSTEM)
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await resolve(handle, APPROVE.model_copy(update={"exception_number": approval.exception_number}))
    assert "The open exception has changed" in str(error.value.cause)
    await handle.signal(SignalName.RESOLVE, APPROVE.model_copy(update={"exception_number": approval.exception_number}))
    assert (await wait_for_exception(handle, Reason.REFUSED_BY_SYSTEM)).exception_number == refusal.exception_number
    await resolve(handle, APPROVE.model_copy(update={"exception_number": refusal.exception_number}))
    assert (await handle.result()).exception_number is None


@pytest.mark.parametrize("by", ["update", "signal"])
async def test_approving_the_chart_does_not_approve_an_unclear_landing(
    harness: WorkflowHarness, by: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Another exception opens before the resolution is applied."""
    unlanded = unlanded_appointment(harness)
    unclear = unlanded.model_copy(update={"landing": LandingState.INCOMPLETE})
    match = harness.responses["match_patient"]
    harness.responses["match_patient"] = match.model_copy(
        update={"verdict": Verdict.ASK, "chart": None, "candidates": ("7",), "reason": Reason.PATIENT_EXISTS}
    )
    check_may_finish = asyncio.Event()

    async def check_slowly(_: Any) -> HoldResult:
        await check_may_finish.wait()
        return HoldResult(appointment=unclear)

    harness.responses["write_hold"] = HoldResult(appointment=unlanded)
    harness.responses["settle_landing"] = check_slowly
    harness.responses["read_appointment"] = unlanded
    handle = await harness.start_booking(landing=FREQUENT_CHECKS, placeholder_patient="99")
    view = await wait_for_exception(handle, Reason.PATIENT_EXISTS)
    await wait_until(lambda: harness.calls_to("settle_landing"))
    resolution = Resolution(kind=ResolutionKind.APPROVE, exception_number=view.exception_number)
    if by == "signal":
        await handle.signal(SignalName.RESOLVE, resolution)
        check_may_finish.set()
        await wait_until(lambda: "resolution_discarded" in caplog.text)
    else:
        resolving = asyncio.create_task(resolve(handle, resolution))
        await wait_until_update_validated(handle)
        check_may_finish.set()
        with pytest.raises(WorkflowUpdateFailedError):
            await resolving
    await wait_for_exception(handle, Reason.LANDING_UNCLEAR)
    assert "confirmed" not in harness.patient_messages()


async def test_resolution_is_refused_if_another_exception_opens_first(harness: WorkflowHarness) -> None:
    unlanded = unlanded_appointment(harness)
    check_may_finish = asyncio.Event()

    async def check_slowly(_: Any) -> HoldResult:
        await check_may_finish.wait()
        return HoldResult(appointment=unlanded.model_copy(update={"landing": LandingState.REFUSED}))

    harness.responses["match_patient"] = Match(
        verdict=Verdict.ASK, candidates=("7", "8"), reason=Reason.PATIENT_AMBIGUOUS
    )
    harness.responses["write_hold"] = HoldResult(appointment=unlanded)
    harness.responses["settle_landing"] = check_slowly
    harness.responses["find_alternatives"] = SlotCheck()
    handle = await harness.start_booking(landing=FREQUENT_CHECKS, placeholder_patient="99")
    await wait_for_exception(handle, Reason.PATIENT_AMBIGUOUS)
    await wait_until(lambda: harness.calls_to("settle_landing"))
    resolving = asyncio.create_task(resolve(handle, Resolution(kind=ResolutionKind.PATIENT, patient="7")))
    await wait_until_update_validated(handle)
    check_may_finish.set()
    with pytest.raises(WorkflowUpdateFailedError):
        await resolving
    await wait_for_exception(handle, Reason.REFUSED_BY_OFFICE)
