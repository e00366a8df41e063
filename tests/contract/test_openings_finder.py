"""The finder of openings keeps its connections: a second call opens nothing again."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from adapters.practice_file import read_practice
from client import OpeningsFinder
from devstack import ROOT, sandbox_settings
from domain.practice import Practice, UnknownName
from settings import Settings, load_settings
from tests.support.sandbox import SandboxControl


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: SandboxControl) -> Settings:
    for name in (*Settings.model_fields, "temporal_namespace", "temporal_profile", "temporal_config_file"):
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in {**sandbox_settings(sandbox.url), "STATE_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    return load_settings()


@pytest.fixture
def practice() -> Practice:
    return read_practice(ROOT / "practice.toml")


@pytest.fixture
def database_connections() -> Iterator[list[object]]:
    """Every connection that SQLAlchemy opens to any database."""
    opened: list[object] = []

    def count(connection: Any, _: object) -> None:
        opened.append(connection)

    event.listen(Pool, "connect", count)
    yield opened
    event.remove(Pool, "connect", count)


@pytest.fixture
async def finder(
    database_connections: list[object], settings: Settings, practice: Practice
) -> AsyncIterator[OpeningsFinder]:
    async with OpeningsFinder.open(settings, practice) as finder:
        yield finder


def token_requests(sandbox: SandboxControl) -> int:
    """How often an access token of Ascend was requested: once for each set-up of its connection."""
    calls = sandbox.state()["calls"]["ascend"]
    return sum(count for endpoint, count in calls.items() if "oauth" in endpoint)


async def test_two_calls_share_one_set_up_of_the_connections(
    finder: OpeningsFinder, sandbox: SandboxControl, database_connections: list[object]
) -> None:
    first = await finder.find("oakland", "cleaning", None, 7)
    after_first = token_requests(sandbox), len(database_connections)
    assert after_first[0] == 1
    assert after_first[1] >= 1
    second = await finder.find("oakland", "cleaning", None, 7)
    assert (token_requests(sandbox), len(database_connections)) == after_first
    assert first
    assert [slot.time for slot in second] == [slot.time for slot in first]


async def test_openings_are_in_the_locations_time_zone_and_in_the_asked_days(
    finder: OpeningsFinder, practice: Practice
) -> None:
    slots = await finder.find("oakland", "cleaning", None, 7)
    first_day = slots[0].time.start.date()
    two_days = await finder.find("oakland", "cleaning", first_day, 2)
    assert {slot.time.start.date() for slot in two_days} <= {first_day, first_day + timedelta(days=1)}
    zone = practice.location("oakland").tz
    starts = [slot.time.start for slot in two_days]
    assert [start.utcoffset() for start in starts] == [start.astimezone(zone).utcoffset() for start in starts]


async def test_unknown_service_is_refused(finder: OpeningsFinder) -> None:
    with pytest.raises(UnknownName, match="service"):
        await finder.find("oakland", "surgery", None, 7)


async def test_one_refusal_for_too_many_calls_is_waited_out(sandbox: SandboxControl, finder: OpeningsFinder) -> None:
    sandbox.fault(system="ascend", path="/v1/appointments", kind="rate_limited", retry_after=1, times=1)
    assert await finder.find("oakland", "cleaning", None, 7)
