"""Until when the desk may decide, how it is reminded, and what happens if nobody does."""

import asyncio
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from activities.hold_contracts import ConfirmHoldResult, HoldResult
from activities.release import ReleaseResult
from adapters.errors import Refused, Unavailable
from domain.booking import Reason, Status
from domain.calendar import AppointmentStatus
from domain.desk_hours import DeskHours
from domain.policy import LandingPolicy
from domain.rules import Confirmation, HoursSpan
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
    wait_for_view,
)
from tests.support.workflow_harness import WorkflowHarness, wait_despite_cancellation
from tests.support.workflow_history import wait_until_cancel_requested
from workflows.booking.workflow import BookingWorkflow


async def test_expired_hold_that_cannot_be_released_is_retried_rarely_and_the_desk_is_asked(
    harness: WorkflowHarness,
) -> None:
    harness.responses["release_everything"] = Refused("no")
    started_at = datetime.now(UTC)
    handle = await harness.start_booking(confirmation=Confirmation.STAFF, hold_expiry=SECOND)
    await wait_for_exception(handle, Reason.REFUSED_BY_SYSTEM)
    await asyncio.sleep(2)
    assert len(harness.calls_to("release_everything")) <= (datetime.now(UTC) - started_at) / SECOND
    assert "expired" not in harness.patient_messages()
    await resolve(handle, DECLINE)
    await wait_for_view(handle, lambda view: view.status is Status.DECLINED and bool(view.resolutions))
    harness.responses["release_everything"] = ReleaseResult()
    await resolve(handle, RETRY)
    assert (await handle.result()).status is Status.DECLINED


async def test_cancel_does_not_wait_for_the_release_of_an_expired_hold(harness: WorkflowHarness) -> None:
    harness.responses["release_everything"] = Unavailable("unavailable")
    handle = await harness.start_booking(confirmation=Confirmation.STAFF, hold_expiry=SECOND)
    await harness.wait_for_patient_messages("held")
    await wait_until(lambda: harness.calls_to("release_everything"))
    assert (await cancel(handle)).status is Status.CANCELLED
    harness.responses["release_everything"] = ReleaseResult()
    assert (await handle.result()).status is Status.CANCELLED
    assert harness.patient_messages() == ["held", "cancelled"]


async def test_desk_is_reminded_while_it_can_still_act(harness: WorkflowHarness) -> None:
    harness.schedule_visit_in(10)
    handle = await harness.start_booking(confirmation=Confirmation.STAFF, staff_deadline=timedelta(hours=4))
    final_view = await handle.result()
    assert (final_view.status, final_view.reason) == (Status.DECLINED, Reason.EXPIRED)
    assert harness.desk_messages() == ["desk_exception", "desk_escalation", "desk_expired"]


async def test_escalations_become_less_frequent(harness: WorkflowHarness) -> None:
    handle = await harness.start_booking(confirmation=Confirmation.STAFF, staff_deadline=SECOND)
    await wait_until(lambda: harness.desk_messages().count("desk_escalation") >= 2)
    timers = [event.timer_started_event_attributes async for event in handle.fetch_history_events()]
    waits = [timer.start_to_fire_timeout.ToTimedelta() for timer in timers if timer.timer_id]
    assert waits[:3] == [SECOND, 2 * SECOND, 4 * SECOND]
    await cancel(handle)


def desk_that_opens_in(delay: timedelta) -> dict[str, Any]:
    """Somebody is at the desk from then on, for the rest of that day only. The zone is one where it is not midnight."""
    zone = "Asia/Tokyo" if datetime.now(UTC).hour >= 20 else "UTC"
    opens = (datetime.now(UTC) + delay).astimezone(ZoneInfo(zone))
    span = HoursSpan(open=opens.time().replace(tzinfo=None), close=time(0))
    return {"zone": zone, "desk_hours": DeskHours(hours={opens.isoweekday(): (span,)})}


async def test_nothing_is_escalated_or_released_while_nobody_is_at_the_desk(harness: WorkflowHarness) -> None:
    closed_until = timedelta(hours=3)
    harness.move_slot(datetime.now(UTC) + timedelta(days=20))
    handle = await harness.start_booking(
        confirmation=Confirmation.STAFF, hold_expiry=SECOND, staff_deadline=SECOND, **desk_that_opens_in(closed_until)
    )
    view = await wait_for_exception(handle, Reason.APPROVAL)
    await asyncio.sleep(3)
    assert (await handle.query(BookingWorkflow.view)).status is Status.HELD
    assert harness.desk_messages() == ["desk_exception"]
    assert view.held_until is not None
    assert timedelta(hours=2) < view.held_until - datetime.now(UTC) < closed_until + SECOND
    await cancel(handle)


async def test_hold_is_released_once_the_desk_has_had_its_time(harness: WorkflowHarness) -> None:
    harness.move_slot(datetime.now(UTC) + timedelta(days=20))
    handle = await harness.start_booking(
        confirmation=Confirmation.STAFF, hold_expiry=SECOND, **desk_that_opens_in(4 * SECOND)
    )
    await wait_for_exception(handle, Reason.HOLD_EXPIRED)
    await cancel(handle)


async def test_hold_that_the_desk_confirmed_does_not_expire_at_the_visit_start(harness: WorkflowHarness) -> None:
    harness.schedule_visit_in(6)
    harness.responses["release_everything"] = lambda request: ReleaseResult(
        remaining=(harness.appointment(reference=request.reference),)
    )
    handle = await harness.start_booking(confirmation=Confirmation.STAFF)
    await wait_for_confirmed(handle)
    await harness.wait_for_patient_messages("held", "confirmed")


async def test_hold_that_nobody_decided_on_is_released_at_the_visit_start(harness: WorkflowHarness) -> None:
    harness.schedule_visit_in(6)
    handle = await harness.start_booking(confirmation=Confirmation.STAFF)
    final_view = await handle.result()
    assert (final_view.status, final_view.reason) == (Status.DECLINED, Reason.EXPIRED)
    assert harness.patient_messages() == ["held", "declined"]
    assert harness.desk_messages()[-1] == "desk_expired"


async def test_booking_expires_although_its_hold_cannot_be_released(harness: WorkflowHarness) -> None:
    harness.schedule_visit_in(3)
    harness.responses["release_everything"] = Refused("no")
    handle = await harness.start_booking(confirmation=Confirmation.STAFF)
    view = await wait_for_view(handle, lambda view: view.status is Status.DECLINED and bool(view.resolutions))
    assert view.reason is Reason.REFUSED_BY_SYSTEM
    harness.responses["release_everything"] = ReleaseResult()
    await resolve(handle, RETRY)
    assert (await handle.result()).status is Status.DECLINED


async def test_booking_approved_during_the_release_of_its_expired_hold_gets_a_new_hold(
    harness: WorkflowHarness,
) -> None:
    release_may_finish = asyncio.Event()

    async def release_slowly(_: Any) -> ReleaseResult:
        await wait_despite_cancellation(release_may_finish)
        harness.responses["confirm_hold"] = ConfirmHoldResult()
        return ReleaseResult(released_ids=("11",))

    harness.responses["release_everything"] = release_slowly
    harness.responses["write_hold"] = lambda request: HoldResult(
        appointment=harness.appointment(status=AppointmentStatus.TENTATIVE), confirmed=request.confirm
    )
    handle = await harness.start_booking(confirmation=Confirmation.STAFF, hold_expiry=SECOND)
    await harness.wait_for_patient_messages("held")
    await harness.wait_for_desk_messages("desk_exception")
    await wait_until(lambda: harness.calls_to("release_everything"))
    resolving = asyncio.create_task(resolve(handle, APPROVE))
    await wait_until_cancel_requested(handle, "release_everything")
    release_may_finish.set()
    await resolving
    await wait_for_confirmed(handle)
    await harness.wait_for_patient_messages("held", "confirmed")
    assert harness.desk_messages() == ["desk_exception"]


async def test_hold_that_the_desk_removed_is_not_written_again_without_being_asked(harness: WorkflowHarness) -> None:
    """Our own release of the expired hold was refused, so it does not explain why the hold is gone."""
    harness.responses["release_everything"] = Refused("no")
    harness.responses["write_hold"] = lambda request: HoldResult(
        appointment=harness.appointment(status=AppointmentStatus.TENTATIVE), confirmed=request.confirm
    )
    handle = await harness.start_booking(confirmation=Confirmation.STAFF, hold_expiry=timedelta(seconds=5))
    await wait_for_exception(handle, Reason.REFUSED_BY_SYSTEM)
    harness.responses["confirm_hold"] = ConfirmHoldResult()
    await resolve(handle, APPROVE)
    await wait_for_exception(handle, Reason.HOLD_CHANGED)
    assert len(harness.calls_to("write_hold")) == 1


async def test_desk_is_asked_before_the_visit_although_the_office_stays_offline(harness: WorkflowHarness) -> None:
    harness.responses["write_hold"] = lambda _: HoldResult(
        appointment=harness.appointment(status=AppointmentStatus.TENTATIVE)
    )
    harness.responses["confirm_hold"] = ConfirmHoldResult(office_offline=True)
    landing = LandingPolicy(
        check_while_offline=timedelta(seconds=1), min_wait=timedelta(seconds=4), lead_time=timedelta(days=30)
    )
    handle = await harness.start_booking(confirmation=Confirmation.STAFF, landing=landing)
    await wait_for_exception(handle, Reason.APPROVAL)
    await resolve(handle, APPROVE)
    await wait_for_exception(handle, Reason.NOT_CONFIRMED)
