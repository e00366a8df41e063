"""A practice system behind NexHealth."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from adapters.errors import Misconfigured, NotFound, OutcomeUnknown, Refused, Unavailable
from adapters.nexhealth import subscriptions, wire
from adapters.nexhealth.account import Account
from adapters.nexhealth.config import NexHealthConfig
from adapters.nexhealth.office_status import OfficeStatus
from adapters.nexhealth.profiles import PROFILES
from adapters.nexhealth.readiness import problems
from adapters.nexhealth.refusals import NOT_LANDED, DuplicatePatient
from adapters.nexhealth.subscriptions import Subscribed
from adapters.nexhealth.transport import Params, Row, Transport
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
from domain.calendar import Appointment, AppointmentStatus, Calendar, LandingState, Window
from domain.interval import Interval
from domain.matching import name_key
from domain.patient import Chart
from domain.request import Person
from domain.slot import Slot

APPOINTMENTS, PATIENTS = "/appointments", "/patients"
REFERENCE_WITHIN = timedelta(hours=36)
"""Our own appointment is looked for so far around the time it was written for."""
RESTS_FOR = timedelta(minutes=2)
"""So long after its row was asked for a change may leave, the waits for both calls' turns included; later it is
Unavailable, and the row is to be read anew."""


class NexHealthSystem:
    def __init__(self, config: NexHealthConfig, account: Account | None = None) -> None:
        """``account``: shared by all that use the same key in this process."""
        self._config = config
        self._profile = PROFILES[config.system]
        self._transport = Transport(config, account or Account())
        self._days: SharedReads[list[Row]] = SharedReads()
        self._kept = StaleOkCache(config.reference_data_for)
        self._offices = OfficeStatus(self._transport, config.office_status_for)

    @property
    def capabilities(self) -> Capabilities:
        return self._profile.capabilities

    async def close(self) -> None:
        await self._transport.close()

    async def find_patients(self, query: PatientQuery) -> list[Chart]:
        """Everybody born on that day, whom a filter that was not applied did not let in: names are ours to judge."""
        params = [*_at(query.location), ("date_of_birth", query.date_of_birth.isoformat())]
        charts = [wire.chart(row) for row in await self._transport.rows(PATIENTS, params)]
        return [chart for chart in charts if chart.date_of_birth == query.date_of_birth]

    async def create_patient(self, new: NewChart, permit: Permit) -> Chart:
        """At NexHealth: the practice's own system gets the chart with the first appointment.

        NexHealth answers with the one it has where name, birth date and phone are the same.
        """
        body = wire.new_patient(new)
        try:
            data = await self._transport.write("POST", PATIENTS, body, _at(new.location), permit=permit)
            row = _row(data, "user")
        except DuplicatePatient as duplicate:
            row = await self._item(PATIENTS, duplicate.existing)
        made = wire.chart(row)
        if not _same_person(made, new.person):
            raise Refused("NexHealth answered with somebody else's chart", code="patient_mismatch")
        return made

    async def calendar(
        self, location: str, span: Interval, *, recent_blocks: bool = False, windows: bool = True
    ) -> Calendar:
        rows, opened = await asyncio.gather(
            self._rows_around(location, span.widened(self._config.longest_appointment, timedelta(0))),
            self._windows(location, span, wanted=windows),
        )
        busy = [self._appointment(row) for row in rows if not wire.is_block(row)]
        closed = [block for row in rows if wire.is_block(row) for block in wire.blocks(row)]
        return Calendar(
            span=span,
            appointments=tuple(a for a in busy if a.time.overlaps(span)),
            blocks=tuple(b for b in closed if b.time.overlaps(span)),
            windows=opened,
        )

    async def find_by_reference(self, reference: str, location: str, around: datetime) -> list[Appointment]:
        rows = await self._rows_around(
            location, Interval(start=around - REFERENCE_WITHIN, end=around + REFERENCE_WITHIN)
        )
        found = [self._appointment(row) for row in rows if not wire.is_block(row)]
        ours = [a for a in found if a.reference == reference and a.status.occupies_time]
        return sorted(ours, key=Appointment.creation_order)

    async def get_appointment(self, appointment_id: str) -> Appointment:
        return self._appointment(await self._item(APPOINTMENTS, appointment_id))

    async def accepts_writes(self, location: str, *, since: datetime | None = None) -> bool:
        return await self._offices.accepts_writes(location, since)

    async def place_hold(self, hold: Hold, permit: Permit) -> Appointment:
        place = await self._location(hold.location)
        if place.get("insert_appt_client") is False:
            raise Misconfigured("NexHealth does not write this location's appointments to the practice's system")
        if not self.capabilities.attaches_procedures:
            hold = hold.model_copy(update={"procedures": ()})
        body = wire.new_appointment(hold, self._config.public_url)
        params = [*_at(hold.location), ("notify_patient", "false")]
        try:
            row = _row(await self._transport.write("POST", APPOINTMENTS, body, params, permit=permit), "appt")
        except NotFound as missing:
            raise _bad_reference(missing) from None
        try:
            return self._appointment(row)
        except Unavailable as unclear:
            raise OutcomeUnknown(f"POST {APPOINTMENTS}: {unclear}") from None

    async def confirm_hold(
        self, appointment_id: str, hold: Hold, *, written_for: str | None = None, just_read: bool = False
    ) -> Appointment:
        """The patient stays whoever it is: NexHealth changes none."""
        leaves_by = _leaves_by()
        seen = await self._ours(appointment_id, hold.reference)
        if seen.status is not AppointmentStatus.TENTATIVE:
            return seen
        return await self._change(
            seen, {"confirmed": True}, lambda now: now.status is not AppointmentStatus.TENTATIVE, leaves_by
        )

    async def move(self, appointment_id: str, hold: Hold) -> Appointment:
        leaves_by = _leaves_by()
        seen = await self._ours(appointment_id, hold.reference)
        if seen.slot == hold.slot:
            return seen
        if not self.capabilities.can_move(seen.slot, hold.slot):
            raise Refused("this appointment cannot be moved in place", code="needs_replacement")
        wanted = {
            "start_time": wire.instant_text(hold.slot.time.start),
            "end_time": wire.instant_text(hold.slot.time.end),
            "operatory_id": wire.number(hold.slot.operatory, "operatory"),
        }
        return await self._change(seen, wanted, lambda now: now.slot == hold.slot, leaves_by)

    async def withdraw(
        self, appointment_id: str, reference: str, *, wrote: Sequence[Slot] = (), wrote_for: Collection[str] = ()
    ) -> ReleaseOutcome:
        async def is_ours(row: Row, seen: Appointment) -> bool:
            tentative = seen.status is AppointmentStatus.TENTATIVE
            where_we_wrote = not wrote or seen.slot in wrote
            return tentative and where_we_wrote and not await self._is_given_away(row, seen.patient, wrote_for)

        return await self._take_back(appointment_id, reference, is_ours)

    async def cancel(self, appointment_id: str, reference: str, reason: str) -> ReleaseOutcome:
        """The practice's system keeps it as cancelled; it has no room for the reason."""

        async def is_ours(_row: Row, seen: Appointment) -> bool:
            return seen.status in (AppointmentStatus.TENTATIVE, AppointmentStatus.CONFIRMED)

        return await self._take_back(appointment_id, reference, is_ours)

    async def reference_data(self) -> ReferenceData:
        places = await self._locations()
        chairs = [chair for location in self._config.locations for chair in await self._operatories(location)]
        providers = await self._kept.get("/providers", lambda: self._transport.rows("/providers"))
        return ReferenceData(
            locations={
                location: KnownLocation(zone=place.get("tz"))
                for location, place in places.items()
                if not place.get("inactive")
            },
            providers={str(row["id"]): KnownProvider(active=not row.get("inactive")) for row in providers},
            operatories={
                str(row["id"]): KnownOperatory(
                    active=row.get("active") is not False, location=str(row.get("location_id"))
                )
                for row in chairs
            },
        )

    async def check(self) -> list[str]:
        return await problems(self._config, self._profile, self._transport, await self._locations())

    async def subscribe(self) -> Subscribed:
        """Have NexHealth tell us of landings and changes at ``webhook_url``. Idempotent."""
        return await subscriptions.subscribe(self._transport, self._config.webhook_url)

    async def rotate_secret(self, accepted: Collection[str]) -> Subscribed:
        """Half of a change of the secret that signs what we are told; the other half the next time."""
        return await subscriptions.rotate(self._transport, self._config.webhook_url, accepted)

    def _appointment(self, row: Row) -> Appointment:
        return wire.appointment(row, reads_notes=self.capabilities.reads_notes)

    async def _rows_around(self, location: str, span: Interval) -> list[Row]:
        """What was cancelled is in nobody's way, also where its times cannot be read."""
        params = [
            *_at(location),
            ("start", wire.instant_text(span.start)),
            ("end", wire.instant_text(span.end)),
        ]
        rows = await self._days((location, span), lambda: self._transport.rows(APPOINTMENTS, params))
        standing = [row for row in rows if not row.get("cancelled")]
        return [row for row in standing if str(row.get("location_id") or location) == location]

    async def _windows(self, location: str, span: Interval, *, wanted: bool) -> tuple[Window, ...] | None:
        if not wanted or not self.capabilities.syncs_hours:
            return None
        hours: list[Row] = await self._kept.get(f"hours {location}", lambda: self._working_hours(location))
        chairs = await self._operatories(location) if any(row.get("operatory_id") is None for row in hours) else []
        zone = ZoneInfo(str((await self._location(location)).get("tz")))
        return tuple(wire.windows(hours, span, zone, [str(row["id"]) for row in chairs]))

    async def _working_hours(self, location: str) -> list[Row]:
        params = [*_at(location), ("source", "synced"), ("active", "true"), ("ignore_past_dates", "true")]
        return await self._transport.rows("/working_hours", [*params, ("include[]", "appointment_types")])

    async def _operatories(self, location: str) -> list[Row]:
        found = await self._kept.get(
            f"operatories {location}", lambda: self._transport.rows("/operatories", _at(location))
        )
        return cast(list[Row], found)

    async def _locations(self) -> dict[str, Row]:
        async def read() -> dict[str, Row]:
            institutions = await self._transport.read("/locations")
            return {str(place["id"]): place for row in institutions for place in row.get("locations") or [row]}

        return cast(dict[str, Row], await self._kept.get("/locations", read))

    async def _location(self, location: str) -> Row:
        try:
            return (await self._locations())[location]
        except KeyError:
            raise Refused("the practice system has no such location", code="unknown_location") from None

    async def _item(self, path: str, item: str) -> Row:
        data = await self._transport.read(f"{path}/{wire.number(item, 'id')}")
        if not isinstance(data, dict) or "id" not in data:
            raise Unavailable(f"GET {path}: an answer without the row")
        return data

    async def _ours(self, appointment_id: str, reference: str) -> Appointment:
        """Our appointment as it stands; Refused where it is no longer ours, or broken."""
        seen = await self.get_appointment(appointment_id)
        check_ours(seen, reference)
        return seen

    async def _change(
        self, seen: Appointment, wanted: Row, is_done: Callable[[Appointment], bool], leaves_by: Permit
    ) -> Appointment:
        """PATCH an appointment that has landed; where the answer is lost, look whether it was done."""
        if seen.landing is not LandingState.LANDED:
            raise Unavailable("the appointment is not yet in the practice's own system", NOT_LANDED)
        try:
            return await self._patch(seen.id, wanted, leaves_by)
        except NotFound as missing:
            await self.get_appointment(seen.id)
            raise _bad_reference(missing) from None
        except OutcomeUnknown:
            now = await self.get_appointment(seen.id)
            if is_done(now):
                return now
            raise
        except Refused as refusal:
            if refusal.code == "already_cancelled":
                raise Refused("the appointment was broken", code="broken") from None
            raise

    async def _take_back(
        self, appointment_id: str, reference: str, is_ours: Callable[[Row, Appointment], Awaitable[bool]]
    ) -> ReleaseOutcome:
        leaves_by = _leaves_by()
        try:
            row = await self._item(APPOINTMENTS, appointment_id)
        except NotFound:
            return ReleaseOutcome.RELEASED
        seen = self._appointment(row)
        if not seen.status.occupies_time:
            return ReleaseOutcome.RELEASED
        if seen.reference != reference or not await is_ours(row, seen):
            return ReleaseOutcome.KEPT_BY_DESK
        try:
            await self._patch(appointment_id, {"cancelled": True}, leaves_by)
        except NotFound:
            return ReleaseOutcome.RELEASED
        except Refused as refusal:
            if refusal.code != "already_cancelled":
                raise
        except OutcomeUnknown:
            if (await self.get_appointment(appointment_id)).status.occupies_time:
                raise
        return ReleaseOutcome.RELEASED

    async def _is_given_away(self, row: Row, patient: str, wrote_for: Collection[str]) -> bool:
        """To another patient, by the desk. With the first appointment a new patient's chart gets another id, and a
        dependent a chart of its own: where that may be the cause, it is not taken for the desk's doing.
        """
        if not wrote_for or patient in wrote_for or row.get("is_guardian") is not False:
            return False
        return all([await self._is_in_the_office(chart) for chart in wrote_for])

    async def _is_in_the_office(self, chart: str) -> bool:
        try:
            return bool((await self._item(PATIENTS, chart)).get("foreign_id"))
        except NotFound:
            return False

    async def _patch(self, appointment_id: str, changes: Row, leaves_by: Permit) -> Appointment:
        path = f"{APPOINTMENTS}/{appointment_id}"
        data = await self._transport.write("PATCH", path, {"appt": changes}, permit=leaves_by)
        return self._appointment(_row(data, "appt"))


def _leaves_by() -> Permit:
    """For a change that rests on what is asked for now."""
    end = datetime.now(UTC) + RESTS_FOR

    async def permit() -> datetime:
        return end

    return permit


def _at(location: str) -> Params:
    return [("location_id", str(wire.number(location, "location")))]


def _row(data: Any, name: str) -> Row:
    """The row in the answer to a write, wrapped or bare; without one with an id, nothing is proven."""
    row = data.get(name, data) if isinstance(data, dict) else None
    if not isinstance(row, dict) or row.get("id") in (None, ""):
        raise OutcomeUnknown("an answer without the row that was written")
    return row


def _bad_reference(missing: NotFound) -> Refused:
    return Refused(f"{missing.reason}: something that it refers to is not there", code="bad_reference")


def _same_person(chart: Chart, person: Person) -> bool:
    return (
        name_key(chart.first_name) == name_key(person.first_name)
        and name_key(chart.last_name) == name_key(person.last_name)
        and chart.date_of_birth == person.date_of_birth
    )
