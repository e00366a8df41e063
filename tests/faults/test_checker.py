"""The judge must see each kind of harm in a history that contains it, and nothing in one that does not."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.faults.checker import judge
from tests.faults.course_rules import unanswered
from tests.faults.desk_rules import overtaken
from tests.faults.facts import Booking, Evidence
from tests.faults.history import INVOKED, OK, UNKNOWN, Event
from tests.faults.practice import Block
from tests.faults.well import (
    ASKED,
    BOOKED,
    CONFIRMED,
    DESK_NOTE,
    GOOD,
    NINE,
    OTHER,
    REF,
    SUBMITTED,
    TEXT,
    at,
    ends,
    held,
    visit,
    wrote,
)


def rules(evidence: Evidence) -> set[str]:
    return {violation.rule for violation in judge(evidence)}


def test_a_booking_that_went_well_is_left_in_peace() -> None:
    assert judge(GOOD) == []


def test_an_unknown_outcome_is_neither_lost_nor_wrong() -> None:
    history = [Event(0, "r9", "submit", INVOKED), Event(6, "r9", "submit", UNKNOWN, "RPCError")]
    assert judge(Evidence(history=history)) == []
    assert unanswered(history[:1]) == {"r9"}


WAITING = replace(BOOKED, status="needs_staff", reason="slot_taken", appointment_id=None, open=True, queued=True)
LATER = visit("2", OTHER, start=NINE + timedelta(hours=3))
BOTH = [BOOKED, Booking("r2", OTHER, "confirmed", appointment_id="2", start_text="Tue Dec 1, 12:00 PM")]
BOTH_NOTED = [*GOOD.noted, replace(CONFIRMED, reference=OTHER)]
TEXTED = replace(ASKED, addresses={"sms": "+15105550111"})
TOLD_NO = [replace(TEXT, kind="cancelled", key="k9", at=at(6))]
OVER_OURS = visit("2", None, start=NINE + timedelta(minutes=15))

HARM = {
    "answered, and no booking exists": ("lost", {"bookings": [], "changes": [], "visits": [], "sent": []}),
    "confirmed, and no appointment": ("lost", {"visits": []}),
    "left half done": ("lost", {"bookings": [replace(BOOKED, status="received")], "sent": []}),
    "waits, and is in nobody's queue": (
        "lost",
        {"bookings": [replace(WAITING, queued=False)], "visits": [], "sent": [], "noted": [DESK_NOTE]},
    ),
    "declined without a word": (
        "lost",
        {"bookings": [replace(BOOKED, status="declined")], "visits": [], "sent": [], "noted": []},
    ),
    "two appointments for one request": (
        "duplicated",
        {
            "changes": [*GOOD.changes, wrote(3, held(visit("2")), "2", created=True)],
            "visits": [visit(), held(visit("2", start=LATER.start))],
        },
    ),
    "an appointment left of a cancelled request": (
        "leftover",
        ends("cancelled", changes=GOOD.changes, visits=GOOD.visits),
    ),
    "an appointment of a booking that says it has none": (
        "leftover",
        {"bookings": [WAITING], "noted": [*GOOD.noted, DESK_NOTE], "sent": []},
    ),
    "a cancelled request still on its way to the office": (
        "leftover",
        ends("cancelled", on_its_way=[REF]),
    ),
    "told of an appointment that has not landed": (
        "untrue",
        {"changes": [wrote(9, replace(visit(), final=False), created=True)]},
    ),
    "written over the desk's appointment": (
        "overlap",
        {
            "changes": [wrote(0, OVER_OURS, "2", by_us=False, created=True), *GOOD.changes],
            "visits": [visit(), OVER_OURS],
        },
    ),
    "two of ours on one chair": (
        "overlap",
        {
            "bookings": BOTH,
            "noted": BOTH_NOTED,
            "asked": {"r1": ASKED, "r2": TEXTED},
            "changes": [*GOOD.changes, wrote(3, held(visit("2", OTHER)), "2", created=True)],
            "visits": [visit(), visit("2", OTHER)],
        },
    ),
    "one provider in two chairs": (
        "overlap",
        {
            "bookings": BOTH,
            "noted": BOTH_NOTED,
            "asked": {"r1": ASKED, "r2": TEXTED},
            "changes": [*GOOD.changes, wrote(3, held(visit("2", OTHER, operatory="o2")), "2", created=True)],
            "visits": [visit(), visit("2", OTHER, operatory="o2")],
        },
    ),
    "written over a block": ("overlap", {"blocks": [Block(NINE, NINE + timedelta(hours=1), "o1", at(0))]}),
    "a write that nobody asked for": (
        "unexpected",
        {"changes": [*GOOD.changes, wrote(3, LATER, "2", created=True)], "visits": [visit(), LATER]},
    ),
    "the desk's own appointment deleted by us": (
        "unexpected",
        {"changes": [*GOOD.changes, wrote(0, OVER_OURS, "3", by_us=False, created=True), wrote(4, None, "3")]},
    ),
    "the desk's move undone": (
        "overwritten",
        {
            "changes": [
                GOOD.changes[0],
                wrote(1.5, held(visit(start=LATER.start)), by_us=False),
                wrote(2, visit()),
            ]
        },
    ),
    "what the desk broke brought back": (
        "overwritten",
        {"changes": [GOOD.changes[0], wrote(1.5, replace(visit(), active=False), by_us=False), wrote(2, visit())]},
    ),
    "told of a confirmation before there was one": ("untrue", {"sent": [replace(TEXT, at=at(1.5))]}),
    "last told another time": ("untrue", {"bookings": [replace(BOOKED, start_text="Tue Dec 1, 9:30 AM")]}),
    "told no, and has an appointment": (
        "untrue",
        {"sent": [TEXT, *TOLD_NO]},
    ),
    "repeated without need": ("duplicate_message", {"sent": [TEXT, TEXT]}),
    "sent three times": ("duplicate_message", {"sent": [TEXT] * 3, "unknown_sends": 5}),
    "confirmed, and the patient not told": ("untold", {"noted": [], "sent": []}),
    "waiting, and the desk not told": (
        "untold",
        {"bookings": [WAITING], "visits": [], "sent": [], "noted": []},
    ),
    "two charts for one person": ("chart", {"charts": Counter({"Canary": 2})}),
    "never comes to rest": ("stuck", {"unsettled": ["r1"]}),
    "does not replay": ("replay", {"unrepeatable": ["r1"]}),
    "calls without measure": ("storm", {"calls": {"ascend": range(0, 500_000, 100)}}),
    "a person readable in a log": ("leak", {"leaks": ["worker0.log"]}),
    "two bodies under one id": (
        "two_contents",
        {"history": [*SUBMITTED, Event(2, "r1", "submit_other", OK, "received")]},
    ),
}


@pytest.mark.parametrize("harm", HARM)
def test_harm_is_seen_and_named(harm: str) -> None:
    rule, changed = HARM[harm]
    assert rules(replace(GOOD, **changed)) == {rule}  # type: ignore[arg-type]


def test_what_nobody_has_told_us_may_be_waited_for() -> None:
    waiting = replace(BOOKED, status="received", reason="awaiting_office", appointment_id="1")
    evidence = replace(GOOD, bookings=[waiting], changes=[], visits=[], sent=[], noted=[], untold=[REF])
    assert judge(evidence) == []
    assert rules(replace(evidence, untold=[])) == {"lost"}


def test_what_the_desk_did_later_is_not_ours() -> None:
    booked_over = wrote(3, OVER_OURS, "2", by_us=False, created=True)
    assert judge(replace(GOOD, changes=[*GOOD.changes, booked_over], visits=[visit(), OVER_OURS])) == []
    blocked_over = Block(NINE, NINE + timedelta(hours=1), None, at(9))
    assert judge(replace(GOOD, blocks=[blocked_over])) == []
    deleted = wrote(3, None, by_us=False)
    assert judge(replace(GOOD, changes=[*GOOD.changes, deleted], visits=[])) == []


def test_an_edit_that_no_reading_could_have_shown_is_counted_apart() -> None:
    moved = wrote(1.5, held(visit(start=LATER.start)), by_us=False)
    evidence = replace(GOOD, changes=[GOOD.changes[0], moved, wrote(2, visit(), unseen=True)])
    assert (judge(evidence), overtaken(evidence)) == ([], 1)


def test_a_repeat_after_a_lost_answer_is_allowed_once() -> None:
    assert judge(replace(GOOD, sent=[TEXT, TEXT], unknown_sends=1)) == []
