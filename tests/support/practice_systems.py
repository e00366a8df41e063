"""Every connection the port is held to, each against the sandbox, with a hand on the practice's own calendar."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from adapters.ascend import AscendConfig, AscendSystem
from adapters.nexhealth import NexHealthConfig, NexHealthSystem
from adapters.practice_system import Hold, PracticeSystem
from domain.calendar import Appointment
from domain.interval import Interval, span
from domain.reference import new_reference
from domain.slot import Slot
from tests.support.sandbox import SandboxControl


def a_tuesday(today: date) -> date:
    """The second of a January to come: winter, a working day like any other, and three weeks away at least."""
    found = (date(today.year + years, 1, day) for years in (0, 1, 2) for day in range(8, 15))
    return next(day for day in found if day.isoweekday() == 2 and day - today > timedelta(weeks=3))


TUESDAY = a_tuesday(datetime.now(UTC).date())
WEDNESDAY = TUESDAY + timedelta(days=1)
NINE = datetime.combine(TUESDAY, time(17), UTC)
"""Nine o'clock in Los Angeles."""
DAY = Interval(start=NINE - timedelta(hours=9), end=NINE + timedelta(hours=15))


async def at_any_time() -> datetime:
    """The permit of a test that has nothing to do with it."""
    return datetime.max.replace(tzinfo=UTC)


@dataclass
class Bench:
    """One practice on one connection."""

    sandbox: SandboxControl
    connection: str
    system: PracticeSystem
    location: str
    chairs: tuple[str, str]
    providers: tuple[str, str]
    patient: str
    other_patient: str

    @property
    def is_nexhealth(self) -> bool:
        return isinstance(self.system, NexHealthSystem)

    @property
    def wire(self) -> str:
        """Under which name the sandbox counts and troubles its calls."""
        return "nexhealth" if self.is_nexhealth else "ascend"

    @property
    def appointments(self) -> str:
        return "/appointments" if self.is_nexhealth else "/v1/appointments"

    @property
    def change(self) -> str:
        return "PATCH" if self.is_nexhealth else "PUT"

    def hold(
        self, start: datetime = NINE, minutes: int = 60, *, chair: int = 0, provider: int = 0, **more: Any
    ) -> Hold:
        slot = Slot(time=span(start, minutes), provider=self.providers[provider], operatory=self.chairs[chair])
        given = {"reference": new_reference(), "location": self.location, "patient": self.patient, **more}
        return Hold(slot=slot, title="Cleaning", **given)

    async def landed(self, hold: Hold) -> Appointment:
        placed = await self.system.place_hold(hold, at_any_time)
        self.settle()
        return await self.system.get_appointment(placed.id)

    def settle(self) -> None:
        """Until what was written is in the office, and what the office did is known."""
        if self.is_nexhealth:
            self.sandbox.clock(settle=True)

    def desk(self, **action: Any) -> str:
        """What the front desk does in its own calendar; returns the row's id as the office has it."""
        numbers = {k: int(v) for k, v in action.items() if k in ("id", "operatory", "provider", "patient", "location")}
        if not self.is_nexhealth:
            return str(self.sandbox.desk(**action)["id"])
        row = self.sandbox.office_desk(**{**action, **numbers})
        self.settle()
        return str(row["id"])

    def book(self, start: datetime = NINE, minutes: int = 60) -> str:
        return self.desk(
            do="book",
            operatory=self.chairs[0],
            provider=self.providers[0],
            patient=self.patient,
            start=start.isoformat(),
            duration=minutes,
        )

    def seat(self, appointment_id: str) -> None:
        self.says(appointment_id, "here")

    def says(self, appointment_id: str, status: str) -> None:
        """The desk notes what became of a visit, in the words of the offices behind NexHealth."""
        named = status if self.is_nexhealth else _AS_ASCEND_SAYS.get(status, status.upper())
        self.desk(do="set_status", id=appointment_id, status=named)


def ascend_at(sandbox: SandboxControl, **changes: Any) -> AscendSystem:
    given = {"read_timeout": 30.0, "requests_per_second": 100, **changes}
    return AscendSystem(
        AscendConfig(
            base_url=sandbox.url,
            client_id="sandbox-client",
            client_secret="sandbox-secret",
            organization_id="5f0000000000000000000001",
            **given,
        )
    )


def nexhealth(sandbox: SandboxControl, system: str = "dentrix", **changes: Any) -> NexHealthSystem:
    given = {
        "subdomain": "bright-harbor",
        "read_timeout": 30.0,
        "requests_per_second": 100,
        "locations": (PLACES[system][0],),
        **changes,
    }
    return NexHealthSystem(
        NexHealthConfig(
            base_url=sandbox.url,
            api_key="sandbox-nexhealth-key",
            system=system,
            **given,
        )
    )


_PORTLAND = ("101", ("301", "302"), ("201", "202"), "Sampleton", "Booking Portland")
_PHOENIX = ("102", ("311", "312"), ("203", "204"), "Mockridge", "Booking Phoenix")
_BOSTON = ("103", ("321", "322"), ("205", "206"), "Placeholm", "Booking Boston")
PLACES = {
    "dentrix": _PORTLAND,
    "dentrix-enterprise": _PHOENIX,
    "eaglesoft": _BOSTON,
    "ascend": _PORTLAND,
    "open-dental": _BOSTON,
}
_AS_ASCEND_SAYS = {"cancelled": "BROKEN", "missed": "NO_SHOW"}
_AS_THE_SANDBOX_SAYS = {"ascend": "dentrixascend", "open-dental": "opendental"}
CONNECTIONS = ("ascend", *(f"nexhealth {system}" for system in PLACES))


@contextmanager
def bench(sandbox: SandboxControl, connection: str, **changes: Any) -> Iterator[Bench]:
    """``changes``: of how the practice's system is reached."""
    if connection == "ascend":
        yield Bench(
            sandbox=sandbox,
            connection=connection,
            system=ascend_at(sandbox, **changes),
            location="7000000000101",
            chairs=("12000000000301", "12000000000302"),
            providers=("9000000000202", "9000000000201"),
            patient="9000000000301",
            other_patient="9000000000304",
        )
        return
    runs = connection.removeprefix("nexhealth ")
    location, chairs, providers, name, other = PLACES[runs]
    if runs in _AS_THE_SANDBOX_SAYS:
        sandbox.office(location, system=_AS_THE_SANDBOX_SAYS[runs])
    sandbox.clock(paused=True)
    charts = sandbox.state()["nexhealth"]["patients"]
    yield Bench(
        sandbox=sandbox,
        connection=connection,
        system=nexhealth(sandbox, runs, **changes),
        location=location,
        chairs=chairs,
        providers=providers,
        patient=next(str(row["id"]) for row in charts if row["last_name"] == name),
        other_patient=next(str(row["id"]) for row in charts if row["last_name"] == other),
    )
