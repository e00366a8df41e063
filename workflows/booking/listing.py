"""How a booking stands in the lists of Temporal and of the front desk."""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.booking import Reason, Status
    from domain.messages import plain_reason
    from workflows.booking.state import BookingState
    from workflows.shared.search_attributes import APPOINTMENT_START, BOOKING_STATUS, EXCEPTION_REASON


class Listing:
    def __init__(self, state: BookingState) -> None:
        self._state = state
        self._published: tuple[Status, Reason | None, datetime] | None = None

    def become(self, status: Status, reason: Reason | None = None) -> None:
        """Take a status, and publish it where bookings are listed."""
        state = self._state
        state.status, state.reason, state.updated_at = status, reason, workflow.now()
        exception = state.need.reason if state.need is not None else None
        published = (status, exception, state.start)
        if published == self._published:
            return
        self._published = published
        workflow.upsert_search_attributes(
            [
                BOOKING_STATUS.value_set(status),
                EXCEPTION_REASON.value_set(exception) if exception else EXCEPTION_REASON.value_unset(),
                APPOINTMENT_START.value_set(state.start),
            ]
        )
        workflow.set_current_details(f"{status}: {plain_reason(reason)}" if reason else status.value)
