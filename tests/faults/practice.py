"""What the fault tests ask of a practice system at the other end, whichever it is: its calls, calendar and desk."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

Row = dict[str, Any]

HERE = Path(__file__).parent
REFERENCE = re.compile(r"\bbk_[a-z2-7]{26}\b")
SAME_BREATH = timedelta(seconds=2)
"""From a reading to the write that follows from it."""
ELSEWHERE = "16:30"
"""Where the desk moves appointments to: nobody asks for that time."""


@dataclass(frozen=True)
class Call:
    """Which of a vendor's calls: where the body has ``match`` in it."""

    system: str
    method: str = ""
    path: str = ""
    match: str = ""


MESSAGES = {
    "email": Call("sendgrid", "POST", r"^/v3/mail/send"),
    "text": Call("twilio", "POST", r"Messages"),
}


@dataclass(frozen=True)
class Place:
    """A location of the practice file, and what it is called at the other end."""

    location: str
    id: str
    zone: str
    regular: str
    """A chart that exists from the start: whom the desk books for."""


@dataclass(frozen=True)
class Visit:
    """An appointment as the calendar of the practice's own system holds it."""

    id: str
    start: datetime
    end: datetime
    provider: str
    operatory: str
    active: bool
    confirmed: bool
    """So that a patient may be told: final, or, where writes are queued, there at all."""
    reference: str | None = None
    patient: str = ""
    words: str = ""
    """Its note, without our marker."""
    second_provider: str | None = None
    final: bool = False
    """Marked as confirmed in the calendar."""

    @property
    def providers(self) -> frozenset[str]:
        return frozenset({self.provider} | ({self.second_provider} if self.second_provider else set()))

    @property
    def place(self) -> tuple[Any, ...]:
        return self.start, self.end, self.provider, self.operatory, self.active


@dataclass(frozen=True)
class Change:
    """One entry of the calendar's audit trail, oldest first."""

    at: datetime
    id: str
    by_us: bool
    visit: Visit | None
    """As it was after; ``None``: deleted."""
    created: bool = False
    unseen: bool = False
    """We wrote, and no reading of ours could show what somebody else had changed before."""
    asked_at: datetime | None = None
    """When our call for it came in, which may be carried out much later."""

    @property
    def known_at(self) -> datetime:
        """What happened before, our last reading before the call could show."""
        return (self.asked_at or self.at) - SAME_BREATH


@dataclass(frozen=True)
class Block:
    start: datetime
    end: datetime
    operatory: str | None
    at: datetime
    """When the desk made it."""
    provider: str | None = None
    """Of nobody and nowhere: everybody's and everywhere's."""


class Practice(Protocol):
    """One kind of connection under test. ``state`` is the sandbox's whole state."""

    @property
    def vendor(self) -> str:
        """The sandbox's name for it."""
        ...

    @property
    def rules(self) -> Path:
        """The practice file."""
        ...

    @property
    def setting(self) -> str:
        """Where a worker is told the vendor's address."""
        ...

    @property
    def place(self) -> Place: ...

    @property
    def lag(self) -> timedelta:
        """So long what the desk does may stay hidden from us."""
        ...

    @property
    def calls(self) -> Mapping[str, Call]: ...

    def visits(self, state: Row) -> list[Visit]: ...

    def changes(self, state: Row) -> list[Change]: ...

    def blocks(self, state: Row) -> list[Block]: ...

    def charts(self, state: Row, surname: str) -> frozenset[str]:
        """The charts of one person."""
        ...

    def row_of(self, appointment_id: str, state: Row) -> str:
        """The calendar's own id of what we know under another, where it is there."""
        ...

    def on_its_way(self, state: Row) -> list[str]:
        """References of what was accepted and may still reach the calendar."""
        ...

    def untold(self, state: Row) -> list[str]:
        """References of what will not reach the calendar, while nobody has told us so: we may wait for it."""
        ...

    def reference_of(self, call: Row, state: Row) -> str | None:
        """Whose write a held call is: by its body, or by the row that its path names."""
        ...

    def written_in(self, call: Row) -> Row | None:
        """The place that a held write asks for, as the desk would name it."""
        ...

    def desk(self, **action: Any) -> Row:
        """What to ask of the sandbox's desk."""
        ...

    def seen(self, state: Row, ended: Mapping[str, datetime]) -> Counter[str]:
        """How often what matters for this kind of connection really happened.

        ``ended``: when the patient or the desk ended a booking, by reference.
        """
        ...


def reference_in(text: str | None) -> str | None:
    found = REFERENCE.search(text or "")
    return found.group(0) if found else None


def late_charts(state: Row) -> int:
    """Charts that were written only after we had looked for them."""
    return sum(1 for hit in state["hits"] if hit["path"].endswith("/patients") and hit["kind"] == "late_commit")


DONE = ("status_after", "hang_after", "drop_after", "garbage")
"""Kinds of fault that lose the answer to a write that was carried out."""
UNDONE = ("status_before", "hang_before", "drop_before")


def lost_writes(write: Call, hits: list[Row]) -> frozenset[str]:
    """References of writes whose answer did not come, or said nothing."""
    lost = (hit for hit in hits if hit["method"] == write.method and re.search(write.path, hit["path"]))
    found = {reference_in(hit["body"]) for hit in lost if hit["kind"] in (*DONE, *UNDONE, "late_commit")}
    return frozenset(reference for reference in found if reference is not None)


def recovered(write: Call, hits: list[Row], trail: Sequence[Change]) -> tuple[int, int]:
    """Bookings whose lost write was found again, and those whose lost write had to be written again."""
    created = Counter(c.visit.reference for c in trail if c.created and c.by_us and c.visit)
    writes = [hit for hit in hits if hit["method"] == write.method and re.search(write.path, hit["path"])]
    done = {reference_in(hit["body"]) for hit in writes if hit["kind"] in DONE}
    undone = {reference_in(hit["body"]) for hit in writes if hit["kind"] in UNDONE}
    adopted = {reference for reference in done - undone if created[reference] == 1}
    return len(adopted), len({reference for reference in undone if created[reference] >= 1})
