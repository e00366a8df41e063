"""Dentrix Ascend as a practice system."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from adapters.ascend import recurrence, wire
from adapters.ascend.blocked_time import BlockedTime
from adapters.ascend.config import AscendConfig
from adapters.ascend.edits import APPOINTMENTS, AppointmentEditor, ComputeBody, one_row, written_row
from adapters.ascend.paging import ALL_FIELDS, CollectionReader, filter_text, instant_text
from adapters.ascend.reference_data import ReferenceReader
from adapters.ascend.transport import Transport
from adapters.errors import NotFound, OutcomeUnknown, Refused, SlotTaken, Unavailable, Unreadable
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
from adapters.rows import check_ours_readable, check_still_ours, guesses, row_key
from adapters.shared_reads import SharedReads
from adapters.unreadable_rows import PATIENT, UnreadableRows
from domain.calendar import Appointment, AppointmentStatus, Block, Calendar, Window
from domain.interval import Interval
from domain.names import is_same_last_name
from domain.ownership import Owner, has_other_patient, owner_for_cancel, owner_for_release
from domain.patient import Chart
from domain.reference import reference_in
from domain.schedule import calendar_conflicts
from domain.slot import Slot

PATIENTS = "/v1/patients"
PATIENT_FIELDS = (
    *("firstName", "lastName", "preferredName", "nameSuffix", "dateOfBirth", "emailAddress", "phones"),
    *("patientStatus", "preferredLocation", "duplicateOfPatient"),
)
REFERENCE_SEARCH_RADIUS = timedelta(hours=36)
"""We look for our own appointment this far before and after the time for which it was written."""
MAX_CHART_MERGES = 5
"""How many merges we follow from a duplicate chart to the chart that is in use."""


class _OwnedByDesk(Exception):
    """The desk has made the appointment its own."""


class AscendSystem:
    def __init__(self, config: AscendConfig) -> None:
        self._config = config
        self._transport = Transport(config)
        self._collections = CollectionReader(self._transport, config.page_size)
        self._editor = AppointmentEditor(self._transport)
        self._blocked_time = BlockedTime(self._collections, config.blocks_max_age)
        self._unreadable = UnreadableRows()
        self._reference = ReferenceReader(self._collections, config.reference_data_max_age, self._unreadable)
        self._calendar_reads: SharedReads[list[wire.Row]] = SharedReads()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(system="ascend")

    async def close(self) -> None:
        await self._transport.close()

    async def find_patients(self, query: PatientQuery) -> list[Chart]:
        """Everybody born on that day. The vendor does not say how Ascend compares names, so matching compares them."""
        born_on_day = filter_text(("dateOfBirth", "==", query.date_of_birth.isoformat()))
        try:
            rows = await self._collections.rows(PATIENTS, born_on_day, fields=PATIENT_FIELDS)
        except Refused as refusal:
            if refusal.code != "400":
                raise
            # This account cannot filter by birth date: ask for the beginning of the last name instead.
            similar_name = filter_text(("lastName", "~=", query.last_name[:3]))
            rows = await self._collections.rows(PATIENTS, similar_name, fields=PATIENT_FIELDS)
        charts = [self._parse_chart(row, query.location) for row in rows]
        return await self._with_merge_targets(
            [chart for chart in charts if chart.date_of_birth in (None, query.date_of_birth)]
        )

    async def find_namesakes(self, query: PatientQuery) -> list[Chart]:
        """The vendor does not say how Ascend compares names, so they are compared here once more."""
        similar_name = filter_text(("lastName", "~=", query.last_name))
        rows = await self._collections.rows(PATIENTS, similar_name, fields=PATIENT_FIELDS)
        charts = [self._parse_chart(row, query.location) for row in rows]
        return await self._with_merge_targets(
            [chart for chart in charts if chart.unreadable or is_same_last_name(chart.last_name, query.last_name)]
        )

    async def read_chart(self, chart_id: str) -> Chart:
        chart = wire.chart(await self._read_patient(chart_id))
        for _ in range(MAX_CHART_MERGES):
            if not chart.duplicate_of:
                break
            chart = wire.chart(await self._read_patient(chart.duplicate_of))
        return chart

    def _parse_chart(self, row: wire.Row, location: str) -> Chart:
        chart = wire.chart(row)
        if chart.unreadable:
            self._unreadable.record(PATIENT, row, Unreadable(chart.unreadable), location)
        return chart

    async def _with_merge_targets(self, charts: list[Chart]) -> list[Chart]:
        """These charts, and those into which they were merged."""
        charts_by_id = {chart.id: chart for chart in charts}
        for _ in range(MAX_CHART_MERGES):
            targets = {chart.duplicate_of for chart in charts_by_id.values() if chart.duplicate_of}
            for target in targets - set(charts_by_id):
                with contextlib.suppress(NotFound):
                    charts_by_id[target] = wire.chart(await self._read_patient(target))
        return list(charts_by_id.values())

    async def create_patient(self, new: NewChart, permit: SendPermit) -> Chart:
        chart = wire.chart(await self._post(PATIENTS, wire.new_patient(new), permit))
        if chart.unreadable:
            raise OutcomeUnknown(f"POST {PATIENTS}: an answer with an unreadable {chart.unreadable}")
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
        read_span = span.widened(self._config.longest_appointment, timedelta(0))
        zones = {each: await self._reference.zone(each) for each in (location, *elsewhere)}
        rows, events, templates, inactive = await asyncio.gather(
            self._read_rows_at(tuple(zones), read_span),
            self._blocked_time.rows(self._config.blocks_max_age if allow_stale_blocks else timedelta(0)),
            self._templates(needed=include_windows),
            self._reference.inactive(),
        )
        calendars = {
            each: self._calendar(each, span, read_span, rows[each], events, zone) for each, zone in zones.items()
        }
        calendar = calendars[location]
        for other, providers in elsewhere.items():
            calendar = calendar.with_busy_elsewhere(calendars[other], providers)
        windows = tuple(
            window
            for template in templates
            if wire.readable_link(template, "location") == location
            for window in self._windows(template, location, span, zones[location])
        )
        return calendar.model_copy(
            update={
                "windows": windows if include_windows else None,
                "inactive_providers": inactive.providers,
                "inactive_operatories": inactive.operatories,
            }
        )

    def _calendar(
        self,
        location: str,
        span: Interval,
        read_span: Interval,
        rows: list[wire.Row],
        events: Sequence[wire.Row],
        zone: ZoneInfo,
    ) -> Calendar:
        """One location's appointments and closed time. An event of no location concerns every one."""
        appointments, possible_blocks = self._parse_appointments(rows, location, read_span)
        overlapping_span = [a for a in appointments if a.time.overlaps(span)]
        # An appointment without provider and operatory may occupy any of them, so it closes the whole location.
        unassigned = [a for a in overlapping_span if wire.NO_ID == a.provider == a.operatory and a.status.occupies_time]
        own_events = [row for row in events if wire.is_at(row, location)]
        return Calendar(
            span=span,
            appointments=tuple(overlapping_span),
            blocks=(
                *(block for row in own_events for block in self._blocks(row, location, span, zone)),
                *(Block(time=a.time) for a in unassigned),
                *(block for block in possible_blocks if block.time.overlaps(span)),
            ),
        )

    async def find_by_reference(self, reference: str, location: str, around: datetime) -> list[Appointment]:
        nearby = Interval(start=around - REFERENCE_SEARCH_RADIUS, end=around + REFERENCE_SEARCH_RADIUS)
        rows = await self._read_rows(location, nearby)
        check_ours_readable(rows, reference, wire.appointment)
        appointments, _ = self._parse_appointments(rows, location, nearby)
        matches = [a for a in appointments if a.reference == reference]
        return sorted((a for a in matches if a.status.occupies_time), key=Appointment.creation_order)

    async def find_by_patients(self, reference: str, location: str, patients: Collection[str]) -> list[Appointment]:
        async def read(patient: str) -> list[wire.Row]:
            return await self._collections.rows(
                APPOINTMENTS, filter_text(("patient.id", "==", patient)), fields=ALL_FIELDS
            )

        rows = list(itertools.chain.from_iterable(await asyncio.gather(*map(read, dict.fromkeys(patients)))))
        check_ours_readable(rows, reference, wire.appointment)
        ours = {row_key(row): row for row in rows if reference_in(row.get("note")) == reference}
        return sorted(map(wire.appointment, ours.values()), key=Appointment.creation_order)

    async def get_appointment(self, appointment_id: str) -> Appointment:
        return wire.appointment(await self._editor.read(appointment_id))

    async def accepts_writes(self, location: str, *, since: datetime | None = None) -> bool:
        """Always true. Ascend has no queue: a write that cannot be carried out is refused."""
        return True

    async def write_hold(self, hold: Hold, permit: SendPermit) -> Appointment:
        if hold.dependent is not None:
            raise Refused("Ascend books only for a patient who has a chart", code="dependent")
        try:
            row = await self._post(APPOINTMENTS, wire.new_appointment(hold), permit)
        except Refused as refusal:
            raise await self._slot_taken_or(refusal, hold.location, hold.slot) from None
        try:
            return wire.appointment(row)
        except Unavailable as unclear:
            raise OutcomeUnknown(f"POST {APPOINTMENTS}: {unclear}") from None

    async def confirm_hold(
        self, appointment_id: str, hold: Hold, *, written_for: str | None = None, just_read: bool = False
    ) -> Appointment:
        our_patients = (hold.patient,) if written_for is None else (hold.patient, written_for)

        def compute_confirmed(row: wire.Row) -> wire.Row | None:
            appointment = wire.appointment(row)
            check_still_ours(appointment, hold.reference)
            # A status that we do not know was set by staff, so it stays. A row may also come without any.
            is_unconfirmed = appointment.status is AppointmentStatus.TENTATIVE and (
                wire.is_status_known(row) or not row.get("status")
            )
            changes: wire.Row = {
                "note": str(row.get("note") or "").replace(wire.TENTATIVE_NOTE, wire.CONFIRMED_NOTE),
                "status": self._config.confirmed_status if is_unconfirmed else row.get("status"),
                "needsFollowup": False,
            }
            if not has_other_patient(appointment, our_patients, is_patient_uncertain=_shows_no_patient(row)):
                changes["patient"] = {"id": hold.patient, "type": "PatientV1"}
            return wire.body_if_changed(row, **changes)

        return await self._put(appointment_id, hold, compute_confirmed, just_read=just_read)

    async def move(self, appointment_id: str, hold: Hold) -> Appointment:
        def compute_moved(row: wire.Row) -> wire.Row | None:
            appointment = wire.appointment(row)
            check_still_ours(appointment, hold.reference)
            return None if appointment.slot == hold.slot else wire.full_body(row, **wire.slot_fields(hold.slot))

        return await self._put(appointment_id, hold, compute_moved, new_slot=hold.slot)

    async def release(
        self,
        appointment_id: str,
        reference: str,
        *,
        written_slots: Sequence[Slot] = (),
        written_patients: Collection[str] = (),
    ) -> ReleaseOutcome:
        """A hold that was never confirmed is deleted."""

        def compute_broken(row: wire.Row) -> wire.Row | None:
            owner = owner_for_release(
                wire.appointment(row),
                reference,
                written_slots=written_slots,
                written_patients=written_patients,
                is_status_known=wire.is_status_known(row),
                is_patient_uncertain=_shows_no_patient(row),
            )
            return _broken_if_ours(row, owner)

        return await _release_outcome(self._editor.delete(appointment_id, compute_broken))

    async def cancel(self, appointment_id: str, reference: str, reason: str) -> ReleaseOutcome:
        """The row stays as broken, with the reason in its note. Ascend has no field for a reason."""

        def compute_broken(row: wire.Row) -> wire.Row | None:
            owner = owner_for_cancel(wire.appointment(row), reference, is_status_known=wire.is_status_known(row))
            return _broken_if_ours(row, owner, note=f"{row.get('note') or ''}\n{reason}".strip())

        return await _release_outcome(self._editor.put(appointment_id, compute_broken))

    async def reference_data(self) -> ReferenceData:
        return await self._reference.reference_data()

    async def check(self) -> list[str]:
        organizations = await self._transport.linked_organizations()
        if organizations and self._config.organization_id not in organizations:
            return ["ASCEND_ORGANIZATION_ID: this client is not linked to it. Ask the practice to enable Holdfast"]
        return await self._blocked_time.problems()

    def take_unreadable_rows(self) -> list[UnreadableRow]:
        return self._unreadable.take()

    async def _read_rows(self, location: str, span: Interval) -> list[wire.Row]:
        """The appointments that begin within the span."""
        return [row for row in await self._calendar_rows(location, span) if wire.is_at(row, location)]

    async def _read_rows_at(self, locations: Sequence[str], span: Interval) -> Mapping[str, list[wire.Row]]:
        """The appointments of each location that begin within the span.

        Ascend has no filter for several locations. One reading of the whole organization serves them all, unless it
        would show more of other locations than of these.
        """
        if len(locations) == 1 or 2 * len(locations) < await self._reference.location_count():
            readings = await asyncio.gather(*(self._read_rows(each, span) for each in locations))
            return dict(zip(locations, readings, strict=True))
        rows = await self._calendar_rows(None, span)
        return {each: [row for row in rows if wire.is_at(row, each)] for each in locations}

    async def _calendar_rows(self, location: str | None, span: Interval) -> list[wire.Row]:
        """The rows of one location, or of all."""

        async def read() -> list[wire.Row]:
            criteria = filter_text(
                *([("location.id", "==", location)] if location is not None else []),
                ("start", ">=", instant_text(span.start)),
                ("start", "<", instant_text(span.end)),
            )
            return await self._collections.rows(
                APPOINTMENTS, criteria, fields=ALL_FIELDS, on_page=self._editor.fresh_rows.store
            )

        return await self._calendar_reads((location, span), read)

    def _parse_appointments(
        self, rows: list[wire.Row], location: str, read_span: Interval
    ) -> tuple[list[Appointment], list[Block]]:
        """The appointments, and what those may occupy that cannot be read."""
        appointments: list[Appointment] = []
        possible_blocks: list[Block] = []
        for row in rows:
            try:
                appointments.append(wire.appointment(row))
            except Unreadable as error:
                self._unreadable.record("appointment", row, error, location)
                possible_blocks += guesses(wire.possible_blocks(row, read_span, self._config.longest_appointment))
        return appointments, possible_blocks

    def _blocks(self, row: wire.Row, location: str, span: Interval, zone: ZoneInfo) -> list[Block]:
        try:
            recurrence.check(row)
        except Unreadable as error:
            self._unreadable.record("event", row, error, location)
            return guesses(recurrence.blocks(row, span, zone))
        return recurrence.blocks(row, span, zone)

    def _windows(self, row: wire.Row, location: str, span: Interval, zone: ZoneInfo) -> list[Window]:
        """An unreadable template opens nothing."""
        try:
            return wire.windows(row, span, zone)
        except Unreadable as error:
            self._reference.record_unreadable_template(row, error, location)
            return []

    async def _templates(self, *, needed: bool) -> list[wire.Row]:
        return await self._reference.templates() if needed else []

    async def _read_patient(self, patient_id: str) -> wire.Row:
        body = await self._transport.read(f"{PATIENTS}/{patient_id}", {"responseFields": ",".join(PATIENT_FIELDS)})
        return one_row(body, Unavailable(f"GET {PATIENTS}: an answer without the row"))

    async def _post(self, path: str, body: wire.Row, permit: SendPermit) -> wire.Row:
        try:
            return {**body, **written_row(await self._transport.write("POST", path, body, permit=permit))}
        except NotFound as missing:
            raise Refused(f"{missing.reason}: a record that it names does not exist", code="bad_reference") from None

    async def _put(
        self,
        appointment_id: str,
        hold: Hold,
        compute_body: ComputeBody,
        *,
        new_slot: Slot | None = None,
        just_read: bool = False,
    ) -> Appointment:
        try:
            return wire.appointment(await self._editor.put(appointment_id, compute_body, just_read=just_read))
        except Unreadable as unclear:
            raise OutcomeUnknown(f"PUT {APPOINTMENTS}: {unclear}") from None
        except Refused as refusal:
            if refusal.code != "400":
                raise
            slot = new_slot or (await self.get_appointment(appointment_id)).slot
            raise await self._slot_taken_or(refusal, hold.location, slot, own_id=appointment_id) from None

    async def _slot_taken_or(
        self, refusal: Refused, location: str, slot: Slot, *, own_id: str | None = None
    ) -> Refused:
        """SlotTaken if something in the calendar overlaps the slot, otherwise the refusal itself.

        Ascend has no status of its own for a conflict: a taken slot can only come as 400, as an invalid body does.
        """
        if refusal.code != "400":
            return refusal
        own_ids = frozenset() if own_id is None else frozenset({own_id})
        calendar = await self.read_calendar(location, slot.time, include_windows=False)
        if calendar_conflicts(slot, calendar, ignoring=own_ids):
            return SlotTaken(refusal.reason, code=refusal.code)
        return refusal


def _shows_no_patient(row: wire.Row) -> bool:
    return wire.readable_link(row, "patient") is None


def _broken_if_ours(row: wire.Row, owner: Owner, **changes: str) -> wire.Row | None:
    """The body that breaks the appointment, or ``None`` if it is already gone. Raises _OwnedByDesk."""
    if owner is Owner.NOBODY:
        return None
    if owner is Owner.DESK:
        raise _OwnedByDesk
    return wire.full_body(row, status="BROKEN", **changes)


async def _release_outcome(edit: Awaitable[object]) -> ReleaseOutcome:
    """Await the edit, and return what became of the appointment."""
    try:
        await edit
    except NotFound:
        return ReleaseOutcome.RELEASED
    except _OwnedByDesk:
        return ReleaseOutcome.KEPT_BY_DESK
    return ReleaseOutcome.RELEASED
