"""The sandbox's NexHealth over real HTTP behaves as the vendor's documents say.

If the vendor's OpenAPI document is available, every call of these tests is also checked against it.
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
class BookingIds:
    """What a test books with by default. The ids are in the seed data."""

    location: int
    provider: int
    operatory: int
    patient: int
    type: int


DEFAULT_IDS = {
    DENTRIX: BookingIds(DENTRIX, 202, 301, 901, 401),
    ENTERPRISE: BookingIds(ENTERPRISE, 204, 311, 902, 411),
    EAGLESOFT: BookingIds(EAGLESOFT, 206, 321, 903, 421),
}


class NexHealthClient:
    """A client that sends the headers and parameters that every call needs."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, headers=HEADERS, timeout=10, trust_env=False)
        self.authenticate()

    def authenticate(self) -> None:
        response = self.http.post("/authenticates", headers={"Authorization": KEY})
        self.http.headers["Authorization"] = f"Bearer {response.json()['data']['token']}"

    def call(self, method: str, path: str, body: Row | None = None, **query: Any) -> httpx.Response:
        lists = {f"{name}[]": value for name, value in query.items() if isinstance(value, list)}
        singles = {name: value for name, value in query.items() if not isinstance(value, list)}
        return self.http.request(method, path, params={"subdomain": SUBDOMAIN, **singles, **lists}, json=body)

    def get(self, path: str, **query: Any) -> Any:
        response = self.call("GET", path, **query)
        assert response.status_code == 200, response.text
        return response.json()["data"]

    def try_to_book(self, ids: BookingIds, start: str = NINE, end: str = TEN, **changes: Any) -> httpx.Response:
        """``changes`` are further fields; None removes one."""
        fields: Row = {"patient_id": ids.patient, "provider_id": ids.provider, "operatory_id": ids.operatory}
        fields |= {"start_time": start, "end_time": end, "note": "ours", **changes}
        body = {"appt": {name: value for name, value in fields.items() if value is not None}}
        return self.call("POST", "/appointments", body, location_id=ids.location)

    def book(self, ids: BookingIds, start: str = NINE, end: str = TEN, **changes: Any) -> Row:
        response = self.try_to_book(ids, start, end, **changes)
        assert response.status_code == 201, response.text
        return dict(response.json()["data"]["appt"])

    def appointment(self, appointment_id: int) -> Row:
        return dict(self.get(f"/appointments/{appointment_id}"))

    def appointments(self, location: int) -> list[Row]:
        """The appointments of the Tuesday that the tests use."""
        span = {"start": f"{TUESDAY}T00:00:00Z", "end": f"{WEDNESDAY}T08:00:00Z"}
        return list(self.get("/appointments", location_id=location, per_page=100, **span))

    def try_to_change(self, appointment_id: int, **fields: Any) -> httpx.Response:
        return self.call("PATCH", f"/appointments/{appointment_id}", {"appt": fields})

    def subscribe(self, url: str, *events: tuple[str, str]) -> str:
        """Subscribe this URL to the events. Returns the signing secret."""
        endpoint = self.http.post("/webhook_endpoints", json={"target_url": url}).json()["data"]
        for resource, event in events:
            body = {"resource_type": resource, "event": event}
            response = self.call("POST", f"/webhook_endpoints/{endpoint['id']}/webhook_subscriptions", body)
            assert response.status_code == 201, response.text
        return str(endpoint["secret_key"])


APPOINTMENT_EVENTS = tuple(("Appointment", f"appointment_{name}") for name in ("insertion", "created", "updated"))


@pytest.fixture
def nex(sandbox: SandboxControl) -> NexHealthClient:
    """The clock is paused: no cycle runs until a test advances it."""
    sandbox.clock(paused=True)
    return NexHealthClient(sandbox.url)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


def assert_refused(response: httpx.Response, status: int, text: str) -> None:
    assert response.status_code == status, response.text
    body = response.json()
    assert (body["code"], body["data"]) == (False, None)
    assert text.casefold() in " ".join(body["error"]).casefold()


def event_names(receiver: Receiver) -> list[str]:
    """The events that were delivered, in order."""
    return [json.loads(raw)["event_name"] for _, raw in receiver.deliveries]


def office_appointments(sandbox: SandboxControl, location: int) -> list[Row]:
    """The appointments and blocks in the office's own system that are not cancelled."""
    rows = sandbox.state()["nexhealth"]["office"]["appointments"]
    return [row for row in rows if row["location"] == location and not row["cancelled"]]


def book_as_desk(sandbox: SandboxControl, ids: BookingIds, start: str = NINE, minutes: int = 60) -> Row:
    slot = {"operatory": ids.operatory, "provider": ids.provider, "patient": ids.patient}
    return sandbox.desk(system="nexhealth", do="book", start=start, duration=minutes, **slot)


# Authentication, parameters and paging


def test_only_the_raw_key_gets_a_token_and_tokens_expire(sandbox: SandboxControl, nex: NexHealthClient) -> None:
    for wrong_key in (f"Bearer {KEY}", "guess", ""):
        assert_refused(
            nex.http.post("/authenticates", headers={"Authorization": wrong_key}), 401, "Invalid Credentials"
        )
    assert nex.call("GET", "/locations").status_code == 200
    sandbox.clock(advance=25 * 3600)
    assert nex.call("GET", "/locations").status_code == 401
    nex.authenticate()
    assert nex.call("GET", "/locations").status_code == 200


def test_calls_need_a_version_header_and_a_named_client(nex: NexHealthClient) -> None:
    del nex.http.headers["Nex-Api-Version"]
    assert_refused(nex.call("GET", "/locations"), 404, "not found")
    nex.http.headers["User-Agent"] = "python-httpx/0.28.1"
    response = nex.call("GET", "/locations")
    assert (response.status_code, response.headers["content-type"][:9]) == (403, "text/html")


def test_missing_blank_unreadable_and_foreign_parameters_are_refused_and_unknown_ones_ignored(
    nex: NexHealthClient,
) -> None:
    span: Row = {"start": NINE, "end": TEN}
    assert_refused(nex.http.get("/appointments", params=span), 400, "Missing parameter subdomain")
    blank = nex.http.get("/appointments", params={"subdomain": "", **span})
    assert_refused(blank, 400, "Blank values not allowed for parameter subdomain")
    assert_refused(nex.call("GET", "/appointments", location_id=DENTRIX, start=NINE), 400, "Missing parameter end")
    assert_refused(nex.call("GET", "/appointments", **span), 400, "Missing parameter location_id")
    assert_refused(nex.call("GET", "/patients", location_id="here"), 400, "location_id is invalid")
    foreign = nex.http.get("/patients", params={"subdomain": "far-shore", "location_id": 1})
    assert_refused(foreign, 403, "You don't have access")
    assert_refused(nex.call("GET", "/patients", location_id=999), 403, "You don't have access")
    assert_refused(nex.call("GET", "/patients/12345678"), 404, "not found")
    page = nex.call("GET", "/patients", location_id=DENTRIX, search="Opal", per_page=100).json()
    assert page["description"] == "Note that following parameters are ignored: search."
    assert len(page["data"]) == 6


def test_lists_have_five_rows_a_page_and_cursors_in_both_directions(
    sandbox: SandboxControl, nex: NexHealthClient
) -> None:
    for hour in range(12):
        book_as_desk(sandbox, DEFAULT_IDS[DENTRIX], f"{TUESDAY}T{hour + 9:02}:00:00Z", minutes=15)
    sandbox.clock(advance=1)
    span: Row = {"location_id": DENTRIX, "start": f"{TUESDAY}T00:00:00Z", "end": f"{WEDNESDAY}T00:00:00Z"}
    pages = [nex.call("GET", "/appointments", **span).json()]
    while pages[-1]["page_info"]["has_next_page"]:
        cursor = pages[-1]["page_info"]["end_cursor"]
        pages.append(nex.call("GET", "/appointments", **span, end_cursor=cursor).json())
    assert [len(page["data"]) for page in pages] == [5, 5, 2]
    assert len({row["id"] for page in pages for row in page["data"]}) == 12
    assert "count" not in pages[0]
    previous_page = nex.call("GET", "/appointments", **span, start_cursor=pages[2]["page_info"]["start_cursor"]).json()
    assert previous_page["data"] == pages[1]["data"]
    assert previous_page["page_info"]["has_previous_page"]
    newest = nex.get("/appointments", **span, sort="-updated_at", per_page=1)
    assert newest[0]["id"] == pages[2]["data"][-1]["id"]
    assert_refused(nex.call("GET", "/appointments", **span, per_page=1001), 400, "per_page")


def test_appointments_can_be_filtered_by_lists_of_ids(sandbox: SandboxControl, nex: NexHealthClient) -> None:
    first, second = nex.book(DEFAULT_IDS[DENTRIX]), nex.book(DEFAULT_IDS[DENTRIX], operatory_id=302, patient_id=904)
    book_as_desk(sandbox, DEFAULT_IDS[DENTRIX], ELEVEN)
    sandbox.clock(advance=1)

    def matching_ids(**lists: Any) -> list[int]:
        span = {"start": f"{TUESDAY}T00:00:00Z", "end": f"{WEDNESDAY}T00:00:00Z"}
        return [row["id"] for row in nex.get("/appointments", location_id=DENTRIX, **span, **lists)]

    assert matching_ids(patient_ids=[904, 905], provider_ids=[201, 202], nex_only="true") == [second["id"]]
    assert matching_ids(operatory_ids=[301, 303], nex_only="true") == [first["id"]]
    assert len(matching_ids(operatory_ids=[301, 302])) == 3


def test_schedule_reads_are_limited_to_ten_a_second(nex: NexHealthClient) -> None:
    span: Row = {"location_id": DENTRIX, "start": NINE, "end": TEN}
    with ThreadPoolExecutor(30) as pool:
        statuses = list(pool.map(lambda _: nex.call("GET", "/appointments", **span).status_code, range(30)))
    assert statuses.count(200) >= 10
    assert 429 in statuses


# Read and write cycles


@pytest.mark.parametrize("ids", DEFAULT_IDS.values(), ids=["dentrix", "enterprise", "eaglesoft"])
def test_an_accepted_write_reaches_the_office_later(
    sandbox: SandboxControl, nex: NexHealthClient, ids: BookingIds
) -> None:
    row = nex.book(ids, appointment_type_id=ids.type)
    assert (row["foreign_id"], row["last_sync_time"], row["confirmed"]) == (None, None, False)
    assert office_appointments(sandbox, ids.location) == []
    assert_refused(nex.try_to_change(row["id"], confirmed=True), 400, "not synced with the PMS")
    sandbox.clock(advance=1)
    (written,) = office_appointments(sandbox, ids.location)
    assert (written["start"], written["note"], written["nex_id"]) == (f"{TUESDAY}T17:00:00.000Z", "ours", row["id"])
    copied = nex.appointment(row["id"])
    assert (copied["foreign_id"], copied["foreign_id_type"][:4]) == (str(written["id"]), "msg-")
    assert nex.try_to_change(row["id"], confirmed=True).json()["data"]["appt"]["confirmed"]
    assert not office_appointments(sandbox, ids.location)[0]["confirmed"]
    sandbox.clock(advance=1)
    assert office_appointments(sandbox, ids.location)[0]["confirmed"]
    assert len(nex.appointments(ids.location)) == 1


def test_desk_edits_appear_after_the_next_read_cycle(sandbox: SandboxControl, nex: NexHealthClient) -> None:
    ids = DEFAULT_IDS[DENTRIX]
    office_row = book_as_desk(sandbox, ids)
    assert nex.appointments(DENTRIX) == []
    sandbox.clock(advance=1)
    (copied,) = nex.appointments(DENTRIX)
    assert (copied["foreign_id"], copied["patient_id"], copied["misc"]) == (str(office_row["id"]), 901, {})
    sandbox.desk(system="nexhealth", do="move", id=copied["id"], start=ELEVEN, operatory=302)
    assert nex.appointment(copied["id"])["operatory_id"] == 301
    sandbox.clock(advance=1)
    moved = nex.appointment(copied["id"])
    assert (moved["start_time"], moved["end_time"]) == (f"{TUESDAY}T19:00:00.000Z", f"{TUESDAY}T20:00:00.000Z")
    assert (moved["operatory_id"], moved["updated_at"] > copied["updated_at"]) == (302, True)
    sandbox.desk(system="nexhealth", do="delete", id=office_row["id"])
    sandbox.clock(advance=1)
    assert nex.appointment(copied["id"])["cancelled"]


def test_an_outdated_copy_accepts_a_booking_for_a_slot_taken_at_the_office(
    sandbox: SandboxControl, nex: NexHealthClient
) -> None:
    """Eaglesoft then refuses the write, and Dentrix double-books the slot."""
    sandbox.nexhealth(read_every=NEVER)
    for location, expected in ((EAGLESOFT, 1), (DENTRIX, 2)):
        book_as_desk(sandbox, DEFAULT_IDS[location])
        row = nex.book(DEFAULT_IDS[location])
        sandbox.clock(advance=1)
        assert len(office_appointments(sandbox, location)) == expected
        assert (nex.appointment(row["id"])["foreign_id"] is None) == (expected == 1)


def test_a_conflict_in_the_copy_is_refused_immediately(sandbox: SandboxControl, nex: NexHealthClient) -> None:
    ids = DEFAULT_IDS[DENTRIX]
    nex.book(ids)
    assert_refused(nex.try_to_book(ids, f"{TUESDAY}T17:30:00Z", ELEVEN), 400, "no longer available")
    assert nex.try_to_book(ids, TEN, ELEVEN).status_code == 201
    assert nex.try_to_book(ids, operatory_id=302).status_code == 201
    sandbox.nexhealth(provider_overlap=True)
    assert_refused(nex.try_to_book(ids, operatory_id=303), 400, "no longer available")
    block: Row = {"location": DENTRIX, "start": f"{WEDNESDAY}T17:00:00Z", "end": f"{WEDNESDAY}T18:00:00Z"}
    sandbox.desk(system="nexhealth", do="block", **block)
    sandbox.clock(advance=1)
    assert_refused(nex.try_to_book(ids, block["start"], block["end"]), 400, "no longer available")


def test_an_offline_office_gets_its_writes_when_it_is_online_again(
    sandbox: SandboxControl, nex: NexHealthClient, receiver: Receiver
) -> None:
    nex.subscribe(receiver.url, ("SyncStatus", "sync_status_write_change"), *APPOINTMENT_EVENTS)
    sandbox.office(DENTRIX, online=False)
    row = nex.book(DEFAULT_IDS[DENTRIX])
    sandbox.clock(advance=8 * 3600)
    (status,) = nex.get("/sync_status", location_ids=[DENTRIX])
    assert (status["read_status"], status["write_status"], status["emr"]["name"]) == ("red", "red", "dentrix")
    assert (office_appointments(sandbox, DENTRIX), event_names(receiver)) == ([], [])
    assert [row["write_status"] for row in nex.get("/sync_status", write_status="green")] == ["green", "green"]
    sandbox.office(DENTRIX, online=True)
    sandbox.clock(advance=1)
    assert nex.appointment(row["id"])["foreign_id"]
    assert set(event_names(receiver)) == {"sync_status_write_change", "appointment_insertion.complete"}


def test_a_write_that_reaches_the_office_after_its_start_times_out(
    sandbox: SandboxControl, nex: NexHealthClient, receiver: Receiver
) -> None:
    nex.subscribe(receiver.url, *APPOINTMENT_EVENTS)
    sandbox.office(EAGLESOFT, write_status="red")
    row = nex.book(DEFAULT_IDS[EAGLESOFT])
    sandbox.clock(advance=2 * 365 * 24 * 3600)
    sandbox.office(EAGLESOFT, write_status=None)
    sandbox.clock(advance=1)
    assert event_names(receiver) == ["appointment_insertion.timed_out"]
    nex.authenticate()
    assert (nex.appointment(row["id"])["foreign_id"], office_appointments(sandbox, EAGLESOFT)) == (None, [])


@pytest.mark.parametrize("outcome", ["failed", "timed_out", "incomplete"])
def test_a_failed_insertion_has_no_reason(
    sandbox: SandboxControl, nex: NexHealthClient, receiver: Receiver, outcome: str
) -> None:
    nex.subscribe(receiver.url, *APPOINTMENT_EVENTS)
    sandbox.fault(system="office", method="insert", path=f"/{DENTRIX}", kind=outcome, match="ours")
    row = nex.book(DEFAULT_IDS[DENTRIX])
    sandbox.clock(advance=1)
    ((_, raw),) = receiver.deliveries
    event = json.loads(raw)
    assert event["event_name"] == f"appointment_insertion.{outcome}"
    assert (event["data"]["appointment"]["id"], set(event["data"])) == (row["id"], {"appointment"})
    assert (nex.appointment(row["id"])["cancelled"], office_appointments(sandbox, DENTRIX)) == (False, [])


def test_a_held_write_stays_in_the_queue(sandbox: SandboxControl, nex: NexHealthClient) -> None:
    sandbox.fault(system="office", method="insert", kind="held", times=2)
    row = nex.book(DEFAULT_IDS[DENTRIX])
    for _ in range(2):
        sandbox.clock(advance=1)
        assert nex.appointment(row["id"])["foreign_id"] is None
    sandbox.clock(advance=1)
    assert nex.appointment(row["id"])["foreign_id"]


def test_a_held_write_holds_later_writes_of_the_same_appointment(sandbox: SandboxControl, nex: NexHealthClient) -> None:
    sandbox.nexhealth(cancel_before_sync="written")
    sandbox.fault(system="office", method="insert", kind="held")
    row = nex.book(DEFAULT_IDS[DENTRIX])
    nex.try_to_change(row["id"], cancelled=True)
    sandbox.clock(advance=1)
    assert sandbox.state()["nexhealth"]["office"]["appointments"] == []
    sandbox.clock(advance=1)
    assert [row["cancelled"] for row in sandbox.state()["nexhealth"]["office"]["appointments"]] == [True]


def test_a_200_answer_can_say_in_its_envelope_that_nothing_was_done(
    sandbox: SandboxControl, nex: NexHealthClient
) -> None:
    sandbox.fault(system="nexhealth", kind="code_false", method="PATCH")
    row = nex.book(DEFAULT_IDS[DENTRIX])
    response = nex.try_to_change(row["id"], cancelled=True)
    assert (response.status_code, response.json()["code"]) == (200, False)
    assert nex.appointment(row["id"])["cancelled"] is False


# Changes and cancellations


def test_a_cancellation_reaches_the_office_and_a_second_one_is_refused(
    sandbox: SandboxControl, nex: NexHealthClient
) -> None:
    row = nex.book(DEFAULT_IDS[DENTRIX])
    sandbox.clock(advance=1)
    assert nex.try_to_change(row["id"], cancelled=True).json()["data"]["appt"]["cancelled"]
    sandbox.clock(advance=1)
    assert office_appointments(sandbox, DENTRIX) == []
    assert_refused(nex.try_to_change(row["id"], cancelled=True), 400, "already cancelled")
    assert nex.try_to_book(DEFAULT_IDS[DENTRIX]).status_code == 201


@pytest.mark.parametrize(("policy", "written"), [("dropped", 0), ("written", 1)])
def test_cancelling_before_the_write_drops_or_writes_it(
    sandbox: SandboxControl, nex: NexHealthClient, policy: str, written: int
) -> None:
    sandbox.nexhealth(cancel_before_sync=policy)
    row = nex.book(DEFAULT_IDS[DENTRIX])
    nex.try_to_change(row["id"], cancelled=True)
    sandbox.clock(advance=1)
    rows = sandbox.state()["nexhealth"]["office"]["appointments"]
    assert [row["cancelled"] for row in rows] == [True] * written


@pytest.mark.parametrize("policy", ["dropped", "written"])
def test_an_appointment_that_the_office_refused_can_be_cancelled(
    sandbox: SandboxControl, nex: NexHealthClient, policy: str
) -> None:
    sandbox.nexhealth(cancel_before_sync=policy)
    sandbox.fault(system="office", method="insert", kind="failed")
    row = nex.book(DEFAULT_IDS[DENTRIX])
    sandbox.clock(advance=1)
    nex.try_to_change(row["id"], cancelled=True)
    sandbox.clock(advance=1)
    assert nex.appointment(row["id"])["cancelled"] is True


@pytest.mark.parametrize("system", ["dentrix", "dentrixenterprise", "eaglesoft", "opendental", "dentrixascend"])
def test_rescheduling_in_place_depends_on_the_system(
    sandbox: SandboxControl, nex: NexHealthClient, system: str
) -> None:
    sandbox.office(DENTRIX, system=system)
    row = nex.book(DEFAULT_IDS[DENTRIX])
    sandbox.clock(advance=1)
    assert_refused(nex.try_to_change(row["id"], start_time=TEN), 400, "provide all or none")
    response = nex.try_to_change(row["id"], start_time=TEN, end_time=ELEVEN, operatory_id=302, note="moved")
    if system == "dentrixascend":
        assert_refused(response, 400, "")
        return
    sandbox.clock(advance=1)
    (written,) = office_appointments(sandbox, DENTRIX)
    actual = (written["start"], written["operatory"], written["note"])
    assert actual == (f"{TUESDAY}T18:00:00.000Z", 302, "moved")


def test_a_change_of_an_appointment_cancelled_at_the_office_fails_and_is_reverted(
    sandbox: SandboxControl, nex: NexHealthClient, receiver: Receiver
) -> None:
    nex.subscribe(receiver.url, *APPOINTMENT_EVENTS)
    row = nex.book(DEFAULT_IDS[DENTRIX])
    sandbox.clock(advance=1)
    sandbox.nexhealth(read_every=NEVER)
    sandbox.desk(system="nexhealth", do="cancel", id=row["id"])
    assert nex.try_to_change(row["id"], confirmed=True).status_code == 200
    sandbox.clock(advance=1)
    assert event_names(receiver)[-1] == "appointment_updated.failed"
    assert not nex.appointment(row["id"])["confirmed"]


def test_a_desk_edit_during_a_queued_write_appears_after_that_write_fails(
    sandbox: SandboxControl, nex: NexHealthClient
) -> None:
    row = nex.book(DEFAULT_IDS[DENTRIX])
    sandbox.clock(advance=1)
    sandbox.office(DENTRIX, write_status="red")
    sandbox.desk(system="nexhealth", do="move", id=row["id"], start=TEN)
    nex.try_to_change(row["id"], cancelled=True)
    sandbox.clock(advance=1)
    assert nex.appointment(row["id"])["start_time"] == f"{TUESDAY}T17:00:00.000Z"
    sandbox.fault(system="office", method="update", kind="failed")
    sandbox.office(DENTRIX, write_status="green")
    sandbox.clock(advance=1)
    copied = nex.appointment(row["id"])
    assert (copied["cancelled"], copied["start_time"]) == (False, f"{TUESDAY}T18:00:00.000Z")


def test_a_change_writes_only_its_own_fields_and_keeps_desk_edits(
    sandbox: SandboxControl, nex: NexHealthClient
) -> None:
    row = nex.book(DEFAULT_IDS[DENTRIX])
    sandbox.clock(advance=1)
    sandbox.desk(system="nexhealth", do="move", id=row["id"], start=TEN, key="once")
    sandbox.desk(system="nexhealth", do="move", id=row["id"], start=ELEVEN, key="once")
    assert (
        nex.try_to_change(row["id"], confirmed=True).json()["data"]["appt"]["start_time"] == f"{TUESDAY}T17:00:00.000Z"
    )
    sandbox.clock(advance=1)
    (written,) = office_appointments(sandbox, DENTRIX)
    assert (written["confirmed"], written["start"]) == (True, TEN)
    copied = nex.appointment(row["id"])
    assert (copied["confirmed"], copied["start_time"]) == (True, f"{TUESDAY}T18:00:00.000Z")
    log = sandbox.state()["nexhealth"]["office"]["log"]
    writers = [entry["clientName"] for entry in log if entry["kind"] == "appointments"]
    assert (writers[0], writers[-1]) == ("nexhealth", "nexhealth")
    assert "desk" in writers


def test_two_bookings_for_one_slot_can_both_be_accepted(sandbox: SandboxControl, nex: NexHealthClient) -> None:
    sandbox.nexhealth(overlap_check=False)
    for _ in range(2):
        nex.book(DEFAULT_IDS[EAGLESOFT])
    sandbox.clock(advance=1)
    assert len(office_appointments(sandbox, EAGLESOFT)) == 1
    sandbox.office(EAGLESOFT, cells={"overlap": True})
    nex.book(DEFAULT_IDS[EAGLESOFT])
    sandbox.clock(advance=1)
    assert len(office_appointments(sandbox, EAGLESOFT)) == 2


# Differences between the practice systems


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
def test_every_system_but_enterprise_sends_an_insertion_webhook(
    sandbox: SandboxControl, nex: NexHealthClient, receiver: Receiver, system: str, events: list[str]
) -> None:
    sandbox.office(DENTRIX, system=system)
    nex.subscribe(receiver.url, *APPOINTMENT_EVENTS)
    row = nex.book(DEFAULT_IDS[DENTRIX])
    sandbox.clock(advance=1)
    assert event_names(receiver) == events
    assert nex.appointment(row["id"])["foreign_id"]


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
    sandbox: SandboxControl, nex: NexHealthClient, system: str, causes: set[str]
) -> None:
    sandbox.office(DENTRIX, system=system)
    for hour, cause in enumerate(("block", "lunch", "holiday", "closed"), 17):
        times = {"start": f"{TUESDAY}T{hour}:00:00Z", "end": f"{TUESDAY}T{hour + 1}:00:00Z"}
        sandbox.desk(system="nexhealth", do="block", location=DENTRIX, operatory=301, cause=cause, **times)
    sandbox.clock(advance=1)
    blocks = nex.appointments(DENTRIX)
    assert all(row["unavailable"] and row["patient_id"] is None for row in blocks)
    order = ["block", "lunch", "holiday", "closed"]
    assert {order[int(row["start_time"][11:13]) - 17] for row in blocks} == causes


@pytest.mark.parametrize(("system", "note"), [("dentrix", "by phone"), ("dentrixascend", None)])
def test_desk_notes_are_read_except_from_ascend(
    sandbox: SandboxControl, nex: NexHealthClient, system: str, note: str | None
) -> None:
    sandbox.office(DENTRIX, system=system)
    office_row = book_as_desk(sandbox, DEFAULT_IDS[DENTRIX])
    sandbox.desk(system="nexhealth", do="move", id=office_row["id"], note="by phone")
    ours = nex.book(DEFAULT_IDS[DENTRIX], TEN, ELEVEN)
    sandbox.clock(advance=1)
    notes = {row["id"] == ours["id"]: row["note"] for row in nex.appointments(DENTRIX)}
    assert notes == {False: note, True: "ours"}


def test_working_hours_are_read_from_the_office_or_entered_by_hand(nex: NexHealthClient) -> None:
    sources = {
        location: {row["source"] for row in nex.get("/working_hours", location_id=location, per_page=50)}
        for location in DEFAULT_IDS
    }
    assert sources == {DENTRIX: {"manual"}, ENTERPRISE: {"synced"}, EAGLESOFT: {"synced"}}
    hours: Row = {"provider_id": 202, "operatory_id": 301, "begin_time": "18:00", "end_time": "20:00"}
    body = {"working_hour": {**hours, "days": ["Tuesday"], "appointment_type_ids": [401]}}
    created = nex.call("POST", "/working_hours", body, location_id=DENTRIX)
    assert (created.status_code, created.json()["data"]["source"]) == (201, "manual")
    evening: Row = {"start": f"{WEDNESDAY}T02:00:00Z", "end": f"{WEDNESDAY}T03:00:00Z", "appointment_type_id": 401}
    assert nex.try_to_book(DEFAULT_IDS[DENTRIX], **evening).status_code == 201
    for_other_type: Row = {
        **evening,
        "start": f"{WEDNESDAY}T03:00:00Z",
        "end": f"{WEDNESDAY}T04:00:00Z",
        "appointment_type_id": 402,
    }
    assert_refused(nex.try_to_book(DEFAULT_IDS[DENTRIX], **for_other_type), 400, "configured for the requested slot")
    path = f"/working_hours/{created.json()['data']['id']}"
    assert nex.call("PATCH", path, {"working_hour": {"active": False}}).json()["data"]["active"] is False
    assert nex.call("DELETE", path).status_code == 204
    with_days_and_date = {"working_hour": {**hours, "days": ["Tuesday"], "specific_date": f"{TUESDAY}"}}
    assert_refused(nex.call("POST", "/working_hours", with_days_and_date, location_id=DENTRIX), 400, "is invalid")


def test_available_slots_are_working_hours_minus_appointments_in_the_copy(
    sandbox: SandboxControl, nex: NexHealthClient
) -> None:
    query: Row = {"start_date": f"{TUESDAY}", "days": 1, "lids": [DENTRIX], "slot_length": 60}
    assert_refused(nex.call("GET", "/available_slots", **query), 400, "Missing parameter pids")

    def starts() -> list[str]:
        (result,) = nex.get("/available_slots", **query, pids=[202])
        return [slot["time"] for slot in result["slots"]]

    assert starts()[:2] == [f"{TUESDAY}T08:00:00.000-08:00", f"{TUESDAY}T09:00:00.000-08:00"]
    book_as_desk(sandbox, DEFAULT_IDS[DENTRIX])
    assert len(starts()) == 9
    sandbox.clock(advance=1)
    assert f"{TUESDAY}T09:00:00.000-08:00" not in starts()
    sandbox.nexhealth(slots_lag=60)
    nex.book(DEFAULT_IDS[DENTRIX], TEN, ELEVEN)
    assert f"{TUESDAY}T10:00:00.000-08:00" in starts()
    (weekend,) = nex.get("/available_slots", **{**query, "start_date": f"{TUESDAY + timedelta(days=4)}"}, pids=[202])
    assert (weekend["slots"], weekend["next_available_date"]) == ([], f"{TUESDAY + timedelta(days=6)}")
    with_type = nex.get("/available_slots", **query, pids=[202], appointment_type_id=402)
    assert with_type[0]["slots"][0]["end_time"] == f"{TUESDAY}T08:30:00.000-08:00"


# Patients

NEW_PATIENT: Row = {
    "provider": {"provider_id": 201},
    "patient": {
        "first_name": "Beryl",
        "last_name": "Newcomb",
        "email": "beryl@patients.example",
        "bio": {"date_of_birth": "1990-02-03", "phone_number": "5035550199", "gender": "Other"},
    },
}


def test_a_new_patient_reaches_the_office_with_the_first_appointment(
    sandbox: SandboxControl, nex: NexHealthClient
) -> None:
    response = nex.call("POST", "/patients", NEW_PATIENT, location_id=DENTRIX)
    person = response.json()["data"]["user"]
    assert (response.status_code, person["foreign_id"], person["bio"]["new_patient"]) == (201, None, True)
    sandbox.clock(advance=5)

    def count_charts() -> int:
        return sum(row["last"] == "Newcomb" for row in sandbox.state()["nexhealth"]["office"]["patients"])

    assert count_charts() == 0
    repeated = nex.call("POST", "/patients", NEW_PATIENT, location_id=DENTRIX)
    assert_refused(repeated, 400, f"A patient with that information already exists - id={person['id']}")
    matched = nex.call("POST", "/patients", {**NEW_PATIENT, "return_existing_if_match": True}, location_id=DENTRIX)
    assert (matched.status_code, matched.json()["data"]["user"]["id"]) == (200, person["id"])
    appointment = nex.book(DEFAULT_IDS[DENTRIX], patient_id=person["id"])
    sandbox.clock(advance=1)
    assert count_charts() == 1
    (real,) = nex.get("/patients", location_id=DENTRIX, name="newcomb")
    assert (real["bio"]["new_patient"], bool(real["foreign_id"])) == (False, True)
    assert nex.appointment(appointment["id"])["patient_id"] == real["id"] != person["id"]
    assert_refused(nex.call("GET", f"/patients/{person['id']}"), 404, "not found")


def test_a_new_patient_can_keep_its_id_when_it_reaches_the_office(
    sandbox: SandboxControl, nex: NexHealthClient
) -> None:
    sandbox.nexhealth(placeholders="adopted")
    person = nex.call("POST", "/patients", NEW_PATIENT, location_id=DENTRIX).json()["data"]["user"]
    nex.book(DEFAULT_IDS[DENTRIX], patient_id=person["id"])
    sandbox.clock(advance=1)
    assert nex.get(f"/patients/{person['id']}")["foreign_id"]


def test_a_new_patient_without_required_fields_is_refused(nex: NexHealthClient) -> None:
    def create_patient(**bio: Any) -> httpx.Response:
        person = {**NEW_PATIENT["patient"], "bio": {**NEW_PATIENT["patient"]["bio"], **bio}}
        return nex.call("POST", "/patients", {**NEW_PATIENT, "patient": person}, location_id=DENTRIX)

    assert_refused(create_patient(date_of_birth=None), 400, "Missing parameter patient[bio][date_of_birth]")
    assert_refused(create_patient(date_of_birth="2190-01-01"), 400, "date_of_birth")
    assert_refused(create_patient(phone_number="+15035550199"), 400, "User phone number is invalid")
    assert_refused(
        nex.call("POST", "/patients", {"patient": {}}, location_id=DENTRIX), 400, "Missing parameter provider"
    )


def test_patient_search_matches_any_contact_and_parts_of_names(nex: NexHealthClient) -> None:
    def search(**query: Any) -> list[int]:
        return [row["id"] for row in nex.get("/patients", location_id=DENTRIX, per_page=100, **query)]

    assert search(email="opal@patients.example", phone_number="5035550122") == [901, 904, 905]
    assert search(name="twin") == [904, 905]
    assert search(date_of_birth="1987-08-08") == [906, 907]
    assert [row["id"] for row in nex.get("/patients", location_id=ENTERPRISE, inactive="true")] == [910]


def test_a_guardian_can_book_for_a_child(sandbox: SandboxControl, nex: NexHealthClient) -> None:
    child = {"first_name": "Topaz", "last_name": "Sampleton", "bio": {"date_of_birth": "2018-03-04"}}
    row = nex.book(DEFAULT_IDS[DENTRIX], is_guardian=True, patient=child)
    assert row["patient_id"] != 901
    assert nex.get(f"/patients/{row['patient_id']}")["guarantor_id"] == 901


# Validation of bookings


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
def test_an_invalid_booking_is_refused_and_not_queued(nex: NexHealthClient, change: Row, text: str) -> None:
    assert_refused(nex.try_to_book(DEFAULT_IDS[DENTRIX], **change), 400, text)
    assert nex.appointments(DENTRIX) == []


def test_without_an_end_the_type_sets_the_length(nex: NexHealthClient) -> None:
    row = nex.book(DEFAULT_IDS[DENTRIX], end_time=None, appointment_type_id=402)
    assert row["end_time"] == f"{TUESDAY}T17:30:00.000Z"


def test_a_location_without_the_insert_flag_never_writes_to_the_office(
    sandbox: SandboxControl, nex: NexHealthClient
) -> None:
    sandbox.office(DENTRIX, flags={"insert_appt_client": False, "map_by_operatory": False})
    row = nex.book(DEFAULT_IDS[DENTRIX])
    sandbox.clock(advance=5)
    assert (nex.appointment(row["id"])["foreign_id"], office_appointments(sandbox, DENTRIX)) == (None, [])


def test_a_block_can_be_created_without_a_patient(sandbox: SandboxControl, nex: NexHealthClient) -> None:
    block = {"provider_id": 202, "operatory_id": 301, "start_time": NINE, "end_time": TEN, "unavailable": True}
    assert nex.call("POST", "/appointments", {"appt": block}, location_id=DENTRIX).status_code == 201
    sandbox.clock(advance=1)
    assert office_appointments(sandbox, DENTRIX)[0]["block"] == "block"


# Webhooks


def base64_in_lines(raw: bytes) -> bytes:
    """Base64 with line breaks, as Ruby writes it by default."""
    encoded = base64.b64encode(raw)
    return b"".join(encoded[at : at + 60] + b"\n" for at in range(0, len(encoded), 60))


def has_signature(headers: dict[str, str], raw: bytes, secret: str, encode: Callable[[bytes], bytes]) -> bool:
    message = headers["timestamp"].encode() + b"." + encode(raw)
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest() == headers["signature"]


def test_webhooks_are_signed_over_the_raw_body(
    sandbox: SandboxControl, nex: NexHealthClient, receiver: Receiver
) -> None:
    secret = nex.subscribe(receiver.url, *APPOINTMENT_EVENTS)
    row = nex.book(DEFAULT_IDS[DENTRIX])
    sandbox.clock(advance=1)
    ((headers, raw),) = receiver.deliveries
    assert has_signature(headers, raw, secret, base64.b64encode)
    assert not has_signature(headers, raw + b" ", secret, base64.b64encode)
    event = json.loads(raw)
    names = ("resource_type", "event_name", "subdomain", "institution_id")
    assert [event[name] for name in names] == ["Appointment", "appointment_insertion.complete", SUBDOMAIN, 1]
    assert event["data"]["appointment"]["id"] == row["id"]
    sandbox.nexhealth(signature_in_lines=True)
    nex.try_to_change(row["id"], confirmed=True)
    sandbox.clock(advance=1)
    assert has_signature(*receiver.deliveries[-1], secret, base64_in_lines)


def test_webhooks_report_desk_edits_after_a_read_cycle(
    sandbox: SandboxControl, nex: NexHealthClient, receiver: Receiver
) -> None:
    nex.subscribe(receiver.url, *APPOINTMENT_EVENTS)
    office_row = book_as_desk(sandbox, DEFAULT_IDS[DENTRIX])
    sandbox.clock(advance=1)
    sandbox.desk(system="nexhealth", do="cancel", id=office_row["id"])
    sandbox.clock(advance=1)
    assert event_names(receiver) == ["appointment_created", "appointment_updated"]
    created, cancelled = (json.loads(raw)["data"] for _, raw in receiver.deliveries)
    assert len(created["appointments"]) == 1
    assert cancelled["appointment"]["cancelled"]


@pytest.mark.parametrize(
    ("kind", "deliveries"),
    [("lost", 0), ("twice", 2), ("late", 0), ("forged", 1)],
)
def test_webhook_faults_lose_duplicate_delay_or_forge_a_delivery(
    sandbox: SandboxControl, nex: NexHealthClient, receiver: Receiver, kind: str, deliveries: int
) -> None:
    secret = nex.subscribe(receiver.url, *APPOINTMENT_EVENTS)
    sandbox.fault(system="webhook", path="appointment_insertion", kind=kind, seconds=60)
    row = nex.book(DEFAULT_IDS[DENTRIX])
    sandbox.clock(advance=1)
    assert len(receiver.deliveries) == deliveries
    assert all(has_signature(*one, secret, base64.b64encode) == (kind != "forged") for one in receiver.deliveries)
    if kind == "late":
        nex.try_to_change(row["id"], confirmed=True)
        sandbox.clock(advance=1)
        sandbox.clock(advance=60)
        assert event_names(receiver) == ["appointment_updated", "appointment_insertion.complete"]


def test_a_webhook_can_arrive_before_the_answer(
    sandbox: SandboxControl, nex: NexHealthClient, receiver: Receiver
) -> None:
    nex.subscribe(receiver.url, *APPOINTMENT_EVENTS)
    sandbox.fault(system="nexhealth", method="POST", path="^/appointments$", kind="webhook_first")
    row = nex.book(DEFAULT_IDS[DENTRIX])
    assert (row["foreign_id"], event_names(receiver)) == (None, ["appointment_insertion.complete"])


def test_a_delivery_is_retried_for_two_days_and_then_its_endpoint_is_deactivated(
    sandbox: SandboxControl, nex: NexHealthClient, receiver: Receiver
) -> None:
    nex.subscribe(receiver.url, *APPOINTMENT_EVENTS)
    receiver.status = 500
    nex.book(DEFAULT_IDS[DENTRIX])
    sandbox.clock(advance=1)
    elapsed = 0
    for attempts, delay in enumerate((30, 90, 210, 600, 1800, 7200, 18000, 36000, 86400, 172800), 1):
        sandbox.clock(advance=delay - elapsed - 1)
        assert len(receiver.deliveries) == attempts
        sandbox.clock(advance=1)
        elapsed = delay
        assert len(receiver.deliveries) == attempts + 1
    nex.authenticate()
    (endpoint,) = nex.http.get("/webhook_endpoints").json()["data"]
    assert endpoint["active"] is False
    assert len({headers["timestamp"] for headers, _ in receiver.deliveries}) == 11
    reactivated = nex.http.patch(f"/webhook_endpoints/{endpoint['id']}", json={"active": True}).json()["data"]
    assert reactivated["active"] is True


def test_an_event_has_one_subscription_that_can_be_paused_and_deleted(
    sandbox: SandboxControl, nex: NexHealthClient, receiver: Receiver
) -> None:
    nex.subscribe(receiver.url, ("Appointment", "appointment_insertion"))
    (endpoint,) = nex.http.get("/webhook_endpoints").json()["data"]
    path = f"/webhook_endpoints/{endpoint['id']}/webhook_subscriptions"
    body = {"resource_type": "Appointment", "event": "appointment_insertion"}
    assert_refused(nex.call("POST", path, body), 400, "already exists")
    assert_refused(nex.call("POST", path, {**body, "event": "appointment_insertion.complete"}), 400, "event")
    (subscription,) = nex.get(path)
    assert nex.call("PATCH", f"{path}/{subscription['id']}", {"active": False}).status_code == 200
    nex.book(DEFAULT_IDS[DENTRIX])
    sandbox.clock(advance=1)
    assert receiver.deliveries == []
    assert nex.call("DELETE", f"{path}/{subscription['id']}").status_code == 204
    assert nex.call("DELETE", f"/webhook_endpoints/{endpoint['id']}").status_code == 204


# Faults


@pytest.mark.parametrize("kind", ["drop_after", "status_after", "garbage"])
def test_an_answer_can_be_lost_after_the_write_was_accepted(
    sandbox: SandboxControl, nex: NexHealthClient, kind: str
) -> None:
    sandbox.fault(system="nexhealth", method="POST", path="^/appointments$", kind=kind, status=500)
    try:
        assert nex.try_to_book(DEFAULT_IDS[DENTRIX]).status_code in (200, 500)
    except httpx.HTTPError:
        assert kind == "drop_after"
    assert len(nex.appointments(DENTRIX)) == 1


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
def test_faults_are_answered_in_the_vendors_own_shape(
    sandbox: SandboxControl, nex: NexHealthClient, fault: Row, status: int, is_json: bool
) -> None:
    sandbox.fault(system="nexhealth", path="^/locations$", **fault)
    response = nex.call("GET", "/locations")
    assert response.status_code == status
    if is_json:
        assert response.json()["code"] is False
    if status != 401:
        assert nex.call("GET", "/locations").status_code == 200
    nex.authenticate()
    assert nex.call("GET", "/locations").status_code == 200


# Practice setup, web page and document


def test_the_practice_setup_can_be_read(nex: NexHealthClient) -> None:
    (institution,) = nex.get("/locations")
    assert [row["id"] for row in institution["locations"]] == list(DEFAULT_IDS)
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


def test_the_page_shows_office_calendars_and_queued_writes(sandbox: SandboxControl, nex: NexHealthClient) -> None:
    nex.book(DEFAULT_IDS[DENTRIX])
    book_as_desk(sandbox, DEFAULT_IDS[EAGLESOFT])
    page = httpx.get(f"{sandbox.url}/?date={TUESDAY}", trust_env=False).text
    assert "Portland: Dentrix" in page
    assert "Accepted, but not yet written at the office (1)" in page
    assert "12:00 Visit · Fixture" in page


@pytest.mark.parametrize("day", ["foo", "2026-13-01", "0001-01-01", "9999-12-31", "1e9", "%00"])
def test_calendar_page_asks_for_a_real_day(sandbox: SandboxControl, day: str) -> None:
    answer = httpx.get(f"{sandbox.url}/?date={day}", trust_env=False)
    assert (answer.status_code, answer.text) == (400, "date: must be a day such as 2026-12-01")


@pytest.mark.skipif(not CONTRACTS.exists(), reason="the vendor's OpenAPI document is not available")
def test_a_request_against_the_vendors_document_is_recorded(sandbox: SandboxControl, nex: NexHealthClient) -> None:
    """The sandbox accepts a descriptor id as text, but the document requires a number."""
    assert nex.try_to_book(DEFAULT_IDS[DENTRIX], descriptor_ids=["501"]).status_code == 201
    (violation,) = sandbox.state()["nexhealth"]["violations"]
    assert violation.startswith("POST /appointments request 201")
    sandbox.reset()
