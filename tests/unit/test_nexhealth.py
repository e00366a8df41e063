"""The parts of the NexHealth adapter that need no wire: the support table, error texts, notes, hours, events."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from adapters.errors import (
    Misconfigured,
    NotAuthorized,
    NotFound,
    OutcomeUnknown,
    OutsideError,
    RateLimited,
    Refused,
    SlotTaken,
    Unavailable,
)
from adapters.nexhealth import wire
from adapters.nexhealth.account import lasts
from adapters.nexhealth.profiles import PROFILES
from adapters.nexhealth.refusals import MEANINGS, DuplicatePatient
from adapters.nexhealth.transport import understood
from adapters.nexhealth.webhooks import NotAnEvent, events, is_signed
from adapters.practice_file import read_practice
from adapters.practice_system import Hold, NewChart
from client.check import out_of_reach
from demo.stack import ROOT
from domain.calendar import CalendarEvent, EventKind, LandingState, OfficeOnline
from domain.interval import Interval, span
from domain.patient import Address
from domain.reference import new_reference, reference_in
from domain.request import Person
from domain.slot import Slot

NINE = datetime(2027, 1, 12, 17, tzinfo=UTC)
SYSTEMS = ("dentrix", "dentrix-enterprise", "ascend", "eaglesoft", "open-dental")
SUPPORT = {
    "books": "yes yes yes yes yes",
    "cancels": "yes yes yes yes yes",
    "confirms": "yes yes yes yes yes",
    "moves": "yes yes no yes yes",
    "tells_landing": "yes no yes yes yes",
    "syncs_hours": "no yes no yes yes",
    "lunch_blocks": "yes unknown no yes yes",
    "holidays": "yes yes no yes yes",
    "closed_operatories": "no yes no yes no",
    "reads_notes": "yes yes no yes yes",
    "descriptors": "yes yes partly yes yes",
    "recalls": "yes yes yes yes yes",
}
CELLS = [
    (system, row, cell) for row, cells in SUPPORT.items() for system, cell in zip(SYSTEMS, cells.split(), strict=True)
]


@pytest.mark.parametrize(("system", "row", "cell"), CELLS)
def test_each_cell_of_the_support_table(system: str, row: str, cell: str) -> None:
    assert getattr(PROFILES[system], row) == cell


_ROWS_IN_THE_DOCS = {
    "versions": "versions",
    "book, with a new patient if need be": "books",
    "cancel": "cancels",
    "confirm": "confirms",
    "move in place (time and operatory, never the provider)": "moves",
    "we are told when a booking has landed": "tells_landing",
    "the office's working hours are known": "syncs_hours",
    "lunch is seen as closed time": "lunch_blocks",
    "holidays are seen": "holidays",
    "closed operatory columns are seen": "closed_operatories",
    "the office's notes are read": "reads_notes",
    "the office's own appointment types and procedures": "descriptors",
    "recalls are read": "recalls",
}


def test_the_table_in_the_docs_is_the_one_we_act_on() -> None:
    lines = (ROOT / "docs/connections.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    told = {row[0]: row[1:] for row in rows if row[0] in _ROWS_IN_THE_DOCS}
    assert told == {
        label: [str(getattr(PROFILES[system], field)) for system in SYSTEMS]
        for label, field in _ROWS_IN_THE_DOCS.items()
    }


def test_what_is_not_certain_counts_as_not_possible() -> None:
    can = {system: profile.capabilities for system, profile in PROFILES.items()}
    assert all(c.queued_writes and not c.moves_provider for c in can.values())
    assert [s for s in SYSTEMS if not can[s].moves_in_place] == ["ascend"]
    assert [s for s in SYSTEMS if not can[s].syncs_hours] == ["dentrix", "ascend"]
    assert [s for s in SYSTEMS if not can[s].reads_notes] == ["ascend"]
    assert [s for s in SYSTEMS if not can[s].attaches_procedures] == ["ascend"]


def test_a_move_to_another_provider_needs_a_new_appointment() -> None:
    slot = Slot(time=span(NINE, 60), provider="201", operatory="301")
    can = PROFILES["dentrix"].capabilities
    assert can.can_move(slot, slot.model_copy(update={"operatory": "302"}))
    assert not can.can_move(slot, slot.model_copy(update={"provider": "202"}))


def answered(status: int, **body: Any) -> httpx.Response:
    envelope = {"code": status < 300, "description": None, "error": None, "data": {}, **body}
    return httpx.Response(status, headers={}, content=json.dumps(envelope).encode())


SAID = [
    ("this time is no longer available", SlotTaken, "slot_taken"),
    ("Operatory not available", SlotTaken, "slot_taken"),
    ("appointment_type_id was not found to be configured for the requested slot", Refused, "type_not_allowed"),
    ("A patient with that information already exists - id=123456", DuplicatePatient, "duplicate_patient"),
    ("User phone number is invalid", Refused, "invalid_phone"),
    ("Cannot update already cancelled appointment", Refused, "already_cancelled"),
    ("Missing parameter patient[bio][date_of_birth]", Misconfigured, "missing_parameter"),
    ("Blank values not allowed for parameter subdomain", Misconfigured, "blank_parameter"),
    ("appt[start_time], appt[end_time] provide all or none of parameters", Misconfigured, "half_a_pair"),
    ("You don't have access to perform this action.", NotAuthorized, "no_access"),
    ("Invalid Credentials", NotAuthorized, "invalid_credentials"),
]


@pytest.mark.parametrize(("text", "kind", "code"), SAID)
@pytest.mark.parametrize("status", [400, 422, 200])
def test_an_error_is_known_by_its_words_whatever_its_status(
    text: str, kind: type[Refused], code: str, status: int
) -> None:
    with pytest.raises(kind) as refused:
        understood(answered(status, code=False, error=[text.upper()]), "POST /x")
    assert refused.value.code == code
    assert "123456" not in str(refused.value)


def test_every_row_of_the_table_has_its_words() -> None:
    texts = [text for text, _, _ in SAID] + ["not synced with the PMS"]
    assert [m.text for m in MEANINGS if not any(m.text in text.lower() for text in texts)] == []


def test_a_write_that_must_wait_for_the_office_may_be_tried_again_but_not_at_once() -> None:
    text = "Cannot update appointment because it is not synced with the PMS and/or a live client"
    with pytest.raises(Unavailable) as later:
        understood(answered(400, error=[text]), "PATCH /x")
    assert later.value.retry_after == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (answered(404, error=["Appointment not found"]), NotFound),
        (answered(403, error=["You don't have access"]), NotAuthorized),
        (answered(400, error=["something new"]), Refused),
        (answered(200, code=False, error=None), Refused),
        (httpx.Response(403, headers={}, content=b"<title>1010</title>"), Unavailable),
        (httpx.Response(429, headers={}, content=b"Retry later"), RateLimited),
        (httpx.Response(500, headers={}, content=b"oops"), OutcomeUnknown),
        (httpx.Response(502, headers={}, content=b"<h1>Bad gateway"), OutcomeUnknown),
        (httpx.Response(201, headers={}, content=b"{"), OutcomeUnknown),
    ],
)
def test_what_each_answer_means(answer: httpx.Response, kind: type[OutsideError]) -> None:
    with pytest.raises(OutsideError) as failure:
        understood(answer, "POST /x")
    assert type(failure.value) is kind


@pytest.mark.parametrize(("issued_for", "used_for"), [(3600, 3000), (86400, 3000), (1200, 900), (200, 100)])
def test_a_token_is_replaced_early(issued_for: int, used_for: int) -> None:
    claims = {"iat": 1_800_000_000, "exp": 1_800_000_000 + issued_for}
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert lasts(f"e30.{part}.sig") == used_for
    assert lasts("no token") == 3000


@pytest.mark.parametrize("patients_words", ["", "short", "long " * 100, "in\nlines", "é" * 300])
def test_our_reference_survives_the_longest_note(patients_words: str) -> None:
    slot = Slot(time=span(NINE, 60), provider="201", operatory="301")
    hold = Hold(reference=new_reference(), location="101", slot=slot, patient="1", title="T" * 60, note=patients_words)
    note = wire.note(hold)
    assert len(note) <= 128
    assert "\n" not in note
    assert reference_in(note) == hold.reference


@pytest.mark.parametrize(("reads_notes", "known"), [(True, False), (False, True)])
def test_our_mark_beside_a_visit_counts_only_where_the_offices_notes_are_not_read(
    reads_notes: bool, known: bool
) -> None:
    slot = Slot(time=span(NINE, 60), provider="201", operatory="301")
    hold = Hold(reference=new_reference(), location="101", slot=slot, patient="1", title="Cleaning")
    sent = wire.new_appointment(hold, "https://book.practice.example")["appt"]
    read = wire.appointment({**sent, "id": 1, "note": None}, reads_notes=reads_notes)
    assert (read.reference == hold.reference) is known
    assert wire.appointment({**sent, "id": 1}, reads_notes=reads_notes).reference == hold.reference


def test_a_new_patient_is_asked_for_without_making_a_twin() -> None:
    person = Person(
        first_name="Nova",
        last_name="Newcomer",
        date_of_birth=date(1991, 4, 2),
        email="nova@example.com",
        mobile="+15105550121",
    )
    address = Address(line1="9 Practice Row", city="Portland", state="OR", postal_code="97201")
    new = NewChart(person=person, location="101", address=address, language="en", provider="202")
    body = wire.new_patient(new)
    assert body["return_existing_if_match"] is True
    assert "street_address" not in body["patient"]["bio"]  # the practice's own address is nobody's home


def test_services_that_would_never_be_offered_are_named(tmp_path: Path) -> None:
    text = (
        (ROOT / "practice.toml").read_text().replace('slot_step = "30m"', 'slot_step = "30m"\nonly_in_windows = true')
    )
    (tmp_path / "practice.toml").write_text(text)
    practice = read_practice(tmp_path / "practice.toml")
    (name, *_) = [connection.name for connection in practice.connections]
    assert out_of_reach(name, PROFILES["eaglesoft"].capabilities, practice) == []
    told = out_of_reach(name, PROFILES["dentrix"].capabilities, practice)
    assert "oakland: cleaning is offered only_in_windows" in told[0]


def test_procedures_that_would_not_be_attached_are_named(tmp_path: Path) -> None:
    text = (
        (ROOT / "practice.toml").read_text().replace('label = "Cleaning"', 'label = "Cleaning"\nprocedures = ["7"]', 1)
    )
    (tmp_path / "practice.toml").write_text(text)
    practice = read_practice(tmp_path / "practice.toml")
    (name, *_) = [connection.name for connection in practice.connections]
    assert out_of_reach(name, PROFILES["dentrix"].capabilities, practice) == []
    (problem,) = out_of_reach(name, PROFILES["ascend"].capabilities, practice)
    assert "procedures of cleaning" in problem


def hours(**given: Any) -> dict[str, Any]:
    row = {"id": 1, "provider_id": 7, "operatory_id": 301, "begin_time": "08:00", "end_time": "12:00", "active": True}
    return {**row, "days": [], "specific_date": None, "custom_recurrence": None, **given}


def opened(*rows: dict[str, Any], day: date = date(2027, 1, 12)) -> list[tuple[int, str]]:
    """(UTC hour of opening, operatory)"""
    tz = ZoneInfo("America/New_York")
    start = datetime(day.year, day.month, day.day, tzinfo=tz)
    around = Interval(start=start, end=start + timedelta(hours=23))
    return [(w.time.start.hour, w.operatory) for w in wire.windows(rows, around, tz, ["301", "302"])]


def test_working_hours_open_windows_on_their_days_in_the_practices_zone() -> None:
    weekly = hours(days=["Tuesday"])
    assert opened(weekly) == [(13, "301")]
    assert opened(weekly, day=date(2027, 7, 13)) == [(12, "301")]
    assert opened(weekly, day=date(2027, 1, 13)) == []
    assert opened(hours(days=["Tuesday"], operatory_id=None)) == [(13, "301"), (13, "302")]
    assert opened(hours(days=["Tuesday"], active=False)) == []


def test_a_date_set_apart_replaces_that_providers_usual_hours_only() -> None:
    apart = hours(specific_date="2027-01-12", begin_time="10:00")
    other = hours(days=["Tuesday"], provider_id=8, operatory_id=302)
    assert opened(hours(days=["Tuesday"]), apart, other) == [(15, "301"), (13, "302")]


@pytest.mark.parametrize(
    ("num", "unit", "ref", "opens"),
    [
        (2, "week", "2026-12-29", True),
        (2, "week", "2027-01-05", False),
        (3, "day", "2027-01-09", True),
        (3, "day", "2027-01-10", False),
        (1, "month", "2026-10-12", True),
        (2, "month", "2026-12-12", False),
        (1, "day", "2027-02-01", False),
    ],
)
def test_hours_that_recur_otherwise(num: int, unit: str, ref: str, opens: bool) -> None:
    row = hours(custom_recurrence={"num": num, "unit": unit, "ref": ref})
    assert bool(opened(row)) is opens


def test_midnight_at_the_end_of_a_day_is_the_days_end() -> None:
    tz = ZoneInfo("America/New_York")
    around = Interval(start=datetime(2027, 1, 12, tzinfo=tz), end=datetime(2027, 1, 12, 23, tzinfo=tz))
    (window,) = wire.windows([hours(days=["Tuesday"], end_time="24:00")], around, tz, [])
    assert window.time.end == datetime(2027, 1, 13, tzinfo=tz)


@pytest.mark.parametrize(
    "wrong",
    [
        {"begin_time": "25:00"},
        {"begin_time": None},
        {"end_time": "07:00"},
        {"days": 3},
        {"days": [], "custom_recurrence": {"ref": "2027-01-12", "num": "two", "unit": "day"}},
        {"days": [], "custom_recurrence": "weekly"},
        {"appointment_types": ["cleaning"]},
    ],
)
def test_hours_that_cannot_be_read_open_nothing_and_hide_no_others(wrong: dict[str, Any]) -> None:
    others = hours(days=["Tuesday"], provider_id=8, operatory_id=302)
    assert opened(hours(**{"days": ["Tuesday"], **wrong}), others) == [(13, "302")]


SECRETS = ("new-secret", "old-secret")


def signed(raw: bytes, secret: str, timestamp: str = "2027-01-12T17:00:00.000Z", *, in_lines: bool = False) -> str:
    text = base64.encodebytes(raw) if in_lines else base64.b64encode(raw)
    if in_lines:  # in lines of 60 characters, as Ruby writes them
        plain = base64.b64encode(raw)
        text = b"".join(plain[i : i + 60] + b"\n" for i in range(0, len(plain), 60))
    return hmac.new(secret.encode(), timestamp.encode() + b"." + text, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("in_lines", [False, True])
def test_a_delivery_signed_with_any_of_our_secrets_is_believed(secret: str, in_lines: bool) -> None:
    raw = json.dumps({"event_name": "appointment_insertion.complete", "padding": "x" * 200}).encode()
    at = "2027-01-12T17:00:00.000Z"
    assert is_signed(raw, at, signed(raw, secret, in_lines=in_lines), SECRETS)
    assert is_signed(raw, at, signed(raw, secret).upper(), SECRETS)


def test_any_change_and_any_other_secret_is_noticed() -> None:
    raw, at = b'{"event_name": "x"}', "2027-01-12T17:00:00.000Z"
    good = signed(raw, "new-secret")
    assert not is_signed(raw + b" ", at, good, SECRETS)
    assert not is_signed(raw, "2027-01-12T17:00:01.000Z", good, SECRETS)
    assert not is_signed(raw, at, signed(raw, "another"), SECRETS)
    assert not is_signed(raw, at, "", SECRETS)
    assert not is_signed(raw, at, "é", SECRETS)
    assert not is_signed(raw, at, good, ())


def delivery(name: str, data: dict[str, Any]) -> bytes:
    return json.dumps({"resource_type": "Appointment", "event_name": name, "subdomain": "demo", "data": data}).encode()


def news(raw: bytes) -> list[CalendarEvent]:
    return [event for event in events(raw) if isinstance(event, CalendarEvent)]


@pytest.mark.parametrize(
    ("name", "kind", "landing"),
    [
        ("appointment_insertion.complete", EventKind.LANDING, LandingState.LANDED),
        ("appointment_insertion.failed", EventKind.LANDING, LandingState.REFUSED),
        ("appointment_insertion.timed_out", EventKind.LANDING, LandingState.TIMED_OUT),
        ("appointment_insertion.incomplete", EventKind.LANDING, LandingState.INCOMPLETE),
        ("appointment_updated", EventKind.CHANGED, None),
        ("appointment_updated.failed", EventKind.CHANGE_FAILED, None),
        ("appointment_updated.timed_out", EventKind.CHANGE_FAILED, None),
        ("appointment_updated.incomplete", EventKind.CHANGE_FAILED, None),
    ],
)
def test_news_of_one_appointment(name: str, kind: EventKind, landing: LandingState | None) -> None:
    reference = new_reference()
    row = {"id": 1822, "foreign_id": "94", "cancelled": False, "note": f"ref:{reference} Online booking"}
    (event,) = news(delivery(name, {"appointment": row}))
    assert (event.kind, event.landing, event.account) == (kind, landing, "demo")
    assert (event.appointment_id, event.reference) == ("1822", reference)


def test_the_same_news_has_the_same_key_and_other_news_another() -> None:
    def key(name: str, **row: Any) -> str:
        return events(delivery(name, {"appointment": {"id": 1, **row}}))[0].key

    complete = "appointment_insertion.complete"
    assert key(complete, updated_at="t1") == key(complete, updated_at="t1", note="x")
    others = [key(complete, updated_at="t2"), key("appointment_updated", updated_at="t1"), key(complete)]
    assert len({key(complete, updated_at="t1"), *others}) == 4


def test_lists_and_other_resources_and_nonsense() -> None:
    found = news(delivery("appointment_created", {"appointments": [{"id": 1}, {"id": 2}]}))
    assert [(e.kind, e.appointment_id) for e in found] == [(EventKind.CREATED, "1"), (EventKind.CREATED, "2")]
    for raw in (b"", b"[]", b"{}", b"\xff", delivery("appointment_updated", {"appointment": {"id": "x"}})):
        with pytest.raises(NotAnEvent):
            events(raw)


@pytest.mark.parametrize("data", [None, [], [{"id": 7}], "x", {"appointment": {"id": "x"}}])
@pytest.mark.parametrize("name", ["patient_created", "sync_status_read_change", "colour_changed"])
def test_what_is_of_no_use_need_not_be_readable(name: str, data: Any) -> None:
    assert events(delivery(name, data)) == ()


GREEN = {"write_status": "green", "locations": [{"id": 101, "name": "Portland"}]}


@pytest.mark.parametrize(
    ("data", "locations"),
    [
        ({"sync_status": GREEN}, ("101",)),
        ({"sync_statuses": [GREEN, GREEN | {"write_status": "red", "locations": [{"id": 102}]}]}, ("101",)),
        ([GREEN], ("101",)),
        (GREEN, ("101",)),
        ({}, ()),
        (None, ()),
    ],
)
def test_an_office_that_is_back_is_told_whatever_the_form(data: Any, locations: tuple[str, ...]) -> None:
    (event,) = events(delivery("sync_status_write_change", data))
    assert isinstance(event, OfficeOnline)
    assert (event.account, event.locations) == ("demo", locations)


def test_an_office_that_is_off_is_not_back() -> None:
    assert events(delivery("sync_status_write_change", {"sync_status": GREEN | {"write_status": "red"}})) == ()
