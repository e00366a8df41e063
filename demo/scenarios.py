"""What happens this morning, and what must be true of the world afterwards."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from demo import people
from demo.people import Cast
from demo.world import Control, World

ZONES = {
    "oakland": "America/Los_Angeles",
    "denver": "America/Denver",
    "brooklyn": "America/New_York",
    "portland": "America/Los_Angeles",
    "phoenix": "America/Phoenix",
    "boston": "America/New_York",
}
OFFICES = {"portland": "dentrix", "phoenix": "dentrix-enterprise", "boston": "eaglesoft"}
"""Locations behind NexHealth, and what runs there; the others are on Ascend."""
SYSTEM_IDS = {
    "oakland": "7000000000101",
    "denver": "7000000000102",
    "brooklyn": "7000000000103",
    "portland": "101",
    "phoenix": "102",
    "boston": "103",
}
HYGIENIST = {"oakland": "9000000000202", "denver": "9000000000204", "brooklyn": "9000000000206"}
DENTIST = {"oakland": "9000000000201", "denver": "9000000000203", "brooklyn": "9000000000205"}
CHAIRS = {
    "oakland": ("12000000000301", "12000000000302", "12000000000303"),
    "denver": ("12000000000311", "12000000000312"),
    "brooklyn": ("12000000000321", "12000000000322", "12000000000323"),
}


@dataclass(frozen=True)
class Scenario:
    name: str
    story: str
    location: str
    service: str
    clock: str
    """Wall-clock time at the location."""
    person: Cast
    expected: str
    messages: int = 1
    """Per channel."""
    extra: dict[str, Any] = field(default_factory=dict)
    before: Callable[["Stage"], None] | None = None
    """What happens in the world just before the request is sent."""
    afterwards: Callable[["Stage"], None] | None = None
    """What happens once all requests are sent; until then this one need not be decided."""
    together: str = ""
    """Requests of one group are sent at the same instant."""
    copies: int = 1
    approve: bool = False
    """The desk approves it afterwards."""

    @property
    def system(self) -> str:
        return OFFICES.get(self.location, "ascend")


@dataclass(frozen=True)
class Stage:
    """The day, and a hand on the world."""

    control: Control
    day: date

    def at(self, location: str, clock: str) -> datetime:
        zone = ZoneInfo(ZONES.get(location, "America/Los_Angeles"))
        return datetime.combine(self.day, time.fromisoformat(clock), zone)

    def visit(self, location: str, chair: int, provider: str, clock: str, minutes: int, patient: str) -> None:
        self.control.desk(
            do="book",
            operatory=CHAIRS[location][chair],
            provider=provider,
            patient=patient,
            start=self.at(location, clock).isoformat(),
            duration=minutes,
            title="Visit",
            key=f"{self.day}-{location}-{chair}-{clock}",
        )

    def block(self, location: str, chair: int | None, begin: str, end: str, title: str) -> None:
        self.control.desk(
            do="block",
            location=SYSTEM_IDS[location],
            operatory=None if chair is None else CHAIRS[location][chair],
            start=self.at(location, begin).isoformat(),
            end=self.at(location, end).isoformat(),
            title=title,
            key=f"{self.day}-{location}-{chair}-{begin}-block",
        )


def furnish(stage: Stage) -> None:
    """The practice as the morning finds it: charts, visits booked by phone, lunch."""
    for location, cast in people.KNOWN.items():
        for person in cast:
            if World(stage.control.state()).charts(person, SYSTEM_IDS[location]):
                continue
            given = {"first": person.first, "last": person.last, "born": person.born}
            contact = {"email": person.email, "phone": person.phone}
            stage.control.desk(do="patient", location=SYSTEM_IDS[location], key=person.first, **given, **contact)
    regular = stage.control.state()["patients"][0]["id"]
    for location in HYGIENIST:
        stage.visit(location, 0, DENTIST[location], "08:00", 60, regular)
        stage.visit(location, 1, HYGIENIST[location], "14:00", 60, regular)
        stage.block(location, None, "12:00", "13:00", "Lunch")
    stage.block("oakland", 2, "15:00", "16:00", "Chair repair")


def _desk_takes_it(stage: Stage) -> None:
    regular = stage.control.state()["patients"][0]["id"]
    stage.visit("oakland", 0, HYGIENIST["oakland"], "10:00", 60, regular)
    stage.visit("oakland", 1, DENTIST["oakland"], "10:00", 60, regular)


def _outage(stage: Stage) -> None:
    stage.control.fault(system="ascend", kind="status_before", path="", times=None, for_seconds=6)


def _hangs_after_commit(stage: Stage) -> None:
    start = stage.at("denver", "15:00").astimezone(UTC).strftime("%Y-%m-%dT%H:%M")
    stage.control.fault(
        system="ascend", method="POST", path="/v1/appointments", kind="hang_after", seconds=7, match=start
    )


def _office_refuses(stage: Stage) -> None:
    stage.control.fault(system="office", kind="failed", method="insert", path="/101")


def _office_not_reached(stage: Stage) -> None:
    stage.control.fault(system="office", kind="timed_out", method="insert", path="/103")


def _switched_off(location: str) -> Callable[[Stage], None]:
    return lambda stage: stage.control.office(SYSTEM_IDS[location], online=False)


def _switched_on(location: str) -> Callable[[Stage], None]:
    return lambda stage: stage.control.office(SYSTEM_IDS[location], online=True)


def _desk_was_faster(stage: Stage) -> None:
    """Entered in the office while its server does not speak to us; then it does again."""
    start = stage.at("portland", "14:00")
    visit = {"operatory": 301, "provider": 201, "patient": 901, "start": start.isoformat(), "duration": 30}
    stage.control.desk(system="nexhealth", do="book", key=f"{stage.day}-faster", **visit)
    _switched_on("portland")(stage)


SCENARIOS = (
    Scenario("existing patient", "A regular books a cleaning.", "oakland", "cleaning", "09:00", people.REGULAR, "confirmed"),
    Scenario("new patient", "Somebody new books; a chart is made.", "denver", "consult", "09:00", people.NOVA, "confirmed"),
    Scenario(
        "race, first", "Two want one slot at the same instant …", "brooklyn", "consult", "10:00", people.RIVAL_ONE,
        "confirmed | needs_staff:slot_taken", together="race",
    ),
    Scenario(
        "race, second", "… and only one can have it.", "brooklyn", "consult", "10:00", people.RIVAL_TWO,
        "confirmed | needs_staff:slot_taken", together="race",
    ),
    Scenario(
        "taken meanwhile", "The desk takes the slot while the patient fills in the form.", "oakland", "cleaning",
        "10:00", people.LATECOMER, "needs_staff:slot_taken", before=_desk_takes_it,
    ),
    Scenario("twins", "One of twins: same surname, birthday, phone.", "oakland", "consult", "09:00", people.TWIN, "confirmed"),
    Scenario(
        "returning, unknown", '"I have been here before", but no chart fits.', "brooklyn", "cleaning", "09:00",
        people.STRANGER, "needs_staff:patient_not_found", extra={"returning": True},
    ),
    Scenario(
        "shared phone", "A daughter without a chart, on her father's phone.", "brooklyn", "cleaning", "11:00",
        people.DAUGHTER, "confirmed",
    ),
    Scenario(
        "special request", "A note that somebody must read.", "oakland", "cleaning", "11:00", people.NOTED,
        "needs_staff:special_request", extra={"note": "I will bring my wheelchair."},
    ),
    Scenario(
        "by phone only", "Emergencies are booked by phone.", "oakland", "emergency", "11:00", people.CALLER,
        "declined:call_only",
    ),
    Scenario("outside the rules", "Six in the morning.", "oakland", "consult", "06:00", people.EARLY, "declined:outside_rules"),
    Scenario(
        "unknown location", "A location that does not exist.", "atlantis", "cleaning", "09:00", people.LOST,
        "refused:location", messages=0,
    ),
    Scenario(
        "sent twice", "A new patient's double click.", "denver", "cleaning", "10:00", people.TWICE, "confirmed", copies=2
    ),
    Scenario(
        "outage", "Dentrix is away for some seconds.", "denver", "consult", "11:00", people.STORMY, "confirmed",
        before=_outage,
    ),
    Scenario(
        "lost answer", "Dentrix commits the write, but its answer never comes.", "denver", "consult", "15:00",
        people.HANGING, "confirmed", before=_hangs_after_commit,
    ),
    Scenario(
        "approved by the desk", "Exams are confirmed by a person, who does.", "oakland", "exam", "14:00",
        people.EXAMINEE, "confirmed", messages=2, approve=True,
    ),
    *(
        Scenario(
            f"same request, {OFFICES.get(location, 'ascend')}", "One booking file, sent to each of the four systems.",
            location, "consult", "16:00", people.EVERYWHERE, "confirmed", messages=4,
        )
        for location in ("oakland", *OFFICES)
    ),
    Scenario(
        "refused by the office", "Accepted, and then the office's own system will not have it.", "portland",
        "cleaning", "09:00", people.REFUSED, "needs_staff:refused_by_office", before=_office_refuses,
    ),
    Scenario(
        "not reached in time", "Accepted, but the office's own system is never reached.", "boston", "cleaning",
        "09:00", people.TIMED_OUT, "needs_staff:not_landed", before=_office_not_reached,
    ),
    Scenario(
        "office off over night", "The office's server is off; in the morning it takes the booking in.", "phoenix",
        "cleaning", "10:00", people.NIGHT_OWL, "confirmed", before=_switched_off("phoenix"),
        afterwards=_switched_on("phoenix"),
    ),
    Scenario(
        "the desk was faster", "The desk fills the chair before the booking has reached the office.", "portland",
        "consult", "14:00", people.OVERTAKEN, "needs_staff:slot_taken", before=_switched_off("portland"),
        afterwards=_desk_was_faster,
    ),
)  # fmt: skip


def holds_true(scenario: Scenario, reference: str, status: str, start: datetime, world: World) -> bool:
    """Whether the calendar, the charts and the messages are as this outcome demands."""
    if status not in scenario.expected.split(" | "):
        return False
    if world.messages(scenario.person) != (scenario.messages, scenario.messages):
        return False
    if status == "confirmed":
        return world.lands(reference, scenario.person, start, confirmed=True)
    if status == "needs_staff:special_request":
        return world.lands(reference, scenario.person, start, confirmed=False)
    return not reference or not world.ours(reference)
