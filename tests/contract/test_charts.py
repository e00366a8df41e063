"""One chart a new patient, with the real adapter, the real ledger and the sandbox."""

import asyncio
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import chart_lease
from activities.connections import Connections
from activities.patients import CreateChartInput, PatientActivities
from adapters.ascend import AscendSystem
from adapters.errors import OutcomeUnknown, RateLimited, Unavailable
from adapters.ledger import Ledger
from demo.stack import ROOT
from domain.booking import Reason
from domain.keyed_hash import KeyedHash
from domain.matching import Match, Verdict
from domain.practice import parse_practice
from domain.reference import new_reference
from domain.request import Person
from tests.support.sandbox import SandboxControl

NOVA = Person.model_validate(
    {"first_name": "Nova", "last_name": "Newcomer", "date_of_birth": "1991-04-02", "email": "nova@patients.example"}
)


LATE_COMMIT = "60s"


class Charts:
    """Creates charts at an office that is quick to show, and slow to carry out, what it was told."""

    def __init__(self, ledger: Ledger, system: AscendSystem) -> None:
        content = tomllib.loads((ROOT / "practice.toml").read_text())
        content["connections"][0] |= {"consistency_delay": "1s", "late_commit": LATE_COMMIT}
        parts = Connections(practice=parse_practice(content), systems={"ascend-main": system}, ledger=ledger)
        self._activities = PatientActivities(parts, KeyedHash(b"k" * 32))

    async def create(self, given: CreateChartInput, attempt: int = 1) -> Match:
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, attempt=attempt)
        return await environment.run(self._activities.create_chart, given)


@pytest.fixture
def charts(ledger: Ledger, ascend: AscendSystem) -> Charts:
    return Charts(ledger, ascend)


def for_booking() -> CreateChartInput:
    return CreateChartInput(reference=new_reference(), location="oakland", person=NOVA, language="en")


def ids(sandbox: SandboxControl) -> list[str]:
    return [str(row["id"]) for row in sandbox.state()["patients"] if row["lastName"] == NOVA.last_name]


async def test_who_finds_the_chart_of_a_lost_answer_keeps_nobody_else_waiting(
    sandbox: SandboxControl, charts: Charts
) -> None:
    sandbox.fault(system="ascend", method="POST", path="/v1/patients", kind="status_after", status=500)
    one, other = for_booking(), for_booking()
    with pytest.raises(OutcomeUnknown):
        await charts.create(one)
    found = await charts.create(one, attempt=2)
    at_once = await charts.create(other)
    assert found.verdict is at_once.verdict is Verdict.MATCHED
    assert found.chart == at_once.chart


async def test_while_a_lost_write_may_still_be_carried_out_no_other_is_sent(
    sandbox: SandboxControl, charts: Charts
) -> None:
    sandbox.fault(system="ascend", method="POST", path="/v1/patients", kind="late_commit", seconds=5)
    given = for_booking()
    with pytest.raises(OutcomeUnknown):
        await charts.create(given)
    for _ in range(2):  # a retry, and a person's "try again", which counts its attempts anew
        with pytest.raises(ApplicationError, match="may still be carried out"):
            await charts.create(given)
    while not ids(sandbox):
        await asyncio.sleep(0.02)
    found = await charts.create(given, attempt=2)
    assert (found.verdict, found.chart) == (Verdict.MATCHED, ids(sandbox)[0])
    assert sandbox.state()["calls"]["ascend"]["POST /v1/patients"] == 1


async def test_an_attempt_that_slept_after_its_search_does_not_write_what_a_later_one_has_written(
    sandbox: SandboxControl, charts: Charts
) -> None:
    sandbox.fault(system="ascend", method="GET", path="/v1/patients$", kind="hold_after", seconds=60)
    given = for_booking()
    sleeper = asyncio.create_task(charts.create(given))
    while not sandbox.held():
        await asyncio.sleep(0.02)
    created = await charts.create(given)
    sandbox.release()
    with pytest.raises(ApplicationError, match="a later attempt"):
        await sleeper
    assert (created.because, ids(sandbox)) == (("created",), [created.chart])


async def test_who_looked_while_an_earlier_attempt_wrote_does_not_write_when_that_is_done(
    sandbox: SandboxControl, charts: Charts
) -> None:
    given = for_booking()
    sandbox.fault(system="ascend", method="POST", path="/v1/patients$", kind="hold_before", seconds=60)
    earlier = asyncio.create_task(charts.create(given))
    while not sandbox.held():
        await asyncio.sleep(0.02)
    sandbox.fault(system="ascend", method="GET", path="/v1/patients$", kind="hold_after", seconds=60)
    later = asyncio.create_task(charts.create(given))
    while len(sandbox.held()) < 2:
        await asyncio.sleep(0.02)
    sandbox.release("POST")
    await earlier
    sandbox.release("GET")
    with pytest.raises(ApplicationError, match="may still be carried out"):
        await later
    assert ids(sandbox) == [(await earlier).chart]
    found = await charts.create(given, attempt=2)
    assert ([found.chart], found.verdict) == (ids(sandbox), Verdict.MATCHED)


async def test_an_attempt_that_slept_after_its_permission_sends_nothing(
    sandbox: SandboxControl, charts: Charts, monkeypatch: pytest.MonkeyPatch
) -> None:
    asleep = datetime.now(UTC) - timedelta(seconds=45)
    with monkeypatch.context() as before:
        before.setattr(chart_lease, "utc_now", lambda: asleep)
        with pytest.raises(Unavailable):
            await charts.create(for_booking())
    assert ids(sandbox) == []


async def test_a_write_that_was_certainly_not_carried_out_is_sent_again_at_once(
    sandbox: SandboxControl, charts: Charts
) -> None:
    sandbox.fault(system="ascend", method="POST", path="/v1/patients", kind="rate_limited")
    given = for_booking()
    with pytest.raises(RateLimited):
        await charts.create(given)
    created = await charts.create(given, attempt=2)
    assert (created.verdict, created.because, ids(sandbox)) == (Verdict.MATCHED, ("created",), [created.chart])


async def test_a_chart_that_comes_even_later_is_seen_and_a_person_picks(
    sandbox: SandboxControl, charts: Charts, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.fault(system="ascend", method="POST", path="/v1/patients", kind="late_commit", seconds=6)
    given = for_booking()
    with pytest.raises(OutcomeUnknown):
        await charts.create(given)
    monkeypatch.setattr(chart_lease, "utc_now", lambda: datetime.now(UTC) + timedelta(minutes=2))
    sandbox.fault(system="ascend", method="POST", path="/v1/patients$", kind="hold_before", seconds=60)
    creating = asyncio.create_task(charts.create(given, attempt=2))
    while not (sandbox.held() and ids(sandbox)):
        await asyncio.sleep(0.02)
    sandbox.release()
    found = await creating
    assert (found.verdict, found.reason) == (Verdict.ASK, Reason.PATIENT_AMBIGUOUS)
    assert sorted(found.candidates) == sorted(ids(sandbox))
    assert len(found.candidates) == 2
