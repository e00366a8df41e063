"""The parts of the NexHealth adapter that need no calls: support table, error texts, notes, hours and events."""

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
from adapters.nexhealth import wire, working_hours
from adapters.nexhealth.account import usable_seconds
from adapters.nexhealth.profiles import PROFILES
from adapters.nexhealth.refusals import MEANINGS, DuplicatePatient
from adapters.nexhealth.transport import envelope_of
from adapters.nexhealth.webhooks import MAX_ROWS, UnreadableDelivery, has_valid_signature, parse_events
from adapters.practice_file import read_practice
from adapters.practice_system import Hold, NewChart
from cli.check import unsupported_rules
from devstack import ROOT
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
    "landing_event": "yes no yes yes yes",
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


FIELD_BY_LABEL = {
    "versions": "versions",
    "book, including new patients": "books",
    "cancel": "cancels",
    "confirm": "confirms",
    "move in place (time and operatory, never the provider)": "moves",
    "NexHealth reports when a booking has landed": "landing_event",
    "working hours can be read": "syncs_hours",
    "lunch can be read as closed time": "lunch_blocks",
    "holidays can be read": "holidays",
    "closed operatories can be read": "closed_operatories",
    "appointment notes can be read": "reads_notes",
    "appointment types and procedures of the office": "descriptors",
    "recalls can be read": "recalls",
}


def test_table_in_the_docs_matches_the_profiles() -> None:
    lines = (ROOT / "docs/connections.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    documented = {row[0]: row[1:] for row in rows if row[0] in FIELD_BY_LABEL}
    assert documented == {
        label: [str(getattr(PROFILES[system], field)) for system in SYSTEMS] for label, field in FIELD_BY_LABEL.items()
    }


def test_uncertain_support_counts_as_none() -> None:
    capabilities = {system: profile.capabilities for system, profile in PROFILES.items()}
    assert all(c.queued_writes and not c.moves_provider for c in capabilities.values())
    assert [s for s in SYSTEMS if not capabilities[s].moves_in_place] == ["ascend"]
    assert [s for s in SYSTEMS if not capabilities[s].syncs_hours] == ["dentrix", "ascend"]
    assert [s for s in SYSTEMS if not capabilities[s].reads_notes] == ["ascend"]
    assert [s for s in SYSTEMS if not capabilities[s].attaches_procedures] == ["ascend"]


def test_move_to_another_provider_is_not_possible_in_place() -> None:
    slot = Slot(time=span(NINE, 60), provider="201", operatory="301")
    capabilities = PROFILES["dentrix"].capabilities
    assert capabilities.can_move(slot, slot.model_copy(update={"operatory": "302"}))
    assert not capabilities.can_move(slot, slot.model_copy(update={"provider": "202"}))


def response(status: int, **body: Any) -> httpx.Response:
    envelope = {"code": status < 300, "description": None, "error": None, "data": {}, **body}
    return httpx.Response(status, headers={}, content=json.dumps(envelope).encode())


ERROR_TEXTS = [
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


@pytest.mark.parametrize(("text", "error", "code"), ERROR_TEXTS)
@pytest.mark.parametrize("status", [400, 422, 200])
def test_error_is_recognized_by_its_text_whatever_its_status(
    text: str, error: type[Refused], code: str, status: int
) -> None:
    with pytest.raises(error) as refused:
        envelope_of(response(status, code=False, error=[text.upper()]), "POST /x")
    assert refused.value.code == code
    assert "123456" not in str(refused.value)


def test_every_meaning_is_covered_by_a_text() -> None:
    texts = [text for text, _, _ in ERROR_TEXTS] + ["not synced with the PMS"]
    assert [m.text for m in MEANINGS if not any(m.text in text.lower() for text in texts)] == []


def test_change_before_landing_may_be_retried_after_a_minute() -> None:
    text = "Cannot update appointment because it is not synced with the PMS and/or a live client"
    with pytest.raises(Unavailable) as later:
        envelope_of(response(400, error=[text]), "PATCH /x")
    assert later.value.retry_after == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (response(404, error=["Appointment not found"]), NotFound),
        (response(403, error=["You don't have access"]), NotAuthorized),
        (response(400, error=["something new"]), Refused),
        (response(200, code=False, error=None), Refused),
        (httpx.Response(403, headers={}, content=b"<title>1010</title>"), Unavailable),
        (httpx.Response(429, headers={}, content=b"Retry later"), RateLimited),
        (httpx.Response(500, headers={}, content=b"oops"), OutcomeUnknown),
        (httpx.Response(502, headers={}, content=b"<h1>Bad gateway"), OutcomeUnknown),
        (httpx.Response(201, headers={}, content=b"{"), OutcomeUnknown),
    ],
)
def test_each_answer_raises_its_error(answer: httpx.Response, error: type[OutsideError]) -> None:
    with pytest.raises(OutsideError) as failure:
        envelope_of(answer, "POST /x")
    assert type(failure.value) is error


@pytest.mark.parametrize(("lifetime", "usable"), [(3600, 3000), (86400, 3000), (1200, 900), (200, 100)])
def test_token_is_replaced_before_it_ends(lifetime: int, usable: int) -> None:
    claims = {"iat": 1_800_000_000, "exp": 1_800_000_000 + lifetime}
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert usable_seconds(f"e30.{part}.sig") == usable
    assert usable_seconds("no token") == 3000


@pytest.mark.parametrize("patient_note", ["", "short", "long " * 100, "in\nlines", "é" * 300])
def test_our_reference_survives_in_the_longest_note(patient_note: str) -> None:
    slot = Slot(time=span(NINE, 60), provider="201", operatory="301")
    hold = Hold(reference=new_reference(), location="101", slot=slot, patient="1", title="T" * 60, note=patient_note)
    note = wire.note_text(hold)
    assert len(note) <= 128
    assert "\n" not in note
    assert reference_in(note) == hold.reference


@pytest.mark.parametrize(("reads_notes", "is_recognized"), [(True, False), (False, True)])
def test_reference_in_the_referrer_counts_only_if_notes_are_not_read(reads_notes: bool, is_recognized: bool) -> None:
    slot = Slot(time=span(NINE, 60), provider="201", operatory="301")
    hold = Hold(reference=new_reference(), location="101", slot=slot, patient="1", title="Cleaning")
    row = wire.new_appointment(hold, "https://book.practice.example")["appt"]
    appointment = wire.appointment({**row, "id": 1, "note": None}, reads_notes=reads_notes)
    assert (appointment.reference == hold.reference) is is_recognized
    assert wire.appointment({**row, "id": 1}, reads_notes=reads_notes).reference == hold.reference


def test_new_patient_asks_for_an_existing_chart_if_there_is_one() -> None:
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
    assert "street_address" not in body["patient"]["bio"]  # the practice's own address is not the patient's


def test_check_names_services_that_would_never_be_offered(tmp_path: Path) -> None:
    text = (
        (ROOT / "practice.toml").read_text().replace('slot_step = "30m"', 'slot_step = "30m"\nonly_in_windows = true')
    )
    (tmp_path / "practice.toml").write_text(text)
    practice = read_practice(tmp_path / "practice.toml")
    (name, *_) = [connection.name for connection in practice.connections]
    assert unsupported_rules(name, PROFILES["eaglesoft"].capabilities, practice) == []
    problems = unsupported_rules(name, PROFILES["dentrix"].capabilities, practice)
    assert "oakland: cleaning is offered only_in_windows" in problems[0]


def test_check_names_procedures_that_would_not_be_attached(tmp_path: Path) -> None:
    text = (
        (ROOT / "practice.toml").read_text().replace('label = "Cleaning"', 'label = "Cleaning"\nprocedures = ["7"]', 1)
    )
    (tmp_path / "practice.toml").write_text(text)
    practice = read_practice(tmp_path / "practice.toml")
    (name, *_) = [connection.name for connection in practice.connections]
    assert unsupported_rules(name, PROFILES["dentrix"].capabilities, practice) == []
    (problem,) = unsupported_rules(name, PROFILES["ascend"].capabilities, practice)
    assert "procedures of cleaning" in problem


def hours_row(**fields: Any) -> dict[str, Any]:
    row = {"id": 1, "provider_id": 7, "operatory_id": 301, "begin_time": "08:00", "end_time": "12:00", "active": True}
    return {**row, "days": [], "specific_date": None, "custom_recurrence": None, **fields}


def windows_opened(*rows: dict[str, Any], day: date = date(2027, 1, 12)) -> list[tuple[int, str]]:
    """(UTC hour of opening, operatory)"""
    tz = ZoneInfo("America/New_York")
    start = datetime(day.year, day.month, day.day, tzinfo=tz)
    around = Interval(start=start, end=start + timedelta(hours=23))
    return [(w.time.start.hour, w.operatory) for w in working_hours.windows(rows, around, tz, ["301", "302"])]


def test_weekly_hours_open_windows_in_the_locations_zone() -> None:
    weekly = hours_row(days=["Tuesday"])
    assert windows_opened(weekly) == [(13, "301")]
    assert windows_opened(weekly, day=date(2027, 7, 13)) == [(12, "301")]
    assert windows_opened(weekly, day=date(2027, 1, 13)) == []
    assert windows_opened(hours_row(days=["Tuesday"], operatory_id=None)) == [(13, "301"), (13, "302")]
    assert windows_opened(hours_row(days=["Tuesday"], active=False)) == []


def test_specific_date_replaces_the_weekly_hours_of_that_provider_only() -> None:
    specific = hours_row(specific_date="2027-01-12", begin_time="10:00")
    other = hours_row(days=["Tuesday"], provider_id=8, operatory_id=302)
    assert windows_opened(hours_row(days=["Tuesday"]), specific, other) == [(15, "301"), (13, "302")]


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
def test_hours_with_a_custom_recurrence(num: int, unit: str, ref: str, opens: bool) -> None:
    row = hours_row(custom_recurrence={"num": num, "unit": unit, "ref": ref})
    assert bool(windows_opened(row)) is opens


def test_24_00_is_midnight_at_the_end_of_the_day() -> None:
    tz = ZoneInfo("America/New_York")
    around = Interval(start=datetime(2027, 1, 12, tzinfo=tz), end=datetime(2027, 1, 12, 23, tzinfo=tz))
    (window,) = working_hours.windows([hours_row(days=["Tuesday"], end_time="24:00")], around, tz, [])
    assert window.time.end == datetime(2027, 1, 13, tzinfo=tz)


@pytest.mark.parametrize(
    "unreadable",
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
def test_unreadable_hours_open_nothing_and_do_not_affect_others(unreadable: dict[str, Any]) -> None:
    readable = hours_row(days=["Tuesday"], provider_id=8, operatory_id=302)
    assert windows_opened(hours_row(**{"days": ["Tuesday"], **unreadable}), readable) == [(13, "302")]


SECRETS = ("new-secret", "old-secret")


def signature_of(
    raw: bytes, secret: str, timestamp: str = "2027-01-12T17:00:00.000Z", *, in_lines: bool = False
) -> str:
    text = base64.b64encode(raw)
    if in_lines:  # of 60 characters, as Ruby writes them
        text = b"".join(text[i : i + 60] + b"\n" for i in range(0, len(text), 60))
    return hmac.new(secret.encode(), timestamp.encode() + b"." + text, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("in_lines", [False, True])
def test_signature_with_any_of_our_secrets_is_valid(secret: str, in_lines: bool) -> None:
    raw = json.dumps({"event_name": "appointment_insertion.complete", "padding": "x" * 200}).encode()
    at = "2027-01-12T17:00:00.000Z"
    assert has_valid_signature(raw, at, signature_of(raw, secret, in_lines=in_lines), SECRETS)
    assert has_valid_signature(raw, at, signature_of(raw, secret).upper(), SECRETS)


def test_signature_is_invalid_after_any_change() -> None:
    raw, at = b'{"event_name": "x"}', "2027-01-12T17:00:00.000Z"
    good = signature_of(raw, "new-secret")
    assert not has_valid_signature(raw + b" ", at, good, SECRETS)
    assert not has_valid_signature(raw, "2027-01-12T17:00:01.000Z", good, SECRETS)
    assert not has_valid_signature(raw, at, signature_of(raw, "another"), SECRETS)
    assert not has_valid_signature(raw, at, "", SECRETS)
    assert not has_valid_signature(raw, at, "é", SECRETS)
    assert not has_valid_signature(raw, at, good, ())


def delivery(name: str, data: dict[str, Any]) -> bytes:
    return json.dumps({"resource_type": "Appointment", "event_name": name, "subdomain": "demo", "data": data}).encode()


def calendar_events(raw: bytes) -> list[CalendarEvent]:
    return [event for event in parse_events(raw) if isinstance(event, CalendarEvent)]


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
def test_event_about_one_appointment(name: str, kind: EventKind, landing: LandingState | None) -> None:
    reference = new_reference()
    row = {"id": 1822, "foreign_id": "94", "cancelled": False, "note": f"ref:{reference} Online booking"}
    (event,) = calendar_events(delivery(name, {"appointment": row}))
    assert (event.kind, event.landing, event.account) == (kind, landing, "demo")
    assert (event.appointment_id, event.reference) == ("1822", reference)


def test_only_a_repeated_event_has_the_same_key() -> None:
    def key(name: str, **row: Any) -> str:
        return parse_events(delivery(name, {"appointment": {"id": 1, **row}}))[0].key

    complete = "appointment_insertion.complete"
    assert key(complete, updated_at="t1") == key(complete, updated_at="t1", note="x")
    other_keys = [key(complete, updated_at="t2"), key("appointment_updated", updated_at="t1"), key(complete)]
    assert len({key(complete, updated_at="t1"), *other_keys}) == 4


def test_delivery_with_several_appointments_and_unreadable_deliveries() -> None:
    created = calendar_events(delivery("appointment_created", {"appointments": [{"id": 1}, {"id": 2}]}))
    assert [(e.kind, e.appointment_id) for e in created] == [(EventKind.CREATED, "1"), (EventKind.CREATED, "2")]
    for raw in (b"", b"[]", b"{}", b"\xff", delivery("appointment_updated", {"appointment": {"id": "x"}})):
        with pytest.raises(UnreadableDelivery):
            parse_events(raw)


@pytest.mark.parametrize("identifier", [1.5, True, float("inf"), "7 7", "9" * 30, "-1", "\uff17", None, [7]])
def test_row_whose_id_is_no_whole_number_is_unreadable(identifier: Any) -> None:
    with pytest.raises(UnreadableDelivery):
        parse_events(delivery("appointment_updated", {"appointment": {"id": identifier}}))


def test_delivery_has_a_largest_number_of_rows() -> None:
    rows = [{"id": number} for number in range(MAX_ROWS + 1)]
    assert len(parse_events(delivery("appointment_created", {"appointments": rows[1:]}))) == MAX_ROWS
    with pytest.raises(UnreadableDelivery):
        parse_events(delivery("appointment_created", {"appointments": rows}))


@pytest.mark.parametrize("data", [None, [], [{"id": 7}], "x", {"appointment": {"id": "x"}}])
@pytest.mark.parametrize("name", ["patient_created", "sync_status_read_change", "colour_changed"])
def test_event_that_we_do_not_use_need_not_be_readable(name: str, data: Any) -> None:
    assert parse_events(delivery(name, data)) == ()


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
def test_office_online_event_is_read_in_any_shape(data: Any, locations: tuple[str, ...]) -> None:
    (event,) = parse_events(delivery("sync_status_write_change", data))
    assert isinstance(event, OfficeOnline)
    assert (event.account, event.locations) == ("demo", locations)


def test_status_event_of_an_offline_office_gives_no_event() -> None:
    assert parse_events(delivery("sync_status_write_change", {"sync_status": GREEN | {"write_status": "red"}})) == ()
