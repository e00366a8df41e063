"""Dentrix Ascend as a practice system."""

import asyncio
import contextlib
from collections.abc import Awaitable, Collection, Sequence
from datetime import datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from adapters.ascend import recurrence, wire
from adapters.ascend.config import AscendConfig
from adapters.ascend.edits import APPOINTMENTS, Edits, Wanted, one_row, written_row
from adapters.ascend.events import Events
from adapters.ascend.listing import ALL, Listing, instant_text, where
from adapters.ascend.transport import Transport
from adapters.errors import NotFound, OutcomeUnknown, Refused, SlotTaken, Unavailable
from adapters.practice_system import (
    Capabilities,
    Hold,
    KnownLocation,
    KnownOperatory,
    KnownProvider,
    NewChart,
    PatientQuery,
    Permit,
    ReferenceData,
    ReleaseOutcome,
)
from adapters.rows import check_ours
from adapters.shared_reads import SharedReads
from adapters.ttl_cache import StaleOkCache
from domain.calendar import Appointment, Block, Calendar
from domain.interval import Interval
from domain.patient import Chart
from domain.schedule import calendar_conflicts
from domain.slot import Slot

PATIENTS = "/v1/patients"
PATIENT_FIELDS = (
    *("firstName", "lastName", "preferredName", "nameSuffix", "dateOfBirth", "emailAddress", "phones"),
    *("patientStatus", "preferredLocation", "duplicateOfPatient"),
)
REFERENCE_WITHIN = timedelta(hours=36)
"""Our own appointment is looked for so far around the time it was written for."""
PROVIDER_FIELDS = ("firstName", "lastName", "active")
"""Not all: a provider carries every insurance carrier there is."""
MERGED_AT_MOST = 5
"""How often a chart may have been merged into another that was merged in turn."""


class _Theirs(Exception):
    """The desk has made the appointment its own."""


class AscendSystem:
    def __init__(self, config: AscendConfig) -> None:
        self._config = config
        self._transport = Transport(config)
        self._listing = Listing(self._transport, config.page_size)
        self._edits = Edits(self._transport)
        self._events = Events(self._listing, config.blocks_for)
        self._kept = StaleOkCache(config.reference_data_for)
        self._days: SharedReads[list[Appointment]] = SharedReads()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(system="ascend")

    async def close(self) -> None:
        await self._transport.close()

    async def find_patients(self, query: PatientQuery) -> list[Chart]:
        """Everybody born on that day: how Ascend compares names is not stated, so names are ours to judge."""
        born = where(("dateOfBirth", "==", query.date_of_birth.isoformat()))
        try:
            rows = await self._listing.rows(PATIENTS, born, fields=PATIENT_FIELDS)
        except Refused as refusal:
            if refusal.code != "400":
                raise
            named = where(("lastName", "~=", query.last_name[:3]))  # where birth dates can't be asked for
            rows = await self._listing.rows(PATIENTS, named, fields=PATIENT_FIELDS)
        charts = {str(row["id"]): wire.chart(row) for row in rows}
        born_then = [c for c in charts.values() if c.date_of_birth in (None, query.date_of_birth)]
        return await self._with_originals(born_then)

    async def _with_originals(self, charts: list[Chart]) -> list[Chart]:
        """These charts, and those that they were merged into."""
        found = {chart.id: chart for chart in charts}
        for _ in range(MERGED_AT_MOST):
            for original in {c.duplicate_of for c in found.values() if c.duplicate_of} - set(found):
                with contextlib.suppress(NotFound):
                    found[original] = wire.chart(await self._patient(original))
        return list(found.values())

    async def create_patient(self, new: NewChart, permit: Permit) -> Chart:
        return wire.chart(await self._post(PATIENTS, wire.new_patient(new), permit))

    async def calendar(
        self, location: str, span: Interval, *, recent_blocks: bool = False, windows: bool = True
    ) -> Calendar:
        zone = await self._zone(location)
        early = span.widened(self._config.longest_appointment, timedelta(0))
        appointments, events, templates = await asyncio.gather(
            self._appointments(location, early),
            self._events.at(location, self._config.blocks_for if recent_blocks else timedelta(0)),
            self._templates(wanted=windows),
        )
        here = [a for a in appointments if a.time.overlaps(span)]
        nowhere = [a for a in here if wire.NOWHERE == a.provider == a.operatory and a.status.occupies_time]
        opened = [w for t in templates if wire.ref(t, "location") == location for w in wire.windows(t, span, zone)]
        return Calendar(
            span=span,
            appointments=tuple(here),
            blocks=(
                *(block for row in events for block in recurrence.blocks(row, span, zone)),
                *(Block(time=a.time) for a in nowhere),
            ),
            windows=tuple(opened) if windows else None,
        )

    async def find_by_reference(self, reference: str, location: str, around: datetime) -> list[Appointment]:
        near = Interval(start=around - REFERENCE_WITHIN, end=around + REFERENCE_WITHIN)
        found = [a for a in await self._appointments(location, near) if a.reference == reference]
        return sorted((a for a in found if a.status.occupies_time), key=Appointment.creation_order)

    async def get_appointment(self, appointment_id: str) -> Appointment:
        return wire.appointment(await self._edits.read(appointment_id))

    async def accepts_writes(self, location: str, *, since: datetime | None = None) -> bool:
        """Nothing is queued: what cannot be written is refused."""
        return True

    async def place_hold(self, hold: Hold, permit: Permit) -> Appointment:
        if hold.dependent is not None:
            raise Refused("Ascend books for a patient who has a chart", code="dependent")
        try:
            row = await self._post(APPOINTMENTS, wire.new_appointment(hold), permit)
        except Refused as refusal:
            raise await self._taken_or(refusal, hold.location, hold.slot) from None
        try:
            return wire.appointment(row)
        except Unavailable as unclear:
            raise OutcomeUnknown(f"POST {APPOINTMENTS}: {unclear}") from None

    async def confirm_hold(
        self, appointment_id: str, hold: Hold, *, written_for: str | None = None, just_read: bool = False
    ) -> Appointment:
        ours = (None, hold.patient, written_for)

        def confirmed(row: wire.Row) -> wire.Row | None:
            check_ours(wire.appointment(row), hold.reference)
            changes: wire.Row = {
                "note": str(row.get("note") or "").replace(wire.TENTATIVE, wire.CONFIRMED),
                "status": self._config.confirmed_status if wire.status(row) in wire.UNTOUCHED else row["status"],
                "needsFollowup": False,
            }
            if wire.ref(row, "patient") in ours:
                changes["patient"] = {"id": hold.patient, "type": "PatientV1"}
            return wire.changed(row, **changes)

        return await self._put(appointment_id, hold, confirmed, just_read=just_read)

    async def move(self, appointment_id: str, hold: Hold) -> Appointment:
        def moved(row: wire.Row) -> wire.Row | None:
            check_ours(wire.appointment(row), hold.reference)
            return None if wire.appointment(row).slot == hold.slot else wire.rewritten(row, **wire.place(hold.slot))

        return await self._put(appointment_id, hold, moved, to=hold.slot)

    async def withdraw(
        self, appointment_id: str, reference: str, *, wrote: Sequence[Slot] = (), wrote_for: Collection[str] = ()
    ) -> ReleaseOutcome:
        def broken(row: wire.Row) -> wire.Row | None:
            return _broken(row, reference, wire.UNTOUCHED, wrote, wrote_for)

        return await _taken_back(self._edits.delete(appointment_id, broken))

    async def cancel(self, appointment_id: str, reference: str, reason: str) -> ReleaseOutcome:
        def broken(row: wire.Row) -> wire.Row | None:
            return _broken(row, reference, wire.AHEAD, note=f"{row.get('note') or ''}\n{reason}".strip())

        return await _taken_back(self._edits.put(appointment_id, broken))

    async def reference_data(self) -> ReferenceData:
        locations = await self._reference("/v1/locations")
        providers = await self._reference("/v1/providers", PROVIDER_FIELDS)
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
        return await self._events.problems()

    async def _appointments(self, location: str, span: Interval) -> list[Appointment]:
        return await self._days((location, span), lambda: self._read_appointments(location, span))

    async def _read_appointments(self, location: str, span: Interval) -> list[Appointment]:
        criteria = where(
            ("location.id", "==", location),
            ("start", ">=", instant_text(span.start)),
            ("start", "<", instant_text(span.end)),
        )
        rows = await self._listing.rows(APPOINTMENTS, criteria, fields=ALL, seen=self._edits.fresh.keep)
        return [wire.appointment(row) for row in rows if wire.ref(row, "location") in (None, location)]

    async def _templates(self, *, wanted: bool) -> list[wire.Row]:
        if not wanted:
            return []
        try:
            return await self._reference("/v1/scheduletemplates")
        except NotFound:
            return []  # they matter only to services offered inside windows, which then are not offered

    async def _zone(self, location: str) -> ZoneInfo:
        for row in await self._reference("/v1/locations"):
            if str(row["id"]) == location and row.get("timeZone"):
                return ZoneInfo(row["timeZone"])
        raise Refused(f"the practice system has no location {location}", code="unknown_location")

    async def _reference(self, path: str, fields: Sequence[str] = ALL) -> list[wire.Row]:
        return cast(list[wire.Row], await self._kept.get(path, lambda: self._listing.rows(path, fields=fields)))

    async def _patient(self, patient_id: str) -> wire.Row:
        body = await self._transport.read(f"{PATIENTS}/{patient_id}", {"responseFields": ",".join(PATIENT_FIELDS)})
        return one_row(body, Unavailable(f"GET {PATIENTS}: an answer without the row"))

    async def _post(self, path: str, body: wire.Row, permit: Permit) -> wire.Row:
        try:
            return {**body, **written_row(await self._transport.write("POST", path, body, permit=permit))}
        except NotFound as missing:
            raise Refused(f"{missing.reason}: something that it refers to is not there", code="bad_reference") from None

    async def _put(
        self, appointment_id: str, hold: Hold, wanted: Wanted, *, to: Slot | None = None, just_read: bool = False
    ) -> Appointment:
        try:
            return wire.appointment(await self._edits.put(appointment_id, wanted, just_read=just_read))
        except Refused as refusal:
            if refusal.code != "400":
                raise
            slot = to or (await self.get_appointment(appointment_id)).slot
            raise await self._taken_or(refusal, hold.location, slot, frozenset({appointment_id})) from None

    async def _taken_or(
        self, refusal: Refused, location: str, slot: Slot, own: frozenset[str] = frozenset()
    ) -> Refused:
        """Ascend's word for "invalid" is its word for "taken" too: what the calendar shows tells them apart."""
        if refusal.code == "400" and calendar_conflicts(
            slot, await self.calendar(location, slot.time, windows=False), ignoring=own
        ):
            return SlotTaken(refusal.reason, code=refusal.code)
        return refusal


def _broken(
    row: wire.Row,
    reference: str,
    while_in: frozenset[str],
    wrote: Sequence[Slot] = (),
    wrote_for: Collection[str] = (),
    **changes: str,
) -> wire.Row | None:
    """The row as broken, ``None`` where it is so already. Raises _Theirs where it is not ours to break."""
    seen = wire.appointment(row)
    if not seen.status.occupies_time:
        return None
    moved = bool(wrote) and seen.slot not in wrote
    given_away = bool(wrote_for) and wire.ref(row, "patient") not in (None, *wrote_for)
    if seen.reference != reference or wire.status(row) not in while_in or moved or given_away:
        raise _Theirs
    return wire.rewritten(row, status="BROKEN", **changes)


async def _taken_back(work: Awaitable[object]) -> ReleaseOutcome:
    try:
        await work
    except NotFound:
        return ReleaseOutcome.RELEASED
    except _Theirs:
        return ReleaseOutcome.KEPT_BY_DESK
    return ReleaseOutcome.RELEASED
