"""The Ascend adapter over real HTTP, under every behavior that the vendor's documents leave open."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from adapters.ascend import AscendSystem
from adapters.errors import NotFound, Refused, Unavailable
from adapters.practice_system import Hold
from domain.calendar import AppointmentStatus
from domain.interval import Interval, span
from domain.reference import new_reference
from domain.slot import Slot
from tests.support.practice_systems import TUESDAY, unlimited_permit
from tests.support.sandbox import SandboxControl

OAKLAND, OPERATORY, HYGIENIST = "7000000000101", "12000000000301", "9000000000202"
NINE = datetime.combine(TUESDAY, time(17), UTC)
"""Nine o'clock in Oakland."""
DAY = Interval(start=NINE - timedelta(hours=9), end=NINE + timedelta(hours=15))
PATIENT = "9000000000301"


def hold(reference: str = "", start: datetime = NINE) -> Hold:
    slot = Slot(time=span(start, 60), provider=HYGIENIST, operatory=OPERATORY)
    return Hold(reference=reference or new_reference(), location=OAKLAND, slot=slot, patient=PATIENT, title="Cleaning")


def book_at_desk(sandbox: SandboxControl, start: datetime = NINE, minutes: int = 60) -> dict[str, Any]:
    return sandbox.desk(
        do="book", operatory=OPERATORY, provider=HYGIENIST, patient=PATIENT, start=start.isoformat(), duration=minutes
    )


@pytest.mark.parametrize("page_limit", [1, 2, 3, 500])
async def test_every_row_is_read_however_small_the_servers_pages(
    sandbox: SandboxControl, ascend: AscendSystem, page_limit: int
) -> None:
    sandbox.settings(page_limit=page_limit)
    for hour in range(7):
        book_at_desk(sandbox, NINE + timedelta(hours=hour))
    for _ in range(2):
        assert len((await ascend.read_calendar(OAKLAND, DAY)).appointments) == 7


async def test_reading_a_day_takes_one_call_once_a_fuller_page_was_seen(
    sandbox: SandboxControl, ascend: AscendSystem
) -> None:
    book_at_desk(sandbox)
    await ascend.read_calendar(OAKLAND, DAY)
    for day in range(1, 4):
        book_at_desk(sandbox, NINE + timedelta(days=day))
    book_at_desk(sandbox, NINE + timedelta(hours=1))

    async def calls_to_read_the_day() -> int:
        before = int(sandbox.state()["calls"]["ascend"]["GET /v1/appointments"])
        assert len((await ascend.read_calendar(OAKLAND, DAY)).appointments) == 2
        return int(sandbox.state()["calls"]["ascend"]["GET /v1/appointments"]) - before

    assert await calls_to_read_the_day() == 2, "one more call to learn how many rows fit into a page"
    assert await calls_to_read_the_day() == 1


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
async def test_hold_is_written_found_confirmed_and_broken_under_every_vendor_behavior(
    sandbox: SandboxControl, ascend: AscendSystem, switches: dict[str, Any]
) -> None:
    sandbox.settings(**switches)
    our_hold = hold()
    placed = await ascend.write_hold(our_hold, unlimited_permit)
    (match,) = await ascend.find_by_reference(our_hold.reference, OAKLAND, NINE)
    assert (match.id, match.status, match.slot) == (placed.id, AppointmentStatus.TENTATIVE, our_hold.slot)
    for _ in range(2):
        assert (await ascend.confirm_hold(placed.id, our_hold)).status is AppointmentStatus.CONFIRMED
    (row,) = sandbox.state()["appointments"]
    kept_fields = {name: row.get(name) for name in ("title", "bookedOnline", "bookingType", "duration", "other")}
    assert kept_fields == {
        "title": "Cleaning",
        "bookedOnline": True,
        "bookingType": "EXISTING_PATIENT",
        "duration": 60,
        "other": "Cleaning",
    }
    await ascend.cancel(placed.id, our_hold.reference, "Cancelled online")
    assert await ascend.find_by_reference(our_hold.reference, OAKLAND, NINE) == []
    other_hold = hold(start=NINE + timedelta(hours=2))
    released = await ascend.write_hold(other_hold, unlimited_permit)
    for _ in range(2):
        await ascend.release(released.id, other_hold.reference)
    with pytest.raises(NotFound):
        await ascend.get_appointment(released.id)


@pytest.mark.parametrize("kind", ["array_error", "text_error", "fault_error"])
async def test_any_shape_of_error_body_is_understood(sandbox: SandboxControl, ascend: AscendSystem, kind: str) -> None:
    sandbox.fault(system="ascend", method="POST", path="/v1/appointments", kind=kind, status=400)
    with pytest.raises(Refused):
        await ascend.write_hold(hold(), unlimited_permit)
    sandbox.fault(system="ascend", method="GET", path="/v1/appointments", kind=kind, status=500)
    with pytest.raises(Unavailable):
        await ascend.read_calendar(OAKLAND, DAY)


async def test_blocks_close_one_operatory_or_the_whole_location(sandbox: SandboxControl, ascend: AscendSystem) -> None:
    end = (NINE + timedelta(hours=1)).isoformat()
    sandbox.desk(do="block", location=OAKLAND, operatory=OPERATORY, start=NINE.isoformat(), end=end)
    sandbox.desk(do="block", location=OAKLAND, operatory=None, start=NINE.isoformat(), end=end)
    sandbox.desk(do="block", location="7000000000102", operatory=None, start=NINE.isoformat(), end=end)
    calendar = await ascend.read_calendar(OAKLAND, DAY)
    assert sorted(block.operatory or "all" for block in calendar.blocks) == [OPERATORY, "all"]
