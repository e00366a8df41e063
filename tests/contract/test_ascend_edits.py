"""The desk works on the very row that we are changing, or Ascend says no: over real HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.ascend import AscendSystem, edits
from adapters.ascend.fresh_rows import FRESH
from adapters.errors import NotFound, Refused, SlotTaken, Unavailable
from adapters.practice_system import Hold, ReleaseOutcome
from domain.calendar import Appointment, AppointmentStatus
from tests.contract.test_ascend import CHAIR, DAY, HYGIENIST, NINE, OAKLAND, PATIENT, by_desk, hold
from tests.support.practice_systems import ascend_at, at_any_time
from tests.support.sandbox import SandboxControl

LATER = NINE + timedelta(hours=2)


Write = Callable[[AscendSystem, Appointment, Hold], Awaitable[object]]


def confirm(system: AscendSystem, placed: Appointment, wanted: Hold) -> Awaitable[object]:
    return system.confirm_hold(placed.id, wanted)


def withdraw(system: AscendSystem, placed: Appointment, wanted: Hold) -> Awaitable[object]:
    return system.withdraw(placed.id, wanted.reference)


def move(sandbox: SandboxControl, appointment: Appointment, start: datetime = LATER) -> None:
    sandbox.desk(do="move", id=appointment.id, start=start.isoformat())


async def test_an_edit_between_the_pages_of_a_reading_is_kept(sandbox: SandboxControl, ascend: AscendSystem) -> None:
    sandbox.settings(page_limit=1)
    wanted = hold()
    placed = await ascend.place_hold(wanted, at_any_time)
    sandbox.fault(system="ascend", method="GET", path="/v1/appointments$", kind="hold_before", seconds=60, skip=2)
    reading = asyncio.create_task(ascend.find_by_reference(wanted.reference, OAKLAND, NINE))
    await something_is_held(sandbox)
    move(sandbox, placed)
    await asyncio.sleep(FRESH.total_seconds())
    sandbox.release()
    await reading
    assert (await ascend.confirm_hold(placed.id, wanted, just_read=True)).time.start == LATER


async def test_an_edit_while_a_change_waits_for_its_turn_is_kept(sandbox: SandboxControl) -> None:
    ascend = ascend_at(sandbox, requests_per_second=1)
    wanted = hold()
    placed = await ascend.place_hold(wanted, at_any_time)
    await ascend.get_appointment(placed.id)
    confirming = asyncio.create_task(ascend.confirm_hold(placed.id, wanted))
    await asyncio.sleep(1.5)  # the next two turns come after one second each
    move(sandbox, placed)
    assert (await confirming).time.start == LATER
    await ascend.close()


async def test_an_edit_while_a_change_waits_for_a_new_token_is_kept(
    sandbox: SandboxControl, ascend: AscendSystem
) -> None:
    wanted = hold()
    placed = await ascend.place_hold(wanted, at_any_time)
    slow_token = {"system": "ascend", "method": "POST", "path": "^/oauth/", "kind": "hold_after", "seconds": 60}
    sandbox.fault(system="ascend", method="PUT", path="/v1/appointments/", kind="expire_tokens", then=slow_token)
    confirming = asyncio.create_task(ascend.confirm_hold(placed.id, wanted))
    await something_is_held(sandbox)
    move(sandbox, placed)
    sandbox.release()
    assert (await confirming).time.start == LATER


async def test_a_change_that_slept_over_its_reading_is_not_sent(
    sandbox: SandboxControl, ascend: AscendSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another attempt confirmed the hold meanwhile, and the patient cancelled the visit."""
    wanted = hold()
    placed = await ascend.place_hold(wanted, at_any_time)
    sleeper = await asleep_over_its_reading(sandbox, confirm, placed, wanted)
    await ascend.confirm_hold(placed.id, wanted)
    await ascend.cancel(placed.id, wanted.reference, "Cancelled online")
    with pytest.raises(Unavailable):
        await woken(sleeper, sandbox, monkeypatch)
    assert not (await ascend.get_appointment(placed.id)).status.occupies_time


async def test_what_the_desk_confirmed_while_its_withdrawal_slept_stays(
    sandbox: SandboxControl, ascend: AscendSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = hold()
    placed = await ascend.place_hold(wanted, at_any_time)
    sleeper = await asleep_over_its_reading(sandbox, withdraw, placed, wanted)
    sandbox.desk(do="set_status", id=placed.id, status="CONFIRMED")
    with pytest.raises(Unavailable):
        await woken(sleeper, sandbox, monkeypatch)
    assert await ascend.withdraw(placed.id, wanted.reference) is ReleaseOutcome.KEPT_BY_DESK


async def test_a_row_of_a_calendar_is_written_back_no_later_than_one_read_by_itself(
    sandbox: SandboxControl, ascend: AscendSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edits, "RESTS_FOR", timedelta(0))
    wanted = hold()
    placed = await ascend.place_hold(wanted, at_any_time)
    await ascend.find_by_reference(wanted.reference, OAKLAND, NINE)
    with pytest.raises(Unavailable):
        await ascend.confirm_hold(placed.id, wanted, just_read=True)
    assert (await ascend.get_appointment(placed.id)).status is AppointmentStatus.TENTATIVE


@pytest.mark.parametrize("way", ["place", "confirm", "move"])
async def test_a_400_over_something_in_the_way_means_that_the_time_is_taken(
    sandbox: SandboxControl, ascend: AscendSystem, way: str
) -> None:
    wanted = hold()
    if way == "place":
        by_desk(sandbox)
        sandbox.settings(overlap="reject_400")
        with pytest.raises(SlotTaken):
            await ascend.place_hold(wanted, at_any_time)
        return
    placed = await ascend.place_hold(wanted if way == "confirm" else hold(wanted.reference, LATER), at_any_time)
    by_desk(sandbox)
    sandbox.settings(overlap="reject_400")
    with pytest.raises(SlotTaken):
        await (ascend.confirm_hold if way == "confirm" else ascend.move)(placed.id, wanted)
    assert await ascend.withdraw(placed.id, wanted.reference) is ReleaseOutcome.RELEASED


async def test_a_400_with_nothing_in_the_way_is_a_refusal(sandbox: SandboxControl, ascend: AscendSystem) -> None:
    sandbox.fault(system="ascend", method="POST", path="/v1/appointments", kind="array_error", status=400)
    with pytest.raises(Refused) as refused:
        await ascend.place_hold(hold(), at_any_time)
    assert not isinstance(refused.value, SlotTaken)


async def test_what_we_refer_to_and_is_not_there_is_told_from_what_was_deleted(ascend: AscendSystem) -> None:
    wanted = hold()
    placed = await ascend.place_hold(wanted, at_any_time)
    with pytest.raises(Refused) as refused:
        await ascend.confirm_hold(placed.id, _for(wanted, "404404"), written_for=PATIENT)
    assert (type(refused.value), refused.value.code) == (Refused, "bad_reference")
    with pytest.raises(Refused) as refused:
        await ascend.place_hold(_for(wanted, "404404"), at_any_time)
    assert (type(refused.value), refused.value.code) == (Refused, "bad_reference")
    await ascend.withdraw(placed.id, wanted.reference)
    with pytest.raises(NotFound):
        await ascend.confirm_hold(placed.id, wanted)


async def test_the_chart_that_we_wrote_is_replaced_and_no_other(sandbox: SandboxControl, ascend: AscendSystem) -> None:
    written, right = hold(), "9000000000302"
    placed = await ascend.place_hold(written, at_any_time)
    confirmed = await ascend.confirm_hold(placed.id, _for(written, right), written_for=PATIENT)
    assert confirmed.patient == right
    sandbox.desk(do="move", id=placed.id, patient="9000000000305")
    again = await ascend.confirm_hold(placed.id, _for(written, right), written_for=PATIENT)
    assert again.patient == sandbox.state()["appointments"][0]["patient"]["id"] == "9000000000305"


@pytest.mark.parametrize("without", [["provider"], ["operatory"], ["provider", "operatory"]])
async def test_an_appointment_of_nobody_or_nowhere_closes_what_it_may_occupy(
    sandbox: SandboxControl, ascend: AscendSystem, without: list[str]
) -> None:
    where: dict[str, Any] = {"operatory": CHAIR, "provider": HYGIENIST, "patient": PATIENT, "start": NINE.isoformat()}
    sandbox.desk(do="book", without=without, **where)
    calendar = await ascend.calendar(OAKLAND, DAY)
    (found,) = calendar.appointments
    assert found.operatory == ("" if "operatory" in without else CHAIR)
    assert found.provider == ("" if "provider" in without else HYGIENIST)
    assert len(calendar.blocks) == (len(without) == 2)


async def asleep_over_its_reading(
    sandbox: SandboxControl, write: Write, placed: Appointment, wanted: Hold
) -> asyncio.Task[object]:
    """A worker that has read the row and goes on when it is woken, as if nothing had happened."""
    sandbox.fault(system="ascend", method="GET", path=r"/v1/appointments/\d+", kind="hold_after", seconds=60)
    system = ascend_at(sandbox)

    async def work() -> object:
        try:
            return await write(system, placed, wanted)
        finally:
            await system.close()

    sleeper = asyncio.create_task(work())
    await something_is_held(sandbox)
    return sleeper


async def woken(sleeper: asyncio.Task[object], sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch) -> object:
    """When its reading is too old by whatever measure."""
    monkeypatch.setattr(edits, "RESTS_FOR", timedelta(0))
    sandbox.release()
    try:
        return await sleeper
    finally:
        monkeypatch.undo()


async def something_is_held(sandbox: SandboxControl) -> None:
    while not sandbox.held():
        await asyncio.sleep(0.02)


def _for(wanted: Hold, patient: str) -> Hold:
    return wanted.model_copy(update={"patient": patient})
