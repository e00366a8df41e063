"""The Ascend adapter over real HTTP, under every way the contract leaves open."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from adapters.ascend import AscendSystem
from adapters.errors import NotFound, Refused, Unavailable
from adapters.practice_system import Hold, NewChart
from domain.calendar import AppointmentStatus
from domain.interval import Interval, span
from domain.patient import Address
from domain.reference import new_reference
from domain.request import Person
from domain.slot import Slot
from tests.support.practice_systems import TUESDAY, at_any_time
from tests.support.sandbox import SandboxControl

OAKLAND, CHAIR, HYGIENIST = "7000000000101", "12000000000301", "9000000000202"
NINE = datetime.combine(TUESDAY, time(17), UTC)
DAY = Interval(start=NINE - timedelta(hours=9), end=NINE + timedelta(hours=15))
PATIENT = "9000000000301"


def hold(reference: str = "", start: datetime = NINE) -> Hold:
    slot = Slot(time=span(start, 60), provider=HYGIENIST, operatory=CHAIR)
    return Hold(reference=reference or new_reference(), location=OAKLAND, slot=slot, patient=PATIENT, title="Cleaning")


def by_desk(sandbox: SandboxControl, start: datetime = NINE, minutes: int = 60) -> dict[str, Any]:
    return sandbox.desk(
        do="book", operatory=CHAIR, provider=HYGIENIST, patient=PATIENT, start=start.isoformat(), duration=minutes
    )


@pytest.mark.parametrize("page_limit", [1, 2, 3, 500])
async def test_every_row_is_read_however_small_the_servers_pages(
    sandbox: SandboxControl, ascend: AscendSystem, page_limit: int
) -> None:
    sandbox.settings(page_limit=page_limit)
    for hour in range(7):
        by_desk(sandbox, NINE + timedelta(hours=hour))
    for _ in range(2):
        assert len((await ascend.calendar(OAKLAND, DAY)).appointments) == 7


async def test_a_day_is_one_call_as_soon_as_the_calendar_holds_more_than_that_day(
    sandbox: SandboxControl, ascend: AscendSystem
) -> None:
    by_desk(sandbox)
    await ascend.calendar(OAKLAND, DAY)
    for day in range(1, 4):
        by_desk(sandbox, NINE + timedelta(days=day))
    by_desk(sandbox, NINE + timedelta(hours=1))

    async def readings() -> int:
        before = int(sandbox.state()["calls"]["ascend"]["GET /v1/appointments"])
        assert len((await ascend.calendar(OAKLAND, DAY)).appointments) == 2
        return int(sandbox.state()["calls"]["ascend"]["GET /v1/appointments"]) - before

    assert await readings() == 2, "it looks how many rows there are by now"
    assert await readings() == 1


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"put_mode": "merge", "delete": "empty_204", "post_status": 200},
        {"delete": "empty_200", "ids_as": "number", "followup_spelling": "needsFollowUp"},
        {"overlap": "accept_with_warning", "events_enabled": False},
        {"overlap": "reject_400"},
    ],
)
async def test_a_hold_is_written_found_confirmed_and_broken_under_every_policy(
    sandbox: SandboxControl, ascend: AscendSystem, switches: dict[str, Any]
) -> None:
    sandbox.settings(**switches)
    wanted = hold()
    placed = await ascend.place_hold(wanted, at_any_time)
    (found,) = await ascend.find_by_reference(wanted.reference, OAKLAND, NINE)
    assert (found.id, found.status, found.slot) == (placed.id, AppointmentStatus.TENTATIVE, wanted.slot)
    for _ in range(2):
        assert (await ascend.confirm_hold(placed.id, wanted)).status is AppointmentStatus.CONFIRMED
    (row,) = sandbox.state()["appointments"]
    kept = {name: row.get(name) for name in ("title", "bookedOnline", "bookingType", "duration", "other")}
    assert kept == {
        "title": "Cleaning",
        "bookedOnline": True,
        "bookingType": "EXISTING_PATIENT",
        "duration": 60,
        "other": "Cleaning",
    }
    await ascend.cancel(placed.id, wanted.reference, "Cancelled online")
    assert await ascend.find_by_reference(wanted.reference, OAKLAND, NINE) == []
    other = hold(start=NINE + timedelta(hours=2))
    undone = await ascend.place_hold(other, at_any_time)
    for _ in range(2):
        await ascend.withdraw(undone.id, other.reference)
    with pytest.raises(NotFound):
        await ascend.get_appointment(undone.id)


@pytest.mark.parametrize("kind", ["array_error", "text_error", "fault_error"])
async def test_odd_error_bodies_are_survived(sandbox: SandboxControl, ascend: AscendSystem, kind: str) -> None:
    sandbox.fault(system="ascend", method="POST", path="/v1/appointments", kind=kind, status=400)
    with pytest.raises(Refused):
        await ascend.place_hold(hold(), at_any_time)
    sandbox.fault(system="ascend", method="GET", path="/v1/appointments", kind=kind, status=500)
    with pytest.raises(Unavailable):
        await ascend.calendar(OAKLAND, DAY)


async def test_blocks_close_one_chair_or_the_whole_location(sandbox: SandboxControl, ascend: AscendSystem) -> None:
    end = (NINE + timedelta(hours=1)).isoformat()
    sandbox.desk(do="block", location=OAKLAND, operatory=CHAIR, start=NINE.isoformat(), end=end)
    sandbox.desk(do="block", location=OAKLAND, operatory=None, start=NINE.isoformat(), end=end)
    sandbox.desk(do="block", location="7000000000102", operatory=None, start=NINE.isoformat(), end=end)
    found = await ascend.calendar(OAKLAND, DAY)
    assert sorted(b.operatory or "all" for b in found.blocks) == [CHAIR, "all"]


async def test_errors_never_quote_a_person(sandbox: SandboxControl, ascend: AscendSystem) -> None:
    person = Person(first_name="Canarybird", last_name="Secretson", date_of_birth=date(1991, 4, 2))
    address = Address.model_construct(line1="x", city="x", state="CA", postal_code="wrong", line2=None)
    with pytest.raises(Refused) as refused:
        await ascend.create_patient(
            NewChart.model_construct(
                person=person, location=OAKLAND, address=address, language="en", provider=HYGIENIST
            ),
            at_any_time,
        )
    assert "ecretson" not in str(refused.value)
    assert "anary" not in str(refused.value)
