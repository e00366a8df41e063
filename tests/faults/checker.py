"""The judge: pure functions over what was left behind, each for one invariant. Nothing here asks anybody."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations

from tests.faults.history import INVOKED, OK, Event
from tests.faults.practice import Block, Change, Visit

UNSURE = ("not_landed", "refused_by_system", "landing_unclear")
"""A person has been asked to see what is in the calendar."""
FINAL = ("completed", "no_show", "cancelled", "declined")
MOST_CALLS = 30
"""To one vendor for one request, on average, with all its repeats: six do where nothing goes wrong."""
MOST_SENDS = 2
"""A message whose outcome stays unknown is sent once more, never a third time."""


@dataclass(frozen=True)
class Booking:
    """One booking as the client shows it after everything settled."""

    request_id: str
    reference: str
    status: str
    reason: str | None = None
    appointment_id: str | None = None
    open: bool = False
    """It waits for a person."""
    queued: bool = False
    """The desk's queue lists it."""
    start_text: str = ""
    """Its time in the words of a text message."""


@dataclass(frozen=True)
class Sent:
    """A message that a provider accepted."""

    at: datetime
    channel: str
    to: str
    kind: str
    key: str
    """Deliveries with one key are one message sent more than once."""
    when: str = ""
    """The time it tells, where it tells one."""
    reference: str | None = None


@dataclass(frozen=True)
class Noted:
    """A message as the ledger remembers it."""

    reference: str
    kind: str
    version: int
    channel: str
    state: str


@dataclass(frozen=True)
class Evidence:
    history: Sequence[Event] = ()
    bookings: Sequence[Booking] = ()
    changes: Sequence[Change] = ()
    visits: Sequence[Visit] = ()
    on_its_way: Sequence[str] = ()
    """References of what the practice system's partner still means to write."""
    untold: Sequence[str] = ()
    """References of what will not reach the calendar, while nobody has told us so."""
    blocks: Sequence[Block] = ()
    sent: Sequence[Sent] = ()
    noted: Sequence[Noted] = ()
    unknown_sends: int = 0
    """Sends whose answer was lost."""
    unsettled: Sequence[str] = ()
    """Request ids that did not come to rest in time."""
    unrepeatable: Sequence[str] = ()
    """Request ids of bookings whose history does not replay: the next worker that takes them over is stuck."""
    leaks: Sequence[str] = ()
    """Where a person was readable."""
    charts: Counter[str] = field(default_factory=Counter)
    """Charts by person."""
    late_charts: int = 0
    """Chart writes carried out after we had looked for them."""
    calls: Mapping[str, int] = field(default_factory=dict)
    """Calls to each vendor, all told."""


@dataclass(frozen=True)
class Violation:
    rule: str
    subject: str
    text: str


def judge(evidence: Evidence) -> list[Violation]:
    found: list[Violation] = []
    for rule in RULES:
        found += rule(evidence)
    return found


def lost(evidence: Evidence) -> Iterator[Violation]:
    """I1: whoever was answered ends confirmed, told no, or open in the queue."""
    known = {booking.request_id: booking for booking in evidence.bookings}
    answered = {event.request_id for event in evidence.history if event.call == "submit" and event.outcome == OK}
    noted = {note.reference for note in evidence.noted if note.state in ("accepted", "uncertain")}
    for request_id in sorted(answered):
        booking = known.get(request_id)
        if booking is None:
            yield Violation("lost", request_id, "was answered, and no booking exists")
        elif booking.open and not booking.queued:
            yield Violation("lost", request_id, f"{booking.status} waits for a person and is not in the queue")
        elif booking.reason == "awaiting_office" and booking.reference in evidence.untold:
            continue  # it is waited for with patience, then a person is asked
        elif booking.status not in ("confirmed", *FINAL) and not booking.open:
            yield Violation("lost", request_id, f"ends {booking.status}, and nobody is asked to act")
        elif booking.status in FINAL and booking.reference not in noted:
            yield Violation("lost", request_id, f"ends {booking.status}, and nobody was told")


def existence(evidence: Evidence) -> Iterator[Violation]:
    """A confirmed or held booking has its appointment, unless the desk took it away."""
    active = _active_by_reference(evidence.visits)
    taken = _taken_by_desk(evidence.changes)
    for booking in evidence.bookings:
        says_so = booking.appointment_id is not None and booking.status in ("held", "needs_staff")
        expected = booking.status == "confirmed" or (says_so and booking.reason != "landing_unclear")
        if expected and not active[booking.reference] and booking.reference not in taken:
            yield Violation("lost", booking.request_id, f"is {booking.status} and has no appointment")


def duplicated(evidence: Evidence) -> Iterator[Violation]:
    """I2: at most one active appointment a request."""
    for reference, visits in _active_by_reference(evidence.visits).items():
        if len(visits) > 1:
            ids = ", ".join(visit.id for visit in visits)
            yield Violation("duplicated", _request(evidence, reference), f"has {len(visits)} appointments: {ids}")


def leftovers(evidence: Evidence) -> Iterator[Violation]:
    """I2: a booking that ended, or that says it has no appointment, left none; what the desk touched is theirs."""
    active = _active_by_reference(evidence.visits)
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
    """I3: nothing of ours lies over anything else, unless the desk put it there later."""
    active = [visit for visit in evidence.visits if visit.active]
    last = _last_placing(evidence.changes)
    for one, other in combinations(active, 2):
        if (one.reference or other.reference) and _clash(one, other):
            later = max((last[v.id] for v in (one, other) if v.id in last), key=lambda found: found[0], default=None)
            if later is not None and later[1].by_us and not later[1].unseen:
                yield Violation("overlap", one.id, f"lies over {other.id}, and we wrote last")
    for visit in active:
        for block in evidence.blocks:
            if visit.reference and visit.id in last and block.operatory in (None, visit.operatory):
                placed = last[visit.id][1]
                over = visit.start < block.end and block.start < visit.end
                if over and placed.by_us and not placed.unseen and placed.at > block.at:
                    yield Violation("overlap", visit.id, "lies over a block that was there before")


def unexpected(evidence: Evidence) -> Iterator[Violation]:
    """I4: each of our writes belongs to a request, and changes only what that request wrote."""
    asked = {booking.reference for booking in evidence.bookings}
    before: dict[str, Visit | None] = {}
    for change in evidence.changes:
        earlier = before.get(change.id)
        before[change.id] = change.visit
        if not change.by_us:
            continue
        owner = change.visit.reference if change.created and change.visit else earlier.reference if earlier else None
        if owner is None or owner not in asked:
            yield Violation("unexpected", change.id, "was written by us, and no request asked for it")


def staff_edits(evidence: Evidence) -> Iterator[Violation]:
    """I8: what the desk set is not set back by us, where we could have seen it."""
    desk: dict[str, Visit] = {}
    for change in evidence.changes:
        if not change.by_us:
            if change.visit is not None:
                desk[change.id] = change.visit
            else:
                desk.pop(change.id, None)
            continue
        theirs = desk.pop(change.id, None) if change.unseen else desk.get(change.id)
        if theirs is None or change.visit is None or change.unseen:
            continue
        if change.visit.place[:4] != theirs.place[:4] or (change.visit.active and not theirs.active):
            yield Violation("overwritten", change.id, "we undid what the desk had set")


def overtaken(evidence: Evidence) -> int:
    """Our writes that met an edit made after our last reading: the vendor offers no conditional write."""
    return sum(1 for change in evidence.changes if change.by_us and change.unseen)


def told_the_truth(evidence: Evidence) -> Iterator[Violation]:
    """I5: "your appointment is" was true when it was said, and the last word fits the end."""
    for message in evidence.sent:
        promised = message.kind == "confirmed" and message.channel == "sms" and message.reference is not None
        if promised and not _was_confirmed(evidence, message):
            yield Violation("untrue", message.key, "told of an appointment that was not confirmed before")
    told: dict[tuple[str, str], Sent] = {}
    for message in sorted(evidence.sent, key=lambda sent: sent.at):
        if message.channel == "sms" and message.reference:
            told[message.reference, message.kind] = message
    for booking in evidence.bookings:
        latest = told.get((booking.reference, "confirmed"))
        if booking.status == "confirmed" and latest is not None and latest.when != booking.start_text:
            yield Violation("untrue", booking.request_id, "was last told another time than it has")
        ended = told.get((booking.reference, "cancelled")) or told.get((booking.reference, "declined"))
        if ended is not None and booking.status not in FINAL:
            yield Violation("untrue", booking.request_id, f"was told no and is {booking.status}")


def duplicate_messages(evidence: Evidence) -> int:
    """Deliveries beyond the first of each message."""
    return sum(count - 1 for count in Counter(message.key for message in evidence.sent).values())


def notices(evidence: Evidence) -> Iterator[Violation]:
    """I6: repeated only where an answer was lost, at most once each; and somebody hears about every outcome."""
    repeated = duplicate_messages(evidence)
    if repeated > evidence.unknown_sends:
        yield Violation("duplicate_message", "all", f"{repeated} repeats, {evidence.unknown_sends} lost answers")
    for key, count in Counter(message.key for message in evidence.sent).items():
        if count > MOST_SENDS:
            yield Violation("duplicate_message", key, f"sent {count} times")
    heard = {(note.reference, note.kind) for note in evidence.noted if note.state in ("accepted", "uncertain")}
    for booking in evidence.bookings:
        kind = booking.status if booking.status in ("confirmed", "held") else None
        if kind is not None and booking.reason != "not_reached" and (booking.reference, kind) not in heard:
            yield Violation("untold", booking.request_id, f"is {booking.status}, and nobody was told")
        if booking.open and (booking.reference, "desk_exception") not in heard:
            yield Violation("untold", booking.request_id, "waits for a person, and the desk was not told")


def charts(evidence: Evidence) -> Iterator[Violation]:
    """One chart a person, however many bookings ask and however often."""
    spare = evidence.late_charts
    for person, count in evidence.charts.items():
        if count > 1 + spare:
            yield Violation("chart", person, f"has {count} charts")


def liveness(evidence: Evidence) -> Iterator[Violation]:
    """I10: with all trouble over, everything comes to rest."""
    for request_id in evidence.unsettled:
        yield Violation("stuck", request_id, "did not come to rest in time")


def replay(evidence: Evidence) -> Iterator[Violation]:
    """I10: whoever takes a booking over comes to where it stands."""
    for request_id in evidence.unrepeatable:
        yield Violation("replay", request_id, "its history does not replay")


def storms(evidence: Evidence) -> Iterator[Violation]:
    """I10: trouble does not make us call without measure."""
    requests = len({event.request_id for event in evidence.history})
    for vendor, count in evidence.calls.items():
        if count > MOST_CALLS * max(requests, 1):
            yield Violation("storm", vendor, f"{count} calls for {requests} requests")


def privacy(evidence: Evidence) -> Iterator[Violation]:
    """I11: nobody is readable where they must not be."""
    for place in evidence.leaks:
        yield Violation("leak", place, "a person is readable here")


def answers_agree(evidence: Evidence) -> Iterator[Violation]:
    """One id is one content: of two bodies under one id exactly one is accepted."""
    taken: dict[str, set[str]] = defaultdict(set)
    for event in evidence.history:
        if event.outcome == OK and event.call in ("submit", "submit_other"):
            taken[event.request_id].add(event.call)
    for request_id, calls in taken.items():
        if len(calls) > 1:
            yield Violation("two_contents", request_id, "two bodies were accepted under one id")


def unanswered(history: Iterable[Event]) -> set[str]:
    """Requests that were sent and never answered: whether they exist is open, and both are right."""
    sent: set[str] = set()
    answered: set[str] = set()
    for event in history:
        (sent if event.outcome == INVOKED else answered).add(event.request_id)
    return sent - answered


RULES = (
    lost,
    existence,
    duplicated,
    leftovers,
    overlaps,
    unexpected,
    staff_edits,
    told_the_truth,
    notices,
    charts,
    liveness,
    replay,
    storms,
    privacy,
    answers_agree,
)


def _active_by_reference(visits: Iterable[Visit]) -> defaultdict[str, list[Visit]]:
    found: defaultdict[str, list[Visit]] = defaultdict(list)
    for visit in visits:
        if visit.active and visit.reference:
            found[visit.reference].append(visit)
    return found


def _taken_by_desk(changes: Iterable[Change]) -> set[str]:
    """References of appointments that the desk deleted or broke."""
    owner: dict[str, str] = {}
    taken: set[str] = set()
    for change in changes:
        if change.visit is not None and change.visit.reference:
            owner[change.id] = change.visit.reference
        removed = change.visit is None or not change.visit.active
        if not change.by_us and removed and change.id in owner:
            taken.add(owner[change.id])
    return taken


def _last_placing(changes: Iterable[Change]) -> dict[str, tuple[int, Change]]:
    """Who last put each appointment where it is, and in which order."""
    last: dict[str, tuple[int, Change]] = {}
    place: dict[str, tuple[object, ...]] = {}
    for number, change in enumerate(changes):
        if change.visit is not None and place.get(change.id) != change.visit.place:
            place[change.id] = change.visit.place
            last[change.id] = number, change
    return last


def _clash(one: Visit, other: Visit) -> bool:
    shared = one.operatory == other.operatory or one.provider == other.provider
    return shared and one.start < other.end and other.start < one.end


def _was_confirmed(evidence: Evidence, message: Sent) -> bool:
    return any(
        change.visit is not None
        and change.visit.reference == message.reference
        and change.visit.confirmed
        and change.at <= message.at
        for change in evidence.changes
    )


def _request(evidence: Evidence, reference: str) -> str:
    return next((b.request_id for b in evidence.bookings if b.reference == reference), reference)
