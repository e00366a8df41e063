"""What a seed leaves behind, as the checker gets it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.faults.history import HistoryEntry
from tests.faults.practice_probe import Appointment, Block, Change

TimeWindow = tuple[datetime, datetime]


@dataclass(frozen=True)
class ObservedBooking:
    """One booking as the client shows it after everything settled."""

    request_id: str
    reference: str
    status: str
    reason: str | None = None
    appointment_id: str | None = None
    """The calendar's own id, if the appointment has landed."""
    has_open_exception: bool = False
    in_desk_queue: bool = False
    start_text: str = ""
    """The appointment's time, worded as in a text message."""


@dataclass(frozen=True)
class RequestIntent:
    """What one request asked for, and where its sender may be written to."""

    starts: frozenset[datetime] = frozenset()
    """Every time that the patient or the desk asked for."""
    chart_ids: frozenset[str] = frozenset()
    """The patient's charts."""
    note: str = ""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """By channel. Only those that the patient agreed to."""


@dataclass(frozen=True)
class OptOut:
    at: datetime
    channel: str
    address: str


@dataclass(frozen=True)
class Delivery:
    """A message that a provider accepted."""

    at: datetime
    channel: str
    address: str
    kind: str
    key: str
    """Deliveries with one key are one message, sent more than once."""
    start_text: str = ""
    """The appointment time that the text states, if it states one."""
    reference: str | None = None


@dataclass(frozen=True)
class LedgerMessage:
    """A message as the ledger remembers it."""

    reference: str
    kind: str
    version: int
    channel: str
    state: str
    code: str | None = None
    delivered: bool = True
    """The provider really has it."""

    @property
    def may_have_arrived(self) -> bool:
        return self.state == "uncertain" or (self.state == "accepted" and self.delivered)


@dataclass(frozen=True)
class Evidence:
    history: Sequence[HistoryEntry] = ()
    bookings: Sequence[ObservedBooking] = ()
    intents: Mapping[str, RequestIntent] = field(default_factory=dict)
    """By request id."""
    time_zone: str = "UTC"
    changes: Sequence[Change] = ()
    """The calendar's audit trail."""
    appointments: Sequence[Appointment] = ()
    """The calendar at the end."""
    in_flight_references: Sequence[str] = ()
    """References of writes that may still reach the calendar."""
    unreported_references: Sequence[str] = ()
    """References of writes that will never land, although no event said so."""
    blocks: Sequence[Block] = ()
    unanswered_write_references: frozenset[str] = frozenset()
    """References of writes whose answer was lost. They may or may not have been carried out."""
    max_read_lag: timedelta = timedelta(0)
    """How long a desk edit may stay invisible to our reads."""
    deliveries: Sequence[Delivery] = ()
    ledger_messages: Sequence[LedgerMessage] = ()
    unknown_sends: int = 0
    """Sends whose answer was lost."""
    opt_outs: Sequence[OptOut] = ()
    disruptions: Sequence[TimeWindow] = ()
    """When workers died, were suspended, or could not record what they had done."""
    unsettled_requests: Sequence[str] = ()
    """Request ids of bookings that did not settle in time."""
    unreplayable_requests: Sequence[str] = ()
    """Request ids of bookings whose workflow history does not replay. The next worker cannot continue them."""
    leaking_files: Sequence[str] = ()
    """Files with personal data or secrets in plain text."""
    charts_per_person: Counter[str] = field(default_factory=Counter)
    late_chart_writes: int = 0
    """Charts that were created after we had looked for them."""
    call_times: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """By vendor: when it was called, in seconds since 1970."""
    allowed_rates: Mapping[str, float] = field(default_factory=dict)
    """By vendor: calls per second that the settings allow to all workers together."""


@dataclass(frozen=True)
class Violation:
    rule: str
    subject: str
    text: str
