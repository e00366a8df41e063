"""The status of a booking and who has heard of it."""

from dataclasses import dataclass
from datetime import datetime

from domain.booking import Reason, Status
from workflows.booking.phases import Phase, check_transition


@dataclass
class Lifecycle:
    patient_acted_at: datetime
    """When the patient last did something, and so waits for an answer."""
    updated_at: datetime
    phase: Phase | None = None
    status: Status = Status.RECEIVED
    reason: Reason | None = None
    message_version: int = 1
    """Rises when the agreed time changes or is not held any more, so that the patient is told again."""
    is_cancelled: bool = False
    """The patient cancelled the request or the visit."""
    must_compensate: bool = False
    """The booking ends without a visit: everything it wrote must be released."""
    has_answered_final: bool = False
    """Somebody who waited for the decision has heard how the booking ended."""

    @property
    def is_confirmed_or_final(self) -> bool:
        return self.status is Status.CONFIRMED or self.status.is_final

    def enter(self, phase: Phase) -> None:
        """Raises ImpossibleTransition."""
        check_transition(self.phase, phase)
        self.phase = phase

    def set_status(self, status: Status, reason: Reason | None, now: datetime) -> None:
        self.status, self.reason, self.updated_at = status, reason, now

    def record_patient_action(self, now: datetime) -> None:
        self.patient_acted_at = now

    def cancel(self) -> None:
        self.is_cancelled = True

    def require_compensation(self) -> None:
        self.must_compensate = True

    def record_final_answer(self) -> None:
        self.has_answered_final = True

    def start_message_version(self) -> None:
        self.message_version += 1
