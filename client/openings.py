"""Which slots can be booked now, computed from the live calendar."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import NamedTuple, Self

from activities.connections import Connections
from activities.slots import openings_facts
from adapters.rate_limits import wait_out_rate_limit
from domain.local_time import local_day
from domain.practice import Practice
from domain.schedule import causes_of_empty_day, openings
from domain.slot import Cause, Slot
from runtime.build import open_connections
from settings import Settings


class OpeningsSurvey(NamedTuple):
    slots: list[Slot]
    empty_days: dict[date, tuple[Cause, ...]]
    """Why each local day without openings has none, the most frequent cause first."""


class OpeningsFinder:
    """Holds the connections to the ledger and to every practice system. Open one per process and share it."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, practice: Practice) -> AsyncIterator[Self]:
        """Raises ConfigurationError and LedgerUnavailable."""
        async with open_connections(settings, practice) as (systems, ledger):
            yield cls(Connections(practice=practice, systems=systems, ledger=ledger))

    async def find(self, location: str, service: str, first_day: date | None, days: int) -> list[Slot]:
        """Free slots of ``days`` days from ``first_day``, or from today, in the location's time zone.

        Raises UnknownName for a location or service that the practice file does not have, and the errors of
        ``adapters.errors`` when the practice system does not answer.
        """
        return (await self.survey(location, service, first_day, days)).slots

    async def survey(self, location: str, service: str, first_day: date | None, days: int) -> "OpeningsSurvey":
        """The same slots, and why each day without any has none. For staff: it tells how full the calendar is."""
        rule = self._connections.practice.rule(location, service)
        site = self._connections.site(location)
        first = first_day or site.today()
        last = first + timedelta(days=days - 1)
        begin, end = local_day(first, rule.tz).start, local_day(last, rule.tz).end
        facts = await wait_out_rate_limit(lambda: openings_facts(self._connections, site, rule, begin, end))
        slots = [slot.in_zone(rule.tz) for slot in openings(facts, first, days)]
        open_days = {slot.time.start.date() for slot in slots}
        every_day = [first + timedelta(days=number) for number in range(days)]
        empty_days = {day: causes_of_empty_day(day, facts) for day in every_day if day not in open_days}
        return OpeningsSurvey(slots, empty_days)
