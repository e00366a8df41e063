"""Whatever a vendor answers to any call, the outcome is a value or an error of the port, and the next call works.

Seeds are fixed. ``GARBAGE_SEEDS`` runs more of them.
"""

import asyncio
import base64
import os
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from adapters import ttl_cache
from adapters.errors import OutsideError
from adapters.messenger import Messenger
from adapters.nexhealth import NexHealthSystem
from adapters.practice_file import read_practice
from adapters.practice_system import NewChart, PatientQuery
from devstack import ROOT, sandbox_settings
from domain.patient import Address, Chart
from domain.reference import new_reference
from domain.request import Person
from runtime.build import open_connections
from settings import Settings, load_settings
from tests.contract.test_messaging import EMAIL, SMS, sendgrid, twilio
from tests.support.garbage import garbage_vendor, garble_field
from tests.support.practice_systems import DAY, NINE, PracticeUnderTest, practice_under_test, unlimited_permit
from tests.support.sandbox import SandboxControl

SEEDS = int(os.environ.get("GARBAGE_SEEDS", "1"))
ROUNDS = 10
"""How often each seed makes each call."""
MAX_SECONDS = 60
"""After this, a call hangs."""
PERSON = Person.model_validate(
    {
        "first_name": "Nova",
        "last_name": "Newcomer",
        "date_of_birth": "1991-04-02",
        "email": "nova@patients.example",
        "mobile": "+15105550121",
    }
)
ADDRESS = Address(line1="1 Main St", city="Oakland", state="CA", postal_code="94601")
CHART = Chart(id="1", first_name="Nova", last_name="Newcomer", date_of_birth=PERSON.date_of_birth)
Call = Callable[[], Awaitable[object]]


def calls_of(practice: PracticeUnderTest, appointment_id: str, chart: Chart) -> dict[str, Call]:
    system, hold = practice.system, practice.hold()
    query = PatientQuery(
        location=practice.location,
        first_name="Nova",
        last_name=chart.last_name,
        date_of_birth=chart.date_of_birth or PERSON.date_of_birth,
    )
    new = NewChart(
        person=PERSON, location=practice.location, address=ADDRESS, language="en", provider=practice.providers[0]
    )
    calls: dict[str, Call] = {
        "find_patients": lambda: system.find_patients(query),
        "find_namesakes": lambda: system.find_namesakes(query),
        "read_chart": lambda: system.read_chart(practice.patient),
        "create_patient": lambda: system.create_patient(new, unlimited_permit),
        "read_calendar": lambda: system.read_calendar(practice.location, DAY),
        "find_by_reference": lambda: system.find_by_reference(hold.reference, practice.location, NINE),
        "find_by_patients": lambda: system.find_by_patients(hold.reference, practice.location, [practice.patient]),
        "get_appointment": lambda: system.get_appointment(appointment_id),
        "accepts_writes": lambda: system.accepts_writes(practice.location, since=datetime.now(UTC)),
        "write_hold": lambda: system.write_hold(practice.hold(), unlimited_permit),
        "confirm_hold": lambda: system.confirm_hold(appointment_id, hold),
        "move": lambda: system.move(appointment_id, hold),
        "release": lambda: system.release(appointment_id, hold.reference, written_patients=[practice.other_patient]),
        "cancel": lambda: system.cancel(appointment_id, hold.reference, "The patient cancelled"),
        "reference_data": system.reference_data,
        "check": system.check,
    }
    if isinstance(system, NexHealthSystem):
        calls |= {"subscribe": system.subscribe, "rotate_secret": lambda: system.rotate_secret(["a", "b"])}
    return calls


async def make(call: Call) -> None:
    try:
        async with asyncio.timeout(MAX_SECONDS):
            await call()
    except OutsideError:
        pass


CONNECTIONS = ("ascend", "nexhealth dentrix", "nexhealth dentrix-enterprise")


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("connection", CONNECTIONS)
async def test_garbage_in_an_answer_to_any_call_is_an_error_of_the_port_or_a_value(
    sandbox: SandboxControl, connection: str, seed: int
) -> None:
    rng = random.Random(f"{connection} {seed}")
    async with garbage_vendor(sandbox.url) as vendor:
        settings = {"base_url": vendor.url, "requests_per_second": 1000, "read_timeout": 1.0}
        with practice_under_test(sandbox, connection, **settings) as practice:
            placed = await practice.place_landed(practice.hold())
            await practice.system.read_calendar(practice.location, DAY)  # caches what seldom changes
            chart = await practice.system.read_chart(practice.patient)
            for name, call in calls_of(practice, placed.id, chart).items():
                for _ in range(ROUNDS):
                    vendor.rng = rng
                    try:
                        await make(call)
                    except Exception as error:
                        raise AssertionError(f"{name} raised {type(error).__name__}") from error
                vendor.rng = None
                calendar = await practice.system.read_calendar(practice.location, DAY)
                assert calendar.span == DAY
            practice.system.take_unreadable_rows()
            await practice.system.close()
    assert vendor.garbled > 100


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("connection", CONNECTIONS)
async def test_garbage_from_the_first_call_on_is_an_error_of_the_port_or_a_value(
    sandbox: SandboxControl, connection: str, seed: int
) -> None:
    """Token, locations and working hours are garbage, too: each call is the first one of a new process."""
    rng = random.Random(f"{connection} first {seed}")
    async with garbage_vendor(sandbox.url) as vendor:
        settings = {"base_url": vendor.url, "requests_per_second": 1000, "read_timeout": 1.0}
        vendor.rng = rng
        for name in ("find_patients", "read_calendar", "write_hold", "reference_data", "check"):
            for _ in range(ROUNDS):
                with practice_under_test(sandbox, connection, **settings) as practice:
                    try:
                        await make(calls_of(practice, "1", CHART)[name])
                    except Exception as error:
                        raise AssertionError(f"{name} raised {type(error).__name__}") from error
                    await practice.system.close()


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_garbage_from_a_messaging_provider_is_an_error_of_the_port_or_a_value(
    sandbox: SandboxControl, seed: int
) -> None:
    rng = random.Random(f"messages {seed}")
    since = datetime.now(UTC) - timedelta(hours=1)
    async with garbage_vendor(sandbox.url) as vendor:
        messengers: tuple[Messenger, ...] = (sendgrid(vendor.url, timeout=1.0), twilio(vendor.url, read_timeout=1.0))
        for messenger, message in zip(messengers, (EMAIL, SMS), strict=True):
            vendor.rng = rng
            for _ in range(10 * ROUNDS):
                await make(partial(messenger.send, message))
                await make(partial(messenger.find_sent, message, since))
                await make(messenger.check)
            vendor.rng = None
            assert await messenger.send(message)
            await messenger.close()
    assert vendor.garbled > 100


UNREADABLE_REFERENCES: tuple[tuple[str, str, object], ...] = (
    ("ascend", "timeZone", 5),
    ("nexhealth dentrix", "tz", 5),
    ("nexhealth eaglesoft", "begin_time", 5),
    ("nexhealth dentrix", "id", []),
)


@pytest.mark.parametrize(("connection", "field", "garbage"), UNREADABLE_REFERENCES)
async def test_reference_data_with_an_unreadable_row_is_read_again_after_seconds(
    sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch, connection: str, field: str, garbage: object
) -> None:
    """A correction at the vendor counts soon, and not an hour later."""

    async def what_is_known() -> object:
        try:
            calendar = await practice.system.read_calendar(practice.location, DAY)
            return calendar.windows, await practice.system.reference_data()
        except OutsideError as error:
            return error

    monkeypatch.setattr(ttl_cache, "READ_AGAIN_AFTER", timedelta(0))
    async with garbage_vendor(sandbox.url) as vendor:
        settings = {"base_url": vendor.url, "requests_per_second": 1000}
        with practice_under_test(sandbox, connection, **settings) as practice:
            known = await what_is_known()
            await practice.system.close()
        with practice_under_test(sandbox, connection, **settings) as practice:
            vendor.garbles, vendor.rng = [garble_field(field, garbage)], random.Random(0)
            unreadable = await what_is_known()
            vendor.rng = None
            assert unreadable != known
            assert await what_is_known() == known
            await practice.system.close()


def production_settings(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Settings:
    """Settings that production accepts."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    accepted = {
        "APP_ENV": "production",
        "PAYLOAD_KEYS": f"k1:{base64.b64encode(bytes(range(32))).decode()}",
        "LINK_KEYS": f"l1:{base64.b64encode(bytes(range(1, 33))).decode()}",
        "LEDGER_URL": f"sqlite:///{folder}/ledger.db",
        "PUBLIC_BASE_URL": "https://booking.example.com",
    }
    for name, value in accepted.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.is_production
    return settings


@pytest.mark.parametrize("kind", ["ascend", "nexhealth"])
async def test_garbage_is_an_error_of_the_port_or_a_value_in_a_production_worker(
    sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    """The systems are built as a worker builds them, with its timeouts and pace.

    Production accepts neither this machine's address nor the sandbox's credentials, so both are put in afterward.
    """
    rng = random.Random(f"production {kind}")
    practice = read_practice(ROOT / "practice.toml")
    async with garbage_vendor(sandbox.url) as vendor:
        here = {name.lower(): value for name, value in sandbox_settings(vendor.url).items()}
        fields = {name: value for name, value in here.items() if name.startswith(("ascend", "nexhealth"))}
        accepted = production_settings(monkeypatch, tmp_path)
        settings = Settings.model_validate(accepted.model_dump() | fields)
        assert settings.is_production
        async with open_connections(settings, practice) as (systems, _):
            location = next(each for each in practice.locations if practice.connection(each.connection).kind == kind)
            system, place = systems[location.connection], location.practice_system_id
            calls: tuple[Call, ...] = (
                lambda: system.read_calendar(place, DAY),
                lambda: system.find_by_reference(new_reference(), place, NINE),
                lambda: system.get_appointment("1"),
                system.reference_data,
            )
            for call in calls:
                vendor.rng = rng
                for _ in range(ROUNDS):
                    await make(call)
                vendor.rng = None
                assert (await system.read_calendar(place, DAY)).span == DAY
    assert vendor.garbled > 30
