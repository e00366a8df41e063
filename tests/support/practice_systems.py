"""Every connection that the port is tested on, each against the sandbox."""

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


def find_test_tuesday(today: date) -> date:
    """The second Tuesday of a coming January: winter time, no holiday, and more than three weeks away."""
    days = (date(today.year + years, 1, day) for years in (0, 1, 2) for day in range(8, 15))
    return next(day for day in days if day.isoweekday() == 2 and day - today > timedelta(weeks=3))


TUESDAY = find_test_tuesday(datetime.now(UTC).date())
WEDNESDAY = TUESDAY + timedelta(days=1)
NINE = datetime.combine(TUESDAY, time(17), UTC)
"""Nine o'clock in Los Angeles."""
DAY = Interval(start=NINE - timedelta(hours=9), end=NINE + timedelta(hours=15))
"""The whole local day in Los Angeles."""


async def unlimited_permit() -> datetime:
    """A send permit that never expires, for tests that are not about permits."""
    return datetime.max.replace(tzinfo=UTC)


@dataclass
class PracticeUnderTest:
    """One practice on one connection, with methods to act as its front desk in the sandbox."""

    sandbox: SandboxControl
    connection: str
    system: PracticeSystem
    location: str
    operatories: tuple[str, str]
    providers: tuple[str, str]
    patient: str
    other_patient: str

    @property
    def is_nexhealth(self) -> bool:
        return isinstance(self.system, NexHealthSystem)

    @property
    def sandbox_system(self) -> str:
        """The name under which the sandbox counts calls and injects faults."""
        return "nexhealth" if self.is_nexhealth else "ascend"

    @property
    def appointments_path(self) -> str:
        return "/appointments" if self.is_nexhealth else "/v1/appointments"

    @property
    def update_method(self) -> str:
        return "PATCH" if self.is_nexhealth else "PUT"

    def hold(
        self, start: datetime = NINE, minutes: int = 60, *, operatory: int = 0, provider: int = 0, **changes: Any
    ) -> Hold:
        """A hold to write. ``operatory`` and ``provider`` are indexes into this practice's own."""
        time = span(start, minutes)
        slot = Slot(time=time, provider=self.providers[provider], operatory=self.operatories[operatory])
        fields = {"reference": new_reference(), "location": self.location, "patient": self.patient, **changes}
        return Hold(slot=slot, title="Cleaning", **fields)

    async def place_landed(self, hold: Hold) -> Appointment:
        """Write the hold and let it land. Returns the landed appointment."""
        placed = await self.system.write_hold(hold, unlimited_permit)
        self.settle()
        return await self.system.get_appointment(placed.id)

    def settle(self) -> None:
        """Let queued writes land, and let the partner read what changed in the office."""
        if self.is_nexhealth:
            self.sandbox.clock(settle=True)

    def desk(self, **action: Any) -> str:
        """Act as the front desk in its own calendar. Returns the row's id in the office."""
        numbers = {k: int(v) for k, v in action.items() if k in _ID_FIELDS}
        if not self.is_nexhealth:
            return str(self.sandbox.desk(**action)["id"])
        row = self.sandbox.office_desk(**{**action, **numbers})
        self.settle()
        return str(row["id"])

    def book(self, start: datetime = NINE, minutes: int = 60) -> str:
        """The desk books an appointment of its own."""
        return self.desk(
            do="book",
            operatory=self.operatories[0],
            provider=self.providers[0],
            patient=self.patient,
            start=start.isoformat(),
            duration=minutes,
        )

    def chart(self, first: str, last: str, born: str, **contact: Any) -> str:
        """The desk adds a chart. Returns its id as the adapter sees it."""
        row_id = self.desk(do="patient", first=first, last=last, born=born, location=self.location, **contact)
        if not self.is_nexhealth:
            return row_id
        patients = self.sandbox.state()["nexhealth"]["patients"]
        return next(str(row["id"]) for row in patients if row["foreign_id"] == row_id)

    def set_status(self, appointment_id: str, status: str) -> None:
        """The desk sets an appointment's status. ``status``: in the words of the offices behind NexHealth."""
        row_status = status if self.is_nexhealth else _ASCEND_STATUS.get(status, status.upper())
        self.desk(do="set_status", id=appointment_id, status=row_status)


def ascend_at(sandbox: SandboxControl, **changes: Any) -> AscendSystem:
    fields = {"base_url": sandbox.url, "read_timeout": 30.0, "requests_per_second": 100, **changes}
    return AscendSystem(
        AscendConfig(
            client_id="sandbox-client",
            client_secret="sandbox-secret",
            organization_id="5f0000000000000000000001",
            **fields,
        )
    )


def nexhealth(sandbox: SandboxControl, system: str = "dentrix", **changes: Any) -> NexHealthSystem:
    fields = {
        "base_url": sandbox.url,
        "subdomain": "bright-harbor",
        "read_timeout": 30.0,
        "requests_per_second": 100,
        "locations": (NEXHEALTH_LOCATIONS[system][0],),
        **changes,
    }
    return NexHealthSystem(
        NexHealthConfig(
            api_key="sandbox-nexhealth-key",
            system=system,
            **fields,
        )
    )


_PORTLAND = ("101", ("301", "302"), ("201", "202"), "Sampleton", "Booking Portland")
_PHOENIX = ("102", ("311", "312"), ("203", "204"), "Mockridge", "Booking Phoenix")
_BOSTON = ("103", ("321", "322"), ("205", "206"), "Placeholm", "Booking Boston")
NEXHEALTH_LOCATIONS = {
    "dentrix": _PORTLAND,
    "dentrix-enterprise": _PHOENIX,
    "eaglesoft": _BOSTON,
    "ascend": _PORTLAND,
    "open-dental": _BOSTON,
}
_ID_FIELDS = ("id", "operatory", "provider", "patient", "location", "merged_into")
_ASCEND_STATUS = {"cancelled": "BROKEN", "missed": "NO_SHOW"}
_SANDBOX_SYSTEM_NAMES = {"ascend": "dentrixascend", "open-dental": "opendental"}
CONNECTIONS = ("ascend", *(f"nexhealth {system}" for system in NEXHEALTH_LOCATIONS))


@contextmanager
def practice_under_test(sandbox: SandboxControl, connection: str, **changes: Any) -> Iterator[PracticeUnderTest]:
    """``changes``: to the adapter's configuration."""
    if connection == "ascend":
        yield PracticeUnderTest(
            sandbox=sandbox,
            connection=connection,
            system=ascend_at(sandbox, **changes),
            location="7000000000101",
            operatories=("12000000000301", "12000000000302"),
            providers=("9000000000202", "9000000000201"),
            patient="9000000000301",
            other_patient="9000000000304",
        )
        return
    office_system = connection.removeprefix("nexhealth ")
    location, operatories, providers, name, other_name = NEXHEALTH_LOCATIONS[office_system]
    if office_system in _SANDBOX_SYSTEM_NAMES:
        sandbox.office(location, system=_SANDBOX_SYSTEM_NAMES[office_system])
    sandbox.clock(paused=True)
    patients = sandbox.state()["nexhealth"]["patients"]
    yield PracticeUnderTest(
        sandbox=sandbox,
        connection=connection,
        system=nexhealth(sandbox, office_system, **changes),
        location=location,
        operatories=operatories,
        providers=providers,
        patient=next(str(row["id"]) for row in patients if row["last_name"] == name),
        other_patient=next(str(row["id"]) for row in patients if row["last_name"] == other_name),
    )
