"""The values that cross the port to a practice system. Ids are the practice system's own, as text."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from pydantic import Field

from domain.base import Value
from domain.patient import Address
from domain.request import Person
from domain.slot import Slot


class Capabilities(Value):
    """What a practice system can do, where systems differ."""

    system: str
    """``ascend``, ``dentrix``, ``dentrix-enterprise``, ``eaglesoft`` or ``open-dental``."""
    queued_writes: bool = False
    """The partner accepts a write first, and the write lands later: see ``Appointment.landing``."""
    moves_in_place: bool = True
    """Start, length and operatory of an appointment can be changed; see ``can_move``."""
    moves_provider: bool = True
    """The provider of an appointment can be changed as well."""
    reads_notes: bool = True
    """We see what the desk writes into a note. So we also see our reference there, and notice when it is removed."""
    syncs_hours: bool = True
    """``Calendar.windows`` shows the practice's own schedule. Otherwise only the practice file's hours count."""
    max_sends: int = 8
    """How many times one hold may be sent while the outcome of the earlier sends is unknown. Then staff decide."""
    attaches_procedures: bool = True
    """The office system receives ``Hold.procedures``. Otherwise they are left out."""
    books_for_dependents: bool = False
    """``Hold.dependent`` is supported."""

    def can_move(self, old: Slot, new: Slot) -> bool:
        """Whether ``move`` works from ``old`` to ``new``.

        Otherwise write a new appointment, wait until it has landed, then release the old one.
        """
        return self.moves_in_place and (self.moves_provider or old.provider == new.provider)


class PatientQuery(Value):
    """The person to search for. An adapter may return more charts than match; ``domain.matching`` decides."""

    location: str
    """The location that asks. Other locations of the same practice are searched too."""
    last_name: str = Field(repr=False)
    first_name: str = Field(repr=False)
    date_of_birth: date = Field(repr=False)


class NewChart(Value):
    """The chart to create for a new patient."""

    person: Person
    location: str
    """The patient's preferred location."""
    address: Address = Field(repr=False)
    """The patient's address, or the location's own where the system requires one and the patient gave none."""
    language: str
    provider: str
    """The provider who sees the patient first; some systems require one."""


class Hold(Value):
    """The appointment to write."""

    reference: str
    location: str
    slot: Slot
    patient: str
    title: str
    """The practice's name for the service."""
    reason: str | None = None
    procedures: tuple[str, ...] = ()
    new_patient: bool = False
    note: str = Field(default="", repr=False)
    """Text for the desk, without the reference: the adapter adds that."""
    dependent: Person | None = None
    """The person the visit is for, where ``patient`` is the guardian's chart and the dependent has none yet."""


NOWHERE: Mapping[str, Collection[str]] = MappingProxyType({})
"""No other location."""

SendPermit = Callable[[], Awaitable[datetime]]
"""An adapter awaits this immediately before each send, after it has waited for everything else (token, rate limit).

Returns the instant until which the request may leave. Raises where it may not be sent at all.
"""


class ReleaseOutcome(StrEnum):
    """What happened to an appointment that we tried to release."""

    RELEASED = "released"
    """It no longer occupies an operatory: we removed it now, or somebody had already deleted or broken it."""
    KEPT_BY_DESK = "kept_by_desk"
    """The desk has made it theirs, so we left it as it is."""


class LocationRecord(Value):
    """A location as the practice system knows it."""

    zone: str | None
    """IANA time zone name."""


class ProviderRecord(Value):
    """A provider as the practice system knows them."""

    active: bool


class OperatoryRecord(Value):
    """An operatory as the practice system knows it."""

    active: bool
    location: str | None


class ReferenceData(Value):
    """The locations, providers and operatories of a practice system, by id.

    The configuration check compares the practice file to it.
    """

    locations: dict[str, LocationRecord]
    providers: dict[str, ProviderRecord]
    operatories: dict[str, OperatoryRecord]

    @property
    def inactive(self) -> "Inactive":
        return Inactive(
            providers=frozenset(id for id, provider in self.providers.items() if not provider.active),
            operatories=frozenset(id for id, operatory in self.operatories.items() if not operatory.active),
        )


class Inactive(NamedTuple):
    """Who and what cannot be booked any more, by id."""

    providers: frozenset[str] = frozenset()
    operatories: frozenset[str] = frozenset()


class UnreadableRow(Value):
    """A row of the practice system that cannot be read as it should. Until somebody repairs it, it keeps closed what
    it may occupy.
    """

    kind: str
    """For example ``appointment``; in the words of the desk."""
    id: str | None
    """The practice system's id, if that is readable."""
    key: str
    """Equal for every reading of the same version of the row."""
    field: str
    """The practice system's name of the field that is unreadable."""
    location: str | None
    """The practice system's id of the location, if it is known."""
