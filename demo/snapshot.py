"""The calendars, charts and messages that the sandbox has at one moment, and what they prove."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from demo.people import DemoPatient
from demo.sandbox_control import Row

REFERENCE = re.compile(r"\bbk_[a-z2-7]{26}\b")
LINK = re.compile(r"https?://\S+/manage/\S+")
STATUSES_THAT_FREE_THE_SLOT = ("BROKEN", "NO_SHOW")
HELD, CONFIRMED = "held", "confirmed"


@dataclass(frozen=True)
class CalendarAppointment:
    """One appointment in a practice's own calendar. Ids are the practice system's."""

    id: str
    location: str
    operatory: str
    provider: str
    patient: str
    start: datetime
    end: datetime
    title: str
    reference: str | None
    """Holdfast's reference; None for what the desk booked."""
    state: str | None
    """``held``, ``confirmed``, or None if the desk changed it to something else."""


@dataclass(frozen=True)
class CalendarBlock:
    """Time that the desk blocked, in one operatory or in all of them."""

    location: str
    operatory: str | None
    start: datetime
    end: datetime
    title: str


@dataclass(frozen=True)
class CalendarLocation:
    id: str
    name: str
    time_zone: str
    operatories: dict[str, str]
    """Labels by id."""


class Snapshot:
    def __init__(self, state: Row) -> None:
        """``state`` is the sandbox's whole state."""
        self.state = state
        self._offices = state["nexhealth"]["office"]
        self.locations = [*_ascend_locations(state), *_nexhealth_locations(state["nexhealth"])]
        office_rows = [row for row in self._offices["appointments"] if not (row["cancelled"] or row["missed"])]
        self.appointments = [
            *_ascend_appointments(state),
            *(_office_appointment(row) for row in office_rows if not row["block"]),
        ]
        self.blocks = [*_ascend_blocks(state), *(_office_block(row) for row in office_rows if row["block"])]

    def with_reference(self, reference: str) -> list[CalendarAppointment]:
        return [appointment for appointment in self.appointments if appointment.reference == reference]

    def chart_ids(self, person: DemoPatient, location_id: str) -> list[str]:
        """The ids of this person's charts. Each office behind NexHealth has own charts; all of Ascend shares its."""
        if location_id in {str(chart["location"]) for chart in self._offices["patients"]}:
            charts = [row for row in self._offices["patients"] if str(row["location"]) == location_id]
            return [str(row["id"]) for row in charts if (row["first"], row["last"], row["born"]) == person.identity]
        return [
            row["id"]
            for row in self.state["patients"]
            if (row["firstName"], row["lastName"], row["dateOfBirth"]) == person.identity
        ]

    def newest_link(self) -> str:
        """The link to the status page in the newest email to a patient; empty if there is none."""
        texts = (mail["text"] for mail in reversed(self.state["emails"]))
        return next((link.group(0) for link in map(LINK.search, texts) if link), "")

    def count_messages(self, person: DemoPatient) -> tuple[int, int]:
        """The number of emails and of text messages to this person."""
        emails = sum(1 for row in self.state["emails"] if row["to"] == person.email)
        return emails, sum(1 for row in self.state["texts"] if row["to"] == f"+1{person.phone}")

    def has_appointment(self, reference: str, person: DemoPatient, start: datetime, *, confirmed: bool) -> bool:
        """Whether exactly one appointment has the reference, at this time and for this person's only chart."""
        appointments = self.with_reference(reference)
        if len(appointments) != 1:
            return False
        (appointment,) = appointments
        return (
            appointment.state == (CONFIRMED if confirmed else HELD)
            and appointment.start == start
            and [appointment.patient] == self.chart_ids(person, appointment.location)
        )

    def count_problems(self, references: set[str]) -> dict[str, int]:
        """Count what must not happen.

        ``overlaps`` involve one of our appointments. ``duplicates`` are references with several appointments.
        ``orphans`` are references of appointments for which there is no booking in ``references``.
        """
        counts = Counter(row.reference for row in self.appointments if row.reference is not None)
        return {
            "overlaps": self._count_overlaps(),
            "duplicates": sum(1 for count in counts.values() if count > 1),
            "orphans": sum(1 for reference in counts if reference not in references),
        }

    def _count_overlaps(self) -> int:
        our_appointments = [appointment for appointment in self.appointments if appointment.reference is not None]
        overlapping_pairs = {
            frozenset((ours.id, other.id))
            for ours in our_appointments
            for other in self.appointments
            if other.id != ours.id and _share_resources(ours, other) and _overlap_in_time(ours, other)
        }
        in_blocks = sum(
            1
            for ours in our_appointments
            for block in self.blocks
            if _is_in_block(ours, block) and _overlap_in_time(ours, block)
        )
        return len(overlapping_pairs) + in_blocks


def _ascend_locations(state: Row) -> Iterator[CalendarLocation]:
    for row in state["locations"]:
        labels = {o["id"]: o["shortName"] for o in state["operatories"] if o["location"]["id"] == row["id"]}
        yield CalendarLocation(row["id"], row["name"], row["timeZone"], labels)


def _nexhealth_locations(nexhealth: Row) -> Iterator[CalendarLocation]:
    for row in nexhealth["locations"]:
        labels = {str(o["id"]): o["name"] for o in nexhealth["operatories"] if o["location_id"] == row["id"]}
        yield CalendarLocation(str(row["id"]), row["name"], row["tz"], labels)


def _ascend_appointments(state: Row) -> Iterator[CalendarAppointment]:
    states = {("CONFIRMED", False): CONFIRMED, ("UNCONFIRMED", True): HELD}
    for row in state["appointments"]:
        if row["status"] in STATUSES_THAT_FREE_THE_SLOT:
            continue
        yield CalendarAppointment(
            id=row["id"],
            location=row["location"]["id"],
            operatory=row["operatory"]["id"],
            provider=row["provider"]["id"],
            patient=row["patient"]["id"],
            start=datetime.fromisoformat(row["start"]),
            end=datetime.fromisoformat(row["end"]),
            title=row["title"],
            reference=_reference_in(row.get("note")),
            state=states.get((row["status"], row["needsFollowup"])),
        )


def _office_appointment(row: Row) -> CalendarAppointment:
    return CalendarAppointment(
        id=str(row["id"]),
        location=str(row["location"]),
        operatory=str(row["operatory"]),
        provider=str(row["provider"]),
        patient=str(row["patient"]),
        start=datetime.fromisoformat(row["start"]),
        end=datetime.fromisoformat(row["end"]),
        title=row["title"],
        reference=_reference_in(row.get("note")),
        state=CONFIRMED if row["confirmed"] else HELD,
    )


def _ascend_blocks(state: Row) -> Iterator[CalendarBlock]:
    for row in state["events"]:
        operatory = row.get("operatory")
        start, end = (datetime.fromisoformat(row[name]) for name in ("start", "end"))
        operatory_id = operatory["id"] if operatory else None
        yield CalendarBlock(row["location"]["id"], operatory_id, start, end, row["title"])


def _office_block(row: Row) -> CalendarBlock:
    start, end = (datetime.fromisoformat(row[name]) for name in ("start", "end"))
    operatory_id = str(row["operatory"]) if row["operatory"] else None
    return CalendarBlock(str(row["location"]), operatory_id, start, end, row["title"])


def _reference_in(note: str | None) -> str | None:
    match = REFERENCE.search(note or "")
    return match.group(0) if match else None


def _share_resources(one: CalendarAppointment, other: CalendarAppointment) -> bool:
    """Whether they have the operatory or the provider in common.

    Equal ids mean the same thing only within one practice system. Ascend's location ids are longer than NexHealth's.
    """
    if (len(one.location) > 3) != (len(other.location) > 3):
        return False
    return one.operatory == other.operatory or one.provider == other.provider


def _is_in_block(appointment: CalendarAppointment, block: CalendarBlock) -> bool:
    """Whether the block is in the appointment's operatory; the times do not count here."""
    return block.location == appointment.location and block.operatory in (None, appointment.operatory)


def _overlap_in_time(one: CalendarAppointment, other: CalendarAppointment | CalendarBlock) -> bool:
    return max(one.start, other.start) < min(one.end, other.end)
