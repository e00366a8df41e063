"""The port to a practice system. One instance a connection; a location names its connection.

Every method may raise the errors of ``adapters.errors``. Reads raise ``Unavailable`` where a write would raise
``OutcomeUnknown``: reading twice is harmless.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from pydantic import Field

from domain.base import Value
from domain.calendar import Appointment, Calendar
from domain.interval import Interval
from domain.patient import Address, Chart
from domain.request import Person
from domain.slot import Slot


class Capabilities(Value):
    """What a practice system can do, as far as it depends on the system."""

    system: str
    """``ascend``, ``dentrix``, ``dentrix-enterprise``, ``eaglesoft`` or ``open-dental``."""
    queued_writes: bool = False
    """A write is accepted first and lands later: see ``Appointment.landing``."""
    moves_in_place: bool = True
    """Start, length and operatory of an appointment can be changed; see ``can_move``."""
    moves_provider: bool = True
    reads_notes: bool = True
    """What the desk writes into a note is seen, and so is our reference, or that it was taken out."""
    syncs_hours: bool = True
    """``Calendar.windows`` shows the practice's own schedule; otherwise only the practice file's hours count."""
    sends_at_most: int = 8
    """How often one appointment is written while it stays unknown what became of it; then a person is asked."""
    attaches_procedures: bool = True
    """``Hold.procedures`` go into the practice's own system; otherwise they are left out."""
    books_for_dependents: bool = False
    """``Hold.dependent`` is understood."""

    def can_move(self, old: Slot, new: Slot) -> bool:
        """Whether ``move`` does it; otherwise write a new one, wait until it landed, then take back the old one."""
        return self.moves_in_place and (self.moves_provider or old.provider == new.provider)


class PatientQuery(Value):
    """Whom to look for. The adapter may return more than fits; matching decides."""

    location: str
    """Where from; practice-system id. Others of the same practice are searched too."""
    last_name: str = Field(repr=False)
    first_name: str = Field(repr=False)
    date_of_birth: date = Field(repr=False)


class NewChart(Value):
    person: Person
    location: str
    """Preferred location, practice-system id."""
    address: Address = Field(repr=False)
    """Given by the patient, or the location's own where the system insists on one."""
    language: str
    provider: str
    """Who is to see the patient first; some systems insist on one."""


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
    note: str = Field(default="", repr=False)
    """What the desk should read, without the reference: the adapter adds that."""
    dependent: Person | None = None
    """Whom the visit is for, where ``patient`` is the guardian's chart and the dependent has none yet."""


Permit = Callable[[], Awaitable[datetime]]
"""Asked before each sending, when nothing is left to wait for but the answer: until when it may be sent. Raises where
it may not be.
"""


class ReleaseOutcome(StrEnum):
    """What became of an appointment that we wanted to take back."""

    RELEASED = "released"
    """Nothing of it occupies a chair: we removed it, or somebody had deleted or broken it."""
    KEPT_BY_DESK = "kept_by_desk"
    """The desk has made it its own; it was left as it is."""


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
    """A practice system whose writes are queued behaves like the others towards a write that has not landed yet,
    except that ``confirm_hold`` and ``move`` raise Unavailable until it has: reads show it, with
    ``Appointment.landing`` saying so, and it can be withdrawn.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    async def find_patients(self, query: PatientQuery) -> list[Chart]:
        """Charts that may be this person, including inactive ones, following ``duplicate_of``."""
        ...

    async def create_patient(self, new: NewChart, permit: Permit) -> Chart:
        """Write it once, when ``permit`` allows it. Raises as ``place_hold`` does."""
        ...

    async def calendar(
        self, location: str, span: Interval, *, recent_blocks: bool = False, windows: bool = True
    ) -> Calendar:
        """A live reading: every appointment, block and, unless not asked for, template window that touches ``span``.

        With ``recent_blocks``, blocks may be some minutes old: for a check that another, live one follows.
        """
        ...

    async def find_by_reference(self, reference: str, location: str, around: datetime) -> list[Appointment]:
        """Appointments that carry our reference and occupy a chair, landed or not, lowest id first, near ``around``."""
        ...

    async def get_appointment(self, appointment_id: str) -> Appointment:
        """One cheap call, and how to learn whether a queued write has landed. Raises NotFound when it was deleted."""
        ...

    async def accepts_writes(self, location: str, *, since: datetime | None = None) -> bool:
        """Whether the practice's own system takes in now what is queued for it, as far as known.

        Cheap to ask: the answer may be minutes old, but no older than ``since``.
        """
        ...

    async def place_hold(self, hold: Hold, permit: Permit) -> Appointment:
        """Write it once, when ``permit`` allows it. Raises Unavailable where it was certainly not sent, as when the
        permitted time was over; OutcomeUnknown whenever the answer does not prove what happened; SlotTaken where the
        practice system itself sees something in the way; and Refused with ``bad_reference`` where something that the
        hold names is not there.
        """
        ...

    async def confirm_hold(
        self, appointment_id: str, hold: Hold, *, written_for: str | None = None, just_read: bool = False
    ) -> Appointment:
        """Finalize our hold; keeps time, provider, operatory and all else as the practice system has them now.

        ``written_for``: the patient we wrote it for. Where the appointment still has that one, it gets
        ``hold.patient``, if the system can; another one was put there by the desk, and stays.
        ``just_read``: the caller has seen it in a calendar read a moment ago, which need not be read again.
        Idempotent. Raises NotFound when it was deleted, Refused when it was broken (``broken``), when our reference
        was taken out (``reference_gone``) or something that we name is not there (``bad_reference``), and SlotTaken.
        """
        ...

    async def move(self, appointment_id: str, hold: Hold) -> Appointment:
        """Put our appointment where ``hold.slot`` says, all else kept. Idempotent. Only where
        ``capabilities.can_move``. Raises as ``confirm_hold`` does.
        """
        ...

    async def withdraw(
        self, appointment_id: str, reference: str, *, wrote: Sequence[Slot] = (), wrote_for: Collection[str] = ()
    ) -> ReleaseOutcome:
        """Take back our own tentative write. Idempotent.

        KEPT where it is no longer ours or not tentative any more; if ``wrote`` names every slot that we ever wrote
        for this reference, where the desk has moved it elsewhere; and, if ``wrote_for`` names every patient, where
        the desk has given it to another. Whoever may be the same patient with a new chart is not another.
        A queued write that has not landed may still land after this, and is then to be withdrawn again.
        """
        ...

    async def cancel(self, appointment_id: str, reference: str, reason: str) -> ReleaseOutcome:
        """Break an appointment of ours, confirmed or not, wherever it is now, keeping its history. Idempotent.

        KEPT where it is no longer ours, or the visit is under way or over.
        """
        ...

    async def reference_data(self) -> ReferenceData: ...

    async def check(self) -> list[str]:
        """Problems a practice must mend before its first patient, in plain words; empty when all is well."""
        ...

    async def close(self) -> None: ...
