"""A practice system behind NexHealth."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from adapters.errors import Misconfigured, NotFound, OutcomeUnknown, Refused, Unavailable, Unreadable
from adapters.nexhealth import subscriptions, wire
from adapters.nexhealth.account import Account
from adapters.nexhealth.config import NexHealthConfig
from adapters.nexhealth.edits import APPOINTMENTS, AppointmentEditor, bad_reference
from adapters.nexhealth.office_status import OfficeStatus
from adapters.nexhealth.profiles import PROFILES
from adapters.nexhealth.readiness import problems
from adapters.nexhealth.reference_data import ReferenceReader, at_location
from adapters.nexhealth.refusals import DuplicatePatient
from adapters.nexhealth.subscriptions import SubscriptionResult
from adapters.nexhealth.transport import Transport, written_row
from adapters.practice_system import (
    NOWHERE,
    Capabilities,
    Hold,
    NewChart,
    PatientQuery,
    ReferenceData,
    ReleaseOutcome,
    SendPermit,
    UnreadableRow,
)
from adapters.rows import check_ours_readable, check_still_ours, guesses, readable_id
from adapters.shared_reads import SharedReads
from adapters.unreadable_rows import PATIENT, UnreadableRows
from domain.calendar import Appointment, AppointmentStatus, Block, Calendar, Window
from domain.interval import Interval
from domain.names import is_same_last_name, name_key
from domain.ownership import Owner, owner_for_cancel, owner_for_release
from domain.patient import Chart
from domain.request import Person
from domain.slot import Slot

PATIENTS = "/patients"
REFERENCE_SEARCH_RADIUS = timedelta(hours=36)
"""We look for our own appointment this far before and after the time for which it was written."""

LATEST_VISIT = timedelta(days=1000)
"""A search through all of a patient's appointments ends this far ahead. NexHealth demands an end."""


class NexHealthSystem:
    def __init__(self, config: NexHealthConfig, account: Account | None = None) -> None:
        """``account``: shared by all systems in this process that use the same API key."""
        self._config = config
        self._profile = PROFILES[config.system]
        self._transport = Transport(config, account or Account())
        self._editor = AppointmentEditor(self._transport, reads_notes=self.capabilities.reads_notes)
        self._unreadable = UnreadableRows()
        self._reference = ReferenceReader(self._transport, config, self._unreadable)
        self._office_status = OfficeStatus(self._transport, config.office_status_max_age)
        self._calendar_reads: SharedReads[list[wire.Row]] = SharedReads()

    @property
    def capabilities(self) -> Capabilities:
        return self._profile.capabilities

    async def close(self) -> None:
        await self._transport.close()

    async def find_patients(self, query: PatientQuery) -> list[Chart]:
        """Everybody born on that day. Matching compares the names.

        The dates are compared here once more: NexHealth may answer without applying a filter.
        """
        params = [*at_location(query.location), ("date_of_birth", query.date_of_birth.isoformat())]
        charts = [self._parse_chart(row, query.location) for row in await self._transport.rows(PATIENTS, params)]
        return [chart for chart in charts if chart.date_of_birth == query.date_of_birth or _may_be_anybody(chart)]

    def _parse_chart(self, row: wire.Row, location: str) -> Chart:
        chart = wire.chart(row)
        if chart.unreadable:
            self._unreadable.record(PATIENT, row, Unreadable(chart.unreadable), location)
        return chart

    async def find_namesakes(self, query: PatientQuery) -> list[Chart]:
        """NexHealth's search for a name is fuzzy, so the names are compared here once more."""
        params = [*at_location(query.location), ("name", query.last_name)]
        charts = [self._parse_chart(row, query.location) for row in await self._transport.rows(PATIENTS, params)]
        return [chart for chart in charts if chart.unreadable or is_same_last_name(chart.last_name, query.last_name)]

    async def read_chart(self, chart_id: str) -> Chart:
        """NexHealth does not say into which chart another one was merged."""
        return wire.chart(await self._transport.read_item(PATIENTS, chart_id))

    async def create_patient(self, new: NewChart, permit: SendPermit) -> Chart:
        """Create the chart at NexHealth. The office system gets it with the first appointment.

        If NexHealth has a chart with the same name, birth date and phone, it answers with that one.
        """
        body = wire.new_patient(new)
        try:
            data = await self._transport.write("POST", PATIENTS, body, at_location(new.location), permit=permit)
            row = written_row(data, "user")
        except DuplicatePatient as duplicate:
            row = await self._transport.read_item(PATIENTS, duplicate.existing_id)
        chart = wire.chart(row)
        if chart.unreadable:
            raise OutcomeUnknown(f"POST {PATIENTS}: an answer with an unreadable {chart.unreadable}")
        if not _is_same_person(chart, new.person):
            raise Refused("NexHealth answered with somebody else's chart", code="patient_mismatch")
        return chart

    async def read_calendar(
        self,
        location: str,
        span: Interval,
        *,
        allow_stale_blocks: bool = False,
        include_windows: bool = True,
        elsewhere: Mapping[str, Collection[str]] = NOWHERE,
    ) -> Calendar:
        (calendar, *neighbors), opened, inactive = await asyncio.gather(
            asyncio.gather(*(self._read_location(each, span) for each in (location, *elsewhere))),
            self._windows(location, span, needed=include_windows),
            self._reference.inactive(location),
        )
        for neighbor, providers in zip(neighbors, elsewhere.values(), strict=True):
            calendar = calendar.with_busy_elsewhere(neighbor, providers)
        return calendar.model_copy(
            update={
                "windows": opened,
                "inactive_providers": inactive.providers,
                "inactive_operatories": inactive.operatories,
            }
        )

    async def _read_location(self, location: str, span: Interval) -> Calendar:
        """One location's appointments and closed time."""
        read_span = span.widened(self._config.longest_appointment, timedelta(0))
        rows = await self._read_rows(location, read_span)
        appointments, blocks = self._parse_rows(rows, location, read_span)
        return Calendar(
            span=span,
            appointments=tuple(a for a in appointments if a.time.overlaps(span)),
            blocks=tuple(block for block in blocks if block.time.overlaps(span)),
        )

    async def find_by_reference(self, reference: str, location: str, around: datetime) -> list[Appointment]:
        nearby = Interval(start=around - REFERENCE_SEARCH_RADIUS, end=around + REFERENCE_SEARCH_RADIUS)
        rows = await self._read_rows(location, nearby)
        check_ours_readable(rows, reference, self._editor.parse)
        appointments, _ = self._parse_rows(rows, location, nearby)
        matches = [a for a in appointments if a.reference == reference and a.status.occupies_time]
        return sorted(matches, key=Appointment.creation_order)

    async def find_by_patients(self, reference: str, location: str, patients: Collection[str]) -> list[Appointment]:
        now = datetime.now(UTC)
        params = [
            *at_location(location),
            ("start", wire.instant_text(now - REFERENCE_SEARCH_RADIUS)),
            ("end", wire.instant_text(now + LATEST_VISIT)),
            *(("patient_ids[]", str(wire.numeric_id(patient, "patient"))) for patient in dict.fromkeys(patients)),
        ]
        rows = await self._transport.rows(APPOINTMENTS, params)
        check_ours_readable(rows, reference, self._editor.parse)
        ours = (self._editor.parse(row) for row in rows if self._editor.reference_of(row) == reference)
        return sorted(ours, key=Appointment.creation_order)

    async def get_appointment(self, appointment_id: str) -> Appointment:
        return await self._editor.read(appointment_id)

    async def accepts_writes(self, location: str, *, since: datetime | None = None) -> bool:
        return await self._office_status.accepts_writes(location, since)

    async def write_hold(self, hold: Hold, permit: SendPermit) -> Appointment:
        location = await self._reference.location(hold.location)
        if location.get("insert_appt_client") is False:
            raise Misconfigured("NexHealth does not write this location's appointments to the practice's system")
        if not self.capabilities.attaches_procedures:
            hold = hold.model_copy(update={"procedures": ()})
        body = wire.new_appointment(hold, self._config.public_url)
        params = [*at_location(hold.location), ("notify_patient", "false")]
        try:
            data = await self._transport.write("POST", APPOINTMENTS, body, params, permit=permit)
            row = written_row(data, "appt")
        except NotFound as missing:
            raise bad_reference(missing) from None
        try:
            return self._editor.parse(row)
        except Unavailable as unclear:
            raise OutcomeUnknown(f"POST {APPOINTMENTS}: {unclear}") from None

    async def confirm_hold(
        self, appointment_id: str, hold: Hold, *, written_for: str | None = None, just_read: bool = False
    ) -> Appointment:
        """The patient stays as it is: NexHealth cannot change an appointment's patient."""

        def compute_changes(appointment: Appointment) -> wire.Row | None:
            check_still_ours(appointment, hold.reference)
            return {"confirmed": True} if appointment.status is AppointmentStatus.TENTATIVE else None

        return await self._editor.change(appointment_id, compute_changes)

    async def move(self, appointment_id: str, hold: Hold) -> Appointment:
        def compute_changes(appointment: Appointment) -> wire.Row | None:
            check_still_ours(appointment, hold.reference)
            if appointment.slot == hold.slot:
                return None
            if not self.capabilities.can_move(appointment.slot, hold.slot):
                raise Refused("this appointment cannot be moved in place", code="needs_replacement")
            return {
                "start_time": wire.instant_text(hold.slot.time.start),
                "end_time": wire.instant_text(hold.slot.time.end),
                "operatory_id": wire.numeric_id(hold.slot.operatory, "operatory"),
            }

        return await self._editor.change(appointment_id, compute_changes)

    async def release(
        self,
        appointment_id: str,
        reference: str,
        *,
        written_slots: Sequence[Slot] = (),
        written_patients: Collection[str] = (),
    ) -> ReleaseOutcome:
        async def find_owner(row: wire.Row, appointment: Appointment) -> Owner:
            def owner(*, is_patient_uncertain: bool) -> Owner:
                return owner_for_release(
                    appointment,
                    reference,
                    written_slots=written_slots,
                    written_patients=written_patients,
                    is_patient_uncertain=is_patient_uncertain,
                )

            # Reading charts costs calls. Read them only if the owner depends on them.
            if owner(is_patient_uncertain=True) is owner(is_patient_uncertain=False):
                return owner(is_patient_uncertain=False)
            return owner(is_patient_uncertain=await self._may_have_new_chart(row, written_patients))

        return await self._editor.cancel_if_ours(appointment_id, find_owner)

    async def cancel(self, appointment_id: str, reference: str, reason: str) -> ReleaseOutcome:
        """The practice's system keeps the appointment as cancelled. NexHealth has no field for the reason."""

        async def find_owner(_row: wire.Row, appointment: Appointment) -> Owner:
            return owner_for_cancel(appointment, reference)

        return await self._editor.cancel_if_ours(appointment_id, find_owner)

    async def reference_data(self) -> ReferenceData:
        return await self._reference.reference_data()

    async def check(self) -> list[str]:
        return await problems(self._config, self._profile, self._transport, await self._reference.locations())

    def take_unreadable_rows(self) -> list[UnreadableRow]:
        return self._unreadable.take()

    async def subscribe(self) -> SubscriptionResult:
        """Have NexHealth send events to ``webhook_url``. Idempotent."""
        return await subscriptions.subscribe(self._transport, self._config.webhook_url)

    async def rotate_secret(self, accepted_secrets: Collection[str]) -> SubscriptionResult:
        """Make one of the two steps that change the secret with which NexHealth signs events."""
        return await subscriptions.rotate(self._transport, self._config.webhook_url, accepted_secrets)

    async def _read_rows(self, location: str, span: Interval) -> list[wire.Row]:
        """The location's appointments and blocks.

        Cancelled ones are left out here, before they are parsed: they occupy nothing, so it does not matter if their
        times are unreadable.
        """
        params = [
            *at_location(location),
            ("start", wire.instant_text(span.start)),
            ("end", wire.instant_text(span.end)),
        ]
        rows = await self._calendar_reads((location, span), lambda: self._transport.rows(APPOINTMENTS, params))
        return [row for row in rows if wire.is_at(row, location) and not wire.is_cancelled(row)]

    def _parse_rows(
        self, rows: list[wire.Row], location: str, read_span: Interval
    ) -> tuple[list[Appointment], list[Block]]:
        """The appointments, and the closed time. What rows that cannot be read may occupy counts as closed."""
        appointments: list[Appointment] = []
        blocks: list[Block] = []
        for row in rows:
            try:
                if wire.is_block(row):
                    blocks += wire.blocks(row)
                else:
                    appointments.append(self._editor.parse(row))
            except Unreadable as error:
                self._unreadable.record("appointment or block", row, error, location)
                blocks += guesses(wire.possible_blocks(row, read_span, self._config.longest_appointment))
        return appointments, blocks

    async def _windows(self, location: str, span: Interval, *, needed: bool) -> tuple[Window, ...] | None:
        if not needed or not self.capabilities.syncs_hours:
            return None
        return await self._reference.windows(location, span)

    async def _may_have_new_chart(self, row: wire.Row, written_patients: Collection[str]) -> bool:
        """Whether the appointment may be on another chart although the desk did not give it to another patient.

        With the first appointment, the office gives a new patient's chart another id, and a dependent a chart of
        their own. Only if no dependent is involved, and every chart for which we wrote is in the office already, did
        the desk change the patient.
        """
        if row.get("is_guardian") is not False:
            return True
        return not all([await self._read_office_id(chart) for chart in written_patients])

    async def _read_office_id(self, chart: str) -> str | None:
        """The chart's id in the office system. ``None`` while the office does not have the chart."""
        try:
            row = await self._transport.read_item(PATIENTS, chart)
        except NotFound:
            return None
        return readable_id(row.get("foreign_id") or None)


def _may_be_anybody(chart: Chart) -> bool:
    return chart.unreadable is not None and chart.date_of_birth is None


def _is_same_person(chart: Chart, person: Person) -> bool:
    return (
        name_key(chart.first_name) == name_key(person.first_name)
        and name_key(chart.last_name) == name_key(person.last_name)
        and chart.date_of_birth == person.date_of_birth
    )
