"""Sample evidence of one booking without any violation, and the pieces to change it with in tests."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.faults.evidence import Delivery, Evidence, LedgerMessage, ObservedBooking, RequestIntent
from tests.faults.history import INVOKED, OK, HistoryEntry
from tests.faults.practice_probe import Appointment, Change

REFERENCE, OTHER_REFERENCE = "bk_" + "a" * 26, "bk_" + "b" * 26
NINE = datetime(2026, 12, 1, 9, tzinfo=UTC)
"""When the appointment starts."""
RUN_START = datetime(2026, 11, 24, 12, tzinfo=UTC)
NINE_TEXT = "Tue Dec 1, 9:00 AM"


def at(second: float) -> datetime:
    return RUN_START + timedelta(seconds=second)


def appointment(
    row_id: str = "1", reference: str | None = REFERENCE, start: datetime = NINE, **fields: object
) -> Appointment:
    confirmed = Appointment(
        row_id, start, start + timedelta(minutes=30), "p1", "o1", True, True, patient="c1", marked_confirmed=True
    )
    return replace(confirmed, reference=reference, **fields)  # type: ignore[arg-type]


def unconfirmed(confirmed: Appointment) -> Appointment:
    return replace(confirmed, counts_as_confirmed=False, marked_confirmed=False)


def our_change(
    second: float,
    after: Appointment | None,
    row_id: str = "1",
    *,
    created: bool = False,
    over_unseen_edit: bool = False,
) -> Change:
    return Change(at(second), row_id, True, after, created, over_unseen_edit, called_at=at(second))


def desk_change(second: float, after: Appointment | None, row_id: str = "1", *, created: bool = False) -> Change:
    return Change(at(second), row_id, False, after, created)


SUBMITTED = [HistoryEntry(0, "r1", "submit", INVOKED), HistoryEntry(1, "r1", "submit", OK, "received")]
BOOKING = ObservedBooking("r1", REFERENCE, "confirmed", appointment_id="1", start_text=NINE_TEXT)
INTENT = RequestIntent(
    frozenset({NINE}), frozenset({"c1"}), addresses={"sms": "+15105550110", "email": "lark@example.com"}
)
TEXT = Delivery(at(5), "sms", "+15105550110", "confirmed", "k1", start_text=NINE_TEXT, reference=REFERENCE)
EMAIL = Delivery(at(5), "email", "lark@example.com", "confirmed", "k2", reference=REFERENCE)
CONFIRMATION = LedgerMessage(REFERENCE, "confirmed", 1, "sms", "accepted")
DESK_NOTICE = LedgerMessage(REFERENCE, "desk_exception", 1, "email", "accepted")
CLEAN_RUN = Evidence(
    history=SUBMITTED,
    bookings=[BOOKING],
    changes=[our_change(1, unconfirmed(appointment()), created=True), our_change(2, appointment())],
    appointments=[appointment()],
    intents={"r1": INTENT},
    deliveries=[TEXT, EMAIL],
    ledger_messages=[CONFIRMATION, replace(CONFIRMATION, channel="email")],
    charts_per_person=Counter({"Canary": 1}),
)


def ended(status: str, **fields: object) -> dict[str, object]:
    """Fields of ``Evidence`` for a booking that ended: the appointment is gone, the patient has both messages."""
    messages = [replace(message, kind=status) for message in CLEAN_RUN.ledger_messages]
    deliveries = [
        replace(delivery, at=at(9), kind=status, key=f"{delivery.key}-{status}", start_text="")
        for delivery in CLEAN_RUN.deliveries
    ]
    defaults = {
        "bookings": [replace(BOOKING, status=status, reason="withdrawn", appointment_id=None)],
        "changes": [*CLEAN_RUN.changes, our_change(8, None)],
        "appointments": [],
        "deliveries": [*CLEAN_RUN.deliveries, *deliveries],
        "ledger_messages": [*CLEAN_RUN.ledger_messages, *messages],
    }
    return defaults | fields
