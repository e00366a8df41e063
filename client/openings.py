"""What can be booked, from the live calendar."""

from datetime import date, timedelta

from activities.connections import Connections
from activities.slots import openings_facts
from domain.local_time import local_day
from domain.practice import Practice
from domain.schedule import openings
from domain.slot import Slot
from runtime.build import connections
from settings import Settings


async def find_openings(
    settings: Settings, practice: Practice, location: str, service: str, first: date | None, days: int
) -> list[Slot]:
    """Free slots of ``days`` local days from ``first`` (today where ``None``), times in the location's zone.

    Raises UnknownName for a location or service the practice file does not have.
    """
    rule = practice.rule(location, service)
    async with connections(settings, practice) as (systems, ledger):
        parts = Connections(practice=practice, systems=systems, ledger=ledger)
        site = parts.site(location)
        begin = first or site.today()
        facts = await openings_facts(
            parts,
            site,
            rule,
            local_day(begin, rule.tz).start,
            local_day(begin + timedelta(days=days - 1), rule.tz).end,
        )
        found = openings(facts, begin, days)
    return [slot.in_zone(rule.tz) for slot in found]
