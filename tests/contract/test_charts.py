"""A new patient gets exactly one chart, with the real adapter, the real ledger and the sandbox."""

import asyncio
import tomllib
from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.clock import Clock, SystemClock
from activities.connections import Connections
from activities.patients import CreateChartInput, PatientActivities
from adapters.ascend import AscendSystem
from adapters.errors import OutcomeUnknown, RateLimited, Unavailable
from adapters.ledger import Ledger
from devstack import ROOT
from domain.booking import Reason
from domain.keyed_hash import KeyedHash
from domain.matching import Match, Verdict
from domain.practice import parse_practice
from domain.reference import new_reference
from domain.request import Person
from tests.support.clock import OffsetClock
from tests.support.sandbox import SandboxControl

NOVA = Person.model_validate(
    {"first_name": "Nova", "last_name": "Newcomer", "date_of_birth": "1991-04-02", "email": "nova@patients.example"}
)


LATE_COMMIT = "60s"


class Charts:
    """Creates charts at an office that shows writes quickly and may carry them out late."""

    def __init__(self, ledger: Ledger, system: AscendSystem) -> None:
        content = tomllib.loads((ROOT / "practice.toml").read_text())
        content["connections"][0] |= {"consistency_delay": "1s", "late_commit": LATE_COMMIT}
        self._connections = Connections(
            practice=parse_practice(content), systems={"ascend-main": system}, ledger=ledger
        )

    async def create(self, request: CreateChartInput, attempt: int = 1, clock: Clock | None = None) -> Match:
        connections = replace(self._connections, clock=clock or SystemClock())
        activities = PatientActivities(connections, KeyedHash(b"k" * 32))
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, attempt=attempt)
        return await environment.run(activities.create_chart, request)


@pytest.fixture
def charts(ledger: Ledger, ascend: AscendSystem) -> Charts:
    return Charts(ledger, ascend)


def chart_input() -> CreateChartInput:
    return CreateChartInput(reference=new_reference(), location="oakland", person=NOVA, language="en")


def chart_ids(sandbox: SandboxControl) -> list[str]:
    return [str(row["id"]) for row in sandbox.state()["patients"] if row["lastName"] == NOVA.last_name]


async def test_booking_that_finds_the_chart_of_a_lost_answer_releases_the_lease_at_once(
    sandbox: SandboxControl, charts: Charts
) -> None:
    sandbox.fault(system="ascend", method="POST", path="/v1/patients", kind="status_after", status=500)
    first_request, second_request = chart_input(), chart_input()
    with pytest.raises(OutcomeUnknown):
        await charts.create(first_request)
    found = await charts.create(first_request, attempt=2)
    second_match = await charts.create(second_request)
    assert found.verdict is second_match.verdict is Verdict.MATCHED
    assert found.chart == second_match.chart


async def test_no_chart_is_sent_while_a_lost_write_may_still_be_carried_out(
    sandbox: SandboxControl, charts: Charts
) -> None:
    sandbox.fault(system="ascend", method="POST", path="/v1/patients", kind="late_commit", seconds=5)
    request = chart_input()
    with pytest.raises(OutcomeUnknown):
        await charts.create(request)
    for _ in range(2):  # a retry, and a retry by staff, which starts again at attempt 1
        with pytest.raises(ApplicationError, match="may still be carried out"):
            await charts.create(request)
    while not chart_ids(sandbox):
        await asyncio.sleep(0.02)
    found = await charts.create(request, attempt=2)
    assert (found.verdict, found.chart) == (Verdict.MATCHED, chart_ids(sandbox)[0])
    assert sandbox.state()["calls"]["ascend"]["POST /v1/patients"] == 1


async def test_attempt_that_slept_after_its_search_does_not_write_a_second_chart(
    sandbox: SandboxControl, charts: Charts
) -> None:
    sandbox.fault(system="ascend", method="GET", path="/v1/patients$", kind="hold_after", seconds=60)
    request = chart_input()
    sleeper = asyncio.create_task(charts.create(request))
    while not sandbox.held():
        await asyncio.sleep(0.02)
    created = await charts.create(request)
    sandbox.release()
    with pytest.raises(ApplicationError, match="a newer attempt"):
        await sleeper
    assert (created.because, chart_ids(sandbox)) == (("created",), [created.chart])


async def test_attempt_that_searched_while_an_earlier_one_wrote_does_not_write(
    sandbox: SandboxControl, charts: Charts
) -> None:
    request = chart_input()
    sandbox.fault(system="ascend", method="POST", path="/v1/patients$", kind="hold_before", seconds=60)
    earlier = asyncio.create_task(charts.create(request))
    while not sandbox.held():
        await asyncio.sleep(0.02)
    sandbox.fault(system="ascend", method="GET", path="/v1/patients$", kind="hold_after", seconds=60)
    later = asyncio.create_task(charts.create(request))
    while len(sandbox.held()) < 2:
        await asyncio.sleep(0.02)
    sandbox.release("POST")
    await earlier
    sandbox.release("GET")
    with pytest.raises(ApplicationError, match="may still be carried out"):
        await later
    assert chart_ids(sandbox) == [(await earlier).chart]
    found = await charts.create(request, attempt=2)
    assert ([found.chart], found.verdict) == (chart_ids(sandbox), Verdict.MATCHED)


async def test_attempt_that_slept_after_its_permit_sends_nothing(sandbox: SandboxControl, charts: Charts) -> None:
    with pytest.raises(Unavailable):
        await charts.create(chart_input(), clock=OffsetClock(timedelta(seconds=-45)))
    assert chart_ids(sandbox) == []


async def test_write_that_was_certainly_not_carried_out_is_sent_again_at_once(
    sandbox: SandboxControl, charts: Charts
) -> None:
    sandbox.fault(system="ascend", method="POST", path="/v1/patients", kind="rate_limited")
    request = chart_input()
    with pytest.raises(RateLimited):
        await charts.create(request)
    created = await charts.create(request, attempt=2)
    assert (created.verdict, created.because, chart_ids(sandbox)) == (Verdict.MATCHED, ("created",), [created.chart])


async def test_chart_that_is_created_even_later_is_found_and_staff_pick_one(
    sandbox: SandboxControl, charts: Charts
) -> None:
    sandbox.fault(system="ascend", method="POST", path="/v1/patients", kind="late_commit", seconds=6)
    request = chart_input()
    with pytest.raises(OutcomeUnknown):
        await charts.create(request)
    after_late_commit = OffsetClock(timedelta(minutes=2))
    sandbox.fault(system="ascend", method="POST", path="/v1/patients$", kind="hold_before", seconds=60)
    creating = asyncio.create_task(charts.create(request, attempt=2, clock=after_late_commit))
    while not (sandbox.held() and chart_ids(sandbox)):
        await asyncio.sleep(0.02)
    sandbox.release()
    found = await creating
    assert (found.verdict, found.reason) == (Verdict.ASK, Reason.PATIENT_AMBIGUOUS)
    assert sorted(found.candidates) == sorted(chart_ids(sandbox))
    assert len(found.candidates) == 2
