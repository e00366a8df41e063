"""A practice's calendar in memory: as slow to show and as uncertain to answer as the port's contract allows."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from adapters.errors import NotFound, OutcomeUnknown, Refused, Unavailable
from adapters.practice_system import Capabilities, Hold, NewChart, PatientQuery, Permit, ReferenceData, ReleaseOutcome
from domain.calendar import Appointment, AppointmentStatus, Block, Calendar
from domain.interval import Interval
from domain.patient import Chart
from domain.slot import Slot
from tests.model.stage import Actor, Fate, Stage, acting

DELAY = timedelta(seconds=3)
"""The consistency delay: what was sent is committed and shown by then."""
LATE = timedelta(seconds=2.5)
SENDS_AT_MOST = 2
Result = TypeVar("Result")


@dataclass(frozen=True)
class Version:
    """All that the calendar held from some time on."""

    since: datetime
    shown_by: datetime
    appointments: dict[str, Appointment]
    blocks: tuple[Block, ...]


@dataclass
class Placement:
    """Where an appointment or block was last put, and by whom."""

    order: int
    by_desk: bool


class MemoryCalendar:
    """Readings show the calendar as it was at one instant, at most ``DELAY`` ago."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._late: list[tuple[datetime, Callable[[], object]]] = []
        self._versions = [Version(stage.now, stage.now, {}, ())]
        self._order = 0
        self.placements: dict[str, Placement] = {}
        self.block_order: dict[Block, int] = {}
        self.sent: dict[str, int] = {}
        """By appointment id: the turn in which we sent it."""
        self.written_twice: list[str] = []
        """References written again by an attempt that could have found the earlier write."""
        self.sends: Counter[tuple[str, Slot]] = Counter()
        """Since a person last decided."""
        self.written_over_desk: list[str] = []
        """References written again by a booking that could know that the desk had taken them out."""
        self._answered_to: dict[tuple[str, Slot], dict[str, Actor]] = {}
        self.removed_by_desk: set[str] = set()
        self.desk: dict[str, Appointment] = {}
        """What the desk itself booked, as the desk left it."""
        stage.when_time_passes = self._commit_late

    @property
    def appointments(self) -> dict[str, Appointment]:
        return self._versions[-1].appointments

    @property
    def blocks(self) -> tuple[Block, ...]:
        return self._versions[-1].blocks

    def of(self, reference: str) -> list[Appointment]:
        return [a for a in self.appointments.values() if a.reference == reference and a.status.occupies_time]

    def person_decides(self, reference: str) -> None:
        """What was done before is known to somebody, who wants it tried again."""
        for of, slot in list(self._answered_to):
            if of == reference:
                del self._answered_to[of, slot], self.sends[of, slot]

    # What the desk does: at once.

    def desk_books(self, slot: Slot) -> None:
        booked = self._put(self._new(slot, "desk", AppointmentStatus.CONFIRMED, None), by_desk=True)
        self.desk[booked.id] = booked

    def desk_moves(self, appointment: Appointment, slot: Slot) -> None:
        moved = {"time": slot.time, "provider": slot.provider, "operatory": slot.operatory}
        there = self._put(appointment.model_copy(update=moved), by_desk=True)
        if there.id in self.desk:
            self.desk[there.id] = there

    def desk_deletes(self, appointment: Appointment) -> None:
        self._remove(appointment.id)
        self.removed_by_desk.add(appointment.id)
        self.desk.pop(appointment.id, None)

    def desk_blocks(self, time: Interval, operatory: str) -> None:
        block = Block(time=time, operatory=operatory)
        self._order += 1
        self.block_order[block] = self._order
        self._version(dict(self.appointments), (*self.blocks, block))

    # What we do: in our turn, with whatever fate the model gives it.

    async def calendar(
        self, location: str, span: Interval, *, recent_blocks: bool = False, windows: bool = True
    ) -> Calendar:
        version = await self._reading()
        return Calendar(span=span, appointments=tuple(version.appointments.values()), blocks=version.blocks)

    async def find_by_reference(self, reference: str, location: str, around: datetime) -> list[Appointment]:
        version = await self._reading()
        found = (a for a in version.appointments.values() if a.reference == reference)
        return sorted((a for a in found if a.status.occupies_time), key=Appointment.creation_order)

    async def get_appointment(self, appointment_id: str) -> Appointment:
        if await self._stage.turn() is Fate.NOTHING_DONE:
            raise Unavailable("away")
        return self._existing(appointment_id)

    async def place_hold(self, hold: Hold, permit: Permit) -> Appointment:
        actor = acting.get()
        await self._stage.turn()
        until = await permit()
        actor.sending = True
        fate = await self._stage.turn()
        actor.sending = False
        if self._stage.now > until:
            raise Unavailable("too late to be sent")
        self.sends[hold.reference, hold.slot] += 1
        if any(self.sent[a.id] < actor.began for a in self.of(hold.reference) if a.id in self.sent):
            self.written_twice.append(hold.reference)
        known = self._answered_to.setdefault((hold.reference, hold.slot), {})
        if any(it in self.removed_by_desk and not who.troubled for it, who in known.items()):
            self.written_over_desk.append(hold.reference)
        turn, sent = self._stage.turns, self._stage.now

        def commit() -> Appointment:
            new = self._new(hold.slot, hold.patient, AppointmentStatus.TENTATIVE, hold.reference)
            self.sent[new.id] = turn
            return self._put(new, shown_by=sent + DELAY)

        if fate is Fate.LATE:
            self._late.append((sent + LATE, commit))
        placed = self._answered(fate, commit)
        known[placed.id] = actor
        return placed

    async def confirm_hold(
        self, appointment_id: str, hold: Hold, *, written_for: str | None = None, just_read: bool = False
    ) -> Appointment:
        fate = await self._stage.turn()
        row = self._existing(appointment_id)
        if row.reference != hold.reference:
            raise Refused("no longer ours", code="reference_gone")
        if not row.status.occupies_time:
            raise Refused("broken", code="broken")
        final = row.model_copy(update={"status": AppointmentStatus.CONFIRMED, "patient": hold.patient})
        return self._answered(fate, lambda: self._change(final))

    async def withdraw(
        self, appointment_id: str, reference: str, *, wrote: Sequence[Slot] = (), wrote_for: Collection[str] = ()
    ) -> ReleaseOutcome:
        fate = await self._stage.turn()
        row = self.appointments.get(appointment_id)
        if row is None or not row.status.occupies_time:
            return ReleaseOutcome.RELEASED
        theirs = (bool(wrote) and row.slot not in wrote) or (bool(wrote_for) and row.patient not in wrote_for)
        if row.reference != reference or row.status is not AppointmentStatus.TENTATIVE or theirs:
            return ReleaseOutcome.KEPT_BY_DESK
        self._answered(fate, lambda: self._remove(appointment_id))
        return ReleaseOutcome.RELEASED

    async def cancel(self, appointment_id: str, reference: str, reason: str) -> ReleaseOutcome:
        fate = await self._stage.turn()
        row = self.appointments.get(appointment_id)
        if row is None or not row.status.occupies_time:
            return ReleaseOutcome.RELEASED
        if row.reference != reference:
            return ReleaseOutcome.KEPT_BY_DESK
        broken = row.model_copy(update={"status": AppointmentStatus.BROKEN})
        self._answered(fate, lambda: self._change(broken))
        return ReleaseOutcome.RELEASED

    def _answered(self, fate: Fate, commit: Callable[[], Result]) -> Result:
        if fate in (Fate.NOTHING_DONE, Fate.LATE):
            raise OutcomeUnknown("no answer")
        result = commit()
        if fate is Fate.ANSWER_LOST:
            raise OutcomeUnknown("no answer")
        return result

    async def _reading(self) -> Version:
        fate = await self._stage.turn()
        if fate is Fate.NOTHING_DONE:
            raise Unavailable("away")
        now = self._stage.now
        as_of = now - DELAY if fate is Fate.STALE else now
        return next(v for v in reversed(self._versions) if v.since <= as_of or v.shown_by <= now)

    def _existing(self, appointment_id: str) -> Appointment:
        if appointment_id not in self.appointments:
            raise NotFound("no such appointment")
        return self.appointments[appointment_id]

    def _commit_late(self) -> None:
        for late in [late for late in self._late if late[0] <= self._stage.now]:
            self._late.remove(late)
            late[1]()

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

    def _put(self, appointment: Appointment, *, by_desk: bool = False, shown_by: datetime | None = None) -> Appointment:
        self._order += 1
        self.placements[appointment.id] = Placement(self._order, by_desk)
        return self._change(appointment, shown_by)

    def _change(self, appointment: Appointment, shown_by: datetime | None = None) -> Appointment:
        self._version({**self.appointments, appointment.id: appointment}, shown_by=shown_by)
        return appointment

    def _remove(self, appointment_id: str) -> None:
        self._version({k: a for k, a in self.appointments.items() if k != appointment_id})

    def _version(
        self,
        appointments: dict[str, Appointment],
        blocks: tuple[Block, ...] | None = None,
        shown_by: datetime | None = None,
    ) -> None:
        now = self._stage.now
        kept = self.blocks if blocks is None else blocks
        self._versions.append(Version(now, shown_by or now + DELAY, appointments, kept))

    # The rest of the port has no part in the hold protocol.

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(system="memory", sends_at_most=SENDS_AT_MOST)

    async def find_patients(self, query: PatientQuery) -> list[Chart]:
        raise NotImplementedError

    async def create_patient(self, new: NewChart, permit: Permit) -> Chart:
        raise NotImplementedError

    async def move(self, appointment_id: str, hold: Hold) -> Appointment:
        raise NotImplementedError

    async def accepts_writes(self, location: str, *, since: datetime | None = None) -> bool:
        raise NotImplementedError

    async def reference_data(self) -> ReferenceData:
        raise NotImplementedError

    async def check(self) -> list[str]:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError
