"""Scripts a practice whose writes are queued: a hold is accepted first and lands in the office system later."""

from datetime import timedelta
from typing import Any

from activities.hold_contracts import HoldResult
from domain.calendar import Appointment, AppointmentStatus, EventKind, LandingState
from domain.policy import LandingPolicy
from domain.rules import Confirmation
from tests.support.workflow_handles import BookingHandle
from tests.support.workflow_harness import WorkflowHarness
from workflows.booking.contracts import AppointmentEvent, SignalName

FREQUENT_CHECKS = LandingPolicy(check_after=(timedelta(seconds=0.3),))
RARE_CHECKS = LandingPolicy(check_after=(timedelta(minutes=30),))
"""So rare that only an event makes the booking check within a test."""


def use_queued_writes(harness: WorkflowHarness) -> None:
    """Every hold is accepted first, and has landed when the booking checks it."""
    harness.responses["write_hold"] = lambda _: HoldResult(appointment=unlanded_appointment(harness))
    harness.responses["settle_landing"] = lambda request: HoldResult(
        appointment=harness.appointment(id=request.appointment_id, **dict(request.slot)), confirmed=request.confirm
    )


def unlanded_appointment(harness: WorkflowHarness, **changes: Any) -> Appointment:
    return harness.appointment(status=AppointmentStatus.TENTATIVE, landing=LandingState.ACCEPTED, **changes)


async def start_queued(
    harness: WorkflowHarness,
    landing: LandingPolicy = FREQUENT_CHECKS,
    confirmation: Confirmation = Confirmation.STAFF,
    **policy: Any,
) -> BookingHandle:
    return await harness.start_booking(confirmation=confirmation, landing=landing, **policy)


async def signal_event(
    handle: BookingHandle, kind: EventKind, appointment_id: str = "11", landing: LandingState | None = None
) -> None:
    """Send the booking an event about one of its appointments."""
    event = AppointmentEvent(kind=kind, appointment_id=appointment_id, landing=landing)
    await handle.signal(SignalName.SCHEDULE_CHANGED, event)
