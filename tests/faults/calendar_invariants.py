"""Invariants of the calendar: each request has one appointment, as it was asked for, in a slot that was free."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations

from tests.faults.evidence import Evidence, ObservedBooking, Violation
from tests.faults.practice_probe import Appointment, Block, Change

UNCLEAR_REASONS = ("not_landed", "refused_by_system", "not_authorized", "landing_unclear")
"""Reasons of exceptions that ask the desk to look into the calendar."""
FINAL_STATUSES = ("completed", "no_show", "cancelled", "declined")


def booked_appointments_exist(evidence: Evidence) -> Iterator[Violation]:
    """I1: a held or confirmed booking has its appointment, unless the desk removed it, or the request's last one."""
    active = group_active_by_reference(evidence.appointments)
    removed = _removed_by_desk(evidence.changes)
    emptied = emptied_by_desk(evidence.changes)
    ever_landed = {change.after.reference for change in evidence.changes if change.after is not None}
    for booking in evidence.bookings:
        claims_appointment = booking.appointment_id is not None and booking.status in ("held", "needs_staff")
        unclear = booking.reason in UNCLEAR_REASONS and (
            booking.reason == "landing_unclear" or booking.reference not in ever_landed
        )
        expected = booking.status == "confirmed" or (claims_appointment and not unclear)
        excused = booking.appointment_id in removed or booking.reference in emptied
        if expected and not active[booking.reference] and not excused:
            yield Violation("lost", booking.request_id, f"is {booking.status} and has no appointment")


def one_appointment_per_request(evidence: Evidence) -> Iterator[Violation]:
    """I2: a request has at most one active appointment."""
    for reference, appointments in group_active_by_reference(evidence.appointments).items():
        if len(appointments) > 1:
            request_id = _request_id_of(evidence, reference)
            ids = ", ".join(appointment.id for appointment in appointments)
            yield Violation("duplicated", request_id, f"has {len(appointments)} appointments: {ids}")


def no_leftovers(evidence: Evidence) -> Iterator[Violation]:
    """I2: a booking that ended, or that says it has no appointment, left none. What the desk edited is the desk's."""
    active = group_active_by_reference(evidence.appointments)
    edited_by_desk = {change.appointment_id for change in evidence.changes if not change.by_us}
    for booking in evidence.bookings:
        if not _must_have_nothing(booking):
            continue
        if booking.reference in evidence.in_flight_references:
            yield Violation(
                "leftover", booking.request_id, f"is {booking.status}, and a write is still in flight to the office"
            )
        for appointment in active[booking.reference]:
            if appointment.id not in edited_by_desk:
                text = f"is {booking.status}, and appointment {appointment.id} remains"
                yield Violation("leftover", booking.request_id, text)


def _must_have_nothing(booking: ObservedBooking) -> bool:
    without_appointment = booking.status == "needs_staff" and booking.appointment_id is None
    return (booking.status in FINAL_STATUSES or without_appointment) and booking.reason not in UNCLEAR_REASONS


def no_overlaps_by_us(evidence: Evidence) -> Iterator[Violation]:
    """I3: we wrote or confirmed nothing over what was there before. What the desk books later is the desk's choice."""
    active = [appointment for appointment in evidence.appointments if appointment.active]
    placements = _last_placements(evidence.changes)
    for appointment, other in permutations(active, 2):
        if appointment.reference and appointment.id in placements and _overlap(appointment, other):
            others_change = placements[other.id].placed if other.id in placements else None
            if placements[appointment.id].came_after(others_change):
                yield Violation("overlap", appointment.id, f"overlaps {other.id}, and we acted last")
    for appointment in active:
        for block in evidence.blocks:
            blocked = appointment.reference and appointment.id in placements and _is_blocked(appointment, block)
            if blocked and placements[appointment.id].came_after(block):
                yield Violation("overlap", appointment.id, "overlaps an earlier block")


def only_requested_writes(evidence: Evidence) -> Iterator[Violation]:
    """I4: each of our writes belongs to a request, writes what the request asked for, and changes nothing else.

    Updates of what the desk edited are checked by ``staff_edit_invariants``.
    """
    request_ids = {booking.reference: booking.request_id for booking in evidence.bookings}
    edited_by_desk: set[str] = set()
    for before, change in with_state_before(evidence.changes):
        if not change.by_us:
            edited_by_desk.add(change.appointment_id)
            continue
        appointment = change.after if change.created else before
        request_id = request_ids.get(appointment.reference or "") if appointment is not None else None
        if request_id is None:
            yield Violation("unexpected", change.appointment_id, "was written by us, and no request asked for it")
        elif change.created and change.after is not None:
            for detail in _unrequested_details(evidence, request_id, change.after):
                text = f"was written with a {detail} that nobody asked for"
                yield Violation("unexpected", change.appointment_id, text)
        elif before is not None and change.after is not None and change.appointment_id not in edited_by_desk:
            for detail in overwritten_details(_state_at_call(evidence, change, before), change.after):
                text = f"we changed its {detail}, which nobody asked for"
                yield Violation("unexpected", change.appointment_id, text)


def _state_at_call(evidence: Evidence, change: Change, before: Appointment) -> Appointment:
    """The appointment that a late update was meant for. Other invariants check what it left behind."""
    called_at = change.called_at or change.at
    earlier = [c.after for c in evidence.changes if c.appointment_id == change.appointment_id and c.at < called_at]
    return earlier[-1] or before if change.over_unseen_edit and earlier else before


def _unrequested_details(evidence: Evidence, request_id: str, written: Appointment) -> Iterator[str]:
    intent = evidence.intents.get(request_id)
    if intent is None:
        return
    if written.start not in intent.starts:
        yield "time"
    if written.patient not in intent.chart_ids:
        yield "chart"
    if intent.note not in written.note:
        yield "note"
    if written.marked_confirmed:
        yield "status"


def overwritten_details(before: Appointment, after: Appointment) -> Iterator[str]:
    """What our update overwrote. To confirm or to cancel is the purpose of our updates, so these do not count."""
    if after.slot != before.slot:
        yield "slot"
    if after.patient != before.patient:
        yield "patient"
    if before.note not in after.note:
        yield "note"
    reactivated = after.active and not before.active
    if reactivated or (before.marked_confirmed and after.active and not after.marked_confirmed):
        yield "status"


def with_state_before(changes: Iterable[Change]) -> Iterator[tuple[Appointment | None, Change]]:
    """Each change with its appointment as it was before."""
    current: dict[str, Appointment | None] = {}
    for change in changes:
        yield current.get(change.appointment_id), change
        current[change.appointment_id] = change.after


def group_active_by_reference(appointments: Iterable[Appointment]) -> defaultdict[str, list[Appointment]]:
    groups: defaultdict[str, list[Appointment]] = defaultdict(list)
    for appointment in appointments:
        if appointment.active and appointment.reference:
            groups[appointment.reference].append(appointment)
    return groups


def _request_id_of(evidence: Evidence, reference: str) -> str:
    return next((b.request_id for b in evidence.bookings if b.reference == reference), reference)


def _removed_by_desk(changes: Iterable[Change]) -> set[str]:
    """Ids of appointments that the desk deleted or broke, and that nobody restored."""
    removed: set[str] = set()
    for change in changes:
        if change.after is not None and change.after.active:
            removed.discard(change.appointment_id)
        elif not change.by_us:
            removed.add(change.appointment_id)
    return removed


def emptied_by_desk(changes: Iterable[Change]) -> set[str]:
    """References whose last active appointment the desk removed."""
    active: defaultdict[str, set[str]] = defaultdict(set)
    emptied: set[str] = set()
    for before, change in with_state_before(changes):
        appointment = change.after or before
        reference = appointment.reference if appointment is not None else None
        if reference is None:
            continue
        if change.after is not None and change.after.active:
            active[reference].add(change.appointment_id)
            emptied.discard(reference)
        elif change.appointment_id in active[reference]:
            active[reference].discard(change.appointment_id)
            if not active[reference] and not change.by_us:
                emptied.add(reference)
    return emptied


@dataclass(frozen=True)
class _Placement:
    """The last change that put an appointment into its slot, and the one that confirmed it there."""

    placed: Change
    confirmed: Change | None = None

    def came_after(self, other: Change | Block | None) -> bool:
        """Whether we placed or confirmed this appointment although ``other`` was there. ``None`` was always there.

        We read back what we write, so a placement must see everything before it. We only read before we confirm, so
        a confirmation must see what was there at that read. If the desk placed the appointment, the desk has decided.
        """
        if not self.placed.by_us or self.placed.over_unseen_edit:
            return False
        if other is None:
            return True
        other_at = other.created_at if isinstance(other, Block) else other.at
        if other_at < self.placed.at:
            return True
        confirmed = self.confirmed
        if confirmed is None or not confirmed.by_us or confirmed.over_unseen_edit:
            return False
        return other_at < confirmed.readable_before


def _last_placements(changes: Iterable[Change]) -> dict[str, _Placement]:
    """By appointment id."""
    placements: dict[str, _Placement] = {}
    for before, change in with_state_before(changes):
        if change.after is None:
            placements.pop(change.appointment_id, None)
        elif before is None or (before.slot, before.active) != (change.after.slot, change.after.active):
            placements[change.appointment_id] = _Placement(change)
        elif change.after.marked_confirmed and not before.marked_confirmed:
            placed = placements[change.appointment_id].placed
            placements[change.appointment_id] = _Placement(placed, change)
    return placements


def _overlap(one: Appointment, other: Appointment) -> bool:
    shared = one.operatory == other.operatory or one.providers & other.providers
    return bool(shared) and one.start < other.end and other.start < one.end


def _is_blocked(appointment: Appointment, block: Block) -> bool:
    whole_office = block.operatory is None and block.provider is None
    shared = whole_office or block.operatory == appointment.operatory or block.provider in appointment.providers
    return shared and appointment.start < block.end and block.start < appointment.end
