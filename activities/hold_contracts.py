"""What a booking tells the steps of its hold, and what they answer."""

from datetime import datetime

from pydantic import AwareDatetime, Field

from domain.base import Value
from domain.calendar import Appointment, LandingState
from domain.request import Person
from domain.slot import Conflict, Slot


class WriteRecord(Value):
    """One write that was begun, whatever became of it."""

    slot: Slot
    patient: str


class WriteHoldInput(Value):
    reference: str
    location: str
    service: str
    slot: Slot
    patient: str
    new_patient: bool = False
    dependent: Person | None = None
    """Whom the visit is for, where ``patient`` is the guardian's chart."""
    note: str = Field(default="", repr=False)
    confirm: bool = False
    """Nobody has to approve it: finalize it as soon as the look after the write shows that the chair is ours."""
    look_first: bool = False
    """An earlier write of this booking may have been committed."""
    excluded_ids: tuple[str, ...] = ()
    """Appointments that this booking has already taken back; a slow calendar may still show them."""
    writes: tuple[WriteRecord, ...] = ()
    """All that this booking has begun so far, this one included."""
    supersedes: str | None = None
    """The hold at another time, which stands until this one has its chair."""

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Where this booking has written."""
        return tuple(write.slot for write in self.writes) or (self.slot,)

    @property
    def patients(self) -> tuple[str, ...]:
        """For whom this booking has written, or writes now."""
        return (self.patient, *(write.patient for write in self.writes))

    @property
    def starts(self) -> tuple[datetime, ...]:
        return tuple(slot.time.start for slot in (self.slot, *self.slots))

    def matches(self, found: Appointment) -> bool:
        """Whether this is the hold: where we want it, or where we never wrote, so that the desk must have moved it."""
        if found.id in (*self.excluded_ids, self.supersedes):
            return False
        return found.slot == self.slot or found.slot not in self.slots

    def is_stale(self, found: Appointment) -> bool:
        """Whether an earlier write left this at a time that is not wanted any more."""
        return found.id != self.supersedes and not self.matches(found)


class HoldResult(Value):
    appointment: Appointment | None = None
    """The hold as the practice system shows it; ``None``: the slot was lost, for the causes given. With causes: the
    desk has moved it over something."""
    confirmed: bool = False
    """Finalized already."""
    conflicts: tuple[Conflict, ...] = ()
    ambiguous: bool = False
    """Some attempt's outcome was unknown: a late twin may still appear, or the hold be confirmed late."""
    patient: str | None = None
    """Whose it was, where the slot was lost."""
    office_offline: bool = False
    """Nothing was looked at: the practice's own system takes nothing in now."""


class ConfirmHoldInput(WriteHoldInput):
    appointment_id: str
    promised: bool = False
    """The patient was told of it: it gives way to nothing."""
    check_online_first: bool = False
    """The practice's own system was off at the last try."""
    online_since: AwareDatetime | None = None
    """It is said to be on again since then: what was read of it before does not count."""


class CheckLandingInput(WriteHoldInput):
    appointment_id: str
    reported: LandingState | None = None
    """What the partner says became of the write; only a hint where it can be looked up."""
    check_online_first: bool = True
    """Where the practice's own system is off, no look at the appointment is worth its cost."""
    online_since: AwareDatetime | None = None
    """It is said to be on again since then: what was read of it before does not count."""


class ConfirmHoldResult(Value):
    appointment: Appointment | None = None
    """As the practice system has it now; ``None``: somebody deleted or broke it, or it lost its chair."""
    conflicts: tuple[Conflict, ...] = ()
    """What has the chair instead."""
    ambiguous: bool = False
    """Some attempt's outcome was unknown: the same may be written once more, late."""
    office_offline: bool = False
    """Not done: the practice's own system takes nothing in now."""


class ReadAppointmentInput(Value):
    location: str
    appointment_id: str
