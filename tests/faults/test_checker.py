"""The checker finds each kind of violation in evidence that contains it, and nothing in evidence that does not."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.policy import EmailContent
from domain.wording import MessageFacts, MessageKind, compose_message, format_start
from tests.faults.checker import check
from tests.faults.clean_run import (
    BOOKING,
    CLEAN_RUN,
    CONFIRMATION,
    DESK_NOTICE,
    EMAIL,
    INTENT,
    NINE,
    OTHER_REFERENCE,
    REFERENCE,
    SUBMITTED,
    TEXT,
    appointment,
    at,
    desk_change,
    ended,
    our_change,
    unconfirmed,
)
from tests.faults.evidence import Evidence, ObservedBooking, OptOut
from tests.faults.history import INVOKED, OK, UNKNOWN, HistoryEntry
from tests.faults.message_records import TEXT_PATTERNS, uncross_texts
from tests.faults.practice_probe import Appointment, Block
from tests.faults.staff_edit_invariants import count_overwritten_unseen_edits
from tests.faults.system_invariants import find_unanswered


def violated_rules(evidence: Evidence) -> set[str]:
    return {violation.rule for violation in check(evidence)}


def change_clean_run(fields: dict[str, Any]) -> Evidence:
    return replace(CLEAN_RUN, **fields)


VISIT_START = datetime(2026, 12, 1, 17, tzinfo=UTC)


@pytest.mark.parametrize("kind", TEXT_PATTERNS)
def test_texts_to_patients_are_recognized(kind: str) -> None:
    facts = MessageFacts(practice_name="Oakland", practice_phone="+1 510-555-0100", zone="UTC", start=VISIT_START)
    text = compose_message(MessageKind(kind), "sms", "en", facts, EmailContent.NOTICE).text
    recognized = [name for name, pattern in TEXT_PATTERNS.items() if pattern.search(text)]
    assert recognized == [kind]
    match = TEXT_PATTERNS[kind].search(text)
    assert match is not None
    assert match.groupdict().get("when", format_start(VISIT_START, "UTC", "en")) == format_start(
        VISIT_START, "UTC", "en"
    )


def test_clean_run_has_no_violation() -> None:
    assert check(CLEAN_RUN) == []


def test_unknown_outcome_is_no_violation() -> None:
    history = [HistoryEntry(0, "r9", "submit", INVOKED), HistoryEntry(6, "r9", "submit", UNKNOWN, "RPCError")]
    assert check(Evidence(history=history)) == []
    assert find_unanswered(history[:1]) == {"r9"}


SLOT_TAKEN = replace(
    BOOKING,
    status="needs_staff",
    reason="slot_taken",
    appointment_id=None,
    has_open_exception=True,
    in_desk_queue=True,
)
TWELVE = NINE + timedelta(hours=3)
TWELVE_TEXT = "Tue Dec 1, 12:00 PM"
OTHERS_AT_TWELVE = appointment("2", OTHER_REFERENCE, start=TWELVE)
TWO_BOOKINGS = [
    BOOKING,
    ObservedBooking("r2", OTHER_REFERENCE, "confirmed", appointment_id="2", start_text=TWELVE_TEXT),
]
TWO_BOOKINGS_NOTIFIED: dict[str, Any] = {
    "bookings": TWO_BOOKINGS,
    "ledger_messages": [*CLEAN_RUN.ledger_messages, replace(CONFIRMATION, reference=OTHER_REFERENCE)],
    "intents": {"r1": INTENT, "r2": replace(INTENT, addresses={"sms": "+15105550111"})},
}
CANCELLATION_TEXT = replace(TEXT, kind="cancelled", key="k9", at=at(6))
DESKS_OVER_OURS = appointment("2", None, start=NINE + timedelta(minutes=15))
ASSISTED_BY_OUR_PROVIDER = appointment("2", None, provider="p2", operatory="o2", second_provider="p1")
LATE_CONFIRMATION = our_change(4.5, appointment())
NO_CONSENT = replace(INTENT, addresses={})
WHOLE_HOUR = (NINE, NINE + timedelta(hours=1))
SUBMIT_WITHOUT_ANSWER = [SUBMITTED[0], HistoryEntry(1, "r1", "submit", UNKNOWN, "RPCError")]


def after_desk_edit(desk_edit: Appointment, our_update: Appointment = CLEAN_RUN.appointments[0]) -> dict[str, object]:
    """The desk edits the appointment after it was confirmed, then we update it."""
    return {"changes": [*CLEAN_RUN.changes, desk_change(6, desk_edit), our_change(20, our_update)]}


VIOLATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "answered request without a booking": (
        "lost",
        {"bookings": [], "changes": [], "appointments": [], "deliveries": []},
    ),
    "confirmed booking without an appointment": ("lost", {"appointments": []}),
    "booking that stays received": ("lost", {"bookings": [replace(BOOKING, status="received")], "deliveries": []}),
    "open exception that is not in the desk's queue": (
        "lost",
        {
            "bookings": [replace(SLOT_TAKEN, in_desk_queue=False)],
            "appointments": [],
            "deliveries": [],
            "ledger_messages": [DESK_NOTICE],
        },
    ),
    "declined booking without a message": (
        "lost",
        {
            "bookings": [replace(BOOKING, status="declined")],
            "appointments": [],
            "deliveries": [],
            "ledger_messages": [],
        },
    ),
    "two appointments for one request": (
        "duplicated",
        {
            "changes": [*CLEAN_RUN.changes, our_change(3, unconfirmed(appointment("2")), "2", created=True)],
            "appointments": [appointment(), unconfirmed(appointment("2", start=TWELVE))],
        },
    ),
    "appointment left by a cancelled booking": (
        "leftover",
        ended("cancelled", changes=CLEAN_RUN.changes, appointments=CLEAN_RUN.appointments),
    ),
    "appointment left by a booking that claims none": (
        "leftover",
        {
            "bookings": [SLOT_TAKEN],
            "ledger_messages": [*CLEAN_RUN.ledger_messages, DESK_NOTICE],
            "deliveries": [],
        },
    ),
    "write of a cancelled booking still in flight": ("leftover", ended("cancelled", in_flight_references=[REFERENCE])),
    "confirmation message before the landing": (
        "untrue",
        {"changes": [our_change(9, replace(appointment(), marked_confirmed=False), created=True)]},
    ),
    "write over the desk's appointment": (
        "overlap",
        {
            "changes": [desk_change(0, DESKS_OVER_OURS, "2", created=True), *CLEAN_RUN.changes],
            "appointments": [appointment(), DESKS_OVER_OURS],
        },
    ),
    "two of our appointments in one operatory": (
        "overlap",
        {
            **TWO_BOOKINGS_NOTIFIED,
            "changes": [
                *CLEAN_RUN.changes,
                our_change(3, unconfirmed(appointment("2", OTHER_REFERENCE)), "2", created=True),
            ],
            "appointments": [appointment(), appointment("2", OTHER_REFERENCE)],
        },
    ),
    "one provider in two operatories": (
        "overlap",
        {
            **TWO_BOOKINGS_NOTIFIED,
            "changes": [
                *CLEAN_RUN.changes,
                our_change(3, unconfirmed(appointment("2", OTHER_REFERENCE, operatory="o2")), "2", created=True),
            ],
            "appointments": [appointment(), appointment("2", OTHER_REFERENCE, operatory="o2")],
        },
    ),
    "write over a block": ("overlap", {"blocks": [Block(*WHOLE_HOUR, "o1", at(0))]}),
    "write without a request": (
        "unexpected",
        {
            "changes": [*CLEAN_RUN.changes, our_change(3, OTHERS_AT_TWELVE, "2", created=True)],
            "appointments": [appointment(), OTHERS_AT_TWELVE],
        },
    ),
    "deletion of the desk's own appointment": (
        "unexpected",
        {
            "changes": [
                *CLEAN_RUN.changes,
                desk_change(0, DESKS_OVER_OURS, "3", created=True),
                our_change(4, None, "3"),
            ]
        },
    ),
    "reversal of the desk's move": (
        "overwritten",
        {
            "changes": [
                CLEAN_RUN.changes[0],
                desk_change(1.5, unconfirmed(appointment(start=TWELVE))),
                our_change(2, appointment()),
            ]
        },
    ),
    "reactivation of what the desk broke": (
        "overwritten",
        {
            "changes": [
                CLEAN_RUN.changes[0],
                desk_change(1.5, replace(appointment(), active=False)),
                our_change(2, appointment()),
            ]
        },
    ),
    "confirmation text before the confirmation": ("untrue", {"deliveries": [replace(TEXT, at=at(1.5))]}),
    "last text with another time": (
        "untrue",
        {"bookings": [replace(BOOKING, start_text="Tue Dec 1, 9:30 AM")]},
    ),
    "cancellation text for a confirmed booking": ("untrue", {"deliveries": [TEXT, CANCELLATION_TEXT]}),
    "repeated message without a lost answer": ("duplicate_message", {"deliveries": [TEXT, TEXT]}),
    "message sent three times": ("duplicate_message", {"deliveries": [TEXT] * 3, "unknown_sends": 5}),
    "confirmed booking without a message": ("not_notified", {"ledger_messages": [], "deliveries": []}),
    "open exception without a notice to the desk": (
        "not_notified",
        {"bookings": [SLOT_TAKEN], "appointments": [], "deliveries": [], "ledger_messages": []},
    ),
    "two charts for one person": ("duplicate_chart", {"charts_per_person": Counter({"Canary": 2})}),
    "booking that never settles": ("stuck", {"unsettled_requests": ["r1"]}),
    "history that does not replay": ("replay_failure", {"unreplayable_requests": ["r1"]}),
    "too many calls per request": ("call_storm", {"call_times": {"ascend": range(0, 500_000, 100)}}),
    "personal data in a log": ("data_leak", {"leaking_files": ["worker0.log"]}),
    "booking of an unanswered request that stays received": (
        "lost",
        {
            "history": SUBMIT_WITHOUT_ANSWER,
            "bookings": [replace(BOOKING, status="received")],
            "deliveries": [],
        },
    ),
    "declined booking with only its earlier messages": (
        "lost",
        ended("declined", deliveries=[], ledger_messages=[*CLEAN_RUN.ledger_messages, DESK_NOTICE]),
    ),
    "declined booking of which only the desk knows": (
        "lost",
        ended(
            "declined",
            deliveries=[],
            ledger_messages=[],
            history=[*SUBMITTED, HistoryEntry(3, "r1", "resolve:decline", OK, "declined")],
        ),
    ),
    "accepted message that the provider does not have": (
        "not_notified",
        {
            "ledger_messages": [
                *CLEAN_RUN.ledger_messages,
                replace(CONFIRMATION, kind="received", delivered=False),
            ]
        },
    ),
    "confirmation on one channel of two": ("not_notified", {"ledger_messages": CLEAN_RUN.ledger_messages[:1]}),
    "patient without consent and a desk without a notice": (
        "not_notified",
        {"intents": {"r1": NO_CONSENT}, "deliveries": [], "ledger_messages": []},
    ),
    "no appointment left after the desk removed only a twin": (
        "lost",
        {
            "changes": [
                *CLEAN_RUN.changes,
                our_change(3, unconfirmed(appointment("2")), "2", created=True),
                desk_change(4, None, "2"),
                our_change(5.5, None),
            ],
            "appointments": [],
        },
    ),
    "confirmation over the desk's earlier appointment": (
        "overlap",
        {
            "changes": [
                CLEAN_RUN.changes[0],
                desk_change(1.5, DESKS_OVER_OURS, "2", created=True),
                LATE_CONFIRMATION,
            ],
            "appointments": [appointment(), DESKS_OVER_OURS],
        },
    ),
    "confirmation over an earlier block": (
        "overlap",
        {
            "blocks": [Block(*WHOLE_HOUR, None, at(1.5))],
            "changes": [CLEAN_RUN.changes[0], LATE_CONFIRMATION],
        },
    ),
    "write during its provider's absence": ("overlap", {"blocks": [Block(*WHOLE_HOUR, None, at(0), "p1")]}),
    "write over another appointment's second provider": (
        "overlap",
        {
            "changes": [desk_change(0, ASSISTED_BY_OUR_PROVIDER, "2", created=True), *CLEAN_RUN.changes],
            "appointments": [appointment(), ASSISTED_BY_OUR_PROVIDER],
        },
    ),
    "write at a time that nobody asked for": (
        "unexpected",
        {"intents": {"r1": replace(INTENT, starts=frozenset())}},
    ),
    "write for another patient": (
        "unexpected",
        {"intents": {"r1": replace(INTENT, chart_ids=frozenset({"c2"}))}},
    ),
    "write without the patient's note": ("unexpected", {"intents": {"r1": replace(INTENT, note="Ring first.")}}),
    "write that is confirmed before the read-back": (
        "unexpected",
        {"changes": [our_change(1, appointment(), created=True)]},
    ),
    "move that nobody asked for": (
        "unexpected",
        {
            "changes": [*CLEAN_RUN.changes, our_change(6, appointment(operatory="o2"))],
            "appointments": [appointment(operatory="o2")],
        },
    ),
    "change to another patient": (
        "unexpected",
        {"changes": [*CLEAN_RUN.changes, our_change(6, appointment(patient="c2"))]},
    ),
    "loss of its note": (
        "unexpected",
        {
            "changes": [
                our_change(1, unconfirmed(appointment(note="Ring first.")), created=True),
                our_change(2, appointment()),
            ]
        },
    ),
    "confirmation email before the confirmation": ("untrue", {"deliveries": [TEXT, replace(EMAIL, at=at(1.5))]}),
    "confirmation email long after the desk's deletion": (
        "untrue",
        {
            "changes": [*CLEAN_RUN.changes, desk_change(3, None)],
            "appointments": [],
            "deliveries": [TEXT, replace(EMAIL, at=at(60))],
        },
    ),
    "confirmation text with a time from before the desk's move": (
        "untrue",
        {
            "changes": [*CLEAN_RUN.changes, desk_change(3, appointment(start=TWELVE))],
            "appointments": [appointment(start=TWELVE)],
            "deliveries": [replace(TEXT, at=at(60)), EMAIL],
        },
    ),
    "last text says held and there is no hold": (
        "untrue",
        {
            "bookings": [SLOT_TAKEN],
            "changes": [*CLEAN_RUN.changes[:1], our_change(3, None)],
            "appointments": [],
            "deliveries": [replace(TEXT, kind="held")],
            "ledger_messages": [DESK_NOTICE],
        },
    ),
    "last email says declined and there is an appointment": (
        "untrue",
        {"deliveries": [*CLEAN_RUN.deliveries, replace(EMAIL, kind="declined", key="k9", at=at(6))]},
    ),
    "last email says received and the booking is confirmed": (
        "untrue",
        {"deliveries": [*CLEAN_RUN.deliveries, replace(EMAIL, kind="received", key="k9", at=at(6))]},
    ),
    "text after an opt-out": ("after_opt_out", {"opt_outs": [OptOut(at(2), "sms", TEXT.address)]}),
    "text without consent": (
        "no_consent",
        {"intents": {"r1": NO_CONSENT}, "ledger_messages": [*CLEAN_RUN.ledger_messages, DESK_NOTICE]},
    ),
    "second write after the desk's removal": (
        "overwritten",
        {
            "changes": [
                CLEAN_RUN.changes[0],
                desk_change(1.5, None),
                our_change(3, unconfirmed(appointment("2")), "2", created=True),
                our_change(4, appointment("2"), "2"),
            ],
            "appointments": [appointment("2")],
        },
    ),
    "removal after the desk's move": (
        "overwritten",
        {
            "bookings": [SLOT_TAKEN],
            "changes": [
                CLEAN_RUN.changes[0],
                desk_change(1.5, unconfirmed(appointment(start=TWELVE))),
                our_change(4, None),
            ],
            "appointments": [],
            "deliveries": [],
            "ledger_messages": [DESK_NOTICE],
        },
    ),
    "removal of what the desk decided to keep": (
        "overwritten",
        ended("declined", history=[*SUBMITTED, HistoryEntry(9, "r1", "resolve:approve", OK, "declined")]),
    ),
    "loss of the desk's note": ("overwritten", after_desk_edit(appointment(note="Wheelchair."))),
    "reversal of the desk's patient": ("overwritten", after_desk_edit(appointment(patient="c2"))),
    "reversal of the desk's confirmation": ("overwritten", after_desk_edit(appointment(), unconfirmed(appointment()))),
    "too many calls in a short time": (
        "call_storm",
        {"call_times": {"ascend": [n / 25 for n in range(25)]}, "allowed_rates": {"ascend": 2.0}},
    ),
    "two different requests under one id": (
        "conflicting_content",
        {"history": [*SUBMITTED, HistoryEntry(2, "r1", "submit_other", OK, "received")]},
    ),
}


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_violation_is_found_and_named(violation: str) -> None:
    rule, fields = VIOLATIONS[violation]
    assert violated_rules(change_clean_run(fields)) == {rule}


def test_booking_may_wait_for_a_write_that_no_event_reported() -> None:
    waiting = replace(BOOKING, status="received", reason="awaiting_office", appointment_id="1")
    evidence = replace(
        CLEAN_RUN,
        bookings=[waiting],
        changes=[],
        appointments=[],
        deliveries=[],
        ledger_messages=[],
        unreported_references=[REFERENCE],
    )
    assert check(evidence) == []
    assert violated_rules(replace(evidence, unreported_references=[])) == {"lost"}


def test_later_desk_actions_are_no_violation() -> None:
    booked_over = desk_change(3, DESKS_OVER_OURS, "2", created=True)
    appointments = [appointment(), DESKS_OVER_OURS]
    assert check(replace(CLEAN_RUN, changes=[*CLEAN_RUN.changes, booked_over], appointments=appointments)) == []
    assert check(replace(CLEAN_RUN, blocks=[Block(*WHOLE_HOUR, None, at(9))])) == []
    deleted = desk_change(3, None)
    assert check(replace(CLEAN_RUN, changes=[*CLEAN_RUN.changes, deleted], appointments=[])) == []


def test_overwritten_edit_that_no_read_could_show_is_counted_separately() -> None:
    moved = desk_change(1.5, unconfirmed(appointment(start=TWELVE)))
    over_unseen = our_change(2, appointment(), over_unseen_edit=True)
    evidence = replace(CLEAN_RUN, changes=[CLEAN_RUN.changes[0], moved, over_unseen])
    assert (check(evidence), count_overwritten_unseen_edits(evidence)) == ([], 1)


def test_late_update_is_checked_against_the_appointment_at_the_time_of_the_call() -> None:
    broken = replace(appointment(), active=False)
    late_update = replace(our_change(4, appointment(), over_unseen_edit=True), called_at=at(1.5))
    changes = [*CLEAN_RUN.changes, our_change(3, broken), late_update, our_change(5, broken)]
    assert check(change_clean_run(ended("cancelled", changes=changes, appointments=[broken]))) == []


def test_one_repeat_after_a_lost_answer_is_allowed() -> None:
    assert check(replace(CLEAN_RUN, deliveries=[TEXT, TEXT], unknown_sends=1)) == []


def test_desk_booking_just_before_our_confirmation_is_no_violation() -> None:
    just_before = desk_change(1.5, DESKS_OVER_OURS, "2", created=True)
    changes = [CLEAN_RUN.changes[0], just_before, CLEAN_RUN.changes[1]]
    assert check(replace(CLEAN_RUN, changes=changes, appointments=[appointment(), DESKS_OVER_OURS])) == []


def test_absence_of_another_provider_is_no_violation() -> None:
    assert check(replace(CLEAN_RUN, blocks=[Block(*WHOLE_HOUR, None, at(0), "p2")])) == []


def test_patient_who_opted_out_or_never_consented_gets_no_message() -> None:
    opted_out = replace(
        CLEAN_RUN,
        opt_outs=[OptOut(at(0), "sms", TEXT.address)],
        deliveries=[EMAIL],
        ledger_messages=CLEAN_RUN.ledger_messages[1:],
    )
    assert check(opted_out) == []
    not_reached = replace(BOOKING, reason="not_reached", has_open_exception=True, in_desk_queue=True)
    without_consent = replace(
        CLEAN_RUN,
        bookings=[not_reached],
        intents={"r1": NO_CONSENT},
        deliveries=[],
        ledger_messages=[DESK_NOTICE],
    )
    assert check(without_consent) == []


def test_end_that_the_patient_learned_from_the_answer_needs_no_message() -> None:
    answered = [*SUBMITTED, HistoryEntry(7, "r1", "cancel", OK, "cancelled")]
    assert check(change_clean_run(ended("cancelled", history=answered))) == []
    declined_by_desk = [*SUBMITTED, HistoryEntry(7, "r1", "resolve:decline", OK, "declined")]
    without_consent = ended(
        "declined", history=declined_by_desk, intents={"r1": NO_CONSENT}, deliveries=[], ledger_messages=[]
    )
    assert check(change_clean_run(without_consent)) == []


def test_write_may_be_repeated_after_a_lost_answer_or_a_new_decision() -> None:
    changes = [
        CLEAN_RUN.changes[0],
        desk_change(1.5, None),
        our_change(3, unconfirmed(appointment("2")), "2", created=True),
        our_change(4, appointment("2"), "2"),
    ]
    evidence = replace(CLEAN_RUN, changes=changes, appointments=[appointment("2")])
    assert check(replace(evidence, unanswered_write_references=frozenset({REFERENCE}))) == []
    decision = HistoryEntry(at(2).timestamp(), "r1", "resolve:retry", INVOKED)
    assert check(replace(evidence, history=[*SUBMITTED, decision])) == []


def test_write_is_not_repeated_after_a_lost_answer_when_the_calendar_shows_that_the_desk_broke_it() -> None:
    changes = [
        CLEAN_RUN.changes[0],
        desk_change(1.5, replace(unconfirmed(appointment()), active=False)),
        our_change(9, unconfirmed(appointment("2")), "2", created=True),
        our_change(10, appointment("2"), "2"),
    ]
    appointments = [replace(appointment(), active=False), appointment("2")]
    lost = frozenset({REFERENCE})
    evidence = replace(CLEAN_RUN, changes=changes, appointments=appointments, unanswered_write_references=lost)
    assert "overwritten" in [violation.rule for violation in check(evidence)]


def test_cancelled_appointment_is_removed_even_after_the_desk_moved_it() -> None:
    moved = desk_change(6, appointment(start=TWELVE))
    changes = [*CLEAN_RUN.changes, moved, our_change(8, None)]
    assert check(change_clean_run(ended("cancelled", changes=changes))) == []


def test_patient_who_cancelled_without_consent_need_not_learn_the_end() -> None:
    cancelled = [
        *SUBMITTED,
        HistoryEntry(2, "r1", "cancel", INVOKED),
        HistoryEntry(9, "r1", "cancel", UNKNOWN, "NoAnswer"),
    ]
    fields = ended("cancelled", history=cancelled, intents={"r1": NO_CONSENT}, deliveries=[], ledger_messages=[])
    assert check(change_clean_run(fields)) == []
    assert violated_rules(change_clean_run(fields | {"history": SUBMITTED})) == {"lost"}


def test_hold_that_the_desk_must_look_for_may_be_missing_only_if_it_never_landed() -> None:
    refused = replace(
        BOOKING, status="needs_staff", reason="refused_by_system", has_open_exception=True, in_desk_queue=True
    )
    missing = replace(CLEAN_RUN, bookings=[refused], appointments=[], deliveries=[], ledger_messages=[DESK_NOTICE])
    assert "lost" not in violated_rules(replace(missing, changes=[]))
    assert "lost" in violated_rules(missing)


def test_texts_with_swapped_provider_ids_are_attributed_by_their_times() -> None:
    first = replace(TEXT, reference=REFERENCE, key="first")
    second = replace(TEXT, reference=OTHER_REFERENCE, key="second", start_text=TWELVE_TEXT)
    swapped = [
        replace(first, reference=OTHER_REFERENCE, key="second"),
        replace(second, reference=REFERENCE, key="first"),
    ]
    assert uncross_texts(swapped, TWO_BOOKINGS) == [first, second]
    assert uncross_texts([first, second], TWO_BOOKINGS) == [first, second]
    unattributed = replace(first, reference=None, key="nobody's")
    misattributed = replace(second, reference=REFERENCE, key="first")
    corrected = [first, replace(second, reference=None, key="nobody's")]
    assert uncross_texts([unattributed, misattributed], TWO_BOOKINGS) == corrected
    of_no_booking = replace(unattributed, start_text="Tue Dec 1, 3:00 PM")
    assert uncross_texts([of_no_booking, misattributed], TWO_BOOKINGS) == [of_no_booking, misattributed]
    assert uncross_texts(swapped[:1], TWO_BOOKINGS) == swapped[:1], "a single text with a wrong time stays wrong"
