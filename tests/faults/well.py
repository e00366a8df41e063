"""One booking that went well, and what it is put together from: the judge has nothing to say about it."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.faults.facts import Asked, Booking, Evidence, Noted, Sent
from tests.faults.history import INVOKED, OK, Event
from tests.faults.practice import Change, Visit

REF, OTHER = "bk_" + "a" * 26, "bk_" + "b" * 26
NINE = datetime(2026, 12, 1, 9, tzinfo=UTC)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TOLD = "Tue Dec 1, 9:00 AM"


def at(second: float) -> datetime:
    return NOW + timedelta(seconds=second)


def visit(row: str = "1", reference: str | None = REF, start: datetime = NINE, **more: object) -> Visit:
    plain = Visit(row, start, start + timedelta(minutes=30), "p1", "o1", True, True, patient="c1", final=True)
    return replace(plain, reference=reference, **more)  # type: ignore[arg-type]


def wrote(second: float, seen: Visit | None, row: str = "1", by_us: bool = True, **more: bool) -> Change:
    asked_at = at(second) if by_us else None
    return Change(at(second), row, by_us, seen, asked_at=asked_at, **more)


def held(seen: Visit) -> Visit:
    return replace(seen, confirmed=False, final=False)


SUBMITTED = [Event(0, "r1", "submit", INVOKED), Event(1, "r1", "submit", OK, "received")]
BOOKED = Booking("r1", REF, "confirmed", appointment_id="1", start_text=TOLD)
ASKED = Asked(frozenset({NINE}), frozenset({"c1"}), addresses={"sms": "+15105550110", "email": "lark@example.com"})
TEXT = Sent(at(5), "sms", "+15105550110", "confirmed", "k1", when=TOLD, reference=REF)
MAIL = Sent(at(5), "email", "lark@example.com", "confirmed", "k2", reference=REF)
CONFIRMED = Noted(REF, "confirmed", 1, "sms", "accepted")
GOOD = Evidence(
    history=SUBMITTED,
    bookings=[BOOKED],
    changes=[wrote(1, held(visit()), created=True), wrote(2, visit())],
    visits=[visit()],
    asked={"r1": ASKED},
    sent=[TEXT, MAIL],
    noted=[CONFIRMED, replace(CONFIRMED, channel="email")],
    charts=Counter({"Canary": 1}),
)
DESK_NOTE = Noted(REF, "desk_exception", 1, "email", "accepted")


def ends(status: str, **more: object) -> dict[str, object]:
    """It has ended so, its appointment is gone, and the patient was told on both channels."""
    told = [replace(note, kind=status) for note in GOOD.noted]
    sent = [replace(message, at=at(9), kind=status, key=f"{message.key}-{status}", when="") for message in GOOD.sent]
    gone = wrote(8, None)
    plain = {
        "bookings": [replace(BOOKED, status=status, reason="withdrawn", appointment_id=None)],
        "changes": [*GOOD.changes, gone],
        "visits": [],
        "sent": [*GOOD.sent, *sent],
        "noted": [*GOOD.noted, *told],
    }
    return plain | more
