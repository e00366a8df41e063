"""The judge must see each kind of harm in a history that contains it, and nothing in one that does not."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.faults.checker import judge
from tests.faults.course_rules import unanswered
from tests.faults.desk_rules import overtaken
from tests.faults.evidence import the_right_way_round
from tests.faults.facts import Booking, Evidence, OptOut
from tests.faults.history import INVOKED, OK, UNKNOWN, Event
from tests.faults.practice import Block, Visit
from tests.faults.well import (
    ASKED,
    BOOKED,
    CONFIRMED,
    DESK_NOTE,
    GOOD,
    MAIL,
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
NOON = "Tue Dec 1, 12:00 PM"
BOTH = [BOOKED, Booking("r2", OTHER, "confirmed", appointment_id="2", start_text=NOON)]
BOTH_NOTED = [*GOOD.noted, replace(CONFIRMED, reference=OTHER)]
TEXTED = replace(ASKED, addresses={"sms": "+15105550111"})
TOLD_NO = [replace(TEXT, kind="cancelled", key="k9", at=at(6))]
OVER_OURS = visit("2", None, start=NINE + timedelta(minutes=15))

ASSISTED = visit("2", None, provider="p2", operatory="o2", second_provider="p1")
LATE_YES = wrote(4.5, visit())
SILENT = replace(ASKED, addresses={})


def after_desk(theirs: Visit, ours: Visit = GOOD.visits[0]) -> dict[str, object]:
    """The desk changes the appointment after it was confirmed, then we do."""
    return {"changes": [*GOOD.changes, wrote(6, theirs, by_us=False), wrote(20, ours)]}


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
    "of an unknown answer, left half done": (
        "lost",
        {
            "history": [SUBMITTED[0], Event(1, "r1", "submit", UNKNOWN, "RPCError")],
            "bookings": [replace(BOOKED, status="received")],
            "sent": [],
        },
    ),
    "declined, and only told what was before": (
        "lost",
        ends("declined", sent=[], noted=[*GOOD.noted, DESK_NOTE]),
    ),
    "declined, and only the desk heard": (
        "lost",
        ends("declined", sent=[], noted=[], history=[*SUBMITTED, Event(3, "r1", "resolve:decline", OK, "declined")]),
    ),
    "accepted by our own account only": (
        "untold",
        {"noted": [*GOOD.noted, replace(CONFIRMED, kind="received", delivered=False)]},
    ),
    "told on one channel of two": ("untold", {"noted": GOOD.noted[:1]}),
    "nobody to tell, and the desk not asked": ("untold", {"asked": {"r1": SILENT}, "sent": [], "noted": []}),
    "none left, and the desk removed only a twin": (
        "lost",
        {
            "changes": [
                *GOOD.changes,
                wrote(3, held(visit("2")), "2", created=True),
                wrote(4, None, "2", by_us=False),
                wrote(5.5, None),
            ],
            "visits": [],
        },
    ),
    "confirmed over the desk's earlier appointment": (
        "overlap",
        {
            "changes": [
                GOOD.changes[0],
                wrote(1.5, OVER_OURS, "2", by_us=False, created=True),
                wrote(4.5, visit()),
            ],
            "visits": [visit(), OVER_OURS],
        },
    ),
    "confirmed over an earlier block": (
        "overlap",
        {"blocks": [Block(NINE, NINE + timedelta(hours=1), None, at(1.5))], "changes": [GOOD.changes[0], LATE_YES]},
    ),
    "written while its provider is away": (
        "overlap",
        {"blocks": [Block(NINE, NINE + timedelta(hours=1), None, at(0), "p1")]},
    ),
    "written over the second provider of another": (
        "overlap",
        {
            "changes": [wrote(0, ASSISTED, "2", by_us=False, created=True), *GOOD.changes],
            "visits": [visit(), ASSISTED],
        },
    ),
    "written at a time that nobody asked for": ("unexpected", {"asked": {"r1": replace(ASKED, starts=frozenset())}}),
    "written for somebody else": ("unexpected", {"asked": {"r1": replace(ASKED, charts=frozenset({"c2"}))}}),
    "written without the patient's note": ("unexpected", {"asked": {"r1": replace(ASKED, words="Ring first.")}}),
    "final before anybody looked": ("unexpected", {"changes": [wrote(1, visit(), created=True)]}),
    "moved without being asked": (
        "unexpected",
        {"changes": [*GOOD.changes, wrote(6, visit(operatory="o2"))], "visits": [visit(operatory="o2")]},
    ),
    "given to another patient": ("unexpected", {"changes": [*GOOD.changes, wrote(6, visit(patient="c2"))]}),
    "its note lost": (
        "unexpected",
        {"changes": [wrote(1, held(visit(words="Ring first.")), created=True), wrote(2, visit())]},
    ),
    "mailed of a confirmation before there was one": ("untrue", {"sent": [TEXT, replace(MAIL, at=at(1.5))]}),
    "told of what the desk had deleted long before": (
        "untrue",
        {
            "changes": [*GOOD.changes, wrote(3, None, by_us=False)],
            "visits": [],
            "sent": [TEXT, replace(MAIL, at=at(60))],
        },
    ),
    "told of a time from which the desk had moved it": (
        "untrue",
        {
            "changes": [*GOOD.changes, wrote(3, visit(start=LATER.start), by_us=False)],
            "visits": [visit(start=LATER.start)],
            "sent": [replace(TEXT, at=at(60)), MAIL],
        },
    ),
    "last told held, and holds nothing": (
        "untrue",
        {
            "bookings": [WAITING],
            "changes": [*GOOD.changes[:1], wrote(3, None)],
            "visits": [],
            "sent": [replace(TEXT, kind="held")],
            "noted": [DESK_NOTE],
        },
    ),
    "mailed a no, and has an appointment": (
        "untrue",
        {"sent": [*GOOD.sent, replace(MAIL, kind="declined", key="k9", at=at(6))]},
    ),
    "confirmed, and last told received": (
        "untrue",
        {"sent": [*GOOD.sent, replace(MAIL, kind="received", key="k9", at=at(6))]},
    ),
    "written to after a stop": ("after_opt_out", {"opt_outs": [OptOut(at(2), "sms", TEXT.to)]}),
    "written to without consent": ("no_consent", {"asked": {"r1": SILENT}, "noted": [*GOOD.noted, DESK_NOTE]}),
    "written again after the desk had removed it": (
        "overwritten",
        {
            "changes": [
                GOOD.changes[0],
                wrote(1.5, None, by_us=False),
                wrote(3, held(visit("2")), "2", created=True),
                wrote(4, visit("2"), "2"),
            ],
            "visits": [visit("2")],
        },
    ),
    "removed after the desk had moved it": (
        "overwritten",
        {
            "bookings": [WAITING],
            "changes": [GOOD.changes[0], wrote(1.5, held(visit(start=LATER.start)), by_us=False), wrote(4, None)],
            "visits": [],
            "sent": [],
            "noted": [DESK_NOTE],
        },
    ),
    "gone, though the desk said that it stays": (
        "overwritten",
        ends("declined", history=[*SUBMITTED, Event(9, "r1", "resolve:approve", OK, "declined")]),
    ),
    "the desk's note lost": ("overwritten", after_desk(visit(words="Wheelchair."))),
    "the desk's patient set back": ("overwritten", after_desk(visit(patient="c2"))),
    "the desk's confirmation set back": ("overwritten", after_desk(visit(), held(visit()))),
    "calls in a hurry": ("storm", {"calls": {"ascend": [n / 25 for n in range(25)]}, "rates": {"ascend": 2.0}}),
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


def test_a_change_of_ours_that_is_carried_out_late_was_meant_for_the_row_as_it_was() -> None:
    off = replace(visit(), active=False)
    late = replace(wrote(4, visit(), unseen=True), asked_at=at(1.5))
    changes = [*GOOD.changes, wrote(3, off), late, wrote(5, off)]
    cancelled: Any = ends("cancelled", changes=changes, visits=[off])
    assert judge(replace(GOOD, **cancelled)) == []


def test_a_repeat_after_a_lost_answer_is_allowed_once() -> None:
    assert judge(replace(GOOD, sent=[TEXT, TEXT], unknown_sends=1)) == []


def test_what_the_desk_did_while_we_confirmed_is_not_ours() -> None:
    just_before = wrote(1.5, OVER_OURS, "2", by_us=False, created=True)
    evidence = replace(GOOD, changes=[GOOD.changes[0], just_before, GOOD.changes[1]], visits=[visit(), OVER_OURS])
    assert judge(evidence) == []
    away = Block(NINE, NINE + timedelta(hours=1), None, at(0), "p2")
    assert judge(replace(GOOD, blocks=[away])) == []


def test_who_opted_out_or_agreed_to_nothing_is_the_desks_to_call() -> None:
    stopped = replace(GOOD, opt_outs=[OptOut(at(0), "sms", TEXT.to)], sent=[MAIL], noted=GOOD.noted[1:])
    assert judge(stopped) == []
    not_reached = replace(BOOKED, reason="not_reached", open=True, queued=True)
    silent = replace(GOOD, bookings=[not_reached], asked={"r1": SILENT}, sent=[], noted=[DESK_NOTE])
    assert judge(silent) == []


def test_an_end_that_the_patient_heard_in_the_answer_needs_no_message() -> None:
    heard = [*SUBMITTED, Event(7, "r1", "cancel", OK, "cancelled")]
    assert judge(replace(GOOD, **ends("cancelled", history=heard))) == []  # type: ignore[arg-type]
    by_desk = [*SUBMITTED, Event(7, "r1", "resolve:decline", OK, "declined")]
    unheard = ends("declined", history=by_desk, asked={"r1": SILENT}, sent=[], noted=[])
    assert judge(replace(GOOD, **unheard)) == []  # type: ignore[arg-type]


def test_what_was_lost_or_decided_anew_may_be_written_again() -> None:
    again = [
        GOOD.changes[0],
        wrote(1.5, None, by_us=False),
        wrote(3, held(visit("2")), "2", created=True),
        wrote(4, visit("2"), "2"),
    ]
    evidence = replace(GOOD, changes=again, visits=[visit("2")])
    assert judge(replace(evidence, lost_writes=frozenset({REF}))) == []
    decided = Event(at(2).timestamp(), "r1", "resolve:retry", INVOKED)
    assert judge(replace(evidence, history=[*SUBMITTED, decided])) == []


def test_a_visit_that_is_called_off_goes_though_the_desk_has_moved_it() -> None:
    moved = wrote(6, visit(start=LATER.start), by_us=False)
    assert judge(replace(GOOD, **ends("cancelled", changes=[*GOOD.changes, moved, wrote(8, None)]))) == []  # type: ignore[arg-type]


def test_who_took_it_back_and_agreed_to_no_message_ended_it_whatever_they_heard() -> None:
    taken_back = [*SUBMITTED, Event(2, "r1", "cancel", INVOKED), Event(9, "r1", "cancel", UNKNOWN, "NoAnswer")]
    ended = ends("cancelled", history=taken_back, asked={"r1": SILENT}, sent=[], noted=[])
    assert judge(replace(GOOD, **ended)) == []  # type: ignore[arg-type]
    assert rules(replace(GOOD, **ended | {"history": SUBMITTED})) == {"lost"}  # type: ignore[arg-type]


def test_a_hold_that_never_landed_may_be_missing_while_a_person_looks_and_one_that_stood_may_not() -> None:
    asked = replace(BOOKED, status="needs_staff", reason="refused_by_system", open=True, queued=True)
    missing = replace(GOOD, bookings=[asked], visits=[], sent=[], noted=[DESK_NOTE])
    assert "lost" not in rules(replace(missing, changes=[]))
    assert "lost" in rules(missing)


def test_texts_whose_ids_the_ledger_has_the_wrong_way_round_are_told_apart_by_what_they_say() -> None:
    of_one, of_other = replace(TEXT, reference=REF, key="one"), replace(TEXT, reference=OTHER, key="other", when=NOON)
    crossed = [replace(of_one, reference=OTHER, key="other"), replace(of_other, reference=REF, key="one")]
    assert the_right_way_round(crossed, BOTH) == [of_one, of_other]
    assert the_right_way_round([of_one, of_other], BOTH) == [of_one, of_other]
    nobodys = replace(of_one, reference=None, key="nobody's")
    mistaken = replace(of_other, reference=REF, key="one")
    assert the_right_way_round([nobodys, mistaken], BOTH) == [of_one, replace(of_other, reference=None, key="nobody's")]
    unheard = replace(nobodys, when="Tue Dec 1, 3:00 PM")
    assert the_right_way_round([unheard, mistaken], BOTH) == [unheard, mistaken]
    assert the_right_way_round(crossed[:1], BOTH) == crossed[:1], "a wrong time that is told once stays one"
