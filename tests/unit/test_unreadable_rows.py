"""A vendor may send anything in any field. What cannot be read closes what it may close, and stops nothing else."""

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.ascend import recurrence
from adapters.ascend import wire as ascend_wire
from adapters.ascend.edits import one_row
from adapters.errors import OutsideError, Unreadable
from adapters.nexhealth import wire as nexhealth_wire
from adapters.nexhealth import working_hours
from adapters.nexhealth.webhooks import UnreadableDelivery, parse_events
from adapters.rows import as_row, check_ours_readable, readable_id, row_key
from adapters.unreadable_rows import MAX_WAITING, PATIENT, UnreadableRows
from domain.calendar import Appointment, Block
from domain.interval import Interval, span
from domain.matching import Verdict, match
from domain.patient import UNREADABLE_CHART
from domain.request import Person

LA = ZoneInfo("America/Los_Angeles")
NINE = datetime(2027, 1, 12, 17, tzinfo=UTC)
DAY = Interval(start=NINE - timedelta(hours=9), end=NINE + timedelta(hours=15))
READ_SPAN = DAY.widened(timedelta(hours=12), timedelta(0))
LONGEST = timedelta(hours=12)
REFERENCE = "bk_" + "a" * 26
UNSET = "0001-01-01T00:00:00"
GARBAGE: tuple[Any, ...] = (
    *(None, "", 0, -1, 5, True, False, 1e999, -1e999, float("nan"), 10**400, 0.5),
    *("x", "x" * 10_000, "A" + " " * 12_000 + "Z", "\ud800", "\x00", "\x1b[2J", "9" * 5000, "٣", "²"),
    *([], [None], [[]], {}, {"id": None}, {"id": []}, {"id": 1e999}, [{"id": {}}], ["x"] * 1000),
    *(UNSET, "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2027-02-30", "2027-01-12", "24:00", "DAILY"),
)
ASCEND_APPOINTMENT = {
    "id": "1",
    "start": "2027-01-12T17:00:00.000Z",
    "duration": 60,
    "end": "2027-01-12T18:00:00.000Z",
    "provider": {"id": "8"},
    "otherProvider": {"id": "9"},
    "operatory": {"id": "3"},
    "patient": {"id": "5"},
    "location": {"id": "1"},
    "status": "CONFIRMED",
    "note": f"ref:{REFERENCE}",
    "lastModified": "2027-01-01T00:00:00Z",
}
EVENT = {
    "id": "1",
    "start": "2027-01-05T20:00:00Z",
    "end": "2027-01-05T21:00:00Z",
    "allDay": False,
    "duration": 60,
    "recurrenceType": "WEEKLY",
    "recurrenceFrequency": 1,
    "recurrenceEnd": "2027-06-01",
    "operatory": {"id": "3"},
    "provider": {"id": "8"},
    "location": {"id": "1"},
}
ASCEND_PATIENT = {
    "id": "5",
    "firstName": "Ada",
    "lastName": "Sampleton",
    "preferredName": "A",
    "nameSuffix": "Jr",
    "dateOfBirth": "1990-04-01",
    "emailAddress": "ada@example.com",
    "phones": [{"number": "(510) 555-0601"}],
    "patientStatus": "ACTIVE",
    "preferredLocation": {"id": "1"},
    "duplicateOfPatient": None,
}
TEMPLATE = {
    "id": "1",
    "operatory": {"id": "3"},
    "location": {"id": "1"},
    "bookOnline": True,
    "dayOfWeek": "TUESDAY",
    "start": "08:00",
    "end": "17:00",
    "providers": [{"id": "8"}],
    "reasons": [{"id": "4"}],
}
NEXHEALTH_APPOINTMENT = {
    "id": 1,
    "start_time": "2027-01-12T17:00:00Z",
    "end_time": "2027-01-12T18:00:00Z",
    "provider_id": 8,
    "operatory_id": 3,
    "patient_id": 5,
    "location_id": 1,
    "cancelled": False,
    "patient_missed": False,
    "note": f"ref:{REFERENCE}",
    "referrer": None,
    "unavailable": False,
    "foreign_id": "7",
    "confirmed": True,
}
NEXHEALTH_PATIENT = {
    "id": 5,
    "first_name": "Ada",
    "last_name": "Sampleton",
    "email": "ada@example.com",
    "inactive": False,
    "bio": {"date_of_birth": "1990-04-01", "phone_number": "5105550601", "new_patient": False, "non_patient": False},
}
HOURS = {
    "id": 1,
    "provider_id": 8,
    "operatory_id": 3,
    "begin_time": "08:00",
    "end_time": "17:00",
    "active": True,
    "days": ["Tuesday"],
    "specific_date": None,
    "appointment_types": [{"id": 4}],
    "custom_recurrence": {"num": 1, "unit": "week", "ref": "2027-01-05"},
}
DELIVERY = {
    "event_name": "appointment_insertion.complete",
    "subdomain": "bright-harbor",
    "data": {"appointment": {"id": 1, "updated_at": "2027-01-01T00:00:00Z", "note": "x", "referrer": "y"}},
}


def mutations(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The row with each field in turn missing or garbage."""
    for field, value in row.items():
        yield {name: each for name, each in row.items() if name != field}
        for garbage in GARBAGE:
            yield {**row, field: garbage}
        if isinstance(value, dict):
            for inner in mutations(value):
                yield {**row, field: inner}


PARSERS: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], object]]] = {
    "ascend appointment": (ASCEND_APPOINTMENT, ascend_wire.appointment),
    "ascend appointment, blocks": (
        ASCEND_APPOINTMENT,
        lambda row: ascend_wire.possible_blocks(row, READ_SPAN, LONGEST),
    ),
    "ascend row of one": (ASCEND_APPOINTMENT, lambda row: one_row({"data": [row]}, Unreadable("id"))),
    "ascend event": (EVENT, lambda row: recurrence.blocks(row, DAY, LA)),
    "ascend event, check": (EVENT, recurrence.check),
    "ascend patient": (ASCEND_PATIENT, ascend_wire.chart),
    "ascend template": (TEMPLATE, lambda row: ascend_wire.windows(row, DAY, LA)),
    "nexhealth appointment": (
        NEXHEALTH_APPOINTMENT,
        lambda row: nexhealth_wire.appointment(row, reads_notes=False),
    ),
    "nexhealth block": (NEXHEALTH_APPOINTMENT, lambda row: list(nexhealth_wire.blocks(row))),
    "nexhealth kind of row": (NEXHEALTH_APPOINTMENT, nexhealth_wire.is_block),
    "nexhealth location of row": (NEXHEALTH_APPOINTMENT, lambda row: nexhealth_wire.is_at(row, "1")),
    "nexhealth appointment, blocks": (
        NEXHEALTH_APPOINTMENT,
        lambda row: nexhealth_wire.possible_blocks(row, READ_SPAN, LONGEST),
    ),
    "nexhealth patient": (NEXHEALTH_PATIENT, nexhealth_wire.chart),
    "nexhealth hours": (HOURS, lambda row: working_hours.windows([row], DAY, LA, ["3"])),
    "nexhealth hours, check": (HOURS, working_hours.check),
    "key of a row": (ASCEND_APPOINTMENT, row_key),
    "search for ours": (
        ASCEND_APPOINTMENT,
        lambda row: check_ours_readable([row], REFERENCE, ascend_wire.appointment),
    ),
}


@pytest.mark.parametrize("parser", PARSERS)
def test_garbage_in_any_field_is_read_or_unreadable(parser: str) -> None:
    row, parse = PARSERS[parser]
    parse(row)
    for mutated in [*mutations(row), {}]:
        try:
            parse(mutated)
        except OutsideError:
            continue


def test_garbage_in_any_field_of_a_delivery_is_read_or_unreadable() -> None:
    for mutated in mutations(DELIVERY):
        try:
            parse_events(json.dumps(mutated).encode())
        except UnreadableDelivery:
            continue


@pytest.mark.parametrize("nested", [b"[" * 50_000, b'{"event_name":' * 50_000, b""])
def test_delivery_of_brackets_is_unreadable(nested: bytes) -> None:
    with pytest.raises(UnreadableDelivery):
        parse_events(nested)


def closes(blocks: list[Block], instant: datetime, *, operatory: str, provider: str) -> bool:
    return any(
        block.time.start <= instant < block.time.end
        and block.operatory in (None, operatory)
        and block.provider in (None, provider)
        for block in blocks
    )


def appointment_of(vendor: str, row: dict[str, Any]) -> Appointment:
    return ascend_wire.appointment(row) if vendor == "ascend" else nexhealth_wire.appointment(row, reads_notes=True)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("vendor", ["ascend", "nexhealth"])
def test_appointment_with_unreadable_fields_is_never_free_time(vendor: str, seed: int) -> None:
    """Whatever is garbage, the time, provider and operatory that the row still tells stay closed, and nothing less."""
    rng = random.Random(seed)
    good = ASCEND_APPOINTMENT if vendor == "ascend" else NEXHEALTH_APPOINTMENT
    for _ in range(100):
        row = {
            name: rng.choice(("\x00", [], {"id": []}, 1e999, UNSET)) if rng.random() < 0.3 else value
            for name, value in good.items()
        }
        possible = ascend_wire.possible_blocks if vendor == "ascend" else nexhealth_wire.possible_blocks
        if vendor == "ascend":
            row["status"] = "CONFIRMED"
        try:
            appointment = appointment_of(vendor, row)
        except Unreadable:
            blocks = possible(row, READ_SPAN, LONGEST)
            assert closes(blocks, NINE, operatory="3", provider="other")
            assert closes(blocks, NINE, operatory="other", provider="8")
        else:
            assert (appointment.provider, appointment.operatory) == ("8", "3")
            assert appointment.time.contains(span(NINE, 1))


def test_end_before_the_start_occupies_both_readings_of_its_own_provider_only() -> None:
    row = {**ASCEND_APPOINTMENT, "duration": None, "end": "2027-01-12T16:00:00Z", "otherProvider": None}
    blocks = ascend_wire.possible_blocks(row, READ_SPAN, LONGEST)
    assert {(block.operatory, block.provider) for block in blocks} == {("3", None), (None, "8")}
    assert {(block.time.start, block.time.end) for block in blocks} == {(NINE - timedelta(hours=1), NINE + LONGEST)}


def test_cancelled_appointment_occupies_nothing_even_if_it_is_unreadable() -> None:
    broken = {**ASCEND_APPOINTMENT, "status": "BROKEN", "start": "?"}
    assert ascend_wire.possible_blocks(broken, READ_SPAN, LONGEST) == []
    cancelled = {**NEXHEALTH_APPOINTMENT, "cancelled": True, "start_time": "?"}
    assert nexhealth_wire.possible_blocks(cancelled, READ_SPAN, LONGEST) == []


@pytest.mark.parametrize("flag", ["false", 1, "no", []])
def test_only_the_documented_value_frees_the_time_of_an_appointment(flag: Any) -> None:
    row = {**NEXHEALTH_APPOINTMENT, "cancelled": flag, "patient_missed": flag}
    assert nexhealth_wire.appointment(row, reads_notes=True).status.occupies_time


def closed_hours(**changes: Any) -> float:
    """Hours of Tuesday that an event at noon closes."""
    once = {**EVENT, "start": "2027-01-12T20:00:00Z", "end": "2027-01-12T21:00:00Z", "recurrenceType": None}
    row = {**once, "duration": None, "provider": None, **changes}
    times = [block.time for block in recurrence.blocks(row, DAY, LA)]
    return sum((min(t.end, DAY.end) - max(t.start, DAY.start)).total_seconds() for t in times) / 3600


@pytest.mark.parametrize("tz", ["America/Los_Angeles", "Asia/Tokyo", "UTC"])
def test_event_in_the_year_1_closes_nothing_today(tz: str) -> None:
    row = {**EVENT, "start": UNSET, "end": UNSET, "recurrenceType": None}
    assert recurrence.blocks(row, DAY, ZoneInfo(tz)) == []


@pytest.mark.parametrize(
    ("changes", "hours"),
    [
        ({}, 1),
        ({"end": UNSET}, 12),
        ({"end": UNSET, "duration": 90}, 1.5),
        ({"end": "?"}, 12),
        ({"end": 5}, 12),
        ({"start": UNSET}, 13),
        ({"start": "?"}, 13),
        ({"start": None, "end": None}, 24),
        ({"start": "2020-01-01T00:00:00Z", "end": "2021-01-01T00:00:00Z", "recurrenceType": "DAILY"}, 24),
    ],
)
def test_event_with_an_unreadable_time_closes_all_that_it_may_close(changes: dict[str, Any], hours: float) -> None:
    assert closed_hours(**changes) == hours


def test_event_with_an_unreadable_provider_closes_everybodys_time() -> None:
    row = {**EVENT, "provider": {"name": "Lin"}}
    assert {(block.operatory, block.provider) for block in recurrence.blocks(row, DAY, LA)} == {(None, None)}


def test_events_of_a_century_are_computed_in_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    days: list[date] = []
    recurs_on = recurrence._recurs_on

    def counted(day: date, *rest: Any) -> bool:
        days.append(day)
        return recurs_on(day, *rest)

    monkeypatch.setattr(recurrence, "_recurs_on", counted)
    for kind in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY", "SOMETIMES"):
        for minutes in (60, 10**5, 10**7, 10**9):
            row = {**EVENT, "start": "1950-01-01T00:00:00Z", "end": None, "duration": minutes, "recurrenceType": kind}
            recurrence.blocks({**row, "recurrenceEnd": None}, DAY, LA)
    assert len(days) < 20 * 150


PERSON = Person(
    first_name="Ada", last_name="Sampleton", date_of_birth=date(1990, 4, 1), mobile="+15105550601", sex=None
)


@pytest.mark.parametrize(
    "field", ["firstName", "lastName", "phones", "emailAddress", "dateOfBirth", "id", "nameSuffix"]
)
@pytest.mark.parametrize("garbage", [["Ada"], 5, "A" + " " * 12_000 + "Z"], ids=["list", "number", "long"])
@pytest.mark.parametrize("returning", [None, False, True])
def test_unreadable_chart_never_makes_a_patient_new(field: str, garbage: Any, returning: bool | None) -> None:
    chart = ascend_wire.chart({**ASCEND_PATIENT, field: garbage})
    if field == "id" and garbage == 5:
        assert chart.id == "5"
        return
    assert chart.unreadable == field
    assert match(PERSON, returning, [chart]).verdict is not Verdict.NEW
    assert match(PERSON.model_copy(update={"last_name": "Placeholm"}), returning, [chart]).verdict is Verdict.ASK


@pytest.mark.parametrize("bio", ["x", 5, [1], {"date_of_birth": 5}, {"date_of_birth": "soon"}, {"phone_number": []}])
def test_unreadable_bio_never_makes_a_patient_new(bio: Any) -> None:
    chart = nexhealth_wire.chart({**NEXHEALTH_PATIENT, "bio": bio, "last_name": "Placeholm"})
    assert match(PERSON, None, [chart]).verdict is Verdict.ASK


def test_chart_without_a_readable_id_can_be_ruled_out_by_staff() -> None:
    chart = ascend_wire.chart({**ASCEND_PATIENT, "id": [], "lastName": "Placeholm"})
    assert match(PERSON, None, [chart]).candidates == (UNREADABLE_CHART,)


@pytest.mark.parametrize(
    "row",
    [
        {**ASCEND_APPOINTMENT, "end": "2026-01-01T00:00:00Z", "duration": None},
        {**ASCEND_APPOINTMENT, "note": [REFERENCE], "start": "?"},
        {**ASCEND_APPOINTMENT, "note": None, "referrer": 5, "start": "?"},
        {},
    ],
)
def test_search_for_ours_does_not_pass_over_a_row_that_may_be_ours(row: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        check_ours_readable([row], REFERENCE, ascend_wire.appointment)


def test_search_for_ours_passes_over_an_unreadable_row_of_others() -> None:
    check_ours_readable([{"id": 2, "note": "Call first"}], REFERENCE, ascend_wire.appointment)


@pytest.mark.parametrize(
    ("value", "text"), [(12, "12"), ("12", "12"), ("5f00-a_b", "5f00-a_b"), (True, None), (1.0, None), ("a b", None)]
)
def test_ids_are_short_plain_text(value: Any, text: str | None) -> None:
    assert readable_id(value) == text
    assert readable_id("9" * 41) is None


def test_row_is_recorded_once_for_each_of_its_versions() -> None:
    rows, error = UnreadableRows(), Unreadable("start")
    for version in ("2027-01-01T00:00:00+00:00", "2027-01-02T00:00:00+00:00"):
        for _ in range(3):
            rows.record("event", {**EVENT, "lastModified": version}, error, "1")
    first, second = rows.take()
    assert (first.id, first.field, first.location, first.key == second.key) == ("1", "start", "1", False)
    assert rows.take() == []


def test_rows_without_ids_are_told_apart_and_bounded() -> None:
    rows = UnreadableRows()
    for number in range(2 * MAX_WAITING):
        rows.record("event", {"start": number}, Unreadable("id"), None)
    assert len({row.key for row in rows.take()}) == MAX_WAITING


def test_patients_are_not_named_to_the_desk_by_email() -> None:
    rows = UnreadableRows()
    rows.record(PATIENT, ASCEND_PATIENT, Unreadable("phones"), "1")
    assert rows.take() == []


def test_entry_that_is_no_row_is_an_empty_row() -> None:
    values: list[Any] = [None, 5, "x", [], {"id": 1}]
    assert [as_row(value) for value in values] == [{}, {}, {}, {}, {"id": 1}]
