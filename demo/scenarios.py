"""The scenarios of the demo's morning: what each patient requests, what goes wrong, and how it must end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from demo import people
from demo.locations import DENTISTS, HYGIENISTS, LOCATION_IDS, NEXHEALTH_SYSTEMS, OPERATORIES, TIME_ZONES
from demo.people import DemoPatient
from demo.sandbox_control import SandboxControl
from demo.snapshot import Snapshot

OUTAGE_SECONDS = 6
HANG_SECONDS = 7


@dataclass(frozen=True)
class Scenario:
    name: str
    description: str
    location: str
    service: str
    local_time: str
    """Of the requested slot, on the location's clock."""
    patient: DemoPatient
    expected: str
    """``status`` or ``status:reason``. Several allowed outcomes are separated by `` | ``."""
    messages: int = 1
    """How many emails, and how many text messages, the patient must get."""
    extra: dict[str, Any] = field(default_factory=dict)
    """More fields of the booking request."""
    before: Callable[["DemoDay"], None] | None = None
    """Runs just before the request is sent."""
    after_all_sent: Callable[["DemoDay"], None] | None = None
    """Runs when all requests are sent. Until then, this scenario may stay undecided."""
    group: str = ""
    """Requests of one group are sent at the same moment."""
    copies: int = 1
    """How often the same request is sent at once."""
    approve: bool = False
    """Whether the desk approves the booking afterwards."""

    @property
    def system(self) -> str:
        return NEXHEALTH_SYSTEMS.get(self.location, "ascend")


@dataclass(frozen=True)
class DemoDay:
    """The day that all requests are for, and what the front desks can do to its calendars."""

    control: SandboxControl
    day: date

    def at(self, location: str, local_time: str) -> datetime:
        zone = ZoneInfo(TIME_ZONES.get(location, "America/Los_Angeles"))
        return datetime.combine(self.day, time.fromisoformat(local_time), zone)

    def book(
        self, location: str, operatory: int, provider: str, local_time: str, minutes: int, patient_id: str
    ) -> None:
        """The desk books an appointment. ``operatory`` counts the location's operatories from 0."""
        self.control.act_as_desk(
            do="book",
            operatory=OPERATORIES[location][operatory],
            provider=provider,
            patient=patient_id,
            start=self.at(location, local_time).isoformat(),
            duration=minutes,
            title="Visit",
            key=f"{self.day}-{location}-{operatory}-{local_time}",
        )

    def block(self, location: str, operatory: int | None, start: str, end: str, title: str) -> None:
        """The desk blocks time in one operatory, or in all of them."""
        self.control.act_as_desk(
            do="block",
            location=LOCATION_IDS[location],
            operatory=None if operatory is None else OPERATORIES[location][operatory],
            start=self.at(location, start).isoformat(),
            end=self.at(location, end).isoformat(),
            title=title,
            key=f"{self.day}-{location}-{operatory}-{start}-block",
        )

    def any_patient_id(self) -> str:
        return str(self.control.state()["patients"][0]["id"])


def prepare_practice(day: DemoDay) -> None:
    """Enter what the practice has before the morning: charts, appointments booked by phone, and lunch breaks."""
    for location, patients in people.EXISTING_PATIENTS.items():
        for patient in patients:
            if not Snapshot(day.control.state()).chart_ids(patient, LOCATION_IDS[location]):
                _add_chart(day, location, patient)
    patient_id = day.any_patient_id()
    for location in HYGIENISTS:
        day.book(location, 0, DENTISTS[location], "08:00", 60, patient_id)
        day.book(location, 1, HYGIENISTS[location], "14:00", 60, patient_id)
        day.block(location, None, "12:00", "13:00", "Lunch")
    day.block("oakland", 2, "15:00", "16:00", "Equipment repair")


def _add_chart(day: DemoDay, location: str, patient: DemoPatient) -> None:
    day.control.act_as_desk(
        do="patient",
        location=LOCATION_IDS[location],
        key=patient.first,
        first=patient.first,
        last=patient.last,
        born=patient.born,
        email=patient.email,
        phone=patient.phone,
    )


def _desk_takes_slot(day: DemoDay) -> None:
    patient_id = day.any_patient_id()
    day.book("oakland", 0, HYGIENISTS["oakland"], "10:00", 60, patient_id)
    day.book("oakland", 1, DENTISTS["oakland"], "10:00", 60, patient_id)


def _start_outage(day: DemoDay) -> None:
    day.control.add_fault(system="ascend", kind="status_before", path="", times=None, for_seconds=OUTAGE_SECONDS)


def _lose_response_to_write(day: DemoDay) -> None:
    start = day.at("denver", "15:00").astimezone(UTC).strftime("%Y-%m-%dT%H:%M")
    call = {"system": "ascend", "method": "POST", "path": "/v1/appointments", "match": start}
    day.control.add_fault(**call, kind="hang_after", seconds=HANG_SECONDS)


def _refuse_at_office(day: DemoDay) -> None:
    day.control.add_fault(system="office", kind="failed", method="insert", path="/101")


def _time_out_at_office(day: DemoDay) -> None:
    day.control.add_fault(system="office", kind="timed_out", method="insert", path="/103")


def _switch_off(location: str) -> Callable[[DemoDay], None]:
    return lambda day: day.control.set_office(LOCATION_IDS[location], online=False)


def _switch_on(location: str) -> Callable[[DemoDay], None]:
    return lambda day: day.control.set_office(LOCATION_IDS[location], online=True)


def _desk_books_first(day: DemoDay) -> None:
    """The desk books the slot while the office's server is offline. Then the server comes back."""
    start = day.at("portland", "14:00")
    appointment = {"operatory": 301, "provider": 201, "patient": 901, "start": start.isoformat(), "duration": 30}
    day.control.act_as_desk(system="nexhealth", do="book", key=f"{day.day}-faster", **appointment)
    _switch_on("portland")(day)


SCENARIOS = (
    Scenario(
        "existing patient", "An existing patient books a cleaning.", "oakland", "cleaning", "09:00", people.REGULAR,
        "confirmed",
    ),
    Scenario(
        "new patient", "A new patient books a consult. Holdfast creates a chart.", "denver", "consult", "09:00",
        people.NEWCOMER, "confirmed",
    ),
    Scenario(
        "race, first", "Two patients request one slot at the same moment. One gets it.", "brooklyn", "consult", "10:00",
        people.FIRST_COMPETITOR, "confirmed | needs_staff:slot_taken", group="race",
    ),
    Scenario(
        "race, second", "Two patients request one slot at the same moment. One gets it.", "brooklyn", "consult", "10:00",
        people.SECOND_COMPETITOR, "confirmed | needs_staff:slot_taken", group="race",
    ),
    Scenario(
        "slot just taken", "The desk fills the slot while the patient fills in the form.", "oakland", "cleaning",
        "10:00", people.LATECOMER, "needs_staff:slot_taken", before=_desk_takes_slot,
    ),
    Scenario(
        "twins", "A twin books. The twins share last name, birthday and phone.", "oakland", "consult", "09:00",
        people.TWIN, "confirmed",
    ),
    Scenario(
        "returning, no chart", "The patient says they have been here before. No chart matches.", "brooklyn",
        "cleaning", "09:00", people.WITHOUT_CHART, "needs_staff:patient_not_found", extra={"returning": True},
    ),
    Scenario(
        "shared phone", "A daughter without a chart books with her father's phone.", "brooklyn", "cleaning", "11:00",
        people.DAUGHTER, "confirmed",
    ),
    Scenario(
        "special request", "The patient adds a note. Staff must read it.", "oakland", "cleaning", "11:00",
        people.WITH_NOTE, "needs_staff:special_request", extra={"note": "I will bring my wheelchair."},
    ),
    Scenario(
        "call-only service", "Emergency visits can be booked only by phone.", "oakland", "emergency", "11:00",
        people.FOR_CALL_ONLY, "declined:call_only",
    ),
    Scenario(
        "outside the rules", "A patient requests 6 in the morning.", "oakland", "consult", "06:00",
        people.TOO_EARLY, "declined:outside_rules",
    ),
    Scenario(
        "unknown location", "A request names a location that does not exist.", "atlantis", "cleaning", "09:00",
        people.AT_UNKNOWN_LOCATION, "refused:location", messages=0,
    ),
    Scenario(
        "sent twice", "A new patient double-clicks, so the request arrives twice.", "denver", "cleaning", "10:00",
        people.DOUBLE_CLICKER, "confirmed", copies=2,
    ),
    Scenario(
        "outage", f"Dentrix Ascend is down for {OUTAGE_SECONDS} seconds.", "denver", "consult", "11:00",
        people.DURING_OUTAGE, "confirmed", before=_start_outage,
    ),
    Scenario(
        "lost response", "Dentrix Ascend books the slot, but its response is lost.", "denver", "consult", "15:00",
        people.LOST_RESPONSE, "confirmed", before=_lose_response_to_write,
    ),
    Scenario(
        "staff approval", "Exams need staff approval. The desk approves this one.", "oakland", "exam", "14:00",
        people.FOR_EXAM, "confirmed", messages=2, approve=True,
    ),
    *(
        Scenario(
            f"same request, {NEXHEALTH_SYSTEMS.get(location, 'ascend')}",
            "Each of the four practice systems gets such a request.", location, "consult", "16:00", patient, "confirmed",
        )
        for location, patient in zip(
            ("oakland", *NEXHEALTH_SYSTEMS),
            (people.AT_ASCEND, people.AT_DENTRIX, people.AT_ENTERPRISE, people.AT_EAGLESOFT),
            strict=True,
        )
    ),
    Scenario(
        "refused by the office", "NexHealth accepts the write. The office's own system refuses it.", "portland",
        "cleaning", "09:00", people.REFUSED_BY_OFFICE, "needs_staff:refused_by_office", before=_refuse_at_office,
    ),
    Scenario(
        "office not reached", "NexHealth accepts the write, but it never reaches the office.", "boston", "cleaning",
        "09:00", people.OFFICE_NOT_REACHED, "needs_staff:not_landed", before=_time_out_at_office,
    ),
    Scenario(
        "office offline", "The office's server is off. Later it comes back.", "phoenix", "cleaning", "10:00",
        people.OFFICE_OFFLINE, "confirmed", before=_switch_off("phoenix"), after_all_sent=_switch_on("phoenix"),
    ),
    Scenario(
        "desk books first", "The desk books the slot before our write reaches the office.", "portland", "consult",
        "14:00", people.DESK_BOOKED_FIRST, "needs_staff:slot_taken", before=_switch_off("portland"),
        after_all_sent=_desk_books_first,
    ),
)  # fmt: skip
