"""Who the patient is in the practice system, and a chart for one who is new."""

import asyncio
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.connections import Connections, Site, utc_now
from adapters.practice_system import NewChart, PatientQuery
from domain.base import Value
from domain.booking import Reason
from domain.keyed_hash import KeyedHash
from domain.matching import Match, Verdict, identity_key, match
from domain.request import Person

LEASE = timedelta(minutes=2)


class PatientToMatch(Value):
    location: str
    person: Person
    returning: bool | None = None


class ChartToCreate(Value):
    reference: str
    location: str
    person: Person
    language: str
    not_these: tuple[str, ...] = ()
    """Charts that a person has seen and found to be somebody else."""
    provider: str | None = None
    """Who is to see the patient first, practice-system id."""


class PatientActivities:
    def __init__(self, connections: Connections, hashed: KeyedHash) -> None:
        self._connections = connections
        self._hashed = hashed

    @activity.defn
    async def match_patient(self, given: PatientToMatch) -> Match:
        """Search, score, decide. Reads only."""
        site = self._connections.site(given.location)
        return await self._match(site, given.person, given.returning)

    @activity.defn
    async def create_chart(self, given: ChartToCreate) -> Match:
        """A chart for a new patient, exactly one however often this runs and however many bookings ask.

        Whoever creates holds a short lease on the person's identity, looks again, and only then writes.
        After an attempt whose outcome is unknown the next one finds what that one wrote.
        """
        site = self._connections.site(given.location)
        leases = self._connections.ledger.claims
        key = self._hashed("chart", f"{site.location.connection}:{identity_key(given.person)}")
        if not await leases.lease(key, given.reference, utc_now() + LEASE, utc_now()):
            raise ApplicationError(
                "another booking is creating this chart", type="Busy", next_retry_delay=timedelta(seconds=1)
            )
        if activity.info().attempt > 1:
            await asyncio.sleep(site.consistency_delay.total_seconds())
        found = await self._match(site, given.person, None, given.not_these)
        if found.verdict is not Verdict.NEW:
            await leases.lease(key, given.reference, utc_now(), utc_now())  # it is there for all to see: let go
            return found
        chart = await site.system.create_patient(
            NewChart(
                person=given.person,
                location=site.id,
                address=given.person.address or site.location.address,
                language=given.language,
                provider=given.provider or next(iter(site.location.providers.values())),
            )
        )
        if chart.id in given.not_these:
            return Match(verdict=Verdict.ASK, reason=Reason.PATIENT_AMBIGUOUS, candidates=(chart.id,))
        await leases.lease(key, given.reference, utc_now() + site.consistency_delay, utc_now())
        return Match(verdict=Verdict.MATCHED, chart=chart.id, because=("created",))

    async def _match(self, site: Site, person: Person, returning: bool | None, without: tuple[str, ...] = ()) -> Match:
        query = PatientQuery(
            location=site.id,
            last_name=person.last_name,
            first_name=person.first_name,
            date_of_birth=person.date_of_birth,
        )
        charts = await site.system.find_patients(query)
        return match(person, returning, [chart for chart in charts if chart.id not in without])
