"""The sandbox is as strict as Ascend and Twilio are known to be."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.contract.test_ascend import HYGIENIST, NINE, OAKLAND, OPERATORY, PATIENT, book_at_desk
from tests.support.practice_systems import TUESDAY
from tests.support.sandbox import SandboxControl

Rows = list[dict[str, Any]]


@pytest.fixture
def api(sandbox: SandboxControl) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url, trust_env=False) as client:
        response = client.post(
            "/oauth/client_credential/accesstoken?grant_type=client_credentials",
            data={"client_id": "sandbox-client", "client_secret": "sandbox-secret"},
        )
        client.headers["Authorization"] = f"Bearer {response.json()['access_token']}"
        client.headers["Organization-ID"] = "5f0000000000000000000001"
        yield client


def list_rows(api: httpx.Client, collection: str = "appointments", **params: str) -> Rows:
    response = api.get(f"/ascend-gateway/api/v1/{collection}", params=params).raise_for_status()
    return list(response.json()["data"])


@pytest.mark.parametrize("collection", ["appointments", "locations", "operatories", "providers", "scheduletemplates"])
def test_a_request_without_response_fields_gets_only_a_few(
    api: httpx.Client, sandbox: SandboxControl, collection: str
) -> None:
    book_at_desk(sandbox)
    default_row, whole_row = list_rows(api, collection)[0], list_rows(api, collection, responseFields="ALL")[0]
    assert default_row.keys() < whole_row.keys()
    assert "lastModified" not in default_row
    single_row = api.get(f"/ascend-gateway/api/v1/{collection}/{default_row['id']}").json()["data"]
    assert single_row == default_row


@pytest.mark.parametrize("field", ["nonsense", "patient.nonsense", "start.id.id", "deskKey", "overlaps"])
def test_a_filter_on_an_unknown_field_is_a_bad_request(api: httpx.Client, field: str) -> None:
    assert api.get("/ascend-gateway/api/v1/appointments", params={"filter": f"{field}==1"}).status_code == 400


def test_a_stale_list_shows_the_appointments_before_recent_changes(api: httpx.Client, sandbox: SandboxControl) -> None:
    moved, deleted = book_at_desk(sandbox), book_at_desk(sandbox, NINE + timedelta(hours=2))
    before = list_rows(api, responseFields="ALL")
    time.sleep(0.6)
    started_at = time.monotonic()
    sandbox.desk(do="move", id=moved["id"], start=(NINE + timedelta(hours=3)).isoformat())
    sandbox.desk(do="delete", id=deleted["id"])
    book_at_desk(sandbox, NINE + timedelta(hours=5))
    elapsed = time.monotonic() - started_at
    sandbox.fault(system="ascend", kind="stale_reads", times=None, seconds=elapsed + 0.4)
    assert list_rows(api, responseFields="ALL") == before
    assert api.get(f"/ascend-gateway/api/v1/appointments/{deleted['id']}").status_code == 404


def test_a_desk_action_with_a_key_happens_only_once(sandbox: SandboxControl) -> None:
    slot = {"operatory": OPERATORY, "provider": HYGIENIST, "patient": PATIENT, "start": NINE.isoformat()}
    booked = [sandbox.desk(do="book", key="one", **slot) for _ in range(2)]
    later = (NINE + timedelta(hours=1)).isoformat()
    moved = [sandbox.desk(do="move", key="two", id=booked[0]["id"], start=later) for _ in range(2)]
    assert sandbox.desk(do="book", key="one", **slot)["id"] == booked[0]["id"] == moved[1]["id"]
    for _ in range(2):
        sandbox.desk(do="delete", key="three", id=booked[0]["id"])
    assert sandbox.state()["appointments"] == []


def test_the_desk_can_block_a_whole_day_one_provider_or_every_second_week(
    api: httpx.Client, sandbox: SandboxControl
) -> None:
    times = {"start": NINE.isoformat(), "end": (NINE + timedelta(hours=1)).isoformat()}
    last_day = f"{TUESDAY + timedelta(days=48)}"
    sandbox.desk(do="block", location=OAKLAND, allDay=True, **times)
    sandbox.desk(do="block", location=OAKLAND, provider=HYGIENIST, **times)
    sandbox.desk(do="block", recurrenceType="WEEKLY", recurrenceFrequency=2, recurrenceEnd=last_day, **times)
    whole_day, one_provider, weekly = list_rows(api, "events", responseFields="ALL")
    assert (whole_day["allDay"], whole_day["operatory"], whole_day["provider"]) == (True, None, None)
    assert one_provider["provider"]["id"] == HYGIENIST
    assert (weekly["location"], weekly["recurrenceType"], weekly["recurrenceEnd"]) == (None, "WEEKLY", last_day)


def test_text_messages_are_listed_by_day_and_without_discarded_bodies(sandbox: SandboxControl) -> None:
    account = "AC" + "1".rjust(32, "0")
    login = ("SK" + "1".rjust(32, "0"), "sandbox-twilio")
    url = f"/2010-04-01/Accounts/{account}/Messages.json"
    text = {"To": "+15105550121", "MessagingServiceSid": "MG" + "1".rjust(32, "0")}
    today, tomorrow = (f"{datetime.now(UTC) + timedelta(days=n):%Y-%m-%d}" for n in (0, 1))
    with httpx.Client(base_url=sandbox.url, auth=login, trust_env=False) as api:
        api.post(url, data={**text, "Body": "kept"}).raise_for_status()
        api.post(url, data={**text, "Body": "not kept", "ContentRetention": "discard"}).raise_for_status()

        def bodies(**params: str) -> list[str]:
            return [message["body"] for message in api.get(url, params=params).json()["messages"]]

        assert bodies(To=text["To"], **{"DateSent>": today}) == ["", "kept"]
        assert bodies(**{"DateSent<": today}) == ["", "kept"]
        assert bodies(**{"DateSent>": tomorrow}) == []
        assert bodies(To="+15105550122") == []
