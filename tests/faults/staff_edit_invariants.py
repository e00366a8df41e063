"""I8: what the desk did in its calendar stays done. We do not reverse it, remove it or write it again."""

from collections.abc import Iterator

from tests.faults.calendar_invariants import (
    emptied_by_desk,
    group_active_by_reference,
    overwritten_details,
    with_state_before,
)
from tests.faults.evidence import Evidence, ObservedBooking, Violation
from tests.faults.history import INVOKED, OK
from tests.faults.practice_probe import Appointment, Change

RESCHEDULING_OPERATIONS = ("reschedule", "resolve:start")
"""After these the appointment at the earlier time goes, whatever the desk did with it."""


def staff_edits_survive(evidence: Evidence) -> Iterator[Violation]:
    """We do not reverse or remove what the desk set, where we could have seen it."""
    bookings = {booking.reference: booking for booking in evidence.bookings}
    edited_by_desk: set[str] = set()
    for before, change in with_state_before(evidence.changes):
        if not change.by_us:
            edited_by_desk.add(change.appointment_id)
            continue
        if change.over_unseen_edit:
            edited_by_desk.discard(change.appointment_id)
            continue
        if before is None or before.reference not in bookings or change.appointment_id not in edited_by_desk:
            continue
        if change.after is None or (before.active and not change.after.active):
            if before.active and not _removal_was_requested(evidence, bookings[before.reference or ""], change):
                yield Violation("overwritten", change.appointment_id, "we removed what the desk had set")
        else:
            for detail in overwritten_details(before, change.after):
                yield Violation("overwritten", change.appointment_id, f"we reversed the {detail} that the desk had set")


def staff_removals_stay_removed(evidence: Evidence) -> Iterator[Violation]:
    """What the desk removed does not return under a new id, unless a person decided so or an answer was lost."""
    bookings = {booking.reference: booking for booking in evidence.bookings}
    removals: dict[str, tuple[Change, Appointment]] = {}
    """By reference: the desk's last removal, and the appointment before it."""
    for before, change in with_state_before(evidence.changes):
        if not change.by_us and before is not None and before.active and before.reference:
            if change.after is None or not change.after.active:
                removals[before.reference] = change, before
        elif change.by_us and change.created and change.after is not None:
            reference = change.after.reference or ""
            if reference not in removals or removals[reference][0].at >= (change.called_at or change.at):
                continue
            removal, removed = removals[reference]
            unclear = not _is_visible(evidence, removal, change) and (
                reference in evidence.unanswered_write_references or _during_disruption(evidence, removal)
            )
            if removed.slot == change.after.slot and not unclear:
                booking = bookings.get(reference)
                if booking is None or not _decided_between(evidence, booking, removal, change):
                    yield Violation("overwritten", change.appointment_id, "we wrote again what the desk had removed")


def kept_appointments_stay(evidence: Evidence) -> Iterator[Violation]:
    """An appointment that the desk decided to keep, although it declined the request, is still there."""
    active = group_active_by_reference(evidence.appointments)
    emptied = emptied_by_desk(evidence.changes)
    kept = {
        entry.request_id
        for entry in evidence.history
        if (entry.operation, entry.outcome, entry.detail) == ("resolve:approve", OK, "declined")
    }
    for booking in evidence.bookings:
        if booking.request_id in kept and not active[booking.reference] and booking.reference not in emptied:
            yield Violation("overwritten", booking.request_id, "the desk decided to keep it, and it is gone")


def count_overwritten_unseen_edits(evidence: Evidence) -> int:
    """Our writes over an edit that came after our last read. The vendor offers no conditional write."""
    return sum(1 for change in evidence.changes if change.by_us and change.over_unseen_edit)


def _is_visible(evidence: Evidence, removal: Change, write: Change) -> bool:
    """Whether our last read before the write could show it. A broken appointment stays in the calendar."""
    return removal.after is not None and removal.at < write.readable_before - evidence.max_read_lag


def _during_disruption(evidence: Evidence, change: Change) -> bool:
    """Whether a worker died or was suspended at that time. It then finds its own write only by searching."""
    return any(begin <= change.at <= end for begin, end in evidence.disruptions)


def _removal_was_requested(evidence: Evidence, booking: ObservedBooking, removal: Change) -> bool:
    """The booking ended without a visit, or a person chose another time."""
    return booking.status in ("cancelled", "declined") or any(
        entry.request_id == booking.request_id
        and entry.operation in RESCHEDULING_OPERATIONS
        and entry.at <= removal.at.timestamp()
        for entry in evidence.history
    )


def _decided_between(evidence: Evidence, booking: ObservedBooking, removal: Change, write: Change) -> bool:
    """Whether a person decided after the desk's removal and before our write."""
    return any(
        entry.request_id == booking.request_id
        and entry.outcome == INVOKED
        and (entry.operation == "reschedule" or entry.operation.startswith("resolve:"))
        and removal.at.timestamp() <= entry.at <= write.at.timestamp()
        for entry in evidence.history
    )
