"""The port to a practice system. One instance a connection; a location names its connection.

Every method may raise the errors of ``adapters.errors``. Reads raise ``Unavailable`` where a write would raise
``OutcomeUnknown``: reading twice is harmless.
"""

from datetime import date, datetime
from typing import Protocol

from domain.base import Value
from domain.calendar import Appointment, Calendar
from domain.interval import Interval
from domain.patient import Address, Chart
from domain.request import Person
from domain.slot import Slot


class Capabilities(Value):
    system: str
    """``ascend``, ``dentrix``, ``dentrix-enterprise`` or ``eaglesoft``."""
    queued_writes: bool = False
    """A write is accepted first and lands later."""


class PatientQuery(Value):
    """Whom to look for. The adapter may return more than fits; matching decides."""

    last_name: str
    first_name: str
    date_of_birth: date


class NewChart(Value):
    person: Person
    location: str
    """Preferred location, practice-system id."""
    address: Address
    """Given by the patient, or the location's own where the system insists on one."""
    language: str


class Hold(Value):
    """The appointment to write. Ids are the practice system's."""

    reference: str
    location: str
    slot: Slot
    patient: str
    title: str
    """The service's label as the practice words it."""
    reason: str | None = None
    procedures: tuple[str, ...] = ()
    new_patient: bool = False
    note: str = ""
    """What the desk should read, without the reference: the adapter adds that."""


class KnownLocation(Value):
    zone: str | None


class KnownProvider(Value):
    active: bool


class KnownOperatory(Value):
    active: bool
    location: str | None


class ReferenceData(Value):
    """What the practice system knows, by its own ids: to hold a practice file against."""

    locations: dict[str, KnownLocation]
    providers: dict[str, KnownProvider]
    operatories: dict[str, KnownOperatory]


class PracticeSystem(Protocol):
    @property
    def capabilities(self) -> Capabilities: ...

    async def find_patients(self, query: PatientQuery) -> list[Chart]:
        """Charts that may be this person, including inactive ones, following ``duplicate_of``."""
        ...

    async def create_patient(self, new: NewChart) -> Chart: ...

    async def calendar(self, location: str, span: Interval, *, recent_blocks: bool = False) -> Calendar:
        """A live reading: every appointment, block and template window that touches ``span``.

        With ``recent_blocks``, blocks may be some minutes old: for a check that another, live one follows.
        """
        ...

    async def find_by_reference(self, reference: str, location: str, around: datetime) -> list[Appointment]:
        """Appointments that carry our reference and occupy a chair, lowest id first, near ``around``."""
        ...

    async def get_appointment(self, appointment_id: str) -> Appointment:
        """Raises NotFound when it was deleted."""
        ...

    async def place_hold(self, hold: Hold) -> Appointment:
        """Write it once. Raises OutcomeUnknown whenever the answer does not prove what happened."""
        ...

    async def confirm_hold(self, appointment_id: str, hold: Hold, *, just_read: bool = False) -> Appointment:
        """Finalize our hold, and set ``hold.patient``; keeps time, provider, operatory and all else as the
        practice system has them now. Idempotent. Raises NotFound when it was deleted, Refused when it was broken.
        ``just_read``: the caller has seen it in a calendar read a moment ago, which need not be read again.
        """
        ...

    async def withdraw(self, appointment_id: str, reference: str) -> None:
        """Take back our own write: only where it still carries ``reference``. Idempotent; gone is fine."""
        ...

    async def cancel(self, appointment_id: str, reference: str, reason: str) -> None:
        """Break a confirmed appointment of ours, keeping its history. Idempotent; gone is fine."""
        ...

    async def reference_data(self) -> ReferenceData: ...

    async def check(self) -> list[str]:
        """Problems a practice must mend before its first patient, in plain words; empty when all is well."""
        ...

    async def close(self) -> None: ...
