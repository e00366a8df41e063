"""What the activities work with, put together once at start."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from adapters.ledger import Ledger
from adapters.practice_system import PracticeSystem
from domain.calendar import Appointment, Calendar
from domain.interval import Interval
from domain.local_time import local_day
from domain.practice import Location, Practice
from domain.rules import ServiceRule


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Site:
    """A location together with the practice system that keeps its calendar."""

    location: Location
    system: PracticeSystem
    neighbours: tuple[str, ...]
    """Practice-system ids of other locations on this connection that share a provider with this one."""
    consistency_delay: timedelta
    """How long the practice system may take to show what it has accepted."""
    resend_after: timedelta
    """How long a write whose outcome is unknown is looked for before it is written again."""
    late_commit: timedelta
    """How long after its answer was lost a write may still be carried out."""
    check_while_offline: timedelta
    """So often it is tried again in an office whose own system is off."""

    @property
    def send_within(self) -> timedelta:
        """A write leaves so soon after its claim was asserted, or never; the rest of ``late_commit`` is for the
        practice system to carry it out.
        """
        return self.late_commit / 2

    @property
    def id(self) -> str:
        return self.location.practice_system_id

    def day_of(self, instant: datetime) -> date:
        return instant.astimezone(self.location.tz).date()

    async def live_day(self, instant: datetime, rule: ServiceRule, *, recent_blocks: bool = False) -> Calendar:
        """The location's whole local day around ``instant``, read now."""
        span = local_day(self.day_of(instant), self.location.tz)
        return await self.live(span, rule, recent_blocks=recent_blocks)

    async def live(self, span: Interval, rule: ServiceRule, *, recent_blocks: bool = False) -> Calendar:
        """The location's calendar, and where its providers are when they work elsewhere, read now.

        With ``recent_blocks``, closed time may be some minutes old. Windows are read where the rule needs them.
        """
        own = await self.system.calendar(self.id, span, recent_blocks=recent_blocks, windows=rule.only_in_windows)
        appointments, blocks = list(own.appointments), list(own.blocks)
        for neighbour in self.neighbours:
            other = await self.system.calendar(neighbour, span, recent_blocks=recent_blocks, windows=False)
            appointments += [a for a in other.appointments if set(a.providers) & set(rule.providers)]
            blocks += [b for b in other.blocks if b.provider in rule.providers]
        return own.model_copy(update={"appointments": tuple(appointments), "blocks": tuple(blocks)})

    async def ours(self, reference: str, starts: Iterable[datetime]) -> list[Appointment]:
        """What carries our reference and occupies a chair near any of these instants, first written first."""
        found: dict[str, Appointment] = {}
        for start in {self.day_of(start): start for start in starts}.values():
            found |= {a.id: a for a in await self.system.find_by_reference(reference, self.id, start)}
        return sorted(found.values(), key=Appointment.creation_order)


@dataclass(frozen=True)
class Connections:
    """Every practice system by connection name, the rules, and the ledger."""

    practice: Practice
    systems: Mapping[str, PracticeSystem]
    ledger: Ledger

    def site(self, location: str) -> Site:
        """Raises UnknownName for a location this worker's practice file does not have."""
        place = self.practice.location(location)
        connection = self.practice.connection(place.connection)
        return Site(
            location=place,
            system=self.systems[place.connection],
            neighbours=self.practice.locations_sharing_providers(location),
            consistency_delay=connection.consistency_delay,
            resend_after=connection.resend_after,
            late_commit=connection.late_commit,
            check_while_offline=connection.landing.check_while_offline,
        )
