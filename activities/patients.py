"""Finds the patient's chart in the practice system, or creates one for a new patient."""

from temporalio import activity

from activities.chart_lease import ChartLease
from activities.connections import Connections, Site
from adapters.errors import NotFound, OutcomeUnknown, OutsideError
from adapters.practice_system import NewChart, PatientQuery, PatientRecords
from domain.base import Value
from domain.booking import Reason
from domain.keyed_hash import KeyedHash
from domain.matching import Match, Verdict, identity_key, match
from domain.patient import UNBOOKABLE, Chart
from domain.request import Person


class MatchPatientInput(Value):
    location: str
    person: Person
    guardian: Person | None = None
    returning: bool | None = None
    """Whether the patient says they have been here before; ``None`` if they did not say."""


class CreateChartInput(Value):
    reference: str
    location: str
    person: Person
    language: str
    excluded_charts: tuple[str, ...] = ()
    """Charts that staff have looked at and found to be somebody else's."""
    provider: str | None = None
    """The provider who sees the patient first, by practice-system id."""


class RecheckChartInput(Value):
    location: str
    chart: str


class PatientActivities:
    def __init__(self, connections: Connections, keyed_hash: KeyedHash) -> None:
        self._connections = connections
        self._keyed_hash = keyed_hash
        self._practice_contacts = connections.practice.contacts

    @activity.defn
    async def match_patient(self, request: MatchPatientInput) -> Match:
        """Search for the patient's chart and decide whether one matches. Reads only.

        A patient without a chart is booked on the guardian's chart, if there is a guardian and the practice system
        supports that.
        """
        site = self._connections.site(request.location)
        patient_match = await self._match(site, request.person, request.returning, with_namesakes=True)
        books_by_guardian = request.guardian is not None and site.system.capabilities.books_for_dependents
        if patient_match.verdict is not Verdict.NEW or not books_by_guardian:
            return patient_match
        assert request.guardian is not None
        guardian_match = await self._match(site, request.guardian, None, with_namesakes=True)
        if guardian_match.verdict is Verdict.ASK:
            return Match(verdict=Verdict.ASK, reason=Reason.PATIENT_AMBIGUOUS)
        return guardian_match.model_copy(update={"dependent": True})

    @activity.defn
    async def create_chart(self, request: CreateChartInput) -> Match:
        """Create a chart for a new patient: exactly one, however often this runs and however many bookings ask.

        An attempt acquires the lease, searches again, and writes only while it still has the lease. Nothing is sent
        while an earlier write, by any booking, may still be carried out: a later attempt finds its chart, or finds
        that it can no longer come. If a chart comes even later than that, staff pick one of the two.
        """
        site = self._connections.site(request.location)
        person = f"{site.location.connection}:{identity_key(request.person)}"
        lease = ChartLease(self._connections.ledger.leases, site, request.reference, person, self._keyed_hash)
        await lease.acquire()
        is_retry = activity.info().attempt > 1
        if is_retry:
            await site.clock.sleep(site.consistency_delay)
        existing = await self._match(site, request.person, None, request.excluded_charts)
        if existing.verdict is not Verdict.NEW:
            await lease.release()  # everybody can see the chart by now
            return existing
        chart = await self._create(site, request, lease)
        if chart in request.excluded_charts:
            return Match(verdict=Verdict.ASK, reason=Reason.PATIENT_AMBIGUOUS, candidates=(chart,))
        twins = await self._find_twins(site, request, chart) if is_retry else ()
        if twins:
            return Match(verdict=Verdict.ASK, reason=Reason.PATIENT_AMBIGUOUS, candidates=(chart, *twins))
        await lease.release(after=site.consistency_delay)
        return Match(verdict=Verdict.MATCHED, chart=chart, because=("created",))

    @activity.defn
    async def recheck_chart(self, request: RecheckChartInput) -> Match:
        """Read a chart again that was matched a while ago.

        If it was merged meanwhile, and the practice system says into which one, that one matches. A chart that is
        gone or no longer active is for staff to judge.
        """
        records: PatientRecords = self._connections.site(request.location).system
        try:
            chart = await records.read_chart(request.chart)
        except NotFound:
            return Match(verdict=Verdict.ASK, reason=Reason.CHART_INACTIVE)
        if chart.status in UNBOOKABLE:
            return Match(verdict=Verdict.ASK, reason=Reason.CHART_INACTIVE, candidates=(chart.id,))
        return Match(verdict=Verdict.MATCHED, chart=chart.id)

    async def _create(self, site: Site, request: CreateChartInput, lease: ChartLease) -> str:
        """Send the write and return the new chart's id."""
        new_chart = NewChart(
            person=request.person,
            location=site.practice_system_id,
            address=request.person.address or site.location.address,
            language=request.language,
            provider=request.provider or next(iter(site.location.providers.values())),
        )
        records: PatientRecords = site.system
        try:
            chart = await records.create_patient(new_chart, lease.begin_write)
        except OutcomeUnknown:
            await lease.keep_write_pending()
            raise
        except OutsideError:
            await lease.abort_write()
            raise
        await lease.finish_write()
        return chart.id

    async def _find_twins(self, site: Site, request: CreateChartInput, chart: str) -> tuple[str, ...]:
        """Other charts that match as well, once the practice system shows every write that it has accepted."""
        await site.clock.sleep(site.consistency_delay)
        matches = await self._match(site, request.person, None, request.excluded_charts)
        return tuple(candidate for candidate in matches.candidates if candidate != chart)

    async def _match(
        self,
        site: Site,
        person: Person,
        returning: bool | None,
        excluded_charts: tuple[str, ...] = (),
        *,
        with_namesakes: bool = False,
    ) -> Match:
        """``with_namesakes``: also look for the person under another birth date."""
        query = PatientQuery(
            location=site.practice_system_id,
            last_name=person.last_name,
            first_name=person.first_name,
            date_of_birth=person.date_of_birth,
        )
        charts = await site.system.find_patients(query)
        patient_match = self._judge(person, returning, charts, excluded_charts)
        if patient_match.verdict is Verdict.MATCHED or patient_match.candidates or not with_namesakes:
            return patient_match
        # A birth date may be mistyped. Only a person whom the first search does not show costs a second call.
        charts += await site.system.find_namesakes(query)
        return self._judge(person, returning, charts, excluded_charts)

    def _judge(
        self, person: Person, returning: bool | None, charts: list[Chart], excluded_charts: tuple[str, ...]
    ) -> Match:
        remaining = [chart for chart in charts if chart.id not in excluded_charts]
        return match(person, returning, remaining, practice_contacts=self._practice_contacts)
