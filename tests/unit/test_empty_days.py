"""Why a day has no opening."""

from datetime import UTC, date, datetime, timedelta

import pytest

from adapters.practice_file import read_practice
from devstack import ROOT
from domain.calendar import Block, Calendar
from domain.interval import Interval
from domain.schedule import Facts, causes_of_empty_day, openings
from domain.slot import Cause

RULE = read_practice(ROOT / "practice.toml").rule("oakland", "cleaning")
TUESDAY, SUNDAY = date(2026, 12, 1), date(2026, 12, 6)
NOW = datetime(2026, 11, 28, tzinfo=UTC)
WEEK = Interval(start=NOW, end=NOW + timedelta(days=14))
ALL_DAY = Interval(start=datetime(2026, 12, 1, 8, tzinfo=UTC), end=datetime(2026, 12, 2, 8, tzinfo=UTC))


def facts(now: datetime = NOW, blocks: tuple[Block, ...] = ()) -> Facts:
    return Facts(rule=RULE, calendar=Calendar(span=WEEK, blocks=blocks), now=now)


@pytest.mark.parametrize(
    ("day", "day_facts", "causes"),
    [
        (SUNDAY, facts(), (Cause.HOURS,)),
        (TUESDAY, facts(blocks=(Block(time=ALL_DAY),)), (Cause.BLOCK,)),
        (TUESDAY, facts(now=NOW + timedelta(days=6)), (Cause.NOTICE,)),
        (TUESDAY, facts(now=NOW - timedelta(days=900)), (Cause.HORIZON,)),
    ],
    ids=["closed", "blocked", "past", "far ahead"],
)
def test_empty_day_has_its_cause(day: date, day_facts: Facts, causes: tuple[Cause, ...]) -> None:
    assert list(openings(day_facts, day, 1)) == []
    assert causes_of_empty_day(day, day_facts) == causes
