"""The inputs and results of the activities that write, confirm and check a hold."""

from datetime import datetime

from pydantic import AwareDatetime, Field

from activities.visitors import VisitorInput
from domain.base import Value
from domain.booking import Reason
from domain.calendar import Appointment, LandingState
from domain.policy import VisitLimits
from domain.request import Person
from domain.slot import Conflict, Slot


class WriteRecord(Value):
    """One write that this booking has begun, whatever its outcome."""

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
    """The person the visit is for, where ``patient`` is the guardian's chart."""
    note: str = Field(default="", repr=False)
    confirm: bool = False
    """Nobody has to approve it: confirm it as soon as the read-back shows that the slot is ours."""
    look_first: bool = False
    """An earlier write of this booking may have been committed, so search for it before writing."""
    excluded_ids: tuple[str, ...] = ()
    """Appointments of this booking that are not its hold: released, left to the desk, or never landed."""
    writes: tuple[WriteRecord, ...] = ()
    """Every write that this booking has begun so far, including this one."""
    lost_ids: tuple[str, ...] = ()
    """Holds of this booking that are gone, as it knows. If one stands again, it is the hold again."""
    visitor: VisitorInput | None = None
    """Whose visit it is."""
    limits: VisitLimits | None = None
    """How many open visits the patient's chart may have. ``None``: the desk has decided that."""
    supersedes: str | None = None
    """The hold at an earlier time. It stays until this hold has its slot."""

    @property
    def written_slots(self) -> tuple[Slot, ...]:
        """Every slot that this booking has written."""
        return tuple(write.slot for write in self.writes) or (self.slot,)

    @property
    def written_patients(self) -> tuple[str, ...]:
        """Every patient that this booking has written for; the current one is first."""
        return (self.patient, *(write.patient for write in self.writes))

    @property
    def starts(self) -> tuple[datetime, ...]:
        return tuple(slot.time.start for slot in (self.slot, *self.written_slots))

    def is_our_hold(self, appointment: Appointment) -> bool:
        """Whether this appointment is the hold.

        It is if it has the slot we want now, or a slot that we never wrote, because then the desk has moved it.
        """
        if appointment.id in (*self.excluded_ids, self.supersedes):
            return False
        return appointment.slot == self.slot or appointment.slot not in self.written_slots

    def is_stale(self, appointment: Appointment) -> bool:
        """Whether this appointment is a leftover of an earlier write at a time that is not wanted any more."""
        return appointment.id != self.supersedes and not self.is_our_hold(appointment)


class HoldResult(Value):
    appointment: Appointment | None = None
    """The hold as the practice system shows it. ``None``: the slot was lost, for the reasons in ``conflicts``.

    With both an appointment and conflicts, the desk has moved the hold over something.
    """
    confirmed: bool = False
    """The hold is already confirmed."""
    conflicts: tuple[Conflict, ...] = ()
    may_commit_late: bool = False
    """The outcome of some attempt was unknown: a twin may still appear, or the hold may be confirmed late."""
    patient: str | None = None
    """The patient of the hold, where the slot was lost."""
    removed_ids: tuple[str, ...] = ()
    """The hold was written, and somebody has broken it since."""
    refused_for: Reason | None = None
    """Nothing was written: the patient's chart has other open visits, so the desk must see it first."""
    office_offline: bool = False
    """Nothing was checked, because the office system is offline."""
    is_overdue: bool = False
    """It has not landed, although the office is online and has taken in what was written later."""


class ConfirmHoldInput(WriteHoldInput):
    appointment_id: str
    promised: bool = False
    """The patient was told about it, so it yields to nothing."""
    check_online_first: bool = False
    """The office system was offline at the last attempt."""
    online_since: AwareDatetime | None = None
    """The office system is reported online since then. What we read about it earlier does not count."""


class SettleLandingInput(WriteHoldInput):
    appointment_id: str
    reported: LandingState | None = None
    """What the partner reports about the write. Only a hint where we can look it up."""
    check_online_first: bool = True
    """While the office system is offline, do not spend a call on the appointment."""
    online_since: AwareDatetime | None = None
    """The office system is reported online since then. What we read about it earlier does not count."""


class ConfirmHoldResult(Value):
    appointment: Appointment | None = None
    """The appointment as the practice system has it now.

    ``None``: somebody deleted or broke it, or it lost its slot.
    """
    conflicts: tuple[Conflict, ...] = ()
    """What has the slot instead."""
    may_commit_late: bool = False
    """The outcome of some attempt was unknown: the same write may be carried out once more, late."""
    office_offline: bool = False
    """Not confirmed, because the office system is offline."""


class ReadAppointmentInput(Value):
    location: str
    appointment_id: str
