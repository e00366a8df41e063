"""A calendar in memory whose readings are as stale, and whose answers as uncertain, as the port allows."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from adapters.errors import NotFound, OutcomeUnknown, Refused, Unavailable
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
from domain.calendar import Appointment, AppointmentStatus, Block, Calendar
from domain.interval import Interval
from domain.patient import Chart
from domain.slot import Slot
from tests.model.scheduler import Actor, Outcome, Scheduler, current_actor

DELAY = timedelta(seconds=3)
"""The consistency delay: a write is committed and visible by then."""
LATE_COMMIT_DELAY = timedelta(seconds=2.5)
MAX_SENDS = 2
Result = TypeVar("Result")


@dataclass(frozen=True)
class Version:
    """Everything that the calendar held from some time on."""

    since: datetime
    visible_by: datetime
    appointments: dict[str, Appointment]
    blocks: tuple[Block, ...]


@dataclass
class Placement:
    """When an appointment was last put where it is, relative to other placements, and by whom."""

    order: int
    by_desk: bool


class MemoryCalendar:
    """A reading shows the calendar as it was at one instant, at most ``DELAY`` ago."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._late_commits: list[tuple[datetime, Callable[[], object]]] = []
        self._versions = [Version(scheduler.time, scheduler.time, {}, ())]
        self._order = 0
        self.placements: dict[str, Placement] = {}
        self.block_order: dict[Block, int] = {}
        self.sent_at_step: dict[str, int] = {}
        """By appointment id: the scheduler's step in which we sent it."""
        self.written_twice: list[str] = []
        """References written again by an attempt that could have found the earlier write."""
        self.sends: Counter[tuple[str, Slot]] = Counter()
        """Sends by reference and slot, since staff last decided."""
        self.written_over_desk: list[str] = []
        """References written again by a booking that could know that the desk had removed them."""
        self._answered_writes: dict[tuple[str, Slot], dict[str, Actor]] = {}
        """By reference and slot: the actor that received the answer, by appointment id."""
        self.removed_by_desk: set[str] = set()
        self.desk_appointments: dict[str, Appointment] = {}
        """What the desk itself booked, as the desk left it."""
        scheduler.on_time_advanced = self._commit_late_writes

    @property
    def appointments(self) -> dict[str, Appointment]:
        return self._versions[-1].appointments

    @property
    def blocks(self) -> tuple[Block, ...]:
        return self._versions[-1].blocks

    def with_reference(self, reference: str) -> list[Appointment]:
        return [a for a in self.appointments.values() if a.reference == reference and a.status.occupies_time]

    def forget_earlier_writes(self, reference: str) -> None:
        """Staff know what happened so far and want another attempt, so earlier sends no longer count."""
        for written_reference, slot in list(self._answered_writes):
            if written_reference == reference:
                del self._answered_writes[written_reference, slot], self.sends[written_reference, slot]

    # The desk's actions take effect at once.

    def desk_books(self, slot: Slot) -> None:
        booked = self._put(self._new(slot, "desk", AppointmentStatus.CONFIRMED, None), by_desk=True)
        self.desk_appointments[booked.id] = booked

    def desk_moves(self, appointment: Appointment, slot: Slot) -> None:
        new_slot = {"time": slot.time, "provider": slot.provider, "operatory": slot.operatory}
        moved = self._put(appointment.model_copy(update=new_slot), by_desk=True)
        if moved.id in self.desk_appointments:
            self.desk_appointments[moved.id] = moved

    def desk_deletes(self, appointment: Appointment) -> None:
        self._remove(appointment.id)
        self.removed_by_desk.add(appointment.id)
        self.desk_appointments.pop(appointment.id, None)

    def desk_blocks(self, time: Interval, operatory: str) -> None:
        block = Block(time=time, operatory=operatory)
        self._order += 1
        self.block_order[block] = self._order
        self._add_version(dict(self.appointments), (*self.blocks, block))

    # Our own calls wait for the model, which also decides their outcome.

    async def read_calendar(
        self,
        location: str,
        span: Interval,
        *,
        allow_stale_blocks: bool = False,
        include_windows: bool = True,
        elsewhere: Mapping[str, Collection[str]] = NOWHERE,
    ) -> Calendar:
        version = await self._read()
        return Calendar(span=span, appointments=tuple(version.appointments.values()), blocks=version.blocks)

    async def find_by_reference(self, reference: str, location: str, around: datetime) -> list[Appointment]:
        version = await self._read()
        ours = (a for a in version.appointments.values() if a.reference == reference)
        return sorted((a for a in ours if a.status.occupies_time), key=Appointment.creation_order)

    async def find_by_patients(self, reference: str, location: str, patients: Collection[str]) -> list[Appointment]:
        version = await self._read()
        ours = (a for a in version.appointments.values() if a.reference == reference and a.patient in patients)
        return sorted(ours, key=Appointment.creation_order)

    async def get_appointment(self, appointment_id: str) -> Appointment:
        if await self._scheduler.pause() is Outcome.NOT_DONE:
            raise Unavailable("not reached")
        return self._get(appointment_id)

    async def write_hold(self, hold: Hold, permit: SendPermit) -> Appointment:
        actor = current_actor.get()
        await self._scheduler.pause()
        send_before = await permit()
        actor.sending = True
        outcome = await self._scheduler.pause()
        actor.sending = False
        if self._scheduler.time > send_before:
            raise Unavailable("too late to be sent")
        self.sends[hold.reference, hold.slot] += 1
        earlier_ids = [a.id for a in self.with_reference(hold.reference) if a.id in self.sent_at_step]
        if any(self.sent_at_step[appointment_id] < actor.started_at_step for appointment_id in earlier_ids):
            self.written_twice.append(hold.reference)
        answered = self._answered_writes.setdefault((hold.reference, hold.slot), {})
        if any(i in self.removed_by_desk and not receiver.had_trouble for i, receiver in answered.items()):
            self.written_over_desk.append(hold.reference)
        step, sent_at = self._scheduler.steps, self._scheduler.time

        def commit() -> Appointment:
            new = self._new(hold.slot, hold.patient, AppointmentStatus.TENTATIVE, hold.reference)
            self.sent_at_step[new.id] = step
            return self._put(new, visible_by=sent_at + DELAY)

        if outcome is Outcome.COMMITTED_LATE:
            self._late_commits.append((sent_at + LATE_COMMIT_DELAY, commit))
        placed = self._answer(outcome, commit)
        answered[placed.id] = actor
        return placed

    async def confirm_hold(
        self, appointment_id: str, hold: Hold, *, written_for: str | None = None, just_read: bool = False
    ) -> Appointment:
        outcome = await self._scheduler.pause()
        row = self._get(appointment_id)
        if row.reference != hold.reference:
            raise Refused("no longer ours", code="reference_gone")
        if not row.status.occupies_time:
            raise Refused("broken", code="broken")
        final = row.model_copy(update={"status": AppointmentStatus.CONFIRMED, "patient": hold.patient})
        return self._answer(outcome, lambda: self._change(final))

    async def release(
        self,
        appointment_id: str,
        reference: str,
        *,
        written_slots: Sequence[Slot] = (),
        written_patients: Collection[str] = (),
    ) -> ReleaseOutcome:
        outcome = await self._scheduler.pause()
        row = self.appointments.get(appointment_id)
        if row is None or not row.status.occupies_time:
            return ReleaseOutcome.RELEASED
        changed_by_desk = (bool(written_slots) and row.slot not in written_slots) or (
            bool(written_patients) and row.patient not in written_patients
        )
        if row.reference != reference or row.status is not AppointmentStatus.TENTATIVE or changed_by_desk:
            return ReleaseOutcome.KEPT_BY_DESK
        self._answer(outcome, lambda: self._remove(appointment_id))
        return ReleaseOutcome.RELEASED

    async def cancel(self, appointment_id: str, reference: str, reason: str) -> ReleaseOutcome:
        outcome = await self._scheduler.pause()
        row = self.appointments.get(appointment_id)
        if row is None or not row.status.occupies_time:
            return ReleaseOutcome.RELEASED
        if row.reference != reference:
            return ReleaseOutcome.KEPT_BY_DESK
        broken = row.model_copy(update={"status": AppointmentStatus.BROKEN})
        self._answer(outcome, lambda: self._change(broken))
        return ReleaseOutcome.RELEASED

    def _answer(self, outcome: Outcome, commit: Callable[[], Result]) -> Result:
        if outcome in (Outcome.NOT_DONE, Outcome.COMMITTED_LATE):
            raise OutcomeUnknown("no answer")
        result = commit()
        if outcome is Outcome.ANSWER_LOST:
            raise OutcomeUnknown("no answer")
        return result

    async def _read(self) -> Version:
        outcome = await self._scheduler.pause()
        if outcome is Outcome.NOT_DONE:
            raise Unavailable("not reached")
        now = self._scheduler.time
        as_of = now - DELAY if outcome is Outcome.STALE_READ else now
        return next(v for v in reversed(self._versions) if v.since <= as_of or v.visible_by <= now)

    def _get(self, appointment_id: str) -> Appointment:
        if appointment_id not in self.appointments:
            raise NotFound("no such appointment")
        return self.appointments[appointment_id]

    def _commit_late_writes(self) -> None:
        for late_commit in [it for it in self._late_commits if it[0] <= self._scheduler.time]:
            self._late_commits.remove(late_commit)
            _, commit = late_commit
            commit()

    def _new(self, slot: Slot, patient: str, status: AppointmentStatus, reference: str | None) -> Appointment:
        return Appointment(
            id=str(len(self.placements) + 1),
            time=slot.time,
            provider=slot.provider,
            operatory=slot.operatory,
            patient=patient,
            status=status,
            reference=reference,
        )

    def _put(
        self, appointment: Appointment, *, by_desk: bool = False, visible_by: datetime | None = None
    ) -> Appointment:
        self._order += 1
        self.placements[appointment.id] = Placement(self._order, by_desk)
        return self._change(appointment, visible_by)

    def _change(self, appointment: Appointment, visible_by: datetime | None = None) -> Appointment:
        self._add_version({**self.appointments, appointment.id: appointment}, visible_by=visible_by)
        return appointment

    def _remove(self, appointment_id: str) -> None:
        self._add_version({k: a for k, a in self.appointments.items() if k != appointment_id})

    def _add_version(
        self,
        appointments: dict[str, Appointment],
        blocks: tuple[Block, ...] | None = None,
        visible_by: datetime | None = None,
    ) -> None:
        now = self._scheduler.time
        blocks = self.blocks if blocks is None else blocks
        self._versions.append(Version(now, visible_by or now + DELAY, appointments, blocks))

    # The hold protocol does not use the rest of the port.

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(system="memory", max_sends=MAX_SENDS)

    async def find_patients(self, query: PatientQuery) -> list[Chart]:
        raise NotImplementedError

    async def find_namesakes(self, query: PatientQuery) -> list[Chart]:
        raise NotImplementedError

    async def read_chart(self, chart_id: str) -> Chart:
        raise NotImplementedError

    async def create_patient(self, new: NewChart, permit: SendPermit) -> Chart:
        raise NotImplementedError

    async def move(self, appointment_id: str, hold: Hold) -> Appointment:
        raise NotImplementedError

    async def accepts_writes(self, location: str, *, since: datetime | None = None) -> bool:
        raise NotImplementedError

    async def reference_data(self) -> ReferenceData:
        raise NotImplementedError

    def take_unreadable_rows(self) -> list[UnreadableRow]:
        return []

    async def check(self) -> list[str]:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError
