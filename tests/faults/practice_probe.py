"""What the fault tests need to know about a practice system: its calls, its calendar and what its desk can do."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

Row = dict[str, Any]
"""A JSON object from the sandbox."""

FOLDER = Path(__file__).parent
REFERENCE = re.compile(r"\bbk_[a-z2-7]{26}\b")
READ_TO_WRITE_TIME = timedelta(seconds=2)
"""The longest time from a read to the write that follows from it."""
DESK_MOVE_TIME = "16:30"
"""Local time to which the desk moves appointments. No request asks for it."""


@dataclass(frozen=True)
class Call:
    """Selects some of a system's calls. The field names are those of the sandbox's fault API."""

    system: str
    method: str = ""
    path: str = ""
    """A regular expression."""
    match: str = ""
    """Text that the body contains."""


MESSAGE_CALLS = {
    "email": Call("sendgrid", "POST", r"^/v3/mail/send"),
    "text": Call("twilio", "POST", r"Messages"),
}


@dataclass(frozen=True)
class Location:
    """The location under test."""

    key: str
    """Its id in the practice file."""
    id: str
    """Its id in the practice system."""
    time_zone: str
    regular_patient_id: str
    """A chart that exists from the start. The desk books for it."""


@dataclass(frozen=True)
class Appointment:
    """An appointment as the calendar of the practice's own system holds it."""

    id: str
    start: datetime
    end: datetime
    provider: str
    operatory: str
    active: bool
    counts_as_confirmed: bool
    """A patient may be told that it is confirmed: it is marked so or, where writes are queued, it has landed."""
    reference: str | None = None
    patient: str = ""
    note: str = ""
    """Without our marker."""
    second_provider: str | None = None
    marked_confirmed: bool = False
    """The calendar shows it as confirmed."""

    @property
    def providers(self) -> frozenset[str]:
        return frozenset({self.provider} | ({self.second_provider} if self.second_provider else set()))

    @property
    def slot(self) -> tuple[datetime, datetime, str, str]:
        return self.start, self.end, self.provider, self.operatory


@dataclass(frozen=True)
class Change:
    """One entry of the calendar's audit trail. Trails are sorted, oldest first."""

    at: datetime
    appointment_id: str
    by_us: bool
    after: Appointment | None
    """The appointment after the change; ``None`` if the change deleted it."""
    created: bool = False
    over_unseen_edit: bool = False
    """Our write, on top of somebody else's edit that none of our reads could have shown."""
    called_at: datetime | None = None
    """When our call arrived. The system may have carried it out much later."""

    @property
    def readable_before(self) -> datetime:
        """Our last read before the call could show everything that happened before this instant."""
        return (self.called_at or self.at) - READ_TO_WRITE_TIME


@dataclass(frozen=True)
class Block:
    """Time that the desk closed: for one operatory, for one provider or, with neither, for the whole office."""

    start: datetime
    end: datetime
    operatory: str | None
    created_at: datetime
    provider: str | None = None


class PracticeProbe(Protocol):
    """Observes one practice system. ``state`` is the sandbox's whole state, as ``_control/state`` returns it."""

    @property
    def system(self) -> str:
        """The system's name in the sandbox."""
        ...

    @property
    def practice_file(self) -> Path: ...

    @property
    def url_setting(self) -> str:
        """The environment variable with the system's base URL."""
        ...

    @property
    def location(self) -> Location: ...

    @property
    def max_read_lag(self) -> timedelta:
        """How long a desk edit may stay invisible to our reads."""
        ...

    @property
    def calls(self) -> Mapping[str, Call]:
        """The calls that faults can be aimed at, by name."""
        ...

    def appointments(self, state: Row) -> list[Appointment]: ...

    def changes(self, state: Row) -> list[Change]: ...

    def blocks(self, state: Row) -> list[Block]: ...

    def chart_ids(self, state: Row, surname: str) -> frozenset[str]: ...

    def calendar_id(self, appointment_id: str, state: Row) -> str:
        """The calendar's own id of an appointment, or the given id if it has not landed."""
        ...

    def in_flight_references(self, state: Row) -> list[str]:
        """References of writes that were accepted and may still reach the calendar."""
        ...

    def unreported_references(self, state: Row) -> list[str]:
        """References of writes that will never land, although no event said so. Bookings may wait for these."""
        ...

    def reference_of(self, call: Row, state: Row) -> str | None:
        """The reference that a held call is about, from its body or from the appointment in its path."""
        ...

    def requested_slot(self, call: Row) -> Row | None:
        """The slot that a held write asks for, in the arguments of the sandbox's desk."""
        ...

    def desk_action(self, **action: Any) -> Row:
        """The body of a ``_control/desk`` call."""
        ...

    def count_coverage(self, state: Row, ended_at: Mapping[str, datetime]) -> Counter[str]:
        """How often each situation occurred that a campaign must cover on this system.

        ``ended_at`` says when the patient or the desk ended a booking, by reference.
        """
        ...


def find_reference(text: str | None) -> str | None:
    match = REFERENCE.search(text or "")
    return match.group(0) if match else None


def count_late_chart_writes(state: Row) -> int:
    """Charts that the system created only after we had looked for them."""
    return sum(1 for hit in state["hits"] if hit["path"].endswith("/patients") and hit["kind"] == "late_commit")


UNANSWERED_AFTER_COMMIT = ("status_after", "hang_after", "drop_after", "garbage")
"""Sandbox faults that commit a write and lose its answer."""
UNANSWERED_BEFORE_COMMIT = ("status_before", "hang_before", "drop_before")
"""Sandbox faults that lose a write."""


def unanswered_write_references(write: Call, hits: list[Row]) -> frozenset[str]:
    """References of writes whose outcome we could not learn from the answer."""
    kinds = (*UNANSWERED_AFTER_COMMIT, *UNANSWERED_BEFORE_COMMIT, "late_commit")
    references = {find_reference(hit["body"]) for hit in _hits_on(write, hits) if hit["kind"] in kinds}
    return frozenset(reference for reference in references if reference is not None)


def count_recovered_writes(write: Call, hits: list[Row], changes: Sequence[Change]) -> tuple[int, int]:
    """Bookings that found their unanswered write again, and bookings that had to repeat it."""
    created = Counter(c.after.reference for c in changes if c.created and c.by_us and c.after)
    writes = _hits_on(write, hits)
    committed = {find_reference(hit["body"]) for hit in writes if hit["kind"] in UNANSWERED_AFTER_COMMIT}
    not_committed = {find_reference(hit["body"]) for hit in writes if hit["kind"] in UNANSWERED_BEFORE_COMMIT}
    adopted = {reference for reference in committed - not_committed if created[reference] == 1}
    return len(adopted), len({reference for reference in not_committed if created[reference] >= 1})


def _hits_on(call: Call, hits: list[Row]) -> list[Row]:
    return [hit for hit in hits if hit["method"] == call.method and re.search(call.path, hit["path"])]
