"""Who the patient is in the practice system, and a chart for one who is new."""

import asyncio

from temporalio import activity

from activities.chart_lease import ChartLease
from activities.connections import Connections, Site
from adapters.errors import OutcomeUnknown, OutsideError
from adapters.practice_system import NewChart, PatientQuery
from domain.base import Value
from domain.booking import Reason
from domain.keyed_hash import KeyedHash
from domain.matching import Match, Verdict, identity_key, match
from domain.request import Person


class MatchPatientInput(Value):
    location: str
    person: Person
    guardian: Person | None = None
    returning: bool | None = None


class CreateChartInput(Value):
    reference: str
    location: str
    person: Person
    language: str
    excluded_charts: tuple[str, ...] = ()
    """Charts that a person has seen and found to be somebody else."""
    provider: str | None = None
    """Who is to see the patient first, practice-system id."""


class PatientActivities:
    def __init__(self, connections: Connections, hashed: KeyedHash) -> None:
        self._connections = connections
        self._hashed = hashed

    @activity.defn
    async def match_patient(self, given: MatchPatientInput) -> Match:
        """Search, score, decide. Reads only.

        A patient without a chart is booked on the guardian's, where there is one and the practice system allows it.
        """
        site = self._connections.site(given.location)
        found = await self._match(site, given.person, given.returning)
        by_guardian = given.guardian is not None and site.system.capabilities.books_for_dependents
        if found.verdict is not Verdict.NEW or not by_guardian:
            return found
        assert given.guardian is not None
        guardian = await self._match(site, given.guardian, None)
        if guardian.verdict is Verdict.ASK:
            return Match(verdict=Verdict.ASK, reason=Reason.PATIENT_AMBIGUOUS)
        return guardian.model_copy(update={"dependent": True})

    @activity.defn
    async def create_chart(self, given: CreateChartInput) -> Match:
        """A chart for a new patient, exactly one however often this runs and however many bookings ask.

        Whoever creates takes a turn, looks again, and only then writes, while the turn is still its own.
        While an earlier write, whoever's, may still be carried out, none is sent: a later attempt finds it, or that
        it will not come. Should it come later still, a person picks one of the two.
        """
        site = self._connections.site(given.location)
        person = f"{site.location.connection}:{identity_key(given.person)}"
        turn = ChartLease(self._connections.ledger.leases, site, given.reference, person, self._hashed)
        await turn.take()
        repeated = activity.info().attempt > 1
        if repeated:
            await asyncio.sleep(site.consistency_delay.total_seconds())
        found = await self._match(site, given.person, None, given.excluded_charts)
        if found.verdict is not Verdict.NEW:
            await turn.end()  # it is there for all to see
            return found
        chart = await self._create(site, given, turn)
        if chart in given.excluded_charts:
            return Match(verdict=Verdict.ASK, reason=Reason.PATIENT_AMBIGUOUS, candidates=(chart,))
        twins = await self._twins(site, given, chart) if repeated else ()
        if twins:
            return Match(verdict=Verdict.ASK, reason=Reason.PATIENT_AMBIGUOUS, candidates=(chart, *twins))
        await turn.end(after=site.consistency_delay)
        return Match(verdict=Verdict.MATCHED, chart=chart, because=("created",))

    async def _create(self, site: Site, given: CreateChartInput, turn: ChartLease) -> str:
        """Send the write and return the chart's id."""
        chart = NewChart(
            person=given.person,
            location=site.id,
            address=given.person.address or site.location.address,
            language=given.language,
            provider=given.provider or next(iter(site.location.providers.values())),
        )
        try:
            created = await site.system.create_patient(chart, turn.permit)
        except OutcomeUnknown:
            await turn.may_come_late()
            raise
        except OutsideError:
            await turn.not_written()
            raise
        await turn.written()
        return created.id

    async def _twins(self, site: Site, given: CreateChartInput, chart: str) -> tuple[str, ...]:
        """Other charts that fit as well, now that the practice system shows what it has accepted."""
        await asyncio.sleep(site.consistency_delay.total_seconds())
        found = await self._match(site, given.person, None, given.excluded_charts)
        return tuple(other for other in found.candidates if other != chart)

    async def _match(self, site: Site, person: Person, returning: bool | None, without: tuple[str, ...] = ()) -> Match:
        query = PatientQuery(
            location=site.id,
            last_name=person.last_name,
            first_name=person.first_name,
            date_of_birth=person.date_of_birth,
        )
        charts = await site.system.find_patients(query)
        return match(person, returning, [chart for chart in charts if chart.id not in without])
