"""What must hold of the calendar: each request's appointment is there once, alone, as it was asked for."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations

from tests.faults.facts import Evidence, Violation
from tests.faults.practice import Block, Change, Visit

UNSURE = ("not_landed", "refused_by_system", "landing_unclear")
"""A person has been asked to see what is in the calendar."""
FINAL = ("completed", "no_show", "cancelled", "declined")


def existence(evidence: Evidence) -> Iterator[Violation]:
    """A confirmed or held booking has its appointment, unless the desk took that very one away, or the last one."""
    active = active_by_reference(evidence.visits)
    taken = _removed_by_desk(evidence.changes)
    emptied = emptied_by_desk(evidence.changes)
    stood = {change.visit.reference for change in evidence.changes if change.visit is not None}
    for booking in evidence.bookings:
        says_so = booking.appointment_id is not None and booking.status in ("held", "needs_staff")
        unsure = booking.reason in UNSURE and (booking.reason == "landing_unclear" or booking.reference not in stood)
        expected = booking.status == "confirmed" or (says_so and not unsure)
        excused = booking.appointment_id in taken or booking.reference in emptied
        if expected and not active[booking.reference] and not excused:
            yield Violation("lost", booking.request_id, f"is {booking.status} and has no appointment")


def duplicated(evidence: Evidence) -> Iterator[Violation]:
    """I2: at most one active appointment a request."""
    for reference, visits in active_by_reference(evidence.visits).items():
        if len(visits) > 1:
            ids = ", ".join(visit.id for visit in visits)
            yield Violation("duplicated", request_of(evidence, reference), f"has {len(visits)} appointments: {ids}")


def leftovers(evidence: Evidence) -> Iterator[Violation]:
    """I2: a booking that ended, or that says it has no appointment, left none; what the desk touched is theirs."""
    active = active_by_reference(evidence.visits)
    touched = {change.id for change in evidence.changes if not change.by_us}
    for booking in evidence.bookings:
        gone = booking.status in FINAL or (booking.status == "needs_staff" and booking.appointment_id is None)
        unsure = booking.reason in UNSURE
        if gone and not unsure and booking.reference in evidence.on_its_way:
            yield Violation(
                "leftover", booking.request_id, f"is {booking.status}, and is still on its way to the office"
            )
        for visit in active[booking.reference]:
            if gone and not unsure and visit.id not in touched:
                yield Violation("leftover", booking.request_id, f"is {booking.status}, appointment {visit.id} remains")


def overlaps(evidence: Evidence) -> Iterator[Violation]:
    """I3: nothing of ours was written or confirmed over what was there before; what the desk adds is theirs."""
    active = [visit for visit in evidence.visits if visit.active]
    acts = _acts(evidence.changes)
    for one, other in permutations(active, 2):
        if one.reference and one.id in acts and _clash(one, other):
            theirs = acts[other.id].placed if other.id in acts else None
            if acts[one.id].are_over(theirs):
                yield Violation("overlap", one.id, f"lies over {other.id}, and we acted last")
    for visit in active:
        for block in evidence.blocks:
            if visit.reference and visit.id in acts and _blocked(visit, block) and acts[visit.id].are_over(block):
                yield Violation("overlap", visit.id, "lies over a block that was there before")


def unexpected(evidence: Evidence) -> Iterator[Violation]:
    """I4: each of our writes belongs to a request, writes what that wanted, and changes nothing beside."""
    requests = {booking.reference: booking.request_id for booking in evidence.bookings}
    by_desk: set[str] = set()
    """What becomes of what the desk has touched is judged with the desk's edits."""
    for before, change in with_before(evidence.changes):
        if not change.by_us:
            by_desk.add(change.id)
            continue
        visit = change.visit if change.created else before
        request_id = requests.get(visit.reference or "") if visit is not None else None
        if request_id is None:
            yield Violation("unexpected", change.id, "was written by us, and no request asked for it")
        elif change.created and change.visit is not None:
            for what in _not_asked_for(evidence, request_id, change.visit):
                yield Violation("unexpected", change.id, f"was written with {what} that nobody asked for")
        elif before is not None and change.visit is not None and change.id not in by_desk:
            for what in undone(_when_asked(evidence, change, before), change.visit):
                yield Violation("unexpected", change.id, f"we changed its {what}, which nobody asked for")


def _when_asked(evidence: Evidence, change: Change, before: Visit) -> Visit:
    """The row to which a change that was carried out late was meant; what stands in the end is judged by itself."""
    earlier = [c.visit for c in evidence.changes if c.id == change.id and c.at < (change.asked_at or change.at)]
    return earlier[-1] or before if change.unseen and earlier else before


def _not_asked_for(evidence: Evidence, request_id: str, visit: Visit) -> Iterator[str]:
    asked = evidence.asked.get(request_id)
    if asked is None:
        return
    if visit.start not in asked.starts:
        yield "a time"
    if visit.patient not in asked.charts:
        yield "a chart"
    if asked.words not in visit.words:
        yield "a note"
    if visit.final:
        yield "a status"


def undone(before: Visit, now: Visit) -> Iterator[str]:
    """What our change took from a row. That it is confirmed or called off is what our changes are for."""
    if now.place[:4] != before.place[:4]:
        yield "place"
    if now.patient != before.patient:
        yield "patient"
    if before.words not in now.words:
        yield "note"
    if (now.active and not before.active) or (before.final and now.active and not now.final):
        yield "status"


def with_before(changes: Iterable[Change]) -> Iterator[tuple[Visit | None, Change]]:
    rows: dict[str, Visit | None] = {}
    for change in changes:
        yield rows.get(change.id), change
        rows[change.id] = change.visit


def active_by_reference(visits: Iterable[Visit]) -> defaultdict[str, list[Visit]]:
    found: defaultdict[str, list[Visit]] = defaultdict(list)
    for visit in visits:
        if visit.active and visit.reference:
            found[visit.reference].append(visit)
    return found


def request_of(evidence: Evidence, reference: str) -> str:
    return next((b.request_id for b in evidence.bookings if b.reference == reference), reference)


def _removed_by_desk(changes: Iterable[Change]) -> set[str]:
    """Ids of what the desk deleted or broke, and nobody brought back."""
    taken: set[str] = set()
    for change in changes:
        if change.visit is not None and change.visit.active:
            taken.discard(change.id)
        elif not change.by_us:
            taken.add(change.id)
    return taken


def emptied_by_desk(changes: Iterable[Change]) -> set[str]:
    """References whose last active appointment the desk took away."""
    active: defaultdict[str, set[str]] = defaultdict(set)
    emptied: set[str] = set()
    for before, change in with_before(changes):
        visit = change.visit or before
        reference = visit.reference if visit is not None else None
        if reference is None:
            continue
        if change.visit is not None and change.visit.active:
            active[reference].add(change.id)
            emptied.discard(reference)
        elif change.id in active[reference]:
            active[reference].discard(change.id)
            if not active[reference] and not change.by_us:
                emptied.add(reference)
    return emptied


@dataclass(frozen=True)
class _Acts:
    """Who last put an appointment where it is, and who confirmed it there."""

    placed: Change
    confirmed: Change | None = None

    def are_over(self, other: Change | Block | None) -> bool:
        """Whether we did it, and the other was there. What we write we read back; what we confirm we only read before.

        Where the desk has put it, the desk has judged.
        """
        if not self.placed.by_us or self.placed.unseen:
            return False
        if other is None or other.at < self.placed.at:
            return True
        ours = self.confirmed is not None and self.confirmed.by_us and not self.confirmed.unseen
        return ours and self.confirmed is not None and other.at < self.confirmed.known_at


def _acts(changes: Iterable[Change]) -> dict[str, _Acts]:
    acts: dict[str, _Acts] = {}
    for before, change in with_before(changes):
        if change.visit is None:
            acts.pop(change.id, None)
        elif before is None or before.place != change.visit.place:
            acts[change.id] = _Acts(change)
        elif change.visit.final and not before.final:
            acts[change.id] = _Acts(acts[change.id].placed, change)
    return acts


def _clash(one: Visit, other: Visit) -> bool:
    shared = one.operatory == other.operatory or one.providers & other.providers
    return bool(shared) and one.start < other.end and other.start < one.end


def _blocked(visit: Visit, block: Block) -> bool:
    everybody = block.operatory is None and block.provider is None
    closed = everybody or block.operatory == visit.operatory or block.provider in visit.providers
    return closed and visit.start < block.end and block.start < visit.end
