"""What a seed leaves behind, as the judge is given it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.faults.history import Event
from tests.faults.practice import Block, Change, Visit

Window = tuple[datetime, datetime]


@dataclass(frozen=True)
class Booking:
    """One booking as the client shows it after everything settled."""

    request_id: str
    reference: str
    status: str
    reason: str | None = None
    appointment_id: str | None = None
    """By the calendar's own id, where it is there."""
    open: bool = False
    """It waits for a person."""
    queued: bool = False
    """The desk's queue lists it."""
    start_text: str = ""
    """Its time in the words of a text message."""


@dataclass(frozen=True)
class Asked:
    """What was wanted of one booking, and how its sender may be told."""

    starts: frozenset[datetime] = frozenset()
    """Every time that the patient or the desk asked for."""
    charts: frozenset[str] = frozenset()
    """Whose appointment it may be."""
    words: str = ""
    """The patient's note."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """By channel; only what the patient agreed to."""


@dataclass(frozen=True)
class OptOut:
    at: datetime
    channel: str
    to: str


@dataclass(frozen=True)
class Sent:
    """A message that a provider accepted."""

    at: datetime
    channel: str
    to: str
    kind: str
    key: str
    """Deliveries with one key are one message sent more than once."""
    when: str = ""
    """The time it tells, where it tells one."""
    reference: str | None = None


@dataclass(frozen=True)
class Noted:
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
    def told(self) -> bool:
        return self.state == "uncertain" or (self.state == "accepted" and self.delivered)


@dataclass(frozen=True)
class Evidence:
    history: Sequence[Event] = ()
    bookings: Sequence[Booking] = ()
    asked: Mapping[str, Asked] = field(default_factory=dict)
    """By request id."""
    zone: str = "UTC"
    changes: Sequence[Change] = ()
    visits: Sequence[Visit] = ()
    on_its_way: Sequence[str] = ()
    """References of what the practice system's partner still means to write."""
    untold: Sequence[str] = ()
    """References of what will not reach the calendar, while nobody has told us so."""
    blocks: Sequence[Block] = ()
    lost_writes: frozenset[str] = frozenset()
    """References of writes whose answer was lost: whether they are in the calendar can't be told from its absence."""
    lag: timedelta = timedelta(0)
    """So long what the desk does may stay hidden from us."""
    sent: Sequence[Sent] = ()
    noted: Sequence[Noted] = ()
    unknown_sends: int = 0
    """Sends whose answer was lost."""
    opt_outs: Sequence[OptOut] = ()
    windows: Sequence[Window] = ()
    """When workers died, slept, or could not write down what they had done."""
    unsettled: Sequence[str] = ()
    """Request ids that did not come to rest in time."""
    unrepeatable: Sequence[str] = ()
    """Request ids of bookings whose history does not replay: the next worker that takes them over is stuck."""
    leaks: Sequence[str] = ()
    """Where a person was readable."""
    charts: Counter[str] = field(default_factory=Counter)
    """Charts by person."""
    late_charts: int = 0
    """Chart writes carried out after we had looked for them."""
    calls: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """When each vendor was called, in seconds since 1970."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Calls a second that the settings allow to a vendor, all workers together."""


@dataclass(frozen=True)
class Violation:
    rule: str
    subject: str
    text: str
