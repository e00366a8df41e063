"""The practice that is measured: one account, three locations, thousands of starts, people who do not exist."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from client.edge import request_from
from demo.scenarios import CHAIRS, DENTIST, HYGIENIST, SYSTEM_IDS, ZONES
from demo.world import Control
from domain.request import BookingRequest

LOCATIONS = ("oakland", "denver", "brooklyn")
DAYS_AHEAD = 80
STEP = timedelta(minutes=15)
STARTS = tuple(hour * 60 + minute for hour in (*range(8, 12), *range(13, 17)) for minute in (0, 15, 30, 45))
"""Minutes of the day at which a visit may begin: 32 a day."""

_HEAD = """
name = "Benchmark Dental"

[[connections]]
name = "ascend-main"
system = "ascend"
requests_per_second = 1000 # the vendor's pace is not what is measured

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
offered_by = {by}
offered_in = {where}
confirmation = "{confirmation}"
"""
SERVICES = {
    "checkup": (["dentist"], ["one"], "automatic"),
    "cleaning": (["hygienist"], ["two"], "automatic"),
    "exam": (["dentist"], ["one"], "staff"),
    "anybody": (["dentist", "hygienist"], ["one", "two"], "automatic"),
}


def practice_file() -> str:
    """The practice's TOML. Every weekday 8 to 12 and 13 to 17."""
    days = ("monday", "tuesday", "wednesday", "thursday", "friday")
    parts = [_HEAD, *(f'hours.{day} = ["08:00-12:00", "13:00-17:00"]\n' for day in days)]
    for place in LOCATIONS:
        one, two = CHAIRS[place][:2]
        people = {"dentist": DENTIST[place], "hygienist": HYGIENIST[place]}
        parts.append(
            _LOCATION.format(id=place, system_id=SYSTEM_IDS[place], zone=ZONES[place], one=one, two=two, **people)
        )
        for service, (by, where, confirmation) in SERVICES.items():
            parts.append(_SERVICE.format(id=service, by=by, where=where, confirmation=confirmation))
    return "".join(parts).replace("'", '"')


@dataclass(frozen=True)
class Somebody:
    number: int

    @property
    def content(self) -> dict[str, Any]:
        area, line = 201 + self.number // 100, self.number % 100
        return {
            "first_name": f"Bench{_letters(self.number)}",
            "last_name": f"Marker{_letters(self.number * 7 + 3)}",
            "date_of_birth": str(date(1940, 1, 1) + timedelta(days=self.number)),
            "email": f"bench.{self.number}@example.com",
            "mobile": f"+1{area}55501{line:02}",
        }


@dataclass(frozen=True)
class Place:
    """A free start of one service."""

    location: str
    service: str
    start: datetime


class Clinic:
    """Hands out people with charts and starts that nobody has yet."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self._people = (Somebody(number) for number in count())
        self._days = {location: _weekdays() for location in LOCATIONS}
        self._free = {location: self._starts(location) for location in LOCATIONS}
        self._spare = (start for _ in range(3) for start in self.day("oakland"))
        self._turn = count()

    def newcomer(self) -> Somebody:
        return next(self._people)

    def patient(self) -> Somebody:
        """Somebody who has a chart."""
        somebody = self.newcomer()
        given = somebody.content
        self.control.desk(
            do="patient",
            first=given["first_name"],
            last=given["last_name"],
            born=given["date_of_birth"],
            email=given["email"],
            phone=given["mobile"].removeprefix("+1"),
            location=SYSTEM_IDS["oakland"],
        )
        return somebody

    def place(self, location: str | None = None) -> Place:
        """A start that nobody was given before; of every location in turn where none is named."""
        return next(self._free[location or LOCATIONS[next(self._turn) % len(LOCATIONS)]])

    def spare_start(self) -> datetime:
        """A start at oakland of a day on which anything may be arranged."""
        return next(self._spare)

    def day(self, location: str) -> list[datetime]:
        """All starts of a day from which nothing else is handed out."""
        day = next(self._days[location])
        return [_at(location, day, minutes) for minutes in STARTS]

    def _starts(self, location: str) -> Iterator[Place]:
        """Over all days first, so that no day gets fuller than the next; then all over again, for a calendar that was
        emptied by then.
        """
        days = [next(self._days[location]) for _ in range(45)]
        while True:
            for minutes in STARTS:
                for service in ("checkup", "cleaning"):
                    for day in days:
                        yield Place(location, service, _at(location, day, minutes))


def request(place: Place, somebody: Somebody, **changes: Any) -> BookingRequest:
    content = {
        "request_id": f"bench-{somebody.number}-{place.start:%m%dT%H%M}-{place.service}",
        "location": place.location,
        "service": place.service,
        "start": place.start.isoformat(),
        "patient": somebody.content,
        "consent": {"email": True, "sms": True},
    }
    return request_from(content | changes)


def _weekdays() -> Iterator[date]:
    today = datetime.now(UTC).date()
    days = (today + timedelta(days=offset) for offset in range(3, DAYS_AHEAD))
    return (day for day in days if day.isoweekday() <= 5)


def _at(location: str, day: date, minutes: int) -> datetime:
    return datetime.combine(day, time(minutes // 60, minutes % 60), ZoneInfo(ZONES[location]))


def _letters(number: int) -> str:
    text = ""
    for _ in range(4):
        number, rest = divmod(number, 26)
        text += chr(97 + rest)
    return text
