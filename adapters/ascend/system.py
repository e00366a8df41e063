"""Dentrix Ascend as a practice system."""

import asyncio
import time as clock
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from adapters.ascend import wire
from adapters.ascend.config import AscendConfig
from adapters.ascend.fresh_rows import FreshRows
from adapters.ascend.listing import Listing, instant_text, where
from adapters.ascend.transport import Transport
from adapters.errors import NotFound, OutcomeUnknown, Refused, Unavailable
from adapters.practice_system import (
    Capabilities,
    Hold,
    KnownLocation,
    KnownOperatory,
    KnownProvider,
    NewChart,
    PatientQuery,
    ReferenceData,
)
from adapters.shared_reads import SharedReads
from domain.calendar import Appointment, AppointmentStatus, Calendar
from domain.interval import Interval
from domain.patient import Chart
from domain.reference import reference_in

log = structlog.get_logger(__name__)

APPOINTMENTS = "/v1/appointments"
PATIENT_FIELDS = (
    *("firstName", "lastName", "preferredName", "nameSuffix", "dateOfBirth", "emailAddress", "phones"),
    *("patientStatus", "preferredLocation", "duplicateOfPatient"),
)
REFERENCE_WITHIN = timedelta(hours=36)
"""Our own appointment is looked for so far around the time it was written for."""
UNTOUCHED = (AppointmentStatus.TENTATIVE, AppointmentStatus.BROKEN, AppointmentStatus.NO_SHOW)


class AscendSystem:
    def __init__(self, config: AscendConfig) -> None:
        self._config = config
        self._transport = Transport(config)
        self._listing = Listing(self._transport, config.page_size)
        self._kept: dict[str, tuple[float, list[wire.Row]]] = {}
        self._keeping = asyncio.Lock()
        self._days: SharedReads[list[Appointment]] = SharedReads()
        self._events: SharedReads[list[wire.Row]] = SharedReads()
        self._blocked: dict[str, tuple[float, list[wire.Row]]] = {}
        self._fresh = FreshRows()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(system="ascend")

    async def close(self) -> None:
        await self._transport.close()

    async def find_patients(self, query: PatientQuery) -> list[Chart]:
        """Everybody born on that day: how Ascend compares names is not stated, so names are ours to judge."""
        born = where(("dateOfBirth", "==", query.date_of_birth.isoformat()))
        try:
            rows = await self._listing.rows("/v1/patients", born, PATIENT_FIELDS)
        except Refused as refusal:
            if refusal.code != "400":
                raise
            named = where(("lastName", "~=", query.last_name[:3]))  # where birth dates can't be asked for
            rows = await self._listing.rows("/v1/patients", named, PATIENT_FIELDS)
        found = {row["id"]: wire.chart(row) for row in rows}
        charts = [chart for chart in found.values() if chart.date_of_birth in (None, query.date_of_birth)]
        known = {chart.id for chart in charts}
        for original in {c.duplicate_of for c in charts if c.duplicate_of} - known:
            try:
                charts.append(wire.chart(await self._item("/v1/patients", original)))
            except NotFound:
                continue
        return charts

    async def create_patient(self, new: NewChart) -> Chart:
        row = _row(await self._transport.write("POST", "/v1/patients", wire.new_patient(new)))
        return wire.chart({**wire.new_patient(new), **row})

    async def calendar(self, location: str, span: Interval, *, recent_blocks: bool = False) -> Calendar:
        zone = await self._zone(location)
        early = span.widened(self._config.longest_appointment, timedelta(0))
        appointments, events, templates = await asyncio.gather(
            self._appointments(location, early),
            self._events_at(location, self._config.blocks_for if recent_blocks else timedelta(0)),
            self._templates(),
        )
        opened = [w for t in templates if wire.ref(t, "location") == location for w in wire.windows(t, span, zone)]
        return Calendar(
            span=span,
            appointments=tuple(a for a in appointments if a.time.overlaps(span)),
            blocks=tuple(block for row in events for block in wire.blocks(row, span, zone)),
            windows=tuple(opened),
        )

    async def find_by_reference(self, reference: str, location: str, around: datetime) -> list[Appointment]:
        near = Interval(start=around - REFERENCE_WITHIN, end=around + REFERENCE_WITHIN)
        found = [a for a in await self._appointments(location, near) if a.reference == reference]
        return sorted((a for a in found if a.status.occupies_chair), key=Appointment.order)

    async def get_appointment(self, appointment_id: str) -> Appointment:
        return wire.appointment(await self._item(APPOINTMENTS, appointment_id))

    async def place_hold(self, hold: Hold) -> Appointment:
        if hold.dependent is not None:
            raise Refused("Ascend books for a patient who has a chart", code="dependent")
        row = _row(await self._transport.write("POST", APPOINTMENTS, wire.new_appointment(hold)))
        try:
            return wire.appointment({**wire.new_appointment(hold), **row})
        except Unavailable as unclear:
            raise OutcomeUnknown(f"POST {APPOINTMENTS}: {unclear}") from None

    async def confirm_hold(self, appointment_id: str, hold: Hold, *, just_read: bool = False) -> Appointment:
        row = self._fresh.take(appointment_id, hold.reference) if just_read else None
        row = row or await self._ours(appointment_id, hold.reference)
        seen = wire.appointment(row)
        if not seen.status.occupies_chair:
            raise Refused("the appointment was broken", code="broken")
        note = str(row.get("note") or "").replace(wire.TENTATIVE, wire.CONFIRMED)
        untouched = str(row.get("status", "")).upper() in ("UNCONFIRMED", "LEFT_MESSAGE")
        wanted = wire.rewritten(
            row,
            note=note,
            status=self._config.confirmed_status if untouched else row["status"],
            needsFollowup=False,
            patient={"id": hold.patient, "type": "PatientV1"},
        )
        if _same(row, wanted):
            return seen
        return wire.appointment(await self._put(appointment_id, wanted))

    async def move(self, appointment_id: str, hold: Hold) -> Appointment:
        row = await self._ours(appointment_id, hold.reference)
        seen = wire.appointment(row)
        if not seen.status.occupies_chair:
            raise Refused("the appointment was broken", code="broken")
        if seen.slot == hold.slot:
            return seen
        moved = wire.rewritten(row, **wire.place(hold.slot))
        return wire.appointment(await self._put(appointment_id, moved))

    async def withdraw(self, appointment_id: str, reference: str) -> None:
        try:
            row = await self._ours(appointment_id, reference)
        except NotFound:
            return
        except Refused:
            return  # it no longer carries our reference: somebody made it theirs
        if wire.appointment(row).status not in UNTOUCHED:
            return
        await self._delete(appointment_id, row)

    async def cancel(self, appointment_id: str, reference: str, reason: str) -> None:
        try:
            row = await self._ours(appointment_id, reference)
        except (NotFound, Refused):
            return
        if wire.appointment(row).status.occupies_chair:
            note = f"{row.get('note') or ''}\n{reason}".strip()
            await self._put(appointment_id, wire.rewritten(row, status="BROKEN", note=note))

    async def reference_data(self) -> ReferenceData:
        locations = await self._reference("/v1/locations")
        providers = await self._reference("/v1/providers")
        operatories = await self._reference("/v1/operatories")
        return ReferenceData(
            locations={str(r["id"]): KnownLocation(zone=r.get("timeZone")) for r in locations},
            providers={str(r["id"]): KnownProvider(active=r.get("active") is not False) for r in providers},
            operatories={
                str(r["id"]): KnownOperatory(active=r.get("active") is not False, location=wire.ref(r, "location"))
                for r in operatories
            },
        )

    async def check(self) -> list[str]:
        organizations = await self._transport.linked_organizations()
        if organizations and self._config.organization_id not in organizations:
            return ["ASCEND_ORGANIZATION_ID: this client is not linked to it; have the practice enable Holdfast"]
        return []

    async def _appointments(self, location: str, span: Interval) -> list[Appointment]:
        return await self._days((location, span), lambda: self._read_appointments(location, span))

    async def _read_appointments(self, location: str, span: Interval) -> list[Appointment]:
        criteria = where(
            ("location.id", "==", location),
            ("start", ">=", instant_text(span.start)),
            ("start", "<", instant_text(span.end)),
        )
        rows = await self._listing.rows(APPOINTMENTS, criteria, ("ALL",))
        mine = [row for row in rows if wire.ref(row, "location") in (None, location)]
        self._fresh.keep(mine)
        return [wire.appointment(row) for row in mine]

    async def _events_at(self, location: str, no_older_than: timedelta) -> list[wire.Row]:
        known = self._blocked.get(location)
        if known is not None and clock.monotonic() - known[0] < no_older_than.total_seconds():
            return known[1]
        return await self._events(location, lambda: self._event_rows(location))

    async def _event_rows(self, location: str) -> list[wire.Row]:
        begun = clock.monotonic()
        try:
            rows = await self._listing.rows("/v1/events", where(("location.id", "==", location)), ("ALL",))
        except NotFound:
            log.warning("ascend has no events endpoint: blocked time is not seen")
            rows = []
        except Refused as refusal:
            if refusal.code != "400":
                raise
            rows = await self._listing.rows("/v1/events", fields=("ALL",))  # where they can't be filtered
        mine = [row for row in rows if wire.ref(row, "location") in (None, location)]
        self._blocked[location] = begun, mine
        return mine

    async def _templates(self) -> list[wire.Row]:
        try:
            return await self._reference("/v1/scheduletemplates")
        except NotFound:
            return []  # they matter only to services offered inside windows, which then are not offered

    async def _zone(self, location: str) -> ZoneInfo:
        for row in await self._reference("/v1/locations"):
            if str(row["id"]) == location and row.get("timeZone"):
                return ZoneInfo(row["timeZone"])
        raise Refused(f"the practice system has no location {location}", code="unknown_location")

    async def _reference(self, path: str) -> list[wire.Row]:
        """Rows that seldom change, read again once they are old; one reader at a time."""
        async with self._keeping:
            kept = self._kept.get(path)
            if kept is None or clock.monotonic() - kept[0] > self._config.reference_data_for.total_seconds():
                fields = () if path != "/v1/providers" else ("firstName", "lastName", "active")
                kept = (clock.monotonic(), await self._listing.rows(path, fields=fields))
                self._kept[path] = kept
            return kept[1]

    async def _item(self, path: str, item: str) -> wire.Row:
        body = await self._transport.read(f"{path}/{item}")
        data = body.get("data") if isinstance(body, dict) else None
        row = data[0] if isinstance(data, list) and len(data) == 1 else data
        if not isinstance(row, dict) or "id" not in row:
            raise Unavailable(f"GET {path}: an answer without the row")
        return row

    async def _ours(self, appointment_id: str, reference: str) -> wire.Row:
        row = await self._item(APPOINTMENTS, appointment_id)
        if reference_in(str(row.get("note") or "")) != reference:
            raise Refused("the appointment no longer carries our reference", code="reference_gone")
        return row

    async def _put(self, appointment_id: str, wanted: wire.Row) -> wire.Row:
        """PUT, and where the answer is lost, look whether it was done."""
        try:
            body = await self._transport.write("PUT", f"{APPOINTMENTS}/{appointment_id}", wanted)
            return {**wanted, **_row(body), "id": appointment_id}
        except OutcomeUnknown:
            row = await self._item(APPOINTMENTS, appointment_id)
            if _same(row, wanted):
                return row
            raise

    async def _delete(self, appointment_id: str, row: wire.Row) -> None:
        """Delete; where the answer is lost, look; where it is not allowed, break the appointment instead."""
        try:
            await self._transport.write("DELETE", f"{APPOINTMENTS}/{appointment_id}")
        except NotFound:
            return
        except Refused:
            await self._put(appointment_id, wire.rewritten(row, status="BROKEN"))
        except OutcomeUnknown:
            try:
                await self._item(APPOINTMENTS, appointment_id)
            except NotFound:
                return
            raise


def _row(body: Any) -> wire.Row:
    """The row in the answer to a write; without one with an id, nothing is proven."""
    data = body.get("data") if isinstance(body, dict) else None
    row = data[0] if isinstance(data, list) and len(data) == 1 else data
    if not isinstance(row, dict) or row.get("id") in (None, ""):
        raise OutcomeUnknown("an answer without the row that was written")
    return row


def _same(row: wire.Row, wanted: wire.Row) -> bool:
    """Whether the row already says what we want of it."""
    if wire.ref(row, "patient") != wire.ref(wanted, "patient"):
        return False
    flag = row.get("needsFollowup", row.get("needsFollowUp", False))
    return (row.get("status"), row.get("note"), bool(flag)) == (
        wanted.get("status"),
        wanted.get("note"),
        bool(wanted.get("needsFollowup", False)),
    )
