"""The sandbox is no more obliging than Ascend and Twilio are known to be."""

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
        answer = client.post(
            "/oauth/client_credential/accesstoken?grant_type=client_credentials",
            data={"client_id": "sandbox-client", "client_secret": "sandbox-secret"},
        )
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        client.headers["Organization-ID"] = "5f0000000000000000000001"
        yield client


def listed(api: httpx.Client, collection: str = "appointments", **params: str) -> Rows:
    answer = api.get(f"/ascend-gateway/api/v1/{collection}", params=params).raise_for_status()
    return list(answer.json()["data"])


@pytest.mark.parametrize("collection", ["appointments", "locations", "operatories", "providers", "scheduletemplates"])
def test_who_asks_for_no_fields_gets_few(api: httpx.Client, sandbox: SandboxControl, collection: str) -> None:
    book_at_desk(sandbox)
    few, every = listed(api, collection)[0], listed(api, collection, responseFields="ALL")[0]
    assert few.keys() < every.keys()
    assert "lastModified" not in few
    one = api.get(f"/ascend-gateway/api/v1/{collection}/{few['id']}").json()["data"]
    assert one == few


@pytest.mark.parametrize("field", ["nonsense", "patient.nonsense", "start.id.id", "deskKey", "overlaps"])
def test_a_filter_on_a_field_that_there_is_not_is_a_bad_request(api: httpx.Client, field: str) -> None:
    assert api.get("/ascend-gateway/api/v1/appointments", params={"filter": f"{field}==1"}).status_code == 400


def test_a_stale_list_shows_what_was_there_before(api: httpx.Client, sandbox: SandboxControl) -> None:
    moved, deleted = book_at_desk(sandbox), book_at_desk(sandbox, NINE + timedelta(hours=2))
    before = listed(api, responseFields="ALL")
    time.sleep(0.6)
    begun = time.monotonic()
    sandbox.desk(do="move", id=moved["id"], start=(NINE + timedelta(hours=3)).isoformat())
    sandbox.desk(do="delete", id=deleted["id"])
    book_at_desk(sandbox, NINE + timedelta(hours=5))
    since = time.monotonic() - begun
    sandbox.fault(system="ascend", kind="stale_reads", times=None, seconds=since + 0.4)
    assert listed(api, responseFields="ALL") == before
    assert api.get(f"/ascend-gateway/api/v1/appointments/{deleted['id']}").status_code == 404


def test_an_action_of_the_desk_is_done_once_a_key_however_many_concern_one_row(sandbox: SandboxControl) -> None:
    where = {"operatory": OPERATORY, "provider": HYGIENIST, "patient": PATIENT, "start": NINE.isoformat()}
    booked = [sandbox.desk(do="book", key="one", **where) for _ in range(2)]
    later = (NINE + timedelta(hours=1)).isoformat()
    moved = [sandbox.desk(do="move", key="two", id=booked[0]["id"], start=later) for _ in range(2)]
    assert sandbox.desk(do="book", key="one", **where)["id"] == booked[0]["id"] == moved[1]["id"]
    for _ in range(2):
        sandbox.desk(do="delete", key="three", id=booked[0]["id"])
    assert sandbox.state()["appointments"] == []


def test_the_desk_closes_a_day_a_provider_or_every_week(api: httpx.Client, sandbox: SandboxControl) -> None:
    times = {"start": NINE.isoformat(), "end": (NINE + timedelta(hours=1)).isoformat()}
    last = f"{TUESDAY + timedelta(days=48)}"
    sandbox.desk(do="block", location=OAKLAND, allDay=True, **times)
    sandbox.desk(do="block", location=OAKLAND, provider=HYGIENIST, **times)
    sandbox.desk(do="block", recurrenceType="WEEKLY", recurrenceFrequency=2, recurrenceEnd=last, **times)
    day, away, weekly = listed(api, "events", responseFields="ALL")
    assert (day["allDay"], day["operatory"], day["provider"]) == (True, None, None)
    assert away["provider"]["id"] == HYGIENIST
    assert (weekly["location"], weekly["recurrenceType"], weekly["recurrenceEnd"]) == (None, "WEEKLY", last)


def test_texts_are_listed_by_the_day_without_what_was_not_to_be_kept(sandbox: SandboxControl) -> None:
    account = "AC" + "1".rjust(32, "0")
    login = ("SK" + "1".rjust(32, "0"), "sandbox-twilio")
    url = f"/2010-04-01/Accounts/{account}/Messages.json"
    text = {"To": "+15105550121", "MessagingServiceSid": "MG" + "1".rjust(32, "0")}
    today, tomorrow = (f"{datetime.now(UTC) + timedelta(days=n):%Y-%m-%d}" for n in (0, 1))
    with httpx.Client(base_url=sandbox.url, auth=login, trust_env=False) as api:
        api.post(url, data={**text, "Body": "kept"}).raise_for_status()
        api.post(url, data={**text, "Body": "not kept", "ContentRetention": "discard"}).raise_for_status()

        def bodies(**params: str) -> list[str]:
            return [sent["body"] for sent in api.get(url, params=params).json()["messages"]]

        assert bodies(To=text["To"], **{"DateSent>": today}) == ["", "kept"]
        assert bodies(**{"DateSent<": today}) == ["", "kept"]
        assert bodies(**{"DateSent>": tomorrow}) == []
        assert bodies(To="+15105550122") == []
