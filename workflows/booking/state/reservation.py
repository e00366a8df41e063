"""The slot a booking asks for, and the hold that it has written for it."""

from dataclasses import dataclass
from datetime import datetime

from activities.hold_contracts import WriteRecord
from domain.calendar import Appointment, LandingState
from domain.slot import Slot
from workflows.booking.contracts import RequestedTime


@dataclass
class Reservation:
    requested: RequestedTime
    slot: Slot | None = None
    """Claimed and checked, or where the hold stands. ``None``: to be secured."""
    appointment: Appointment | None = None
    """The hold, or the confirmed visit, as last read."""
    term_began_at: datetime | None = None
    """When the hold's term began; ``None``: it does not expire."""
    is_moving: bool = False
    """Another time was chosen. The present hold stands until the new one is secured."""
    superseded: Appointment | None = None
    """The former hold, which stands until the new one has landed."""
    writes: tuple[WriteRecord, ...] = ()
    """Every write that was begun, whatever became of it: something of ours may stand at each."""
    lost_ids: tuple[str, ...] = ()
    """Holds that are gone. A write that finds one broken learns nothing new."""
    has_unknown_write: bool = False
    """The outcome of a write is unknown: look for it before the next one."""
    is_confirmed: bool = False
    """The hold is final in the practice system."""
    may_be_confirmed: bool = False
    """A confirmation was begun. Releasing the hold now means breaking it, not deleting a tentative write."""

    @property
    def is_landing(self) -> bool:
        """The hold is a queued write that the office system does not have yet."""
        return self.appointment is not None and self.appointment.landing is not LandingState.LANDED

    @property
    def is_hold_landed(self) -> bool:
        return self.appointment is not None and not self.is_landing

    @property
    def current_slot(self) -> Slot | None:
        return self.slot or (self.appointment.slot if self.appointment is not None else None)

    @property
    def start(self) -> datetime:
        if self.appointment is not None:
            return self.appointment.time.start
        return self.slot.time.start if self.slot is not None else self.requested.start

    @property
    def id_to_supersede(self) -> str | None:
        """The hold that the next write takes over from."""
        former = self.appointment if self.is_moving else self.superseded
        return former.id if former is not None else None

    def latest_written_start(self, default: datetime) -> datetime:
        return max((write.slot.time.start for write in self.writes), default=default)

    def request_time(self, time: RequestedTime) -> None:
        """Another time is wanted."""
        self.requested = time
        self.slot = None
        self.is_moving = self.appointment is not None

    def secure(self, slot: Slot) -> None:
        """The slot is claimed and free."""
        self.slot = slot

    def drop_slot(self) -> None:
        """The slot may have been taken meanwhile; it must be secured again."""
        self.slot = None

    def begin_write(self, write: WriteRecord) -> None:
        self.writes += (write,)
        self.has_unknown_write = True

    def look_before_next_write(self) -> None:
        """The hold is gone for a reason we do not know: whoever removed it may put it back."""
        self.has_unknown_write = True

    def add_lost(self, *ids: str) -> None:
        """These holds are gone."""
        self.lost_ids = tuple(dict.fromkeys((*self.lost_ids, *ids)))

    def end_write(self) -> None:
        """The write was answered."""
        self.has_unknown_write = False
        self.slot = None

    def reset_term(self) -> None:
        """A new hold follows the former one; its term begins when it is recorded."""
        self.term_began_at = None
        self.is_moving = False

    def record(self, appointment: Appointment, now: datetime) -> None:
        """The hold as it was last read."""
        self.appointment, self.slot = appointment, appointment.slot
        if not self.is_landing and self.term_began_at is None:
            self.term_began_at = now

    def record_confirmed(self, is_confirmed: bool) -> None:
        self.is_confirmed = is_confirmed

    def confirm_as(self, appointment: Appointment) -> None:
        self.appointment, self.slot = appointment, appointment.slot
        self.is_confirmed = True

    def refresh(self, appointment: Appointment) -> None:
        """The visit as the practice system has it now."""
        self.appointment = appointment

    def record_confirm_attempt(self, may_be_confirmed: bool) -> None:
        self.may_be_confirmed = may_be_confirmed

    def supersede(self, former: Appointment | None) -> None:
        """The former hold stands until this one has landed."""
        self.superseded = former if self.is_landing else None

    def adopt(self, appointment: Appointment) -> None:
        """The desk made the hold its own: it stays and does not expire any more."""
        self.appointment, self.slot = appointment, appointment.slot
        self.term_began_at, self.is_moving = None, False

    def fall_back(self, now: datetime) -> None:
        """The hold is gone; the one that it was to supersede is the hold again."""
        if self.appointment is not None:
            self.add_lost(self.appointment.id)
        self.appointment, self.superseded = self.superseded, None
        self.is_moving = self.appointment is not None
        self.term_began_at = now if self.is_hold_landed else None
        self.is_confirmed = False
        self.slot = None

    def renew_term(self, now: datetime) -> None:
        """The hold could not be released when it expired, so it stands for another term."""
        self.term_began_at = self.term_began_at and now

    def keep_as_it_stands(self) -> None:
        """A person accepts the hold where it is."""
        assert self.appointment is not None
        slot = self.appointment.slot
        if self.is_moving:
            self.requested = RequestedTime(start=slot.time.start, provider=slot.provider, operatory=slot.operatory)
        self.slot, self.is_moving = slot, False

    def accept_as_confirmed(self) -> None:
        """A person has seen the appointment in the office system, whatever the partner says."""
        assert self.appointment is not None
        self.appointment = self.appointment.model_copy(update={"landing": LandingState.LANDED})
        self.is_confirmed = True
