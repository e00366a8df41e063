"""What only the NexHealth adapter does, over real HTTP to the sandbox. ``test_port`` has what every adapter does."""

import asyncio
import dataclasses
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from adapters.errors import Misconfigured, NotAuthorized, OutcomeUnknown, RateLimited, Refused, SlotTaken, Unavailable
from adapters.nexhealth import Account, NexHealthConfig, NexHealthSystem, edits
from adapters.nexhealth.config import WEBHOOK_PATH
from adapters.nexhealth.transport import Transport
from adapters.nexhealth.webhooks import SUBSCRIPTIONS, has_valid_signature, parse_events
from adapters.practice_system import NewChart, PatientQuery, ReleaseOutcome
from domain.calendar import AppointmentStatus, CalendarEvent, EventKind, LandingState
from domain.interval import Interval
from domain.patient import Address, ChartStatus
from domain.reference import reference_in
from domain.request import Person, Sex
from tests.support.practice_systems import (
    DAY,
    NINE,
    TUESDAY,
    WEDNESDAY,
    PracticeUnderTest,
    nexhealth,
    practice_under_test,
    unlimited_permit,
)
from tests.support.receiver import Receiver, running_receiver
from tests.support.sandbox import SandboxControl

HOUR = timedelta(hours=1)
NOVA = Person(
    first_name="Nova",
    last_name="Newcomer",
    date_of_birth=date(1991, 4, 2),
    email="Nova@Example.COM",
    mobile="+15105550121",
    address=Address(line1="1 Main St", line2="Apt 2", city="Oakland", state="CA", postal_code="94601-1234"),
)


@pytest.fixture
async def dentrix(sandbox: SandboxControl) -> AsyncIterator[PracticeUnderTest]:
    with practice_under_test(sandbox, "nexhealth dentrix") as practice:
        yield practice
        await practice.system.close()


@pytest.fixture(params=["dentrix", "dentrix-enterprise", "eaglesoft", "ascend", "open-dental"])
async def practice(sandbox: SandboxControl, request: pytest.FixtureRequest) -> AsyncIterator[PracticeUnderTest]:
    with practice_under_test(sandbox, f"nexhealth {request.param}") as practice:
        yield practice
        await practice.system.close()


def config(practice: PracticeUnderTest, **changes: Any) -> NexHealthConfig:
    return config_for(practice.sandbox, practice.system.capabilities.system, **changes)


def config_for(sandbox: SandboxControl, system: str, **changes: Any) -> NexHealthConfig:
    return nexhealth(sandbox, system, **changes)._config


def new_chart(practice: PracticeUnderTest, person: Person = NOVA) -> NewChart:
    address = Address(line1="9 Practice Row", city="Portland", state="OR", postal_code="97201")
    return NewChart(
        person=person, location=practice.location, address=address, language="en", provider=practice.providers[1]
    )


def nexhealth_rows(practice: PracticeUnderTest, kind: str) -> list[dict[str, Any]]:
    return list(practice.sandbox.state()["nexhealth"][kind])


def office_rows(practice: PracticeUnderTest) -> dict[str, list[dict[str, Any]]]:
    """What the practice's own system has."""
    return dict(practice.sandbox.state()["nexhealth"]["office"])


def patients_born(practice: PracticeUnderTest, day: date) -> PatientQuery:
    return PatientQuery(location=practice.location, last_name="x", first_name="y", date_of_birth=day)


# Calls


@pytest.mark.parametrize("page_size", [1, 3, 5, 1000])
async def test_every_row_is_read_however_small_the_pages_are(dentrix: PracticeUnderTest, page_size: int) -> None:
    for hour in range(7):
        dentrix.book(NINE + hour * HOUR)
    system = nexhealth(dentrix.sandbox, page_size=page_size)
    assert len((await system.read_calendar("101", DAY)).appointments) == 7
    await system.close()


async def test_one_token_serves_all_calls(dentrix: PracticeUnderTest) -> None:
    await asyncio.gather(*(dentrix.system.read_calendar("101", DAY) for _ in range(5)))
    await dentrix.system.find_patients(patients_born(dentrix, date(1981, 1, 15)))
    assert dentrix.sandbox.state()["calls"]["nexhealth"]["POST /authenticates"] == 1


async def test_token_refused_to_many_calls_at_once_is_replaced_once(dentrix: PracticeUnderTest) -> None:
    await dentrix.system.read_calendar("101", DAY)
    dentrix.sandbox.fault(system="nexhealth", method="GET", path="/patients", kind="expire_tokens")
    days = [date(1981, 1, day) for day in range(1, 9)]
    await asyncio.gather(*(dentrix.system.find_patients(patients_born(dentrix, day)) for day in days))
    assert dentrix.sandbox.state()["calls"]["nexhealth"]["POST /authenticates"] == 2


async def test_call_fails_if_the_new_token_is_refused_too(dentrix: PracticeUnderTest) -> None:
    dentrix.sandbox.fault(system="nexhealth", path="/appointments", kind="expire_tokens", times=9)
    with pytest.raises(NotAuthorized):
        await dentrix.system.read_calendar("101", DAY)
    assert dentrix.sandbox.state()["calls"]["nexhealth"]["POST /authenticates"] == 2


async def test_error_for_a_refused_key_names_the_setting(dentrix: PracticeUnderTest) -> None:
    system = NexHealthSystem(
        NexHealthConfig(dentrix.sandbox.url, api_key="wrong", subdomain="x", system="dentrix", locations=())
    )
    with pytest.raises(NotAuthorized, match="NEXHEALTH_API_KEY"):
        await system.read_calendar("101", DAY)
    await system.close()


async def test_practice_that_the_key_cannot_access_is_refused(dentrix: PracticeUnderTest) -> None:
    system = nexhealth(dentrix.sandbox, subdomain="far-shore")
    with pytest.raises(NotAuthorized):
        await system.read_calendar("101", DAY)
    await system.close()


async def test_ignored_filter_is_an_error(dentrix: PracticeUnderTest) -> None:
    transport = Transport(config(dentrix), Account())
    with pytest.raises(Misconfigured, match="search") as ignored:
        await transport.rows("/patients", [("location_id", "101"), ("search", "Sampleton")])
    assert ignored.value.code == "ignored_parameters"
    endpoint = {"target_url": "https://example.com/x", "active": True}
    with pytest.raises(OutcomeUnknown, match="colour"):
        await transport.write("POST", "/webhook_endpoints", endpoint, [("colour", "red")], scoped=False)
    await transport.close()


async def test_calendar_reads_stay_below_ten_per_second(dentrix: PracticeUnderTest) -> None:
    spans = [Interval(start=DAY.start + n * HOUR, end=DAY.end + n * HOUR) for n in range(14)]
    await asyncio.gather(*(dentrix.system.read_calendar("101", span) for span in spans))
    assert dentrix.sandbox.state()["calls"]["nexhealth"]["GET /appointments"] == 14


async def test_connections_under_one_key_share_rate_limit_and_token(sandbox: SandboxControl) -> None:
    account = Account()
    systems = [NexHealthSystem(config_for(sandbox, system), account) for system in ("dentrix", "eaglesoft")]
    spans = [Interval(start=DAY.start + n * HOUR, end=DAY.end + n * HOUR) for n in range(9)]
    connections = list(zip(systems, ("101", "103"), strict=True))
    for system, location in connections:  # fills the caches and opens the connections
        await system.read_calendar(location, DAY)
    await asyncio.sleep(1)
    await asyncio.gather(*(system.read_calendar(location, span) for system, location in connections for span in spans))
    calls = sandbox.state()["calls"]["nexhealth"]
    assert (calls["GET /appointments"], calls["POST /authenticates"]) == (20, 1)
    for system in systems:
        await system.close()


async def test_rate_limit_without_retry_after_has_none(dentrix: PracticeUnderTest) -> None:
    dentrix.sandbox.nexhealth(retry_after=None)
    transport = Transport(config(dentrix), Account())
    for _ in range(10):
        await transport.read("/locations")
    crowd = [Transport(config(dentrix), Account()) for _ in range(4)]
    reads = [one.rows("/appointments", _any_day()) for one in crowd for _ in range(5)]
    results = await asyncio.gather(*reads, return_exceptions=True)
    limited = [result for result in results if isinstance(result, RateLimited)]
    assert limited
    assert all(result.retry_after is None for result in limited)
    assert all(isinstance(result, list | RateLimited) for result in results)
    for one in (transport, *crowd):
        await one.close()


def _any_day() -> list[tuple[str, str]]:
    return [("location_id", "101"), ("start", f"{TUESDAY}T00:00:00Z"), ("end", f"{WEDNESDAY}T00:00:00Z")]


# Patients


async def test_only_charts_with_the_birth_date_are_returned(dentrix: PracticeUnderTest) -> None:
    charts = await dentrix.system.find_patients(patients_born(dentrix, date(2014, 5, 5)))
    assert sorted(chart.first_name for chart in charts) == ["Lapis", "Lazuli"]
    assert all(chart.phones == ("5035550122",) for chart in charts)


@contextmanager
def nexhealth_answering(data: Any) -> Iterator[str]:
    """The URL of a NexHealth that answers every call with the same data."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = {"token": "a.b.c"} if self.path.startswith("/authenticates") else data
            page = {"has_next_page": False}
            body = json.dumps({"code": True, "description": None, "error": None, "data": token, "page_info": page})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body.encode())

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def patient_row(first_name: str = "Nova", born: str = "1991-04-02") -> dict[str, Any]:
    return {"id": 7, "first_name": first_name, "last_name": "Newcomer", "bio": {"date_of_birth": born}}


async def test_charts_that_the_filter_let_through_are_left_out(dentrix: PracticeUnderTest) -> None:
    with nexhealth_answering([patient_row(), {**patient_row("Stranger", "1950-01-01"), "id": 8}]) as url:
        system = NexHealthSystem(dataclasses.replace(config(dentrix), base_url=url))
        charts = await system.find_patients(patients_born(dentrix, NOVA.date_of_birth))
        await system.close()
    assert [chart.id for chart in charts] == ["7"]


@pytest.mark.parametrize("other_patient", [patient_row("Supernova"), patient_row(born="1950-01-01")])
async def test_answer_with_another_persons_chart_is_refused(
    dentrix: PracticeUnderTest, other_patient: dict[str, Any]
) -> None:
    with nexhealth_answering({"user": other_patient}) as url:
        system = NexHealthSystem(dataclasses.replace(config(dentrix), base_url=url))
        with pytest.raises(Refused) as refused:
            await system.create_patient(new_chart(dentrix), unlimited_permit)
        await system.close()
    assert refused.value.code == "patient_mismatch"


async def test_inactive_chart_is_returned_as_inactive(sandbox: SandboxControl) -> None:
    with practice_under_test(sandbox, "nexhealth dentrix-enterprise") as phoenix:
        (chart,) = await phoenix.system.find_patients(patients_born(phoenix, date(1961, 3, 3)))
        assert chart.status is ChartStatus.INACTIVE
        await phoenix.system.close()


async def test_new_patient_is_created_once_with_the_fields_that_nexhealth_requires(dentrix: PracticeUnderTest) -> None:
    charts = [await dentrix.system.create_patient(new_chart(dentrix), unlimited_permit) for _ in range(2)]
    assert charts[0].id == charts[1].id
    (row,) = [row for row in nexhealth_rows(dentrix, "patients") if row["last_name"] == "Newcomer"]
    expected = {"phone_number": "5105550121", "gender": "Other", "street_address": "1 Main St, Apt 2"}
    assert {name: row["bio"][name] for name in expected} == expected
    assert (row["email"], row["bio"]["zip_code"], row["provider_id"]) == ("Nova@example.com", "94601", 202)
    assert charts[0].status is ChartStatus.NEW


@pytest.mark.parametrize(("sex", "gender"), [(Sex.FEMALE, "Female"), (Sex.MALE, "Male"), (None, "Other")])
async def test_gender_is_always_sent(dentrix: PracticeUnderTest, sex: Sex | None, gender: str) -> None:
    person = NOVA.model_copy(update={"sex": sex, "address": None})
    await dentrix.system.create_patient(new_chart(dentrix, person), unlimited_permit)
    (row,) = [row for row in nexhealth_rows(dentrix, "patients") if row["last_name"] == "Newcomer"]
    assert row["bio"]["gender"] == gender
    assert not row["bio"]["street_address"]


@pytest.mark.parametrize(
    ("missing", "code"),
    [
        ({"email": None}, "email_missing"),
        ({"mobile": None}, "phone_missing"),
        ({"mobile": "+442079460000"}, "invalid_phone"),
    ],
)
async def test_chart_that_nexhealth_would_refuse_costs_no_call(
    dentrix: PracticeUnderTest, missing: dict[str, Any], code: str
) -> None:
    before = dentrix.sandbox.calls("nexhealth")
    with pytest.raises(Refused) as refused:
        await dentrix.system.create_patient(new_chart(dentrix, NOVA.model_copy(update=missing)), unlimited_permit)
    assert refused.value.code == code
    assert dentrix.sandbox.calls("nexhealth") == before


async def test_office_gets_a_new_patient_with_the_first_appointment(dentrix: PracticeUnderTest) -> None:
    chart = await dentrix.system.create_patient(new_chart(dentrix), unlimited_permit)
    dentrix.settle()
    assert [row for row in office_rows(dentrix)["patients"] if row["last"] == "Newcomer"] == []
    our_hold = dentrix.hold(patient=chart.id, new_patient=True)
    landed = await dentrix.place_landed(our_hold)
    (office_chart,) = [row for row in office_rows(dentrix)["patients"] if row["last"] == "Newcomer"]
    (office_appointment,) = office_rows(dentrix)["appointments"]
    assert office_appointment["patient"] == office_chart["id"]
    (match,) = await dentrix.system.find_patients(patients_born(dentrix, NOVA.date_of_birth))
    assert landed.patient == match.id
    assert (await dentrix.system.confirm_hold(landed.id, our_hold)).status is AppointmentStatus.CONFIRMED


async def test_guardian_books_for_a_child(dentrix: PracticeUnderTest) -> None:
    child = Person(first_name="Minnow", last_name="Sampleton", date_of_birth=date(2018, 3, 4), sex=Sex.MALE)
    await dentrix.place_landed(dentrix.hold(dependent=child, new_patient=True))
    (appointment,) = office_rows(dentrix)["appointments"]
    (chart,) = [row for row in office_rows(dentrix)["patients"] if row["first"] == "Minnow"]
    assert (appointment["patient"], chart["gender"], chart["born"]) == (chart["id"], "Male", "2018-03-04")


@pytest.mark.parametrize("placeholders", ["replaced", "adopted"])
async def test_hold_is_released_although_its_chart_got_another_id(
    dentrix: PracticeUnderTest, placeholders: str
) -> None:
    """NexHealth's placeholder for a new patient is replaced by the office's chart, or becomes it."""
    dentrix.sandbox.nexhealth(placeholders=placeholders)
    chart = await dentrix.system.create_patient(new_chart(dentrix), unlimited_permit)
    child = Person(first_name="Minnow", last_name="Sampleton", date_of_birth=date(2018, 3, 4))
    first_hold = dentrix.hold(patient=chart.id, new_patient=True)
    second_hold = dentrix.hold(NINE + 2 * HOUR, patient=chart.id)
    childs_hold = dentrix.hold(NINE + 4 * HOUR, dependent=child, new_patient=True)
    holds = (first_hold, second_hold, childs_hold)
    for our_hold in holds:
        await dentrix.system.write_hold(our_hold, unlimited_permit)
    dentrix.settle()
    for our_hold in holds:
        (landed,) = await dentrix.system.find_by_reference(our_hold.reference, "101", our_hold.slot.time.start)
        has_same_chart = landed.patient == our_hold.patient
        assert has_same_chart == (placeholders == "adopted" and our_hold is not childs_hold)
        outcome = await dentrix.system.release(landed.id, our_hold.reference, written_patients=[our_hold.patient])
        assert outcome is ReleaseOutcome.RELEASED


# Writes and landing


async def test_office_gets_the_appointment_with_our_reference_in_the_note(practice: PracticeUnderTest) -> None:
    our_hold = practice.hold(note="A very long wish. " * 20)
    await practice.place_landed(our_hold)
    (appointment,) = office_rows(practice)["appointments"]
    assert reference_in(appointment["note"]) == our_hold.reference
    assert len(appointment["note"]) == 128
    assert appointment["operatory"] == int(practice.operatories[0])
    assert appointment["provider"] == int(practice.providers[0])


async def test_procedures_are_attached_only_if_the_system_supports_them_fully(practice: PracticeUnderTest) -> None:
    await practice.system.write_hold(practice.hold(procedures=("12",)), unlimited_permit)
    (row,) = nexhealth_rows(practice, "appointments")
    assert row["_descriptors"] == ([12] if practice.system.capabilities.attaches_procedures else [])


async def test_our_appointment_keeps_its_reference_after_landing(practice: PracticeUnderTest) -> None:
    """Also if NexHealth does not read the office's notes: then our mark in the referrer counts."""
    our_hold = practice.hold()
    await practice.place_landed(our_hold)
    practice.book(NINE + 3 * HOUR)
    practice.settle()
    calendar = await practice.system.read_calendar(practice.location, DAY)
    assert [a.reference for a in calendar.appointments] == [our_hold.reference, None]


async def test_appointment_belongs_to_the_desk_once_it_removed_our_reference(dentrix: PracticeUnderTest) -> None:
    our_hold = dentrix.hold()
    placed = await dentrix.place_landed(our_hold)
    dentrix.desk(do="move", id=placed.id, note="Patient called, leave as is")
    with pytest.raises(Refused) as refused:
        await dentrix.system.confirm_hold(placed.id, our_hold)
    assert refused.value.code == "reference_gone"
    await dentrix.system.release(placed.id, our_hold.reference)
    assert (await dentrix.system.get_appointment(placed.id)).status.occupies_time


async def test_conflict_that_nexhealth_knows_is_reported_at_once(dentrix: PracticeUnderTest) -> None:
    dentrix.book()
    with pytest.raises(SlotTaken):
        await dentrix.system.write_hold(dentrix.hold(), unlimited_permit)


async def test_appointment_type_that_does_not_fit_the_slot_is_refused(dentrix: PracticeUnderTest) -> None:
    with pytest.raises(Refused) as refused:
        await dentrix.system.write_hold(dentrix.hold(NINE + 9 * HOUR, reason="401"), unlimited_permit)
    assert refused.value.code == "type_not_allowed"
    placed = await dentrix.system.write_hold(dentrix.hold(reason="401", procedures=("501",)), unlimited_permit)
    assert placed.landing is LandingState.ACCEPTED


async def test_id_that_is_not_a_number_is_never_sent(dentrix: PracticeUnderTest) -> None:
    before = dentrix.sandbox.calls("nexhealth")
    with pytest.raises(Misconfigured, match="location"):
        await dentrix.system.read_calendar("portland", DAY)
    assert dentrix.sandbox.calls("nexhealth") == before


async def test_offline_office_allows_release_but_not_confirmation(dentrix: PracticeUnderTest) -> None:
    our_hold = dentrix.hold()
    placed = await dentrix.place_landed(our_hold)
    dentrix.sandbox.office(101, online=False)
    with pytest.raises(Unavailable) as later:
        await dentrix.system.confirm_hold(placed.id, our_hold)
    assert later.value.retry_after == timedelta(minutes=1)
    await dentrix.system.release(placed.id, our_hold.reference)
    assert await dentrix.system.find_by_reference(our_hold.reference, "101", NINE) == []
    problems = await dentrix.system.check()
    assert any("writes nothing to the office" in problem for problem in problems)


async def test_hold_confirmed_while_its_release_was_suspended_stays(
    dentrix: PracticeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    our_hold = dentrix.hold()
    placed = await dentrix.place_landed(our_hold)
    dentrix.sandbox.fault(system="nexhealth", method="GET", path=r"/appointments/\d+", kind="hold_after", seconds=60)
    with monkeypatch.context() as patch:
        patch.setattr(edits, "MAX_READ_AGE", timedelta(0))
        suspended = asyncio.create_task(dentrix.system.release(placed.id, our_hold.reference))
        while not dentrix.sandbox.held():
            await asyncio.sleep(0.02)
    await dentrix.system.confirm_hold(placed.id, our_hold)
    dentrix.sandbox.clock(settle=True)
    dentrix.sandbox.release()
    with pytest.raises(Unavailable):
        await suspended
    assert await dentrix.system.release(placed.id, our_hold.reference) is ReleaseOutcome.KEPT_BY_DESK


async def test_cancelled_appointment_with_unreadable_times_is_left_out(
    dentrix: PracticeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    our_hold = dentrix.hold()
    cancelled = await dentrix.place_landed(our_hold)
    active = await dentrix.place_landed(dentrix.hold(NINE + 2 * HOUR))
    await dentrix.system.release(cancelled.id, our_hold.reference)
    dentrix.settle()
    read_rows, corrupted_ids = Transport.rows, list[str]()

    async def rows_with_unreadable_times(self: Transport, path: str, params: Any = ()) -> list[dict[str, Any]]:
        rows = await read_rows(self, path, params)
        for row in rows:
            if row.get("cancelled"):
                row["start_time"] = "soon"
                corrupted_ids.append(str(row["id"]))
        return rows

    monkeypatch.setattr(Transport, "rows", rows_with_unreadable_times)
    calendar = await dentrix.system.read_calendar("101", DAY)
    assert [appointment.id for appointment in calendar.appointments] == [active.id]
    assert await dentrix.system.find_by_reference(our_hold.reference, "101", NINE) == []
    assert set(corrupted_ids) == {cancelled.id}


async def test_releasing_a_write_that_failed_to_land_frees_the_slot(dentrix: PracticeUnderTest) -> None:
    dentrix.sandbox.fault(system="office", method="insert", path="/101", kind="failed")
    our_hold = dentrix.hold()
    failed = await dentrix.place_landed(our_hold)
    assert failed.landing is LandingState.ACCEPTED
    await dentrix.system.release(failed.id, our_hold.reference)
    assert (await dentrix.place_landed(dentrix.hold())).landing is LandingState.LANDED


@pytest.mark.parametrize("system", ["dentrix", "ascend"])
async def test_appointment_that_cannot_be_moved_in_place_is_superseded_by_a_new_one(
    sandbox: SandboxControl, system: str
) -> None:
    """The old one is released only after the new one has landed, so that the patient always has an appointment."""
    with practice_under_test(sandbox, f"nexhealth {system}") as practice:
        old_hold = practice.hold()
        old = await practice.place_landed(old_hold)
        new_hold = practice.hold(NINE + 2 * HOUR, provider=1, operatory=1, reference=old_hold.reference)
        assert not practice.system.capabilities.can_move(old_hold.slot, new_hold.slot)
        new = await practice.place_landed(new_hold)
        assert new.landing is LandingState.LANDED
        await practice.system.release(old.id, old_hold.reference)
        practice.settle()
        (remaining,) = await practice.system.find_by_reference(old_hold.reference, practice.location, NINE)
        assert remaining.slot == new_hold.slot
        await practice.system.close()


async def test_move_onto_a_taken_slot_changes_nothing(dentrix: PracticeUnderTest) -> None:
    our_hold = dentrix.hold()
    placed = await dentrix.place_landed(our_hold)
    dentrix.book(NINE + 2 * HOUR)
    with pytest.raises(SlotTaken):
        await dentrix.system.move(placed.id, dentrix.hold(NINE + 2 * HOUR, reference=our_hold.reference))
    assert (await dentrix.system.get_appointment(placed.id)).slot == our_hold.slot


# Schedules


async def test_synced_working_hours_become_windows(practice: PracticeUnderTest) -> None:
    windows = (await practice.system.read_calendar(practice.location, DAY)).windows
    if not practice.system.capabilities.syncs_hours:
        assert windows is None
        return
    assert windows
    expected = (practice.operatories[0], (practice.providers[0],))
    matching = [window for window in windows if (window.operatory, window.providers) == expected]
    assert {window.time.length for window in matching} == {9 * HOUR}


async def test_second_calendar_read_costs_one_call(practice: PracticeUnderTest) -> None:
    await practice.system.read_calendar(practice.location, DAY)
    before = practice.sandbox.calls("nexhealth")
    await practice.system.read_calendar(practice.location, DAY)
    assert practice.sandbox.calls("nexhealth") == before + 1


@pytest.mark.parametrize("cause", ["block", "lunch", "holiday", "closed"])
async def test_closed_time_is_seen_as_the_support_table_says(practice: PracticeUnderTest, cause: str) -> None:
    end = (NINE + HOUR).isoformat()
    practice.desk(
        do="block",
        cause=cause,
        location=practice.location,
        operatory=practice.operatories[0],
        start=NINE.isoformat(),
        end=end,
    )
    blocks = (await practice.system.read_calendar(practice.location, DAY)).blocks
    profile = practice.system._profile  # type: ignore[attr-defined]
    support = {
        "block": "yes",
        "lunch": profile.lunch_blocks,
        "holiday": profile.holidays,
        "closed": profile.closed_operatories,
    }
    assert len(blocks) == (support[cause] == "yes")


async def test_absent_provider_is_absent_from_every_operatory(dentrix: PracticeUnderTest) -> None:
    end = (NINE + HOUR).isoformat()
    dentrix.desk(do="block", location="101", operatory="301", provider="201", start=NINE.isoformat(), end=end)
    blocks = (await dentrix.system.read_calendar("101", DAY)).blocks
    assert sorted((b.operatory or "", b.provider or "") for b in blocks) == [("", "201"), ("301", "")]


# Setting up


async def test_location_whose_writes_never_reach_the_office_is_refused(dentrix: PracticeUnderTest) -> None:
    dentrix.sandbox.office(101, flags={"insert_appt_client": False})
    (problem,) = await dentrix.system.check()
    assert "insert_appt_client" in problem
    with pytest.raises(Misconfigured):
        await dentrix.system.write_hold(dentrix.hold(), unlimited_permit)
    assert nexhealth_rows(dentrix, "appointments") == []


async def test_check_names_a_system_other_than_the_configured_one(dentrix: PracticeUnderTest) -> None:
    system = nexhealth(dentrix.sandbox, "eaglesoft", locations=("101",))
    (problem,) = await system.check()
    assert 'runs dentrix, not system = "eaglesoft"' in problem
    await system.close()


async def test_subscribing_is_idempotent_and_moves_events_to_a_new_url(dentrix: PracticeUnderTest) -> None:
    system = nexhealth(dentrix.sandbox, public_url="https://book.practice.example")
    assert any("subscribe" in problem for problem in await system.check())
    first, second = await system.subscribe(), await system.subscribe()
    assert first.added == tuple(event for _, event in SUBSCRIPTIONS)
    assert first.secret
    assert (second.added, second.secret) == ((), first.secret)
    assert await system.check() == []
    moved = nexhealth(dentrix.sandbox, public_url="https://other.practice.example")
    assert (await moved.subscribe()).added == first.added
    assert any("subscribe" in problem for problem in await system.check())
    assert await moved.check() == []
    for each in (system, moved):
        await each.close()


async def test_inactive_endpoint_is_reported_and_switched_on_again(dentrix: PracticeUnderTest) -> None:
    system = nexhealth(dentrix.sandbox, public_url="https://book.practice.example")
    await system.subscribe()
    (endpoint,) = nexhealth_rows(dentrix, "endpoints")
    transport = Transport(config(dentrix), Account())
    await transport.write("PATCH", f"/webhook_endpoints/{endpoint['id']}", {"active": False}, scoped=False)
    (problem,) = await system.check()
    assert "switched off" in problem
    assert (await system.subscribe()).added == ()
    assert await system.check() == []
    await transport.close()
    await system.close()


async def test_secret_is_rotated_without_losing_a_delivery(dentrix: PracticeUnderTest, receiver: Receiver) -> None:
    system = nexhealth(dentrix.sandbox, public_url=public_url(receiver))
    with pytest.raises(Misconfigured, match="subscribe first"):
        await system.rotate_secret([])
    old = (await system.subscribe()).secret or ""
    new = (await system.rotate_secret([old])).secret or ""
    assert new not in ("", old)
    assert any("--rotate" in problem for problem in await system.check())
    for too_few in ([], [old], [new], [old, "another"]):
        with pytest.raises(Misconfigured, match="both"):
            await system.rotate_secret(too_few)
    await system.write_hold(dentrix.hold(), unlimited_permit)
    dentrix.settle()
    assert [event.landing for event in signed_events(receiver, old)] == [LandingState.LANDED]
    assert (await system.rotate_secret([new, old])).added == tuple(event for _, event in SUBSCRIPTIONS)
    assert await system.check() == []
    receiver.deliveries.clear()
    await system.write_hold(dentrix.hold(NINE + 2 * HOUR), unlimited_permit)
    dentrix.settle()
    assert [event.landing for event in signed_events(receiver, new)] == [LandingState.LANDED]
    assert [row["secret_key"] for row in nexhealth_rows(dentrix, "endpoints")] == [new]
    await system.close()


async def test_endpoint_with_other_subscriptions_is_not_deleted(dentrix: PracticeUnderTest, receiver: Receiver) -> None:
    system = nexhealth(dentrix.sandbox, public_url=public_url(receiver))
    old = (await system.subscribe()).secret or ""
    (endpoint,) = nexhealth_rows(dentrix, "endpoints")
    new = (await system.rotate_secret([old])).secret or ""
    other = Transport(config(dentrix), Account())
    event = {"resource_type": "Patient", "event": "patient_created", "active": True}
    await other.write("POST", f"/webhook_endpoints/{endpoint['id']}/webhook_subscriptions", event)
    await system.rotate_secret([new, old])
    assert len(nexhealth_rows(dentrix, "endpoints")) == 2
    await other.close()
    await system.close()


# Events, and what a booking costs


def public_url(receiver: Receiver) -> str:
    return receiver.url.removesuffix(WEBHOOK_PATH)


def signed_events(receiver: Receiver, secret: str) -> list[CalendarEvent]:
    signed = [
        raw
        for headers, raw in receiver.deliveries
        if has_valid_signature(raw, headers["timestamp"], headers["signature"], ["other", secret])
    ]
    return [event for raw in signed for event in parse_events(raw) if isinstance(event, CalendarEvent)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


@pytest.mark.parametrize(
    ("fault", "landing"),
    [
        (None, LandingState.LANDED),
        ("failed", LandingState.REFUSED),
        ("timed_out", LandingState.TIMED_OUT),
        ("incomplete", LandingState.INCOMPLETE),
    ],
)
@pytest.mark.parametrize("deliveries", ["sparse", "whole"])
async def test_event_tells_how_a_write_ended(
    dentrix: PracticeUnderTest, receiver: Receiver, fault: str | None, landing: LandingState, deliveries: str
) -> None:
    dentrix.sandbox.nexhealth(deliveries=deliveries)
    system = nexhealth(dentrix.sandbox, public_url=public_url(receiver))
    secret = (await system.subscribe()).secret or ""
    if fault:
        dentrix.sandbox.fault(system="office", method="insert", path="/101", kind=fault)
    our_hold = dentrix.hold()
    placed = await system.write_hold(our_hold, unlimited_permit)
    dentrix.settle()
    (event,) = [event for event in signed_events(receiver, secret) if event.kind is EventKind.LANDING]
    assert (event.appointment_id, event.landing) == (placed.id, landing)
    assert event.reference == (our_hold.reference if deliveries == "whole" else None)
    assert event.account == "bright-harbor"
    await system.close()


async def test_forged_delivery_is_ignored_and_a_repeated_one_has_the_same_key(
    dentrix: PracticeUnderTest, receiver: Receiver
) -> None:
    system = nexhealth(dentrix.sandbox, public_url=public_url(receiver))
    secret = (await system.subscribe()).secret or ""
    dentrix.sandbox.fault(system="webhook", kind="forged")
    await system.write_hold(dentrix.hold(), unlimited_permit)
    dentrix.settle()
    assert receiver.deliveries
    assert signed_events(receiver, secret) == []
    dentrix.sandbox.fault(system="webhook", kind="twice")
    await system.write_hold(dentrix.hold(NINE + 2 * HOUR), unlimited_permit)
    dentrix.settle()
    assert len({event.key for event in signed_events(receiver, secret)}) == 1
    assert len(signed_events(receiver, secret)) == 2
    await system.close()


async def test_event_tells_that_a_change_did_not_reach_the_office(
    dentrix: PracticeUnderTest, receiver: Receiver
) -> None:
    system = nexhealth(dentrix.sandbox, public_url=public_url(receiver))
    secret = (await system.subscribe()).secret or ""
    our_hold = dentrix.hold()
    placed = await system.write_hold(our_hold, unlimited_permit)
    dentrix.settle()
    dentrix.sandbox.fault(system="office", method="update", path="/101", kind="failed")
    await system.confirm_hold(placed.id, our_hold)
    dentrix.settle()
    assert EventKind.CHANGE_FAILED in [event.kind for event in signed_events(receiver, secret)]
    await system.close()


async def test_booking_that_lands_by_webhook_costs_seven_calls(dentrix: PracticeUnderTest, receiver: Receiver) -> None:
    system = nexhealth(dentrix.sandbox, public_url=public_url(receiver))
    secret = (await system.subscribe()).secret or ""
    # Reads the token and the location, which are cached from then on.
    await system.write_hold(dentrix.hold(NINE + 5 * HOUR), unlimited_permit)
    dentrix.settle()
    await system.read_calendar(dentrix.location, DAY)  # with who is inactive, which rarely changes
    before = dentrix.sandbox.calls("nexhealth")
    await system.find_patients(patients_born(dentrix, date(1981, 1, 15)))
    await system.read_calendar("101", DAY)
    our_hold = dentrix.hold()
    placed = await system.write_hold(our_hold, unlimited_permit)
    await system.read_calendar("101", DAY)
    dentrix.settle()
    events = signed_events(receiver, secret)
    assert any(event.appointment_id == placed.id and event.landing is LandingState.LANDED for event in events)
    calendar = await system.read_calendar("101", DAY)
    (our_appointment,) = [a for a in calendar.appointments if a.reference == our_hold.reference]
    assert our_appointment.landing is LandingState.LANDED
    await system.confirm_hold(placed.id, our_hold)
    assert dentrix.sandbox.calls("nexhealth") - before == 7
    await system.close()
