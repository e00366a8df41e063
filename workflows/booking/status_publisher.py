"""How a booking appears in Temporal's lists and in the front desk's queue."""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.booking import Reason, Status
    from domain.wording import reason_sentence
    from workflows.booking.phases import Phase
    from workflows.booking.state.booking_state import BookingState
    from workflows.shared.search_attributes import APPOINTMENT_START, BOOKING_STATUS, EXCEPTION_REASON


class StatusPublisher:
    def __init__(self, state: BookingState) -> None:
        self._state = state
        self._published: tuple[Status, Reason | None, datetime] | None = None

    def enter_phase(self, phase: Phase) -> None:
        """Go to the next phase, and show it in Temporal's UI. Raises ImpossibleTransition."""
        self._state.lifecycle.enter(phase)
        self._show_details()

    def change_status(self, status: Status, reason: Reason | None = None) -> None:
        """Change the booking's status, and publish it as search attributes if they changed."""
        state = self._state
        state.lifecycle.set_status(status, reason, workflow.now())
        exception, start = state.exception.reason, state.reservation.start
        if (status, exception, start) == self._published:
            return
        self._published = (status, exception, start)
        workflow.upsert_search_attributes(
            [
                BOOKING_STATUS.value_set(status),
                EXCEPTION_REASON.value_set(exception) if exception else EXCEPTION_REASON.value_unset(),
                APPOINTMENT_START.value_set(start),
            ]
        )
        self._show_details()

    def _show_details(self) -> None:
        """The line that Temporal's UI shows above the history."""
        lifecycle = self._state.lifecycle
        standing = f"{lifecycle.status}: {reason_sentence(lifecycle.reason)}" if lifecycle.reason else lifecycle.status
        workflow.set_current_details(f"{standing} (phase: {lifecycle.phase})")
