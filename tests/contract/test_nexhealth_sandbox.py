"""The sandbox's NexHealth over real HTTP: what the contract says of it, it does.

Every call of these tests is also held against the vendor's OpenAPI document, where that is at hand.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.support.practice_systems import TUESDAY, WEDNESDAY
from tests.support.receiver import Receiver, running_receiver
from tests.support.sandbox import CONTRACTS, SandboxControl

KEY, SUBDOMAIN = "sandbox-nexhealth-key", "bright-harbor"
DENTRIX, ENTERPRISE, EAGLESOFT = 101, 102, 103
HEADERS = {"User-Agent": "contract-test/1", "Nex-Api-Version": "v3.0.0"}
NINE, TEN, ELEVEN = (f"{TUESDAY}T{hour}:00:00Z" for hour in (17, 18, 19))
NEVER = 1_000_000_000
Row = dict[str, Any]


@dataclass(frozen=True)
class Seat:
    """Where and for whom a test books: ids of the seed."""

    location: int
    provider: int
    chair: int
    patient: int
    type: int


SEATS = {
    DENTRIX: Seat(DENTRIX, 202, 301, 901, 401),
    ENTERPRISE: Seat(ENTERPRISE, 204, 311, 902, 411),
    EAGLESOFT: Seat(EAGLESOFT, 206, 321, 903, 421),
}


class Nex:
    """A client that sends what the contract asks for, and gives back what came."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, headers=HEADERS, timeout=10, trust_env=False)
        self.sign_in()

    def sign_in(self) -> None:
        answer = self.http.post("/authenticates", headers={"Authorization": KEY})
        self.http.headers["Authorization"] = f"Bearer {answer.json()['data']['token']}"

    def call(self, method: str, path: str, body: Row | None = None, **query: Any) -> httpx.Response:
        lists = {f"{name}[]": value for name, value in query.items() if isinstance(value, list)}
        singles = {name: value for name, value in query.items() if not isinstance(value, list)}
        return self.http.request(method, path, params={"subdomain": SUBDOMAIN, **singles, **lists}, json=body)

    def get(self, path: str, **query: Any) -> Any:
        answer = self.call("GET", path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def book(self, seat: Seat, start: str = NINE, end: str = TEN, **given: Any) -> httpx.Response:
        appt = {"patient_id": seat.patient, "provider_id": seat.provider, "operatory_id": seat.chair}
        wanted = {**appt, "start_time": start, "end_time": end, "note": "ours", **given}
        body = {"appt": {name: value for name, value in wanted.items() if value is not None}}
        return self.call("POST", "/appointments", body, location_id=seat.location)

    def booked(self, seat: Seat, start: str = NINE, end: str = TEN, **given: Any) -> Row:
        answer = self.book(seat, start, end, **given)
        assert answer.status_code == 201, answer.text
        return dict(answer.json()["data"]["appt"])

    def visit(self, visit_id: int) -> Row:
        return dict(self.get(f"/appointments/{visit_id}"))

    def day(self, location: int) -> list[Row]:
        span = {"start": f"{TUESDAY}T00:00:00Z", "end": f"{WEDNESDAY}T08:00:00Z"}
        return list(self.get("/appointments", location_id=location, per_page=100, **span))

    def change(self, visit_id: int, **fields: Any) -> httpx.Response:
        return self.call("PATCH", f"/appointments/{visit_id}", {"appt": fields})

    def subscribe(self, url: str, *events: tuple[str, str]) -> str:
        """Returns the secret that signs."""
        made = self.http.post("/webhook_endpoints", json={"target_url": url}).json()["data"]
        for resource, event in events:
            wanted = {"resource_type": resource, "event": event}
            answer = self.call("POST", f"/webhook_endpoints/{made['id']}/webhook_subscriptions", wanted)
            assert answer.status_code == 201, answer.text
        return str(made["secret_key"])


APPOINTMENT_EVENTS = tuple(("Appointment", f"appointment_{name}") for name in ("insertion", "created", "updated"))


@pytest.fixture
def nex(sandbox: SandboxControl) -> Nex:
    """The clock stands still: nothing is read or written before a test says so."""
    sandbox.clock(paused=True)
    return Nex(sandbox.url)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


def refused(answer: httpx.Response, status: int, text: str) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert (body["code"], body["data"]) == (False, None)
    assert text.casefold() in " ".join(body["error"]).casefold()


def told(receiver: Receiver) -> list[str]:
    return [json.loads(raw)["event_name"] for _, raw in receiver.deliveries]


def office_rows(sandbox: SandboxControl, location: int) -> list[Row]:
    rows = sandbox.state()["nexhealth"]["office"]["appointments"]
    return [row for row in rows if row["location"] == location and not row["cancelled"]]


def by_desk(sandbox: SandboxControl, seat: Seat, start: str = NINE, minutes: int = 60) -> Row:
    where = {"operatory": seat.chair, "provider": seat.provider, "patient": seat.patient}
    return sandbox.desk(system="nexhealth", do="book", start=start, duration=minutes, **where)


# The door


def test_only_the_raw_key_buys_a_token_and_a_token_ends(sandbox: SandboxControl, nex: Nex) -> None:
    for wrong in (f"Bearer {KEY}", "guess", ""):
        refused(nex.http.post("/authenticates", headers={"Authorization": wrong}), 401, "Invalid Credentials")
    assert nex.call("GET", "/locations").status_code == 200
    sandbox.clock(advance=25 * 3600)
    assert nex.call("GET", "/locations").status_code == 401
    nex.sign_in()
    assert nex.call("GET", "/locations").status_code == 200


def test_the_version_is_asked_for_and_the_client_must_say_its_name(nex: Nex) -> None:
    del nex.http.headers["Nex-Api-Version"]
    refused(nex.call("GET", "/locations"), 404, "not found")
    nex.http.headers["User-Agent"] = "python-httpx/0.28.1"
    stopped = nex.call("GET", "/locations")
    assert (stopped.status_code, stopped.headers["content-type"][:9]) == (403, "text/html")


def test_parameters_missing_blank_unreadable_foreign_and_ignored(nex: Nex) -> None:
    span: Row = {"start": NINE, "end": TEN}
    refused(nex.http.get("/appointments", params=span), 400, "Missing parameter subdomain")
    blank = nex.http.get("/appointments", params={"subdomain": "", **span})
    refused(blank, 400, "Blank values not allowed for parameter subdomain")
    refused(nex.call("GET", "/appointments", location_id=DENTRIX, start=NINE), 400, "Missing parameter end")
    refused(nex.call("GET", "/appointments", **span), 400, "Missing parameter location_id")
    refused(nex.call("GET", "/patients", location_id="here"), 400, "location_id is invalid")
    other = nex.http.get("/patients", params={"subdomain": "far-shore", "location_id": 1})
    refused(other, 403, "You don't have access")
    refused(nex.call("GET", "/patients", location_id=999), 403, "You don't have access")
    refused(nex.call("GET", "/patients/12345678"), 404, "not found")
    everyone = nex.call("GET", "/patients", location_id=DENTRIX, search="Opal", per_page=100).json()
    assert everyone["description"] == "Note that following parameters are ignored: search."
    assert len(everyone["data"]) == 6


def test_lists_come_in_fives_and_the_cursor_leads_both_ways(sandbox: SandboxControl, nex: Nex) -> None:
    for hour in range(12):
        by_desk(sandbox, SEATS[DENTRIX], f"{TUESDAY}T{hour + 9:02}:00:00Z", minutes=15)
    sandbox.clock(advance=1)
    span: Row = {"location_id": DENTRIX, "start": f"{TUESDAY}T00:00:00Z", "end": f"{WEDNESDAY}T00:00:00Z"}
    pages = [nex.call("GET", "/appointments", **span).json()]
    while pages[-1]["page_info"]["has_next_page"]:
        cursor = pages[-1]["page_info"]["end_cursor"]
        pages.append(nex.call("GET", "/appointments", **span, end_cursor=cursor).json())
    assert [len(page["data"]) for page in pages] == [5, 5, 2]
    assert len({row["id"] for page in pages for row in page["data"]}) == 12
    assert "count" not in pages[0]
    back = nex.call("GET", "/appointments", **span, start_cursor=pages[2]["page_info"]["start_cursor"]).json()
    assert back["data"] == pages[1]["data"]
    assert back["page_info"]["has_previous_page"]
    newest = nex.get("/appointments", **span, sort="-updated_at", per_page=1)
    assert newest[0]["id"] == pages[2]["data"][-1]["id"]
    refused(nex.call("GET", "/appointments", **span, per_page=1001), 400, "per_page")


def test_appointments_can_be_asked_for_by_lists(sandbox: SandboxControl, nex: Nex) -> None:
    first, second = nex.booked(SEATS[DENTRIX]), nex.booked(SEATS[DENTRIX], operatory_id=302, patient_id=904)
    by_desk(sandbox, SEATS[DENTRIX], ELEVEN)
    sandbox.clock(advance=1)

    def found(**lists: Any) -> list[int]:
        span = {"start": f"{TUESDAY}T00:00:00Z", "end": f"{WEDNESDAY}T00:00:00Z"}
        return [row["id"] for row in nex.get("/appointments", location_id=DENTRIX, **span, **lists)]

    assert found(patient_ids=[904, 905], provider_ids=[201, 202], nex_only="true") == [second["id"]]
    assert found(operatory_ids=[301, 303], nex_only="true") == [first["id"]]
    assert len(found(operatory_ids=[301, 302])) == 3


def test_schedules_are_read_ten_times_a_second_at_most(nex: Nex) -> None:
    span: Row = {"location_id": DENTRIX, "start": NINE, "end": TEN}
    with ThreadPoolExecutor(30) as crowd:
        answers = list(crowd.map(lambda _: nex.call("GET", "/appointments", **span).status_code, range(30)))
    assert answers.count(200) >= 10
    assert 429 in answers


# Two stores and the cycles between them


@pytest.mark.parametrize("seat", SEATS.values(), ids=["dentrix", "enterprise", "eaglesoft"])
def test_what_is_accepted_is_written_later(sandbox: SandboxControl, nex: Nex, seat: Seat) -> None:
    row = nex.booked(seat, appointment_type_id=seat.type)
    assert (row["foreign_id"], row["last_sync_time"], row["confirmed"]) == (None, None, False)
    assert office_rows(sandbox, seat.location) == []
    refused(nex.change(row["id"], confirmed=True), 400, "not synced with the PMS")
    sandbox.clock(advance=1)
    (written,) = office_rows(sandbox, seat.location)
    assert (written["start"], written["note"], written["nex_id"]) == (f"{TUESDAY}T17:00:00.000Z", "ours", row["id"])
    seen = nex.visit(row["id"])
    assert (seen["foreign_id"], seen["foreign_id_type"][:4]) == (str(written["id"]), "msg-")
    assert nex.change(row["id"], confirmed=True).json()["data"]["appt"]["confirmed"]
    assert not office_rows(sandbox, seat.location)[0]["confirmed"]
    sandbox.clock(advance=1)
    assert office_rows(sandbox, seat.location)[0]["confirmed"]
    assert len(nex.day(seat.location)) == 1


def test_the_desks_edits_are_seen_with_the_next_reading(sandbox: SandboxControl, nex: Nex) -> None:
    seat = SEATS[DENTRIX]
    visit = by_desk(sandbox, seat)
    assert nex.day(DENTRIX) == []
    sandbox.clock(advance=1)
    (seen,) = nex.day(DENTRIX)
    assert (seen["foreign_id"], seen["patient_id"], seen["misc"]) == (str(visit["id"]), 901, {})
    sandbox.desk(system="nexhealth", do="move", id=seen["id"], start=ELEVEN, operatory=302)
    assert nex.visit(seen["id"])["operatory_id"] == 301
    sandbox.clock(advance=1)
    moved = nex.visit(seen["id"])
    assert (moved["start_time"], moved["end_time"]) == (f"{TUESDAY}T19:00:00.000Z", f"{TUESDAY}T20:00:00.000Z")
    assert (moved["operatory_id"], moved["updated_at"] > seen["updated_at"]) == (302, True)
    sandbox.desk(system="nexhealth", do="delete", id=visit["id"])
    sandbox.clock(advance=1)
    assert nex.visit(seen["id"])["cancelled"]


def test_a_copy_that_is_behind_accepts_what_the_office_has_no_room_for(sandbox: SandboxControl, nex: Nex) -> None:
    """Some systems then refuse, and some double-book."""
    sandbox.nexhealth(read_every=NEVER)
    for location, visits in ((EAGLESOFT, 1), (DENTRIX, 2)):
        by_desk(sandbox, SEATS[location])
        row = nex.booked(SEATS[location])
        sandbox.clock(advance=1)
        assert len(office_rows(sandbox, location)) == visits
        assert (nex.visit(row["id"])["foreign_id"] is None) == (visits == 1)


def test_what_the_copy_knows_is_refused_at_once(sandbox: SandboxControl, nex: Nex) -> None:
    seat = SEATS[DENTRIX]
    nex.booked(seat)
    refused(nex.book(seat, f"{TUESDAY}T17:30:00Z", ELEVEN), 400, "no longer available")
    assert nex.book(seat, TEN, ELEVEN).status_code == 201
    assert nex.book(seat, operatory_id=302).status_code == 201
    sandbox.nexhealth(provider_overlap=True)
    refused(nex.book(seat, operatory_id=303), 400, "no longer available")
    where: Row = {"location": DENTRIX, "start": f"{WEDNESDAY}T17:00:00Z", "end": f"{WEDNESDAY}T18:00:00Z"}
    sandbox.desk(system="nexhealth", do="block", **where)
    sandbox.clock(advance=1)
    refused(nex.book(seat, where["start"], where["end"]), 400, "no longer available")


def test_an_office_that_is_off_gets_nothing_until_it_is_back(
    sandbox: SandboxControl, nex: Nex, receiver: Receiver
) -> None:
    nex.subscribe(receiver.url, ("SyncStatus", "sync_status_write_change"), *APPOINTMENT_EVENTS)
    sandbox.office(DENTRIX, online=False)
    row = nex.booked(SEATS[DENTRIX])
    sandbox.clock(advance=8 * 3600)
    (status,) = nex.get("/sync_status", location_ids=[DENTRIX])
    assert (status["read_status"], status["write_status"], status["emr"]["name"]) == ("red", "red", "dentrix")
    assert (office_rows(sandbox, DENTRIX), told(receiver)) == ([], [])
    assert [place["write_status"] for place in nex.get("/sync_status", write_status="green")] == ["green", "green"]
    sandbox.office(DENTRIX, online=True)
    sandbox.clock(advance=1)
    assert nex.visit(row["id"])["foreign_id"]
    assert set(told(receiver)) == {"sync_status_write_change", "appointment_insertion.complete"}


def test_what_cannot_be_written_before_it_begins_has_timed_out(
    sandbox: SandboxControl, nex: Nex, receiver: Receiver
) -> None:
    nex.subscribe(receiver.url, *APPOINTMENT_EVENTS)
    sandbox.office(EAGLESOFT, write_status="red")
    row = nex.booked(SEATS[EAGLESOFT])
    sandbox.clock(advance=2 * 365 * 24 * 3600)
    sandbox.office(EAGLESOFT, write_status=None)
    sandbox.clock(advance=1)
    assert told(receiver) == ["appointment_insertion.timed_out"]
    nex.sign_in()
    assert (nex.visit(row["id"])["foreign_id"], office_rows(sandbox, EAGLESOFT)) == (None, [])


@pytest.mark.parametrize("outcome", ["failed", "timed_out", "incomplete"])
def test_an_insertion_that_is_refused_says_no_reason(
    sandbox: SandboxControl, nex: Nex, receiver: Receiver, outcome: str
) -> None:
    nex.subscribe(receiver.url, *APPOINTMENT_EVENTS)
    sandbox.fault(system="office", method="insert", path=f"/{DENTRIX}", kind=outcome, match="ours")
    row = nex.booked(SEATS[DENTRIX])
    sandbox.clock(advance=1)
    ((_, raw),) = receiver.deliveries
    event = json.loads(raw)
    assert event["event_name"] == f"appointment_insertion.{outcome}"
    assert (event["data"]["appointment"]["id"], set(event["data"])) == (row["id"], {"appointment"})
    assert (nex.visit(row["id"])["cancelled"], office_rows(sandbox, DENTRIX)) == (False, [])


def test_a_write_that_hangs_at_the_office_stays_in_the_queue(sandbox: SandboxControl, nex: Nex) -> None:
    sandbox.fault(system="office", method="insert", kind="held", times=2)
    row = nex.booked(SEATS[DENTRIX])
    for _ in range(2):
        sandbox.clock(advance=1)
        assert nex.visit(row["id"])["foreign_id"] is None
    sandbox.clock(advance=1)
    assert nex.visit(row["id"])["foreign_id"]


def test_what_hangs_holds_up_what_comes_after_it(sandbox: SandboxControl, nex: Nex) -> None:
    sandbox.nexhealth(cancel_before_sync="written")
    sandbox.fault(system="office", method="insert", kind="held")
    row = nex.booked(SEATS[DENTRIX])
    nex.change(row["id"], cancelled=True)
    sandbox.clock(advance=1)
    assert sandbox.state()["nexhealth"]["office"]["appointments"] == []
    sandbox.clock(advance=1)
    assert [row["cancelled"] for row in sandbox.state()["nexhealth"]["office"]["appointments"]] == [True]


def test_a_call_may_be_answered_with_success_and_say_that_it_was_not_done(sandbox: SandboxControl, nex: Nex) -> None:
    sandbox.fault(system="nexhealth", kind="code_false", method="PATCH")
    row = nex.booked(SEATS[DENTRIX])
    answer = nex.change(row["id"], cancelled=True)
    assert (answer.status_code, answer.json()["code"]) == (200, False)
    assert nex.visit(row["id"])["cancelled"] is False


# Changing and cancelling


def test_cancelling_goes_to_the_office_and_a_second_one_is_refused(sandbox: SandboxControl, nex: Nex) -> None:
    row = nex.booked(SEATS[DENTRIX])
    sandbox.clock(advance=1)
    assert nex.change(row["id"], cancelled=True).json()["data"]["appt"]["cancelled"]
    sandbox.clock(advance=1)
    assert office_rows(sandbox, DENTRIX) == []
    refused(nex.change(row["id"], cancelled=True), 400, "already cancelled")
    assert nex.book(SEATS[DENTRIX]).status_code == 201


@pytest.mark.parametrize(("policy", "written"), [("dropped", 0), ("written", 1)])
def test_cancelling_before_it_was_written(sandbox: SandboxControl, nex: Nex, policy: str, written: int) -> None:
    sandbox.nexhealth(cancel_before_sync=policy)
    row = nex.booked(SEATS[DENTRIX])
    nex.change(row["id"], cancelled=True)
    sandbox.clock(advance=1)
    rows = sandbox.state()["nexhealth"]["office"]["appointments"]
    assert [row["cancelled"] for row in rows] == [True] * written


@pytest.mark.parametrize("policy", ["dropped", "written"])
def test_what_the_office_refused_can_be_cancelled(sandbox: SandboxControl, nex: Nex, policy: str) -> None:
    sandbox.nexhealth(cancel_before_sync=policy)
    sandbox.fault(system="office", method="insert", kind="failed")
    row = nex.booked(SEATS[DENTRIX])
    sandbox.clock(advance=1)
    nex.change(row["id"], cancelled=True)
    sandbox.clock(advance=1)
    assert nex.visit(row["id"])["cancelled"] is True


@pytest.mark.parametrize("system", ["dentrix", "dentrixenterprise", "eaglesoft", "opendental", "dentrixascend"])
def test_rescheduling_in_place_where_the_system_can(sandbox: SandboxControl, nex: Nex, system: str) -> None:
    sandbox.office(DENTRIX, system=system)
    row = nex.booked(SEATS[DENTRIX])
    sandbox.clock(advance=1)
    refused(nex.change(row["id"], start_time=TEN), 400, "provide all or none")
    answer = nex.change(row["id"], start_time=TEN, end_time=ELEVEN, operatory_id=302, note="moved")
    if system == "dentrixascend":
        refused(answer, 400, "")
        return
    sandbox.clock(advance=1)
    (written,) = office_rows(sandbox, DENTRIX)
    where = (written["start"], written["operatory"], written["note"])
    assert where == (f"{TUESDAY}T18:00:00.000Z", 302, "moved")


def test_a_change_that_the_office_no_longer_has_a_row_for_goes_back(
    sandbox: SandboxControl, nex: Nex, receiver: Receiver
) -> None:
    nex.subscribe(receiver.url, *APPOINTMENT_EVENTS)
    row = nex.booked(SEATS[DENTRIX])
    sandbox.clock(advance=1)
    sandbox.nexhealth(read_every=NEVER)
    sandbox.desk(system="nexhealth", do="cancel", id=row["id"])
    assert nex.change(row["id"], confirmed=True).status_code == 200
    sandbox.clock(advance=1)
    assert told(receiver)[-1] == "appointment_updated.failed"
    assert not nex.visit(row["id"])["confirmed"]


def test_what_the_desk_did_meanwhile_is_read_once_our_write_has_failed(sandbox: SandboxControl, nex: Nex) -> None:
    row = nex.booked(SEATS[DENTRIX])
    sandbox.clock(advance=1)
    sandbox.office(DENTRIX, write_status="red")
    sandbox.desk(system="nexhealth", do="move", id=row["id"], start=TEN)
    nex.change(row["id"], cancelled=True)
    sandbox.clock(advance=1)
    assert nex.visit(row["id"])["start_time"] == f"{TUESDAY}T17:00:00.000Z"
    sandbox.fault(system="office", method="update", kind="failed")
    sandbox.office(DENTRIX, write_status="green")
    sandbox.clock(advance=1)
    seen = nex.visit(row["id"])
    assert (seen["cancelled"], seen["start_time"]) == (False, f"{TUESDAY}T18:00:00.000Z")


def test_a_change_writes_what_it_names_and_leaves_the_desks_work(sandbox: SandboxControl, nex: Nex) -> None:
    row = nex.booked(SEATS[DENTRIX])
    sandbox.clock(advance=1)
    sandbox.desk(system="nexhealth", do="move", id=row["id"], start=TEN, key="once")
    sandbox.desk(system="nexhealth", do="move", id=row["id"], start=ELEVEN, key="once")
    assert nex.change(row["id"], confirmed=True).json()["data"]["appt"]["start_time"] == f"{TUESDAY}T17:00:00.000Z"
    sandbox.clock(advance=1)
    (written,) = office_rows(sandbox, DENTRIX)
    assert (written["confirmed"], written["start"]) == (True, TEN)
    seen = nex.visit(row["id"])
    assert (seen["confirmed"], seen["start_time"]) == (True, f"{TUESDAY}T18:00:00.000Z")
    log = sandbox.state()["nexhealth"]["office"]["log"]
    writers = [entry["clientName"] for entry in log if entry["kind"] == "appointments"]
    assert (writers[0], writers[-1]) == ("nexhealth", "nexhealth")
    assert "desk" in writers


def test_two_at_once_may_both_be_accepted(sandbox: SandboxControl, nex: Nex) -> None:
    sandbox.nexhealth(overlap_check=False)
    for _ in range(2):
        nex.booked(SEATS[EAGLESOFT])
    sandbox.clock(advance=1)
    assert len(office_rows(sandbox, EAGLESOFT)) == 1
    sandbox.office(EAGLESOFT, cells={"overlap": True})
    nex.booked(SEATS[EAGLESOFT])
    sandbox.clock(advance=1)
    assert len(office_rows(sandbox, EAGLESOFT)) == 2


# Each system


@pytest.mark.parametrize(
    ("system", "events"),
    [
        ("dentrix", ["appointment_insertion.complete"]),
        ("dentrixenterprise", []),
        ("eaglesoft", ["appointment_insertion.complete"]),
        ("dentrixascend", ["appointment_insertion.complete"]),
        ("opendental", ["appointment_insertion.complete"]),
    ],
)
def test_enterprise_does_not_tell_of_landings(
    sandbox: SandboxControl, nex: Nex, receiver: Receiver, system: str, events: list[str]
) -> None:
    sandbox.office(DENTRIX, system=system)
    nex.subscribe(receiver.url, *APPOINTMENT_EVENTS)
    row = nex.booked(SEATS[DENTRIX])
    sandbox.clock(advance=1)
    assert told(receiver) == events
    assert nex.visit(row["id"])["foreign_id"]


@pytest.mark.parametrize(
    ("system", "causes"),
    [
        ("dentrix", {"block", "lunch", "holiday"}),
        ("dentrixenterprise", {"block", "holiday", "closed"}),
        ("eaglesoft", {"block", "lunch", "holiday", "closed"}),
        ("dentrixascend", {"block"}),
        ("opendental", {"block", "lunch", "holiday"}),
    ],
)
def test_which_blocks_are_read_depends_on_the_system(
    sandbox: SandboxControl, nex: Nex, system: str, causes: set[str]
) -> None:
    sandbox.office(DENTRIX, system=system)
    for hour, cause in enumerate(("block", "lunch", "holiday", "closed"), 17):
        times = {"start": f"{TUESDAY}T{hour}:00:00Z", "end": f"{TUESDAY}T{hour + 1}:00:00Z"}
        sandbox.desk(system="nexhealth", do="block", location=DENTRIX, operatory=301, cause=cause, **times)
    sandbox.clock(advance=1)
    seen = nex.day(DENTRIX)
    assert all(row["unavailable"] and row["patient_id"] is None for row in seen)
    order = ["block", "lunch", "holiday", "closed"]
    assert {order[int(row["start_time"][11:13]) - 17] for row in seen} == causes


@pytest.mark.parametrize(("system", "note"), [("dentrix", "by phone"), ("dentrixascend", None)])
def test_notes_of_the_desk_are_read_except_from_ascend(
    sandbox: SandboxControl, nex: Nex, system: str, note: str | None
) -> None:
    sandbox.office(DENTRIX, system=system)
    visit = by_desk(sandbox, SEATS[DENTRIX])
    sandbox.desk(system="nexhealth", do="move", id=visit["id"], note="by phone")
    ours = nex.booked(SEATS[DENTRIX], TEN, ELEVEN)
    sandbox.clock(advance=1)
    notes = {row["id"] == ours["id"]: row["note"] for row in nex.day(DENTRIX)}
    assert notes == {False: note, True: "ours"}


def test_hours_are_read_from_the_office_or_entered_by_hand(nex: Nex) -> None:
    sources = {
        location: {row["source"] for row in nex.get("/working_hours", location_id=location, per_page=50)}
        for location in SEATS
    }
    assert sources == {DENTRIX: {"manual"}, ENTERPRISE: {"synced"}, EAGLESOFT: {"synced"}}
    hours: Row = {"provider_id": 202, "operatory_id": 301, "begin_time": "18:00", "end_time": "20:00"}
    body = {"working_hour": {**hours, "days": ["Tuesday"], "appointment_type_ids": [401]}}
    made = nex.call("POST", "/working_hours", body, location_id=DENTRIX)
    assert (made.status_code, made.json()["data"]["source"]) == (201, "manual")
    evening: Row = {"start": f"{WEDNESDAY}T02:00:00Z", "end": f"{WEDNESDAY}T03:00:00Z", "appointment_type_id": 401}
    assert nex.book(SEATS[DENTRIX], **evening).status_code == 201
    other: Row = {
        **evening,
        "start": f"{WEDNESDAY}T03:00:00Z",
        "end": f"{WEDNESDAY}T04:00:00Z",
        "appointment_type_id": 402,
    }
    refused(nex.book(SEATS[DENTRIX], **other), 400, "configured for the requested slot")
    one = f"/working_hours/{made.json()['data']['id']}"
    assert nex.call("PATCH", one, {"working_hour": {"active": False}}).json()["data"]["active"] is False
    assert nex.call("DELETE", one).status_code == 204
    both = {"working_hour": {**hours, "days": ["Tuesday"], "specific_date": f"{TUESDAY}"}}
    refused(nex.call("POST", "/working_hours", both, location_id=DENTRIX), 400, "is invalid")


def test_slots_are_the_hours_less_what_the_copy_shows(sandbox: SandboxControl, nex: Nex) -> None:
    asked: Row = {"start_date": f"{TUESDAY}", "days": 1, "lids": [DENTRIX], "slot_length": 60}
    refused(nex.call("GET", "/available_slots", **asked), 400, "Missing parameter pids")

    def starts() -> list[str]:
        (found,) = nex.get("/available_slots", **asked, pids=[202])
        return [slot["time"] for slot in found["slots"]]

    assert starts()[:2] == [f"{TUESDAY}T08:00:00.000-08:00", f"{TUESDAY}T09:00:00.000-08:00"]
    by_desk(sandbox, SEATS[DENTRIX])
    assert len(starts()) == 9
    sandbox.clock(advance=1)
    assert f"{TUESDAY}T09:00:00.000-08:00" not in starts()
    sandbox.nexhealth(slots_lag=60)
    nex.booked(SEATS[DENTRIX], TEN, ELEVEN)
    assert f"{TUESDAY}T10:00:00.000-08:00" in starts()
    (weekend,) = nex.get("/available_slots", **{**asked, "start_date": f"{TUESDAY + timedelta(days=4)}"}, pids=[202])
    assert (weekend["slots"], weekend["next_available_date"]) == ([], f"{TUESDAY + timedelta(days=6)}")
    typed = nex.get("/available_slots", **asked, pids=[202], appointment_type_id=402)
    assert typed[0]["slots"][0]["end_time"] == f"{TUESDAY}T08:30:00.000-08:00"


# Patients

NEW: Row = {
    "provider": {"provider_id": 201},
    "patient": {
        "first_name": "Beryl",
        "last_name": "Newcomb",
        "email": "beryl@patients.example",
        "bio": {"date_of_birth": "1990-02-03", "phone_number": "5035550199", "gender": "Other"},
    },
}


def test_a_patient_reaches_the_office_with_the_first_visit(sandbox: SandboxControl, nex: Nex) -> None:
    made = nex.call("POST", "/patients", NEW, location_id=DENTRIX)
    person = made.json()["data"]["user"]
    assert (made.status_code, person["foreign_id"], person["bio"]["new_patient"]) == (201, None, True)
    sandbox.clock(advance=5)

    def charts() -> int:
        return sum(row["last"] == "Newcomb" for row in sandbox.state()["nexhealth"]["office"]["patients"])

    assert charts() == 0
    again = nex.call("POST", "/patients", NEW, location_id=DENTRIX)
    refused(again, 400, f"A patient with that information already exists - id={person['id']}")
    found = nex.call("POST", "/patients", {**NEW, "return_existing_if_match": True}, location_id=DENTRIX)
    assert (found.status_code, found.json()["data"]["user"]["id"]) == (200, person["id"])
    visit = nex.booked(SEATS[DENTRIX], patient_id=person["id"])
    sandbox.clock(advance=1)
    assert charts() == 1
    (real,) = nex.get("/patients", location_id=DENTRIX, name="newcomb")
    assert (real["bio"]["new_patient"], bool(real["foreign_id"])) == (False, True)
    assert nex.visit(visit["id"])["patient_id"] == real["id"] != person["id"]
    refused(nex.call("GET", f"/patients/{person['id']}"), 404, "not found")


def test_a_placeholder_may_also_become_the_patient(sandbox: SandboxControl, nex: Nex) -> None:
    sandbox.nexhealth(placeholders="adopted")
    person = nex.call("POST", "/patients", NEW, location_id=DENTRIX).json()["data"]["user"]
    nex.booked(SEATS[DENTRIX], patient_id=person["id"])
    sandbox.clock(advance=1)
    assert nex.get(f"/patients/{person['id']}")["foreign_id"]


def test_a_patient_needs_what_the_vendor_asks_for(nex: Nex) -> None:
    def sent(**bio: Any) -> httpx.Response:
        person = {**NEW["patient"], "bio": {**NEW["patient"]["bio"], **bio}}
        return nex.call("POST", "/patients", {**NEW, "patient": person}, location_id=DENTRIX)

    refused(sent(date_of_birth=None), 400, "Missing parameter patient[bio][date_of_birth]")
    refused(sent(date_of_birth="2190-01-01"), 400, "date_of_birth")
    refused(sent(phone_number="+15035550199"), 400, "User phone number is invalid")
    refused(nex.call("POST", "/patients", {"patient": {}}, location_id=DENTRIX), 400, "Missing parameter provider")


def test_search_unites_contacts_and_finds_parts_of_names(nex: Nex) -> None:
    def found(**query: Any) -> list[int]:
        return [row["id"] for row in nex.get("/patients", location_id=DENTRIX, per_page=100, **query)]

    assert found(email="opal@patients.example", phone_number="5035550122") == [901, 904, 905]
    assert found(name="twin") == [904, 905]
    assert found(date_of_birth="1987-08-08") == [906, 907]
    assert [row["id"] for row in nex.get("/patients", location_id=ENTERPRISE, inactive="true")] == [910]


def test_a_guardian_books_for_a_child(sandbox: SandboxControl, nex: Nex) -> None:
    child = {"first_name": "Topaz", "last_name": "Sampleton", "bio": {"date_of_birth": "2018-03-04"}}
    row = nex.booked(SEATS[DENTRIX], is_guardian=True, patient=child)
    assert row["patient_id"] != 901
    assert nex.get(f"/patients/{row['patient_id']}")["guarantor_id"] == 901


# Booking's own rules


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"patient_id": None}, "Missing parameter appt[patient_id]"),
        ({"operatory_id": None}, "Missing parameter appt[operatory_id]"),
        ({"end_time": None}, "Missing parameter appt[end_time]"),
        ({"start_time": "2020-01-01T00:00:00Z", "end_time": "2020-01-01T01:00:00Z"}, "must be in the future"),
        ({"end_time": NINE}, "appt[end_time] is invalid"),
        ({"note": "n" * 129}, "too long"),
    ],
)
def test_a_booking_is_refused_before_it_is_queued(nex: Nex, change: Row, text: str) -> None:
    refused(nex.book(SEATS[DENTRIX], **change), 400, text)
    assert nex.day(DENTRIX) == []


def test_the_length_comes_from_the_type_where_no_end_is_given(nex: Nex) -> None:
    row = nex.booked(SEATS[DENTRIX], end_time=None, appointment_type_id=402)
    assert row["end_time"] == f"{TUESDAY}T17:30:00.000Z"


def test_a_location_that_does_not_write_keeps_it_to_itself(sandbox: SandboxControl, nex: Nex) -> None:
    sandbox.office(DENTRIX, flags={"insert_appt_client": False, "map_by_operatory": False})
    row = nex.booked(SEATS[DENTRIX])
    sandbox.clock(advance=5)
    assert (nex.visit(row["id"])["foreign_id"], office_rows(sandbox, DENTRIX)) == (None, [])


def test_a_block_is_booked_without_a_patient(sandbox: SandboxControl, nex: Nex) -> None:
    given = {"provider_id": 202, "operatory_id": 301, "start_time": NINE, "end_time": TEN, "unavailable": True}
    assert nex.call("POST", "/appointments", {"appt": given}, location_id=DENTRIX).status_code == 201
    sandbox.clock(advance=1)
    assert office_rows(sandbox, DENTRIX)[0]["block"] == "block"


# Webhooks


def in_lines(raw: bytes) -> bytes:
    """Base64 as Ruby writes it by default."""
    encoded = base64.b64encode(raw)
    return b"".join(encoded[at : at + 60] + b"\n" for at in range(0, len(encoded), 60))


def signed(headers: dict[str, str], raw: bytes, secret: str, encode: Callable[[bytes], bytes]) -> bool:
    message = headers["timestamp"].encode() + b"." + encode(raw)
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest() == headers["signature"]


def test_deliveries_are_signed_over_the_raw_body(sandbox: SandboxControl, nex: Nex, receiver: Receiver) -> None:
    secret = nex.subscribe(receiver.url, *APPOINTMENT_EVENTS)
    row = nex.booked(SEATS[DENTRIX])
    sandbox.clock(advance=1)
    ((headers, raw),) = receiver.deliveries
    assert signed(headers, raw, secret, base64.b64encode)
    assert not signed(headers, raw + b" ", secret, base64.b64encode)
    event = json.loads(raw)
    names = ("resource_type", "event_name", "subdomain", "institution_id")
    assert [event[name] for name in names] == ["Appointment", "appointment_insertion.complete", SUBDOMAIN, 1]
    assert event["data"]["appointment"]["id"] == row["id"]
    sandbox.nexhealth(signature_in_lines=True)
    nex.change(row["id"], confirmed=True)
    sandbox.clock(advance=1)
    assert signed(*receiver.deliveries[-1], secret, in_lines)


def test_the_desks_work_is_told_after_it_is_read(sandbox: SandboxControl, nex: Nex, receiver: Receiver) -> None:
    nex.subscribe(receiver.url, *APPOINTMENT_EVENTS)
    visit = by_desk(sandbox, SEATS[DENTRIX])
    sandbox.clock(advance=1)
    sandbox.desk(system="nexhealth", do="cancel", id=visit["id"])
    sandbox.clock(advance=1)
    assert told(receiver) == ["appointment_created", "appointment_updated"]
    created, cancelled = (json.loads(raw)["data"] for _, raw in receiver.deliveries)
    assert len(created["appointments"]) == 1
    assert cancelled["appointment"]["cancelled"]


@pytest.mark.parametrize(
    ("kind", "deliveries"),
    [("lost", 0), ("twice", 2), ("late", 0), ("forged", 1)],
)
def test_scripted_trouble_on_the_way_to_us(
    sandbox: SandboxControl, nex: Nex, receiver: Receiver, kind: str, deliveries: int
) -> None:
    secret = nex.subscribe(receiver.url, *APPOINTMENT_EVENTS)
    sandbox.fault(system="webhook", path="appointment_insertion", kind=kind, seconds=60)
    row = nex.booked(SEATS[DENTRIX])
    sandbox.clock(advance=1)
    assert len(receiver.deliveries) == deliveries
    assert all(signed(*one, secret, base64.b64encode) == (kind != "forged") for one in receiver.deliveries)
    if kind == "late":
        nex.change(row["id"], confirmed=True)
        sandbox.clock(advance=1)
        sandbox.clock(advance=60)
        assert told(receiver) == ["appointment_updated", "appointment_insertion.complete"]


def test_a_webhook_may_be_faster_than_the_answer(sandbox: SandboxControl, nex: Nex, receiver: Receiver) -> None:
    nex.subscribe(receiver.url, *APPOINTMENT_EVENTS)
    sandbox.fault(system="nexhealth", method="POST", path="^/appointments$", kind="webhook_first")
    row = nex.booked(SEATS[DENTRIX])
    assert (row["foreign_id"], told(receiver)) == (None, ["appointment_insertion.complete"])


def test_a_delivery_is_tried_again_for_two_days_and_then_no_more(
    sandbox: SandboxControl, nex: Nex, receiver: Receiver
) -> None:
    nex.subscribe(receiver.url, *APPOINTMENT_EVENTS)
    receiver.status = 500
    nex.booked(SEATS[DENTRIX])
    sandbox.clock(advance=1)
    passed = 0
    for tries, after in enumerate((30, 90, 210, 600, 1800, 7200, 18000, 36000, 86400, 172800), 1):
        sandbox.clock(advance=after - passed - 1)
        assert len(receiver.deliveries) == tries
        sandbox.clock(advance=1)
        passed = after
        assert len(receiver.deliveries) == tries + 1
    nex.sign_in()
    (endpoint,) = nex.http.get("/webhook_endpoints").json()["data"]
    assert endpoint["active"] is False
    assert len({headers["timestamp"] for headers, _ in receiver.deliveries}) == 11
    again = nex.http.patch(f"/webhook_endpoints/{endpoint['id']}", json={"active": True}).json()["data"]
    assert again["active"] is True


def test_one_subscription_an_event_and_it_can_be_paused(sandbox: SandboxControl, nex: Nex, receiver: Receiver) -> None:
    nex.subscribe(receiver.url, ("Appointment", "appointment_insertion"))
    (endpoint,) = nex.http.get("/webhook_endpoints").json()["data"]
    path = f"/webhook_endpoints/{endpoint['id']}/webhook_subscriptions"
    wanted = {"resource_type": "Appointment", "event": "appointment_insertion"}
    refused(nex.call("POST", path, wanted), 400, "already exists")
    refused(nex.call("POST", path, {**wanted, "event": "appointment_insertion.complete"}), 400, "event")
    (one,) = nex.get(path)
    assert nex.call("PATCH", f"{path}/{one['id']}", {"active": False}).status_code == 200
    nex.booked(SEATS[DENTRIX])
    sandbox.clock(advance=1)
    assert receiver.deliveries == []
    assert nex.call("DELETE", f"{path}/{one['id']}").status_code == 204
    assert nex.call("DELETE", f"/webhook_endpoints/{endpoint['id']}").status_code == 204


# Trouble on the way to them


@pytest.mark.parametrize("kind", ["drop_after", "status_after", "garbage"])
def test_an_answer_may_be_lost_after_it_was_accepted(sandbox: SandboxControl, nex: Nex, kind: str) -> None:
    sandbox.fault(system="nexhealth", method="POST", path="^/appointments$", kind=kind, status=500)
    try:
        assert nex.book(SEATS[DENTRIX]).status_code in (200, 500)
    except httpx.HTTPError:
        assert kind == "drop_after"
    assert len(nex.day(DENTRIX)) == 1


@pytest.mark.parametrize(
    ("fault", "status", "is_json"),
    [
        ({"kind": "status_before", "status": 500}, 500, True),
        ({"kind": "expire_tokens"}, 401, True),
        ({"kind": "forbidden"}, 403, True),
        ({"kind": "rate_limited"}, 429, False),
        ({"kind": "text_error", "status": 403}, 403, False),
    ],
)
def test_trouble_has_the_vendors_shape(
    sandbox: SandboxControl, nex: Nex, fault: Row, status: int, is_json: bool
) -> None:
    sandbox.fault(system="nexhealth", path="^/locations$", **fault)
    answer = nex.call("GET", "/locations")
    assert answer.status_code == status
    if is_json:
        assert answer.json()["code"] is False
    if status != 401:
        assert nex.call("GET", "/locations").status_code == 200
    nex.sign_in()
    assert nex.call("GET", "/locations").status_code == 200


# What a practice is made of


def test_the_practice_can_be_read(nex: Nex) -> None:
    (institution,) = nex.get("/locations")
    assert [place["id"] for place in institution["locations"]] == list(SEATS)
    assert [row["subdomain"] for row in nex.http.get("/institutions").json()["data"]] == [SUBDOMAIN]
    assert nex.http.get("/locations/102").json()["data"]["tz"] == "America/Phoenix"
    assert [row["id"] for row in nex.get("/providers", location_id=DENTRIX)] == [201, 202]
    assert [row["id"] for row in nex.get("/providers", location_id=DENTRIX, inactive="true")] == [207]
    with_hours = nex.get("/providers", ids=[203], include=["availabilities", "locations"])
    assert len(with_hours[0]["availabilities"]) == 2
    assert [row["id"] for row in nex.get("/operatories", location_id=EAGLESOFT)] == [321, 322, 323]
    types = nex.get("/appointment_types", location_id=DENTRIX, include=["descriptors"])
    assert [(row["id"], row["minutes"], len(row["descriptors"])) for row in types] == [
        (401, 60, 1),
        (402, 30, 1),
        (403, 30, 1),
    ]
    assert len(nex.http.get("/locations/101/appointment_descriptors").json()["data"]) == 3
    (recall,) = nex.get("/patient_recalls", location_id=ENTERPRISE, due_after="2027-01-01T00:00:00Z")
    assert (recall["patient_id"], recall["recall_type"]["interval_num"]) == (902, 6)
    assert len(nex.get("/recall_types", location_id=DENTRIX)) == 1
    for path in ("/providers/201", "/operatories/301", "/appointment_types/401/appointment_descriptors"):
        assert nex.get(path)


def test_the_page_shows_the_offices_and_what_waits(sandbox: SandboxControl, nex: Nex) -> None:
    nex.booked(SEATS[DENTRIX])
    by_desk(sandbox, SEATS[EAGLESOFT])
    shown = httpx.get(f"{sandbox.url}/?date={TUESDAY}", trust_env=False).text
    assert "Portland: Dentrix" in shown
    assert "Not yet written at the office (1)" in shown
    assert "12:00 Visit · Fixture" in shown


@pytest.mark.skipif(not CONTRACTS.exists(), reason="the vendor's OpenAPI document is not at hand")
def test_the_document_is_looked_at(sandbox: SandboxControl, nex: Nex) -> None:
    """A request that goes through though the document does not know it is found out."""
    assert nex.book(SEATS[DENTRIX], descriptor_ids=["501"]).status_code == 201
    (found,) = sandbox.state()["nexhealth"]["violations"]
    assert found.startswith("POST /appointments request 201")
    sandbox.reset()
