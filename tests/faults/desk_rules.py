"""I8: what the front desk did in its own calendar is neither undone, nor removed, nor written again."""

from collections.abc import Iterator

from tests.faults.calendar_rules import active_by_reference, emptied_by_desk, undone, with_before
from tests.faults.facts import Booking, Evidence, Violation
from tests.faults.history import INVOKED, OK
from tests.faults.practice import Change, Visit

NEW_TIME = ("reschedule", "resolve:start")
"""After these what stood at the earlier time goes, whatever the desk has done with it."""


def staff_edits(evidence: Evidence) -> Iterator[Violation]:
    """What the desk set is not set back or taken away by us, where we could have seen it."""
    bookings = {booking.reference: booking for booking in evidence.bookings}
    by_desk: set[str] = set()
    for before, change in with_before(evidence.changes):
        if not change.by_us:
            by_desk.add(change.id)
            continue
        if before is None or before.reference not in bookings or change.id not in by_desk or change.unseen:
            if change.unseen:
                by_desk.discard(change.id)
            continue
        if change.visit is None or (before.active and not change.visit.active):
            if before.active and not _is_to_go(evidence, bookings[before.reference or ""], change):
                yield Violation("overwritten", change.id, "we removed what the desk had set")
        else:
            for what in undone(before, change.visit):
                yield Violation("overwritten", change.id, f"we undid the {what} that the desk had set")


def written_again(evidence: Evidence) -> Iterator[Violation]:
    """What the desk removed does not come back under a new id, unless a person wanted it, or an answer was lost."""
    bookings = {booking.reference: booking for booking in evidence.bookings}
    removed: dict[str, tuple[Change, Visit]] = {}
    """By reference: the desk's last removal, and what it removed."""
    for before, change in with_before(evidence.changes):
        if not change.by_us and before is not None and before.active and before.reference:
            if change.visit is None or not change.visit.active:
                removed[before.reference] = change, before
        elif change.by_us and change.created and change.visit is not None:
            reference = change.visit.reference or ""
            if reference not in removed or removed[reference][0].at >= (change.asked_at or change.at):
                continue
            gone, visit = removed[reference]
            unclear = reference in evidence.lost_writes or in_doubt(evidence, gone)
            if visit.place[:4] == change.visit.place[:4] and not unclear:
                booking = bookings.get(reference)
                if booking is None or not _decided_between(evidence, booking, gone, change):
                    yield Violation("overwritten", change.id, "we wrote again what the desk had removed")


def stays(evidence: Evidence) -> Iterator[Violation]:
    """What the desk said stays, though it has declined the request, is still there."""
    active = active_by_reference(evidence.visits)
    emptied = emptied_by_desk(evidence.changes)
    kept = {
        event.request_id
        for event in evidence.history
        if (event.call, event.outcome, event.detail) == ("resolve:approve", OK, "declined")
    }
    for booking in evidence.bookings:
        if booking.request_id in kept and not active[booking.reference] and booking.reference not in emptied:
            yield Violation("overwritten", booking.request_id, "the desk said that it stays, and it is gone")


def overtaken(evidence: Evidence) -> int:
    """Our writes that met an edit made after our last reading: the vendor offers no conditional write."""
    return sum(1 for change in evidence.changes if change.by_us and change.unseen)


def in_doubt(evidence: Evidence, change: Change) -> bool:
    """Whether a worker died or slept about then: its own write is then found again by looking only."""
    return any(begin <= change.at <= end for begin, end in evidence.windows)


def _is_to_go(evidence: Evidence, booking: Booking, change: Change) -> bool:
    """The visit is called off, or a person has chosen another time."""
    return booking.status in ("cancelled", "declined") or any(
        event.request_id == booking.request_id and event.call in NEW_TIME and event.at <= change.at.timestamp()
        for event in evidence.history
    )


def _decided_between(evidence: Evidence, booking: Booking, gone: Change, written: Change) -> bool:
    """A person decided after the desk had removed it."""
    return any(
        event.request_id == booking.request_id
        and event.outcome == INVOKED
        and (event.call == "reschedule" or event.call.startswith("resolve:"))
        and gone.at.timestamp() <= event.at <= written.at.timestamp()
        for event in evidence.history
    )
