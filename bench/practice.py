"""The practice that is measured: one Ascend account with three locations, thousands of slots, and invented patients."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from client import validate_request
from demo.locations import DENTISTS, HYGIENISTS, LOCATION_IDS, OPERATORIES, TIME_ZONES
from demo.sandbox_control import SandboxControl
from domain.request import BookingRequest

LOCATIONS = ("oakland", "denver", "brooklyn")
FIRST_DAY_AHEAD, LAST_DAY_AHEAD = 3, 80
SLOT_DAYS = 45
"""The days whose slots ``next_slot`` hands out. The later days are for the other methods."""
SLOT_MINUTES = tuple(hour * 60 + minute for hour in (*range(8, 12), *range(13, 17)) for minute in (0, 15, 30, 45))
"""The starts of the 32 slots of a day, in minutes since midnight."""

_HEAD = """
name = "Benchmark Dental"

[[connections]]
name = "ascend-main"
system = "ascend"
requests_per_second = 1000 # the vendor's rate limit must not be what is measured

[messages]
quiet_hours = "none"

[defaults]
duration = "15m"
slot_step = "15m"
horizon = "90d"
"""
_LOCATION = """
[[locations]]
id = "{id}"
name = "Benchmark Dental {id}"
connection = "ascend-main"
practice_system_id = "{system_id}"
time_zone = "{zone}"
address = {{ line1 = "1 Example Way", city = "Sampletown", state = "CA", postal_code = "90001" }}
phone = "+15105550100"
desk_email = "desk.{id}@practice.example"
providers = {{ dentist = "{dentist}", hygienist = "{hygienist}" }}
operatories = {{ one = "{one}", two = "{two}" }}
"""
_SERVICE = """
[[locations.services]]
id = "{id}"
label = "{id}"
offered_by = {providers}
offered_in = {operatories}
confirmation = "{confirmation}"
"""
SERVICES = {
    "checkup": (["dentist"], ["one"], "automatic"),
    "cleaning": (["hygienist"], ["two"], "automatic"),
    "exam": (["dentist"], ["one"], "staff"),
    "any-provider": (["dentist", "hygienist"], ["one", "two"], "automatic"),
}
"""Providers, operatories and confirmation, by service."""


def practice_toml() -> str:
    """The practice file. Office hours are every weekday from 8 to 12 and from 13 to 17."""
    days = ("monday", "tuesday", "wednesday", "thursday", "friday")
    parts = [_HEAD, *(f'hours.{day} = ["08:00-12:00", "13:00-17:00"]\n' for day in days)]
    for location in LOCATIONS:
        one, two = OPERATORIES[location][:2]
        parts.append(
            _LOCATION.format(
                id=location,
                system_id=LOCATION_IDS[location],
                zone=TIME_ZONES[location],
                dentist=DENTISTS[location],
                hygienist=HYGIENISTS[location],
                one=one,
                two=two,
            )
        )
        for service, (providers, operatories, confirmation) in SERVICES.items():
            parts.append(
                _SERVICE.format(id=service, providers=providers, operatories=operatories, confirmation=confirmation)
            )
    return "".join(parts).replace("'", '"')


AREA_CODES = tuple(code for code in range(201, 990) if code // 10 % 10 != 9 and code % 100 != 11)
"""Those that can be assigned. Others would make a patient's number a filler, so that no chart could match by it."""


@dataclass(frozen=True)
class BenchPatient:
    number: int

    @property
    def request_fields(self) -> dict[str, Any]:
        """The ``patient`` part of a booking request."""
        area, line = AREA_CODES[self.number // 100], self.number % 100
        return {
            "first_name": f"Bench{_letters(self.number)}",
            "last_name": f"Marker{_letters(self.number * 7 + 3)}",
            "date_of_birth": str(date(1940, 1, 1) + timedelta(days=self.number)),
            "email": f"bench.{self.number}@example.com",
            "mobile": f"+1{area}55501{line:02}",
        }


@dataclass(frozen=True)
class FreeSlot:
    """A free slot of one service at one location."""

    location: str
    service: str
    start: datetime


class BenchPractice:
    """Hands out patients, and slots that were not handed out before."""

    def __init__(self, control: SandboxControl) -> None:
        self.control = control
        self._patients = (BenchPatient(number) for number in count())
        self._days = {location: _weekdays() for location in LOCATIONS}
        self._slots = {location: self._all_slots(location) for location in LOCATIONS}
        self._separate_starts = (start for _ in range(3) for start in self.day_starts("oakland"))
        self._location_counter = count()

    def new_patient(self) -> BenchPatient:
        """A patient without a chart."""
        return next(self._patients)

    def known_patient(self) -> BenchPatient:
        """A patient with a chart."""
        patient = self.new_patient()
        fields = patient.request_fields
        self.control.act_as_desk(
            do="patient",
            first=fields["first_name"],
            last=fields["last_name"],
            born=fields["date_of_birth"],
            email=fields["email"],
            phone=fields["mobile"].removeprefix("+1"),
            location=LOCATION_IDS["oakland"],
        )
        return patient

    def next_slot(self, location: str | None = None) -> FreeSlot:
        """A slot of this location; without one, the locations take turns."""
        return next(self._slots[location or LOCATIONS[next(self._location_counter) % len(LOCATIONS)]])

    def separate_start(self) -> datetime:
        """A start in Oakland on a day from which ``next_slot`` hands out nothing, so that the desk may book there."""
        return next(self._separate_starts)

    def day_starts(self, location: str) -> list[datetime]:
        """All starts of a day from which nothing else is handed out."""
        day = next(self._days[location])
        return [_at(location, day, minutes) for minutes in SLOT_MINUTES]

    def _all_slots(self, location: str) -> Iterator[FreeSlot]:
        """Slots across all days in turn, so that the days fill evenly.

        After the last slot it starts again from the first, because by then the calendar may have been reset.
        """
        days = [next(self._days[location]) for _ in range(SLOT_DAYS)]
        while True:
            for minutes in SLOT_MINUTES:
                for service in ("checkup", "cleaning"):
                    for day in days:
                        yield FreeSlot(location, service, _at(location, day, minutes))


def booking_request(slot: FreeSlot, patient: BenchPatient, **changes: Any) -> BookingRequest:
    fields = {
        "request_id": f"bench-{patient.number}-{slot.start:%m%dT%H%M}-{slot.service}",
        "location": slot.location,
        "service": slot.service,
        "start": slot.start.isoformat(),
        "patient": patient.request_fields,
        "consent": {"email": True, "sms": True},
    }
    return validate_request(fields | changes)


def _weekdays() -> Iterator[date]:
    today = datetime.now(UTC).date()
    days = (today + timedelta(days=offset) for offset in range(FIRST_DAY_AHEAD, LAST_DAY_AHEAD))
    return (day for day in days if day.isoweekday() <= 5)


def _at(location: str, day: date, minutes: int) -> datetime:
    return datetime.combine(day, time(minutes // 60, minutes % 60), ZoneInfo(TIME_ZONES[location]))


def _letters(number: int) -> str:
    """The number as four letters, because names have no digits."""
    text = ""
    for _ in range(4):
        number, remainder = divmod(number, 26)
        text += chr(97 + remainder)
    return text
