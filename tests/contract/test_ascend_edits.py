"""Changes in Ascend while the desk edits the same row, or while Ascend refuses: over real HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.ascend import AscendSystem, edits
from adapters.ascend.fresh_rows import MAX_ROW_AGE
from adapters.errors import NotFound, Refused, SlotTaken, Unavailable
from adapters.practice_system import Hold, ReleaseOutcome
from domain.calendar import Appointment, AppointmentStatus
from tests.contract.test_ascend import DAY, HYGIENIST, NINE, OAKLAND, OPERATORY, PATIENT, book_at_desk, hold
from tests.support.practice_systems import ascend_at, unlimited_permit
from tests.support.sandbox import SandboxControl

ELEVEN = NINE + timedelta(hours=2)


Write = Callable[[AscendSystem, Appointment, Hold], Awaitable[object]]


def confirm(system: AscendSystem, placed: Appointment, our_hold: Hold) -> Awaitable[object]:
    return system.confirm_hold(placed.id, our_hold)


def release(system: AscendSystem, placed: Appointment, our_hold: Hold) -> Awaitable[object]:
    return system.release(placed.id, our_hold.reference)


def move_at_desk(sandbox: SandboxControl, appointment: Appointment, start: datetime = ELEVEN) -> None:
    sandbox.desk(do="move", id=appointment.id, start=start.isoformat())


async def test_edit_between_two_pages_of_a_read_is_kept(sandbox: SandboxControl, ascend: AscendSystem) -> None:
    sandbox.settings(page_limit=1)
    our_hold = hold()
    placed = await ascend.write_hold(our_hold, unlimited_permit)
    sandbox.fault(system="ascend", method="GET", path="/v1/appointments$", kind="hold_before", seconds=60, skip=2)
    read = asyncio.create_task(ascend.find_by_reference(our_hold.reference, OAKLAND, NINE))
    await wait_for_held_call(sandbox)
    move_at_desk(sandbox, placed)
    await asyncio.sleep(MAX_ROW_AGE.total_seconds())
    sandbox.release()
    await read
    assert (await ascend.confirm_hold(placed.id, our_hold, just_read=True)).time.start == ELEVEN


async def test_edit_while_a_change_waits_for_the_rate_limit_is_kept(sandbox: SandboxControl) -> None:
    ascend = ascend_at(sandbox, requests_per_second=1)
    our_hold = hold()
    placed = await ascend.write_hold(our_hold, unlimited_permit)
    await ascend.get_appointment(placed.id)
    confirmation = asyncio.create_task(ascend.confirm_hold(placed.id, our_hold))
    await asyncio.sleep(1.5)  # the rate limit allows each of the next two calls after one more second
    move_at_desk(sandbox, placed)
    assert (await confirmation).time.start == ELEVEN
    await ascend.close()


async def test_edit_while_a_change_waits_for_a_new_token_is_kept(sandbox: SandboxControl, ascend: AscendSystem) -> None:
    our_hold = hold()
    placed = await ascend.write_hold(our_hold, unlimited_permit)
    slow_token = {"system": "ascend", "method": "POST", "path": "^/oauth/", "kind": "hold_after", "seconds": 60}
    sandbox.fault(system="ascend", method="PUT", path="/v1/appointments/", kind="expire_tokens", then=slow_token)
    confirmation = asyncio.create_task(ascend.confirm_hold(placed.id, our_hold))
    await wait_for_held_call(sandbox)
    move_at_desk(sandbox, placed)
    sandbox.release()
    assert (await confirmation).time.start == ELEVEN


async def test_change_suspended_for_too_long_after_its_read_is_not_sent(
    sandbox: SandboxControl, ascend: AscendSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the meantime, another attempt confirmed the hold and the patient cancelled the visit."""
    our_hold = hold()
    placed = await ascend.write_hold(our_hold, unlimited_permit)
    suspended = await suspend_after_read(sandbox, confirm, placed, our_hold)
    await ascend.confirm_hold(placed.id, our_hold)
    await ascend.cancel(placed.id, our_hold.reference, "Cancelled online")
    with pytest.raises(Unavailable):
        await resume(suspended, sandbox, monkeypatch)
    assert not (await ascend.get_appointment(placed.id)).status.occupies_time


async def test_hold_that_the_desk_confirmed_while_its_release_was_suspended_stays(
    sandbox: SandboxControl, ascend: AscendSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    our_hold = hold()
    placed = await ascend.write_hold(our_hold, unlimited_permit)
    suspended = await suspend_after_read(sandbox, release, placed, our_hold)
    sandbox.desk(do="set_status", id=placed.id, status="CONFIRMED")
    with pytest.raises(Unavailable):
        await resume(suspended, sandbox, monkeypatch)
    assert await ascend.release(placed.id, our_hold.reference) is ReleaseOutcome.KEPT_BY_DESK


async def test_row_from_a_calendar_read_is_subject_to_the_same_maximum_age(
    sandbox: SandboxControl, ascend: AscendSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edits, "MAX_READ_AGE", timedelta(0))
    our_hold = hold()
    placed = await ascend.write_hold(our_hold, unlimited_permit)
    await ascend.find_by_reference(our_hold.reference, OAKLAND, NINE)
    with pytest.raises(Unavailable):
        await ascend.confirm_hold(placed.id, our_hold, just_read=True)
    assert (await ascend.get_appointment(placed.id)).status is AppointmentStatus.TENTATIVE


@pytest.mark.parametrize("write", ["place", "confirm", "move"])
async def test_status_400_over_a_conflicting_appointment_means_slot_taken(
    sandbox: SandboxControl, ascend: AscendSystem, write: str
) -> None:
    our_hold = hold()
    if write == "place":
        book_at_desk(sandbox)
        sandbox.settings(overlap="reject_400")
        with pytest.raises(SlotTaken):
            await ascend.write_hold(our_hold, unlimited_permit)
        return
    placed = await ascend.write_hold(
        our_hold if write == "confirm" else hold(our_hold.reference, ELEVEN), unlimited_permit
    )
    book_at_desk(sandbox)
    sandbox.settings(overlap="reject_400")
    with pytest.raises(SlotTaken):
        await (ascend.confirm_hold if write == "confirm" else ascend.move)(placed.id, our_hold)
    assert await ascend.release(placed.id, our_hold.reference) is ReleaseOutcome.RELEASED


async def test_status_400_without_a_conflict_is_a_refusal(sandbox: SandboxControl, ascend: AscendSystem) -> None:
    sandbox.fault(system="ascend", method="POST", path="/v1/appointments", kind="array_error", status=400)
    with pytest.raises(Refused) as refused:
        await ascend.write_hold(hold(), unlimited_permit)
    assert not isinstance(refused.value, SlotTaken)


async def test_missing_record_in_the_body_is_distinguished_from_a_deleted_appointment(ascend: AscendSystem) -> None:
    our_hold = hold()
    placed = await ascend.write_hold(our_hold, unlimited_permit)
    with pytest.raises(Refused) as refused:
        await ascend.confirm_hold(placed.id, _for_patient(our_hold, "404404"), written_for=PATIENT)
    assert (type(refused.value), refused.value.code) == (Refused, "bad_reference")
    with pytest.raises(Refused) as refused:
        await ascend.write_hold(_for_patient(our_hold, "404404"), unlimited_permit)
    assert (type(refused.value), refused.value.code) == (Refused, "bad_reference")
    await ascend.release(placed.id, our_hold.reference)
    with pytest.raises(NotFound):
        await ascend.confirm_hold(placed.id, our_hold)


async def test_confirming_replaces_the_chart_that_we_wrote_and_no_other(
    sandbox: SandboxControl, ascend: AscendSystem
) -> None:
    our_hold, right_chart = hold(), "9000000000302"
    placed = await ascend.write_hold(our_hold, unlimited_permit)
    confirmed = await ascend.confirm_hold(placed.id, _for_patient(our_hold, right_chart), written_for=PATIENT)
    assert confirmed.patient == right_chart
    sandbox.desk(do="move", id=placed.id, patient="9000000000305")
    again = await ascend.confirm_hold(placed.id, _for_patient(our_hold, right_chart), written_for=PATIENT)
    assert again.patient == sandbox.state()["appointments"][0]["patient"]["id"] == "9000000000305"


@pytest.mark.parametrize("without", [["provider"], ["operatory"], ["provider", "operatory"]])
async def test_appointment_without_provider_or_operatory_closes_what_it_may_occupy(
    sandbox: SandboxControl, ascend: AscendSystem, without: list[str]
) -> None:
    fields: dict[str, Any] = {
        "operatory": OPERATORY,
        "provider": HYGIENIST,
        "patient": PATIENT,
        "start": NINE.isoformat(),
    }
    sandbox.desk(do="book", without=without, **fields)
    calendar = await ascend.read_calendar(OAKLAND, DAY)
    (appointment,) = calendar.appointments
    assert appointment.operatory == ("" if "operatory" in without else OPERATORY)
    assert appointment.provider == ("" if "provider" in without else HYGIENIST)
    assert len(calendar.blocks) == (len(without) == 2)


async def suspend_after_read(
    sandbox: SandboxControl, write: Write, placed: Appointment, our_hold: Hold
) -> asyncio.Task[object]:
    """A worker that has read the row. When resumed, it goes on as if no time had passed."""
    sandbox.fault(system="ascend", method="GET", path=r"/v1/appointments/\d+", kind="hold_after", seconds=60)
    system = ascend_at(sandbox)

    async def work() -> object:
        try:
            return await write(system, placed, our_hold)
        finally:
            await system.close()

    suspended = asyncio.create_task(work())
    await wait_for_held_call(sandbox)
    return suspended


async def resume(suspended: asyncio.Task[object], sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch) -> object:
    """Resume it at a time when its row is too old by any measure."""
    with monkeypatch.context() as patch:
        patch.setattr(edits, "MAX_READ_AGE", timedelta(0))
        sandbox.release()
        return await suspended


async def wait_for_held_call(sandbox: SandboxControl) -> None:
    while not sandbox.held():
        await asyncio.sleep(0.02)


def _for_patient(our_hold: Hold, patient: str) -> Hold:
    return our_hold.model_copy(update={"patient": patient})
