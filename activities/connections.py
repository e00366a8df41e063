"""What the activities work with, put together once when the worker starts."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from activities.clock import Clock, SystemClock
from adapters.ledger import Ledger
from adapters.practice_system import PracticeSystem
from domain.calendar import Appointment, Calendar
from domain.interval import Interval
from domain.local_time import local_day
from domain.practice import Location, Practice
from domain.rules import ServiceRule


@dataclass(frozen=True)
class Site:
    """A location together with the practice system that keeps its calendar."""

    location: Location
    system: PracticeSystem
    shared_providers: Mapping[str, frozenset[str]]
    """By the practice-system id of each other location on this connection, the providers who work there as well."""
    consistency_delay: timedelta
    """The longest time until the practice system shows a write that it has accepted."""
    resend_after: timedelta
    """How long to search for a write with unknown outcome before sending it again."""
    late_commit: timedelta
    """The longest time after a lost answer in which a write may still be carried out."""
    check_while_offline: timedelta
    """How often to check an office whose system is offline."""
    clock: Clock

    @property
    def send_within(self) -> timedelta:
        """The longest time between asserting a claim and sending the write; later the write is not sent.

        The rest of ``late_commit`` is left for the practice system to carry it out.
        """
        return self.late_commit / 2

    @property
    def practice_system_id(self) -> str:
        """The practice system's id of this location."""
        return self.location.practice_system_id

    def day_of(self, instant: datetime) -> date:
        """The location's local date at ``instant``."""
        return instant.astimezone(self.location.tz).date()

    def today(self) -> date:
        """The location's local date now."""
        return self.day_of(self.clock.now())

    async def read_day(self, instant: datetime, rule: ServiceRule, *, allow_stale_blocks: bool = False) -> Calendar:
        """Read the location's whole local day around ``instant``."""
        span = local_day(self.day_of(instant), self.location.tz)
        return await self.read_calendar(span, rule, allow_stale_blocks=allow_stale_blocks)

    async def read_calendar(self, span: Interval, rule: ServiceRule, *, allow_stale_blocks: bool = False) -> Calendar:
        """Read the location's calendar, and what occupies the rule's providers at other locations.

        With ``allow_stale_blocks``, closed time may be some minutes old. Windows are read only if the rule needs them.
        """
        providers = frozenset(rule.providers)
        elsewhere = {id: shared & providers for id, shared in self.shared_providers.items() if shared & providers}
        return await self.system.read_calendar(
            self.practice_system_id,
            span,
            allow_stale_blocks=allow_stale_blocks,
            include_windows=rule.only_in_windows,
            elsewhere=elsewhere,
        )

    async def find_our_appointments(
        self, reference: str, starts: Iterable[datetime], patients: Collection[str]
    ) -> list[Appointment]:
        """Find what carries our reference and occupies an operatory.

        Sorted by when it was written, oldest first.
        """
        appointments = await self.find_our_rows(reference, starts, patients)
        return [appointment for appointment in appointments if appointment.status.occupies_time]

    async def find_our_rows(
        self, reference: str, starts: Iterable[datetime], patients: Collection[str]
    ) -> list[Appointment]:
        """The same, and also our appointments of these patients that somebody broke.

        The desk may move an appointment by any number of days, or give it to another patient. So we look near the
        instants for every patient, and on every day for the patients.
        """
        days = {self.day_of(start): start for start in starts}.values()
        searches = [self.system.find_by_reference(reference, self.practice_system_id, start) for start in days]
        results = await asyncio.gather(
            *searches, self.system.find_by_patients(reference, self.practice_system_id, patients)
        )
        appointments = {a.id: a for result in results for a in result}
        return sorted(appointments.values(), key=Appointment.creation_order)


@dataclass(frozen=True)
class Connections:
    """Every practice system by connection name, the practice's rules, the ledger and the clock."""

    practice: Practice
    systems: Mapping[str, PracticeSystem]
    ledger: Ledger
    clock: Clock = field(default_factory=SystemClock)

    def site(self, location_id: str) -> Site:
        """Raises UnknownName for a location that this worker's practice file does not have."""
        location = self.practice.location(location_id)
        connection = self.practice.connection(location.connection)
        return Site(
            location=location,
            system=self.systems[location.connection],
            shared_providers=self.practice.locations_sharing_providers(location_id),
            consistency_delay=connection.consistency_delay,
            resend_after=connection.resend_after,
            late_commit=connection.late_commit,
            check_while_offline=connection.landing.check_while_offline,
            clock=self.clock,
        )
