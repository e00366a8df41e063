"""The exception that is open at the front desk, and what the desk has decided so far."""

from dataclasses import dataclass
from datetime import datetime

from domain.booking import Reason, ResolutionRecord
from domain.slot import Slot
from workflows.booking.contracts import Resolution, ResolutionKind
from workflows.shared.outcomes import NeedsStaff

NEEDS_APPROVAL = frozenset({Reason.APPROVAL, Reason.SPECIAL_REQUEST})


@dataclass
class DeskException:
    problem: NeedsStaff | None = None
    """The open exception."""
    number: int = 0
    """How many exceptions this booking has opened: the number of the latest one."""
    resolution: Resolution | None = None
    """The desk's answer, not applied yet."""
    last_resolution: ResolutionRecord | None = None
    """The latest answer that was accepted, and who gave it."""
    discarded_resolution: Resolution | None = None
    """The latest answer that was not applied, because another exception was open by then."""
    next_action_at: datetime | None = None
    """When we act next if nobody answers: the exception is escalated, or the hold expires."""
    opened_at: datetime | None = None
    alternatives: tuple[Slot, ...] = ()
    alternatives_as_of: datetime | None = None
    """When the calendar was read for the alternatives."""
    decline: Resolution | None = None
    """The desk's answer that declined the booking."""
    approval_was_asked: bool = False
    """The desk has had in front of it what must be approved: the patient's note, or the visit itself."""
    is_approved: bool = False
    is_limit_waived: bool = False
    """The desk wants this visit although the patient or the contact has others."""
    staff_override: bool = False
    """A person of the practice decided last, so rules such as minimum notice do not decline the time."""

    @property
    def is_open(self) -> bool:
        return self.problem is not None

    @property
    def reason(self) -> Reason | None:
        return self.problem.reason if self.problem is not None else None

    @property
    def is_declined(self) -> bool:
        """The desk has said no to the request, whatever else is asked by the time that is carried out."""
        return self.resolution is not None and self.resolution.kind is ResolutionKind.DECLINE

    def open(self, problem: NeedsStaff, now: datetime) -> None:
        if not self.is_declined:
            self._discard_resolution()  # an answer to the exception before this one says nothing about this one
        self.problem, self.opened_at = problem, now
        self.number += 1
        self.approval_was_asked |= problem.reason in NEEDS_APPROVAL

    def answer(self, resolution: Resolution, now: datetime, *, is_plain: bool = False) -> None:
        """``is_plain``: it came without encryption."""
        self.resolution = resolution
        self.last_resolution = ResolutionRecord(kind=resolution.kind, by=resolution.by, at=now, is_plain=is_plain)

    def take_resolution(self) -> Resolution:
        """The answer, which is applied now."""
        assert self.resolution is not None
        resolution, self.resolution = self.resolution, None
        return resolution

    def close(self) -> None:
        self._discard_resolution()
        self.problem = self.next_action_at = self.opened_at = None

    def plan_next_action(self, at: datetime) -> None:
        self.next_action_at = at

    def offer(self, alternatives: tuple[Slot, ...], now: datetime) -> None:
        self.alternatives, self.alternatives_as_of = alternatives, now

    def record_decline(self, resolution: Resolution) -> None:
        self.decline = resolution

    def override_rules(self, is_override: bool) -> None:
        self.staff_override = is_override

    def waive_limit(self) -> None:
        self.is_limit_waived = True

    def approve(self) -> None:
        self.is_approved = True

    def revoke_approval(self) -> None:
        self.is_approved = False

    def _discard_resolution(self) -> None:
        self.discarded_resolution = self.resolution or self.discarded_resolution
        self.resolution = None
