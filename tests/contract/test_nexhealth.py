"""What is special to NexHealth, over real HTTP to the sandbox; what every connection must do is in test_port."""

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
from adapters.nexhealth import Account, NexHealthConfig, NexHealthSystem
from adapters.nexhealth import system as nexhealth_system
from adapters.nexhealth.config import WEBHOOK_PATH
from adapters.nexhealth.transport import Transport
from adapters.nexhealth.webhooks import SUBSCRIPTIONS, events, is_signed
from adapters.practice_system import NewChart, PatientQuery, ReleaseOutcome
from domain.calendar import AppointmentStatus, CalendarEvent, EventKind, LandingState
from domain.interval import Interval
from domain.patient import Address, ChartStatus
from domain.reference import reference_in
from domain.request import Person, Sex
from tests.support.practice_systems import DAY, NINE, TUESDAY, WEDNESDAY, Bench, at_any_time, bench, nexhealth
from tests.support.receiver import Receiver, running_receiver
from tests.support.sandbox import SandboxControl

HOURS = timedelta(hours=1)
NOVA = Person(
    first_name="Nova",
    last_name="Newcomer",
    date_of_birth=date(1991, 4, 2),
    email="Nova@Example.COM",
    mobile="+15105550121",
    address=Address(line1="1 Main St", line2="Apt 2", city="Oakland", state="CA", postal_code="94601-1234"),
)


@pytest.fixture
async def dentrix(sandbox: SandboxControl) -> AsyncIterator[Bench]:
    with bench(sandbox, "nexhealth dentrix") as found:
        yield found
        await found.system.close()


@pytest.fixture(params=["dentrix", "dentrix-enterprise", "eaglesoft", "ascend", "open-dental"])
async def each(sandbox: SandboxControl, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    with bench(sandbox, f"nexhealth {request.param}") as found:
        yield found
        await found.system.close()


def config(at: Bench, **changes: Any) -> NexHealthConfig:
    return config_of(at.sandbox, at.system.capabilities.system, **changes)


def config_of(sandbox: SandboxControl, system: str, **changes: Any) -> NexHealthConfig:
    return nexhealth(sandbox, system, **changes)._config


def new(at: Bench, person: Person = NOVA) -> NewChart:
    address = Address(line1="9 Practice Row", city="Portland", state="OR", postal_code="97201")
    return NewChart(person=person, location=at.location, address=address, language="en", provider=at.providers[1])


def shown(at: Bench, kind: str) -> list[dict[str, Any]]:
    return list(at.sandbox.state()["nexhealth"][kind])


def office(at: Bench) -> dict[str, list[dict[str, Any]]]:
    """The practice's own system."""
    return dict(at.sandbox.state()["nexhealth"]["office"])


def born(at: Bench, day: date) -> PatientQuery:
    return PatientQuery(location=at.location, last_name="x", first_name="y", date_of_birth=day)


# Calls


@pytest.mark.parametrize("page_size", [1, 3, 5, 1000])
async def test_every_row_is_read_however_small_the_pages(dentrix: Bench, page_size: int) -> None:
    for hour in range(7):
        dentrix.book(NINE + hour * HOURS)
    system = nexhealth(dentrix.sandbox, page_size=page_size)
    assert len((await system.calendar("101", DAY)).appointments) == 7
    await system.close()


async def test_a_token_is_made_once_and_used_for_everything(dentrix: Bench) -> None:
    await asyncio.gather(*(dentrix.system.calendar("101", DAY) for _ in range(5)))
    await dentrix.system.find_patients(born(dentrix, date(1981, 1, 15)))
    assert dentrix.sandbox.state()["calls"]["nexhealth"]["POST /authenticates"] == 1


async def test_a_token_refused_to_many_at_once_is_replaced_once(dentrix: Bench) -> None:
    await dentrix.system.calendar("101", DAY)
    dentrix.sandbox.fault(system="nexhealth", method="GET", path="/patients", kind="expire_tokens")
    days = [date(1981, 1, day) for day in range(1, 9)]
    await asyncio.gather(*(dentrix.system.find_patients(born(dentrix, day)) for day in days))
    assert dentrix.sandbox.state()["calls"]["nexhealth"]["POST /authenticates"] == 2


async def test_a_token_that_never_helps_is_not_asked_for_again_and_again(dentrix: Bench) -> None:
    dentrix.sandbox.fault(system="nexhealth", path="/appointments", kind="expire_tokens", times=9)
    with pytest.raises(NotAuthorized):
        await dentrix.system.calendar("101", DAY)
    assert dentrix.sandbox.state()["calls"]["nexhealth"]["POST /authenticates"] == 2


async def test_a_key_that_is_refused_is_named(dentrix: Bench) -> None:
    system = NexHealthSystem(
        NexHealthConfig(dentrix.sandbox.url, api_key="wrong", subdomain="x", system="dentrix", locations=())
    )
    with pytest.raises(NotAuthorized, match="NEXHEALTH_API_KEY"):
        await system.calendar("101", DAY)
    await system.close()


async def test_a_practice_out_of_the_keys_reach_is_refused(dentrix: Bench) -> None:
    system = nexhealth(dentrix.sandbox, subdomain="far-shore")
    with pytest.raises(NotAuthorized):
        await system.calendar("101", DAY)
    await system.close()


async def test_a_filter_that_is_ignored_is_a_defect_never_an_answer(dentrix: Bench) -> None:
    transport = Transport(config(dentrix), Account())
    with pytest.raises(Misconfigured, match="search") as ignored:
        await transport.rows("/patients", [("location_id", "101"), ("search", "Sampleton")])
    assert ignored.value.code == "ignored_parameters"
    endpoint = {"target_url": "https://example.com/x", "active": True}
    with pytest.raises(OutcomeUnknown, match="colour"):
        await transport.write("POST", "/webhook_endpoints", endpoint, [("colour", "red")], scoped=False)
    await transport.close()


async def test_readings_of_the_calendar_keep_to_ten_a_second(dentrix: Bench) -> None:
    spans = [Interval(start=DAY.start + n * HOURS, end=DAY.end + n * HOURS) for n in range(14)]
    await asyncio.gather(*(dentrix.system.calendar("101", span) for span in spans))
    assert dentrix.sandbox.state()["calls"]["nexhealth"]["GET /appointments"] == 14


async def test_connections_under_one_key_share_its_pace_and_its_token(sandbox: SandboxControl) -> None:
    account = Account()
    offices = [NexHealthSystem(config_of(sandbox, system), account) for system in ("dentrix", "eaglesoft")]
    spans = [Interval(start=DAY.start + n * HOURS, end=DAY.end + n * HOURS) for n in range(9)]
    places = list(zip(offices, ("101", "103"), strict=True))
    for office, place in places:  # what is kept afterwards is read, and the lines are open
        await office.calendar(place, DAY)
    await asyncio.sleep(1)
    await asyncio.gather(*(office.calendar(place, span) for office, place in places for span in spans))
    calls = sandbox.state()["calls"]["nexhealth"]
    assert (calls["GET /appointments"], calls["POST /authenticates"]) == (20, 1)
    for office in offices:
        await office.close()


async def test_a_rate_limit_without_a_time_is_told_without_one(dentrix: Bench) -> None:
    dentrix.sandbox.nexhealth(retry_after=None)
    transport = Transport(config(dentrix), Account())
    for _ in range(10):
        await transport.read("/locations")
    crowd = [Transport(config(dentrix), Account()) for _ in range(4)]
    asked = [t.rows("/appointments", _any_day()) for t in crowd for _ in range(5)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    limited = [a for a in answers if isinstance(a, RateLimited)]
    assert limited
    assert all(a.retry_after is None for a in limited)
    assert all(isinstance(a, list | RateLimited) for a in answers)
    for t in (transport, *crowd):
        await t.close()


def _any_day() -> list[tuple[str, str]]:
    return [("location_id", "101"), ("start", f"{TUESDAY}T00:00:00Z"), ("end", f"{WEDNESDAY}T00:00:00Z")]


# Patients


async def test_only_people_born_on_that_day_are_answered_whatever_the_vendor_answers(dentrix: Bench) -> None:
    found = await dentrix.system.find_patients(born(dentrix, date(2014, 5, 5)))
    assert sorted(chart.first_name for chart in found) == ["Lapis", "Lazuli"]
    assert all(chart.phones == ("5035550122",) for chart in found)


@contextmanager
def answering(data: Any) -> Iterator[str]:
    """A vendor that answers every call with the same."""

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


def somebody(first: str = "Nova", born: str = "1991-04-02") -> dict[str, Any]:
    return {"id": 7, "first_name": first, "last_name": "Newcomer", "bio": {"date_of_birth": born}}


async def test_strangers_whom_a_filter_let_through_are_not_answered(dentrix: Bench) -> None:
    with answering([somebody(), {**somebody("Stranger", "1950-01-01"), "id": 8}]) as url:
        system = NexHealthSystem(dataclasses.replace(config(dentrix), base_url=url))
        found = await system.find_patients(born(dentrix, NOVA.date_of_birth))
        await system.close()
    assert [chart.id for chart in found] == ["7"]


@pytest.mark.parametrize("other", [somebody("Supernova"), somebody(born="1950-01-01")])
async def test_somebody_elses_chart_is_not_taken_for_the_new_patients(dentrix: Bench, other: dict[str, Any]) -> None:
    with answering({"user": other}) as url:
        system = NexHealthSystem(dataclasses.replace(config(dentrix), base_url=url))
        with pytest.raises(Refused) as refused:
            await system.create_patient(new(dentrix), at_any_time)
        await system.close()
    assert refused.value.code == "patient_mismatch"


async def test_an_inactive_chart_is_found_and_says_so(sandbox: SandboxControl) -> None:
    with bench(sandbox, "nexhealth dentrix-enterprise") as phoenix:
        (found,) = await phoenix.system.find_patients(born(phoenix, date(1961, 3, 3)))
        assert found.status is ChartStatus.INACTIVE
        await phoenix.system.close()


async def test_a_new_patient_is_written_as_the_vendor_wants_and_only_once(dentrix: Bench) -> None:
    made = [await dentrix.system.create_patient(new(dentrix), at_any_time) for _ in range(2)]
    assert made[0].id == made[1].id
    (row,) = [row for row in shown(dentrix, "patients") if row["last_name"] == "Newcomer"]
    wanted = {"phone_number": "5105550121", "gender": "Other", "street_address": "1 Main St, Apt 2"}
    assert {name: row["bio"][name] for name in wanted} == wanted
    assert (row["email"], row["bio"]["zip_code"], row["provider_id"]) == ("Nova@example.com", "94601", 202)
    assert made[0].status is ChartStatus.NEW


@pytest.mark.parametrize(("sex", "gender"), [(Sex.FEMALE, "Female"), (Sex.MALE, "Male"), (None, "Other")])
async def test_nobody_is_made_a_woman_by_default(dentrix: Bench, sex: Sex | None, gender: str) -> None:
    person = NOVA.model_copy(update={"sex": sex, "address": None})
    await dentrix.system.create_patient(new(dentrix, person), at_any_time)
    (row,) = [row for row in shown(dentrix, "patients") if row["last_name"] == "Newcomer"]
    assert row["bio"]["gender"] == gender
    assert not row["bio"]["street_address"]


@pytest.mark.parametrize(
    ("left_out", "code"),
    [
        ({"email": None}, "email_missing"),
        ({"mobile": None}, "phone_missing"),
        ({"mobile": "+442079460000"}, "invalid_phone"),
    ],
)
async def test_a_chart_that_the_vendor_would_refuse_is_not_asked_for(
    dentrix: Bench, left_out: dict[str, Any], code: str
) -> None:
    before = dentrix.sandbox.calls("nexhealth")
    with pytest.raises(Refused) as refused:
        await dentrix.system.create_patient(new(dentrix, NOVA.model_copy(update=left_out)), at_any_time)
    assert refused.value.code == code
    assert dentrix.sandbox.calls("nexhealth") == before


async def test_the_practice_gets_a_new_patient_with_the_first_visit_and_not_before(dentrix: Bench) -> None:
    made = await dentrix.system.create_patient(new(dentrix), at_any_time)
    dentrix.settle()
    assert [row for row in office(dentrix)["patients"] if row["last"] == "Newcomer"] == []
    wanted = dentrix.hold(patient=made.id, new_patient=True)
    landed = await dentrix.landed(wanted)
    (chart,) = [row for row in office(dentrix)["patients"] if row["last"] == "Newcomer"]
    (visit,) = office(dentrix)["appointments"]
    assert visit["patient"] == chart["id"]
    (found,) = await dentrix.system.find_patients(born(dentrix, NOVA.date_of_birth))
    assert landed.patient == found.id
    assert (await dentrix.system.confirm_hold(landed.id, wanted)).status is AppointmentStatus.CONFIRMED


async def test_a_guardian_books_for_a_child(dentrix: Bench) -> None:
    child = Person(first_name="Minnow", last_name="Sampleton", date_of_birth=date(2018, 3, 4), sex=Sex.MALE)
    await dentrix.landed(dentrix.hold(dependent=child, new_patient=True))
    (visit,) = office(dentrix)["appointments"]
    (chart,) = [row for row in office(dentrix)["patients"] if row["first"] == "Minnow"]
    assert (visit["patient"], chart["gender"], chart["born"]) == (chart["id"], "Male", "2018-03-04")


@pytest.mark.parametrize("placeholders", ["replaced", "adopted"])
async def test_a_hold_is_taken_back_under_whatever_chart_a_new_patient_or_a_child_has_by_then(
    dentrix: Bench, placeholders: str
) -> None:
    dentrix.sandbox.nexhealth(placeholders=placeholders)
    made = await dentrix.system.create_patient(new(dentrix), at_any_time)
    child = Person(first_name="Minnow", last_name="Sampleton", date_of_birth=date(2018, 3, 4))
    own = dentrix.hold(patient=made.id, new_patient=True)
    second = dentrix.hold(NINE + 2 * HOURS, patient=made.id)
    guarded = dentrix.hold(NINE + 4 * HOURS, dependent=child, new_patient=True)
    for wanted in (own, second, guarded):
        await dentrix.system.place_hold(wanted, at_any_time)
    dentrix.settle()
    for wanted in (own, second, guarded):
        (seen,) = await dentrix.system.find_by_reference(wanted.reference, "101", wanted.slot.time.start)
        assert (seen.patient == wanted.patient) == (placeholders == "adopted" and wanted is not guarded)
        taken = await dentrix.system.withdraw(seen.id, wanted.reference, wrote_for=[wanted.patient])
        assert taken is ReleaseOutcome.RELEASED


# Writes, and how they land


async def test_the_office_gets_the_visit_with_our_reference_in_the_note(each: Bench) -> None:
    wanted = each.hold(note="A very long wish. " * 20)
    await each.landed(wanted)
    (visit,) = office(each)["appointments"]
    assert reference_in(visit["note"]) == wanted.reference
    assert len(visit["note"]) == 128
    assert (visit["operatory"], visit["provider"]) == (int(each.chairs[0]), int(each.providers[0]))


async def test_procedures_are_attached_only_where_the_system_takes_them_all(each: Bench) -> None:
    await each.system.place_hold(each.hold(procedures=("12",)), at_any_time)
    (row,) = shown(each, "appointments")
    assert row["_descriptors"] == ([12] if each.system.capabilities.attaches_procedures else [])


async def test_our_visit_is_known_again_after_the_office_was_read(each: Bench) -> None:
    """Also where the office's notes are not read and only our own mark beside it tells."""
    wanted = each.hold()
    await each.landed(wanted)
    each.book(NINE + 3 * HOURS)
    each.settle()
    calendar = await each.system.calendar(each.location, DAY)
    assert [a.reference for a in calendar.appointments] == [wanted.reference, None]


async def test_a_reference_that_the_desk_took_out_makes_the_visit_theirs(dentrix: Bench) -> None:
    wanted = dentrix.hold()
    placed = await dentrix.landed(wanted)
    dentrix.desk(do="move", id=placed.id, note="Mrs S. rang, leave as is")
    with pytest.raises(Refused) as refused:
        await dentrix.system.confirm_hold(placed.id, wanted)
    assert refused.value.code == "reference_gone"
    await dentrix.system.withdraw(placed.id, wanted.reference)
    assert (await dentrix.system.get_appointment(placed.id)).status.occupies_time


async def test_what_the_vendor_sees_in_the_way_is_told_at_once(dentrix: Bench) -> None:
    dentrix.book()
    with pytest.raises(SlotTaken):
        await dentrix.system.place_hold(dentrix.hold(), at_any_time)


async def test_a_type_that_the_slot_is_not_for_is_refused(dentrix: Bench) -> None:
    with pytest.raises(Refused) as refused:
        await dentrix.system.place_hold(dentrix.hold(NINE + 9 * HOURS, reason="401"), at_any_time)
    assert refused.value.code == "type_not_allowed"
    placed = await dentrix.system.place_hold(dentrix.hold(reason="401", procedures=("501",)), at_any_time)
    assert placed.landing is LandingState.ACCEPTED


async def test_ids_that_are_no_numbers_never_leave_the_house(dentrix: Bench) -> None:
    before = dentrix.sandbox.calls("nexhealth")
    with pytest.raises(Misconfigured, match="location"):
        await dentrix.system.calendar("portland", DAY)
    assert dentrix.sandbox.calls("nexhealth") == before


async def test_an_office_that_is_off_lets_us_cancel_but_not_confirm(dentrix: Bench) -> None:
    wanted = dentrix.hold()
    placed = await dentrix.landed(wanted)
    dentrix.sandbox.office(101, online=False)
    with pytest.raises(Unavailable) as later:
        await dentrix.system.confirm_hold(placed.id, wanted)
    assert later.value.retry_after == timedelta(minutes=1)
    await dentrix.system.withdraw(placed.id, wanted.reference)
    assert await dentrix.system.find_by_reference(wanted.reference, "101", NINE) == []
    problems = await dentrix.system.check()
    assert any("writes nothing to the office" in problem for problem in problems)


async def test_what_the_desk_confirmed_while_its_withdrawal_slept_stays(
    dentrix: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = dentrix.hold()
    placed = await dentrix.landed(wanted)
    dentrix.sandbox.fault(system="nexhealth", method="GET", path=r"/appointments/\d+", kind="hold_after", seconds=60)
    with monkeypatch.context() as at_once:
        at_once.setattr(nexhealth_system, "RESTS_FOR", timedelta(0))
        sleeper = asyncio.create_task(dentrix.system.withdraw(placed.id, wanted.reference))
        while not dentrix.sandbox.held():
            await asyncio.sleep(0.02)
    await dentrix.system.confirm_hold(placed.id, wanted)
    dentrix.sandbox.clock(settle=True)
    dentrix.sandbox.release()
    with pytest.raises(Unavailable):
        await sleeper
    assert await dentrix.system.withdraw(placed.id, wanted.reference) is ReleaseOutcome.KEPT_BY_DESK


async def test_what_was_cancelled_is_left_out_also_where_its_times_cannot_be_read(
    dentrix: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = dentrix.hold()
    cancelled, standing = await dentrix.landed(wanted), await dentrix.landed(dentrix.hold(NINE + 2 * HOURS))
    await dentrix.system.withdraw(cancelled.id, wanted.reference)
    dentrix.settle()
    read, spoilt = Transport.rows, list[str]()

    async def rows(self: Transport, path: str, params: Any = ()) -> list[dict[str, Any]]:
        found = await read(self, path, params)
        for row in found:
            if row.get("cancelled"):
                row["start_time"] = "soon"
                spoilt.append(str(row["id"]))
        return found

    monkeypatch.setattr(Transport, "rows", rows)
    assert [a.id for a in (await dentrix.system.calendar("101", DAY)).appointments] == [standing.id]
    assert await dentrix.system.find_by_reference(wanted.reference, "101", NINE) == []
    assert set(spoilt) == {cancelled.id}


async def test_a_write_that_failed_can_be_taken_back_so_that_the_chair_is_free_again(dentrix: Bench) -> None:
    dentrix.sandbox.fault(system="office", method="insert", path="/101", kind="failed")
    wanted = dentrix.hold()
    failed = await dentrix.landed(wanted)
    assert failed.landing is LandingState.ACCEPTED
    await dentrix.system.withdraw(failed.id, wanted.reference)
    assert (await dentrix.landed(dentrix.hold())).landing is LandingState.LANDED


@pytest.mark.parametrize("system", ["dentrix", "ascend"])
async def test_a_visit_is_moved_by_a_new_one_where_it_cannot_be_moved_in_place(
    sandbox: SandboxControl, system: str
) -> None:
    """Create first, and take the old one back only when the new one has landed: the patient never has none."""
    with bench(sandbox, f"nexhealth {system}") as at:
        old = at.hold()
        first = await at.landed(old)
        wanted = at.hold(NINE + 2 * HOURS, provider=1, chair=1, reference=old.reference)
        assert not at.system.capabilities.can_move(old.slot, wanted.slot)
        second = await at.landed(wanted)
        assert second.landing is LandingState.LANDED
        await at.system.withdraw(first.id, old.reference)
        at.settle()
        (kept,) = await at.system.find_by_reference(old.reference, at.location, NINE)
        assert kept.slot == wanted.slot
        await at.system.close()


async def test_a_move_half_of_which_is_in_the_way_is_refused_and_nothing_is_moved(dentrix: Bench) -> None:
    wanted = dentrix.hold()
    placed = await dentrix.landed(wanted)
    dentrix.book(NINE + 2 * HOURS)
    with pytest.raises(SlotTaken):
        await dentrix.system.move(placed.id, dentrix.hold(NINE + 2 * HOURS, reference=wanted.reference))
    assert (await dentrix.system.get_appointment(placed.id)).slot == wanted.slot


# Schedules


async def test_the_practices_own_hours_are_windows_where_they_are_synced(each: Bench) -> None:
    windows = (await each.system.calendar(each.location, DAY)).windows
    if not each.system.capabilities.syncs_hours:
        assert windows is None
        return
    assert windows
    here = [w for w in windows if (w.operatory, w.providers) == (each.chairs[0], (each.providers[0],))]
    assert {w.time.length for w in here} == {9 * HOURS}


async def test_hours_are_read_once_an_hour_and_the_calendar_each_time(each: Bench) -> None:
    await each.system.calendar(each.location, DAY)
    before = each.sandbox.calls("nexhealth")
    await each.system.calendar(each.location, DAY)
    assert each.sandbox.calls("nexhealth") == before + 1


@pytest.mark.parametrize("cause", ["block", "lunch", "holiday", "closed"])
async def test_closed_time_is_seen_as_far_as_the_support_table_says(each: Bench, cause: str) -> None:
    end = (NINE + HOURS).isoformat()
    each.desk(
        do="block", cause=cause, location=each.location, operatory=each.chairs[0], start=NINE.isoformat(), end=end
    )
    blocks = (await each.system.calendar(each.location, DAY)).blocks
    can = each.system._profile  # type: ignore[attr-defined]
    told = {"block": "yes", "lunch": can.lunch_blocks, "holiday": can.holidays, "closed": can.closed_operatories}
    assert len(blocks) == (told[cause] == "yes")


async def test_a_provider_who_is_away_is_away_from_every_chair(dentrix: Bench) -> None:
    end = (NINE + HOURS).isoformat()
    given = {"location": "101", "operatory": "301", "provider": "201", "start": NINE.isoformat(), "end": end}
    dentrix.desk(do="block", **given)
    blocks = (await dentrix.system.calendar("101", DAY)).blocks
    assert sorted((b.operatory or "", b.provider or "") for b in blocks) == [("", "201"), ("301", "")]


# Before the first patient


async def test_a_location_whose_visits_stay_at_nexhealth_is_refused(dentrix: Bench) -> None:
    dentrix.sandbox.office(101, flags={"insert_appt_client": False})
    (problem,) = await dentrix.system.check()
    assert "insert_appt_client" in problem
    with pytest.raises(Misconfigured):
        await dentrix.system.place_hold(dentrix.hold(), at_any_time)
    assert shown(dentrix, "appointments") == []


async def test_check_names_another_system_than_the_practice_file_says(dentrix: Bench) -> None:
    system = nexhealth(dentrix.sandbox, "eaglesoft", locations=("101",))
    (problem,) = await system.check()
    assert 'runs dentrix, not system = "eaglesoft"' in problem
    await system.close()


async def test_events_are_subscribed_once_and_again_after_they_were_switched_off(dentrix: Bench) -> None:
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
    for one in (system, moved):
        await one.close()


async def test_an_address_that_was_switched_off_is_named_and_switched_on_again(dentrix: Bench) -> None:
    system = nexhealth(dentrix.sandbox, public_url="https://book.practice.example")
    await system.subscribe()
    (endpoint,) = shown(dentrix, "endpoints")
    transport = Transport(config(dentrix), Account())
    await transport.write("PATCH", f"/webhook_endpoints/{endpoint['id']}", {"active": False}, scoped=False)
    (problem,) = await system.check()
    assert "switched off" in problem
    assert (await system.subscribe()).added == ()
    assert await system.check() == []
    await transport.close()
    await system.close()


async def test_a_secret_is_changed_without_a_delivery_lost(dentrix: Bench, heard: Receiver) -> None:
    system = nexhealth(dentrix.sandbox, public_url=public_url(heard))
    with pytest.raises(Misconfigured, match="subscribe first"):
        await system.rotate_secret([])
    old = (await system.subscribe()).secret or ""
    new = (await system.rotate_secret([old])).secret or ""
    assert new not in ("", old)
    assert any("--rotate" in problem for problem in await system.check())
    for too_few in ([], [old], [new], [old, "another"]):
        with pytest.raises(Misconfigured, match="both"):
            await system.rotate_secret(too_few)
    await system.place_hold(dentrix.hold(), at_any_time)
    dentrix.settle()
    assert [event.landing for event in believed(heard, old)] == [LandingState.LANDED]
    assert (await system.rotate_secret([new, old])).added == tuple(event for _, event in SUBSCRIPTIONS)
    assert await system.check() == []
    heard.deliveries.clear()
    await system.place_hold(dentrix.hold(NINE + 2 * HOURS), at_any_time)
    dentrix.settle()
    assert [event.landing for event in believed(heard, new)] == [LandingState.LANDED]
    assert [row["secret_key"] for row in shown(dentrix, "endpoints")] == [new]
    await system.close()


async def test_an_address_where_others_are_told_something_is_not_taken_away(dentrix: Bench, heard: Receiver) -> None:
    system = nexhealth(dentrix.sandbox, public_url=public_url(heard))
    old = (await system.subscribe()).secret or ""
    (endpoint,) = shown(dentrix, "endpoints")
    new = (await system.rotate_secret([old])).secret or ""
    other = Transport(config(dentrix), Account())
    event = {"resource_type": "Patient", "event": "patient_created", "active": True}
    await other.write("POST", f"/webhook_endpoints/{endpoint['id']}/webhook_subscriptions", event)
    await system.rotate_secret([new, old])
    assert len(shown(dentrix, "endpoints")) == 2
    await other.close()
    await system.close()


# Webhooks and the budget of calls


def public_url(heard: Receiver) -> str:
    return heard.url.removesuffix(WEBHOOK_PATH)


def believed(heard: Receiver, secret: str) -> list[CalendarEvent]:
    signed = [
        raw
        for headers, raw in heard.deliveries
        if is_signed(raw, headers["timestamp"], headers["signature"], ["other", secret])
    ]
    return [event for raw in signed for event in events(raw) if isinstance(event, CalendarEvent)]


@pytest.fixture
def heard() -> Iterator[Receiver]:
    with running_receiver() as found:
        yield found


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
async def test_how_a_write_ended_is_told(
    dentrix: Bench, heard: Receiver, fault: str | None, landing: LandingState, deliveries: str
) -> None:
    dentrix.sandbox.nexhealth(deliveries=deliveries)
    system = nexhealth(dentrix.sandbox, public_url=public_url(heard))
    secret = (await system.subscribe()).secret or ""
    if fault:
        dentrix.sandbox.fault(system="office", method="insert", path="/101", kind=fault)
    wanted = dentrix.hold()
    placed = await system.place_hold(wanted, at_any_time)
    dentrix.settle()
    (event,) = [e for e in believed(heard, secret) if e.kind is EventKind.LANDING]
    assert (event.appointment_id, event.landing) == (placed.id, landing)
    assert event.reference == (wanted.reference if deliveries == "whole" else None)
    assert event.account == "bright-harbor"
    await system.close()


async def test_a_forged_delivery_is_not_believed_and_a_repeated_one_is_known_again(
    dentrix: Bench, heard: Receiver
) -> None:
    system = nexhealth(dentrix.sandbox, public_url=public_url(heard))
    secret = (await system.subscribe()).secret or ""
    dentrix.sandbox.fault(system="webhook", kind="forged")
    await system.place_hold(dentrix.hold(), at_any_time)
    dentrix.settle()
    assert heard.deliveries
    assert believed(heard, secret) == []
    dentrix.sandbox.fault(system="webhook", kind="twice")
    await system.place_hold(dentrix.hold(NINE + 2 * HOURS), at_any_time)
    dentrix.settle()
    assert len({event.key for event in believed(heard, secret)}) == 1
    assert len(believed(heard, secret)) == 2
    await system.close()


async def test_a_change_that_did_not_reach_the_office_is_told(dentrix: Bench, heard: Receiver) -> None:
    system = nexhealth(dentrix.sandbox, public_url=public_url(heard))
    secret = (await system.subscribe()).secret or ""
    wanted = dentrix.hold()
    placed = await system.place_hold(wanted, at_any_time)
    dentrix.settle()
    dentrix.sandbox.fault(system="office", method="update", path="/101", kind="failed")
    await system.confirm_hold(placed.id, wanted)
    dentrix.settle()
    assert EventKind.CHANGE_FAILED in [event.kind for event in believed(heard, secret)]
    await system.close()


async def test_a_booking_that_lands_by_webhook_costs_at_most_eight_calls(dentrix: Bench, heard: Receiver) -> None:
    system = nexhealth(dentrix.sandbox, public_url=public_url(heard))
    secret = (await system.subscribe()).secret or ""
    await system.place_hold(
        dentrix.hold(NINE + 5 * HOURS), at_any_time
    )  # the token and the location are known from then on
    dentrix.settle()
    before = dentrix.sandbox.calls("nexhealth")
    await system.find_patients(born(dentrix, date(1981, 1, 15)))
    await system.calendar("101", DAY)
    wanted = dentrix.hold()
    placed = await system.place_hold(wanted, at_any_time)
    await system.calendar("101", DAY)
    dentrix.settle()
    assert any(e.appointment_id == placed.id and e.landing is LandingState.LANDED for e in believed(heard, secret))
    calendar = await system.calendar("101", DAY)
    (mine,) = [a for a in calendar.appointments if a.reference == wanted.reference]
    assert mine.landing is LandingState.LANDED
    await system.confirm_hold(placed.id, wanted)
    assert dentrix.sandbox.calls("nexhealth") - before == 7
    await system.close()
