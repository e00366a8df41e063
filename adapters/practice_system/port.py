"""The port to a practice system, split by who calls it. Each connection has one instance.

Every method may raise the errors of ``adapters.errors``. A read raises ``Unavailable`` where a write would raise
``OutcomeUnknown``, because reading twice is harmless. Location ids are the practice system's own.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from adapters.practice_system.values import (
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
from domain.calendar import Appointment, Calendar
from domain.interval import Interval
from domain.patient import Chart
from domain.slot import Slot


class CalendarReader(Protocol):
    """Reads appointments and closed time."""

    async def read_calendar(
        self,
        location: str,
        span: Interval,
        *,
        allow_stale_blocks: bool = False,
        include_windows: bool = True,
        elsewhere: Mapping[str, Collection[str]] = NOWHERE,
    ) -> Calendar:
        """Read every appointment, block and (with ``include_windows``) template window that touches ``span``, live.

        ``allow_stale_blocks``: blocks may be some minutes old. Only for a check that a live reading follows.
        ``elsewhere``: other locations, each with providers; what occupies these providers there is included.
        Who is active comes from reference data, which may be hours old.
        """
        ...

    async def find_by_reference(self, reference: str, location: str, around: datetime) -> list[Appointment]:
        """Find appointments near ``around`` that carry our reference and occupy an operatory, landed or not.

        Sorted by id, lowest first.
        """
        ...

    async def find_by_patients(self, reference: str, location: str, patients: Collection[str]) -> list[Appointment]:
        """Find all appointments of these patients that carry our reference, on whatever day.

        Broken ones are included, unlike in ``find_by_reference``: they show that our write was carried out, and that
        somebody called the visit off. Sorted by id, lowest first.
        """
        ...

    async def get_appointment(self, appointment_id: str) -> Appointment:
        """Read one appointment with one cheap call; it also shows whether a queued write has landed.

        Raises NotFound when the appointment was deleted.
        """
        ...


class PatientRecords(Protocol):
    """Finds and creates charts."""

    async def find_patients(self, query: PatientQuery) -> list[Chart]:
        """Find charts with this birth date, inactive ones included. Follows ``duplicate_of``.

        A chart too many does no harm: ``domain.matching`` compares name, birth date and contact itself.
        """
        ...

    async def find_namesakes(self, query: PatientQuery) -> list[Chart]:
        """Find charts with this last name, whatever their birth date, inactive ones included.

        For a person of whom ``find_patients`` shows nothing: a birth date may be mistyped, here or in the chart.
        """
        ...

    async def read_chart(self, chart_id: str) -> Chart:
        """Read one chart; if it was merged into another one, as far as the system tells, read that one.

        Raises NotFound when there is no such chart any more.
        """
        ...

    async def create_patient(self, new: NewChart, permit: SendPermit) -> Chart:
        """Send the chart once, when ``permit`` allows it. Raises as ``write_hold`` does."""
        ...


class AppointmentWriter(Protocol):
    """Writes appointments.

    A system with queued writes treats a write that has not landed yet like any other: reads show it, with
    ``Appointment.landing`` telling so, and it can be released. Only ``confirm_hold`` and ``move`` raise Unavailable
    until the write has landed.
    """

    async def accepts_writes(self, location: str, *, since: datetime | None = None) -> bool:
        """Whether the office system is online, as far as we know, and takes in the writes that are queued for it.

        Cheap to ask: the answer may be minutes old, but never from before ``since``.
        """
        ...

    async def write_hold(self, hold: Hold, permit: SendPermit) -> Appointment:
        """Send the hold once, when ``permit`` allows it.

        Raises Unavailable when nothing was sent, e.g. because the permitted time was over; OutcomeUnknown whenever
        the answer does not prove what happened; SlotTaken when the practice system itself sees something in the
        slot; and Refused with code ``bad_reference`` when the hold names something that does not exist.
        """
        ...

    async def confirm_hold(
        self, appointment_id: str, hold: Hold, *, written_for: str | None = None, just_read: bool = False
    ) -> Appointment:
        """Make our hold final. Time, provider, operatory and all else stay as the practice system has them now.

        ``written_for``: the patient we wrote the hold for. An appointment that still has this patient is changed to
        ``hold.patient``, if the system can do that. A patient whom the desk put there stays.
        ``just_read``: the caller saw the appointment in a calendar read a moment ago, so it need not be read again.

        Idempotent. Raises NotFound when the appointment was deleted; Refused when it was broken (code ``broken``),
        when our reference was removed from it (``reference_gone``) or when we name something that does not exist
        (``bad_reference``); and SlotTaken.
        """
        ...

    async def move(self, appointment_id: str, hold: Hold) -> Appointment:
        """Move our appointment to ``hold.slot`` and keep all else. Only where ``capabilities.can_move``.

        Idempotent. Raises as ``confirm_hold`` does.
        """
        ...

    async def release(
        self,
        appointment_id: str,
        reference: str,
        *,
        written_slots: Sequence[Slot] = (),
        written_patients: Collection[str] = (),
    ) -> ReleaseOutcome:
        """Remove our own tentative write. Idempotent.

        ``written_slots``: every slot that we ever wrote for this reference; empty skips that check.
        ``written_patients``: every patient that we ever wrote it for; empty skips that check.

        Returns KEPT_BY_DESK when the appointment is no longer ours or no longer tentative, when the desk has moved
        it outside ``written_slots``, and when the desk has given it to a patient outside ``written_patients``. A
        patient who may be one of ours under a new chart id does not count as another patient.
        A queued write that has not landed may still land after this call. Then it must be released again.
        """
        ...

    async def cancel(self, appointment_id: str, reference: str, reason: str) -> ReleaseOutcome:
        """Break our appointment, confirmed or not, wherever it is now, and keep its history. Idempotent.

        Returns KEPT_BY_DESK when it is no longer ours, or when the visit has begun or is over.
        """
        ...


class Diagnostics(Protocol):
    """Answers what the configuration check asks."""

    async def reference_data(self) -> ReferenceData: ...

    async def check(self) -> list[str]:
        """Problems that the practice must fix before its first patient, in plain words. Empty when there are none."""
        ...

    def take_unreadable_rows(self) -> list[UnreadableRow]:
        """Rows that this process could not read, and that were not taken before. The desk must hear of each once."""
        ...


class PracticeSystem(CalendarReader, PatientRecords, AppointmentWriter, Diagnostics, Protocol):
    """The system of record for a practice's calendar and charts."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def close(self) -> None: ...
