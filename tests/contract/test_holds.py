"""What the write protocol decides, with the real adapter, the real ledger and the sandbox's calendar."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.connections import Connections
from activities.hold_contracts import ConfirmHoldInput, HoldResult, SettleLandingInput, WriteHoldInput, WriteRecord
from activities.holds import HoldActivities
from activities.release import ReleaseActivities, ReleaseInput, ReleaseResult
from adapters.ascend import AscendSystem
from adapters.errors import OutsideError, Unavailable
from adapters.ledger import Claim, ClaimLost, Ledger
from adapters.practice_file import read_practice
from adapters.practice_system import Hold
from devstack import ROOT
from domain.calendar import Appointment
from domain.interval import span
from domain.keyed_hash import KeyedHash
from domain.reference import new_reference
from domain.slot import Cause, Slot
from tests.contract.test_ascend import OAKLAND, PATIENT
from tests.support.clock import OffsetClock
from tests.support.practice_systems import NINE, unlimited_permit
from tests.support.sandbox import SandboxControl

OPERATORIES = ("12000000000301", "12000000000302")
DENTIST = "9000000000201"
KEYED_HASH = KeyedHash(b"k" * 32)


def slot(operatory: int, start: datetime = NINE) -> Slot:
    return Slot(time=span(start, 30), provider=DENTIST, operatory=OPERATORIES[operatory])


def write_input(reference: str, slot: Slot) -> WriteHoldInput:
    return WriteHoldInput(reference=reference, location="oakland", service="consult", slot=slot, patient=PATIENT)


def consultation(reference: str, slot: Slot) -> Hold:
    return Hold(reference=reference, location=OAKLAND, slot=slot, patient=PATIENT, title="Consultation")


async def write_hold(connections: Connections, request: WriteHoldInput) -> HoldResult:
    return await ActivityEnvironment().run(HoldActivities(connections, KEYED_HASH).write_hold, request)


async def release_everything(connections: Connections, request: ReleaseInput) -> ReleaseResult:
    return await ActivityEnvironment().run(ReleaseActivities(connections).release_everything, request)


@pytest.fixture
def connections(ledger: Ledger, ascend: AscendSystem) -> Connections:
    return Connections(practice=read_practice(ROOT / "practice.toml"), systems={"ascend-main": ascend}, ledger=ledger)


async def acquire_claim(connections: Connections, reference: str, slot: Slot) -> None:
    claim = Claim(
        reference=reference,
        connection="ascend-main",
        location="oakland",
        service="consult",
        local_day=slot.time.start.date(),
        slot=slot,
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
    await connections.ledger.claims.acquire(claim, datetime.now(UTC))


async def test_late_commit_for_a_lost_slot_does_not_replace_the_new_hold(
    connections: Connections, sandbox: SandboxControl
) -> None:
    reference = new_reference()
    late = consultation(reference, slot(0))
    await connections.systems["ascend-main"].write_hold(late, unlimited_permit)
    await acquire_claim(connections, reference, slot(1))
    writes = tuple(WriteRecord(slot=slot(number), patient=PATIENT) for number in (0, 1))
    request = write_input(reference, slot(1)).model_copy(update={"writes": writes})
    written = await write_hold(connections, request)
    assert written.appointment is not None
    assert written.appointment.slot == slot(1)
    assert [row["id"] for row in sandbox.state()["appointments"]] == [written.appointment.id]


async def test_hold_that_the_desk_moved_is_confirmed_where_it_is(
    connections: Connections, sandbox: SandboxControl
) -> None:
    reference = new_reference()
    await acquire_claim(connections, reference, slot(0))
    activities, request = HoldActivities(connections, KEYED_HASH), write_input(reference, slot(0))
    held = (await ActivityEnvironment().run(activities.write_hold, request)).appointment
    assert held is not None
    noon = NINE + timedelta(hours=3)
    sandbox.desk(do="move", id=held.id, start=noon.isoformat())
    confirmed = await ActivityEnvironment().run(
        activities.confirm_hold, ConfirmHoldInput(**dict(request), appointment_id=held.id)
    )
    assert confirmed.appointment is not None
    assert confirmed.appointment.time.start == noon
    assert [row["start"] for row in sandbox.state()["appointments"]] == [
        noon.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    ]


async def test_unknown_write_is_searched_for_when_the_claim_is_lost(connections: Connections) -> None:
    request = write_input(new_reference(), slot(0)).model_copy(update={"look_first": True})
    written = await write_hold(connections, request)
    assert [conflict.cause for conflict in written.conflicts] == [Cause.CLAIM]
    assert written.may_commit_late


async def test_release_covers_every_slot_that_was_written(connections: Connections, sandbox: SandboxControl) -> None:
    reference, system = new_reference(), connections.systems["ascend-main"]
    slots = (slot(0), slot(0, NINE + timedelta(days=7)))
    for written_slot in slots:
        await system.write_hold(consultation(reference, written_slot), unlimited_permit)
    request = ReleaseInput(reference=reference, location="oakland", start=slots[1].time.start, slots=slots)
    await release_everything(connections, request)
    assert sandbox.state()["appointments"] == []


async def test_hold_that_the_desk_moved_over_another_visit_is_not_confirmed_automatically(
    connections: Connections, sandbox: SandboxControl
) -> None:
    reference = new_reference()
    await acquire_claim(connections, reference, slot(0))
    noon = NINE + timedelta(hours=3)
    resources = {"operatory": OPERATORIES[0], "provider": DENTIST, "patient": PATIENT}
    desk_appointment = sandbox.desk(do="book", start=noon.isoformat(), **resources)
    first = consultation(reference, slot(0))
    placed = await connections.systems["ascend-main"].write_hold(first, unlimited_permit)
    sandbox.desk(do="move", id=placed.id, start=noon.isoformat())
    request = write_input(reference, slot(0)).model_copy(update={"look_first": True, "confirm": True})
    written = await write_hold(connections, request)
    assert written.appointment is not None
    assert (written.appointment.id, written.confirmed) == (placed.id, False)
    assert [conflict.appointment for conflict in written.conflicts] == [desk_appointment["id"]]


@pytest.mark.parametrize("is_readable", [True, False])
async def test_hold_yields_to_what_certainly_overlaps_and_not_to_a_guess(
    connections: Connections, sandbox: SandboxControl, is_readable: bool
) -> None:
    """A row that ends before it starts may occupy the hours before and after: nobody knows."""
    reference = new_reference()
    await acquire_claim(connections, reference, slot(0))
    resources = {"operatory": OPERATORIES[0], "provider": DENTIST, "patient": PATIENT}
    start = NINE - timedelta(hours=1)
    row = sandbox.desk(do="book", start=start.isoformat(), duration=90 if is_readable else -60, **resources)
    written = await write_hold(connections, write_input(reference, slot(0)).model_copy(update={"confirm": True}))
    assert written.confirmed is not is_readable
    assert [conflict.appointment for conflict in written.conflicts] == ([row["id"]] if is_readable else [])
    assert len(sandbox.state()["appointments"]) == (1 if is_readable else 2)


async def test_confirmation_does_not_yield_to_a_guess(connections: Connections, sandbox: SandboxControl) -> None:
    reference = new_reference()
    await acquire_claim(connections, reference, slot(0))
    activities, request = HoldActivities(connections, KEYED_HASH), write_input(reference, slot(0))
    held = (await ActivityEnvironment().run(activities.write_hold, request)).appointment
    assert held is not None
    sandbox.desk(do="block", location=OAKLAND, provider=DENTIST, start="?", end="?")
    writes = (WriteRecord(slot=slot(0), patient=PATIENT),)
    confirm = ConfirmHoldInput(**{**dict(request), "writes": writes}, appointment_id=held.id)
    confirmed = await ActivityEnvironment().run(activities.confirm_hold, confirm)
    assert (confirmed.appointment and confirmed.appointment.id, confirmed.conflicts) == (held.id, ())


@pytest.mark.parametrize("action", ["delete", "cancel", "note"])
async def test_hold_that_the_desk_removed_before_the_read_back_is_not_written_again(
    connections: Connections, sandbox: SandboxControl, action: str
) -> None:
    reference = new_reference()
    await acquire_claim(connections, reference, slot(0))
    sandbox.fault(system="ascend", method="GET", path="/v1/appointments$", kind="hold_before", seconds=60)
    request = write_input(reference, slot(0)).model_copy(update={"confirm": True})
    writing = asyncio.create_task(write_hold(connections, request))
    while not sandbox.held():
        await asyncio.sleep(0.02)
    rows = sandbox.state()["appointments"]
    sandbox.desk(do="move" if action == "note" else action, id=rows[0]["id"], note="Called, wants another day")
    sandbox.release()
    written = await writing
    assert (written.appointment, written.conflicts, written.may_commit_late) == (None, (), True)
    remaining = [(row["status"], row["note"]) for row in sandbox.state()["appointments"]]
    assert (
        remaining
        == {
            "delete": [],
            "cancel": [("BROKEN", rows[0]["note"])],
            "note": [("UNCONFIRMED", "Called, wants another day")],
        }[action]
    )
    with pytest.raises(ClaimLost):
        await connections.ledger.claims.renew(reference, datetime.now(UTC))


async def test_hold_that_the_desk_removed_after_a_failed_read_back_is_not_written_again(
    connections: Connections, sandbox: SandboxControl
) -> None:
    reference = new_reference()
    await acquire_claim(connections, reference, slot(0))
    sandbox.fault(system="ascend", method="GET", path="/v1/appointments$", kind="status_before")
    environment, heartbeat_details = ActivityEnvironment(), list[Appointment]()
    environment.on_heartbeat = lambda *details: heartbeat_details.extend(details)
    with pytest.raises(Unavailable):
        await environment.run(HoldActivities(connections, KEYED_HASH).write_hold, write_input(reference, slot(0)))
    (row,) = sandbox.state()["appointments"]
    assert [placed.id for placed in heartbeat_details] == [row["id"]]
    sandbox.desk(do="delete", id=row["id"])
    details = [heartbeat_details[0].model_dump(mode="json")]
    environment.info = replace(environment.info, attempt=2, heartbeat_details=details)
    written = await environment.run(HoldActivities(connections, KEYED_HASH).write_hold, write_input(reference, slot(0)))
    assert (written.appointment, written.conflicts) == (None, ())
    assert sandbox.state()["appointments"] == []


async def test_hold_that_yielded_with_a_lost_answer_is_not_reported_as_removed_by_the_desk(
    connections: Connections, sandbox: SandboxControl
) -> None:
    reference = new_reference()
    await acquire_claim(connections, reference, slot(0))
    request = write_input(reference, slot(0))
    desk_appointment = sandbox.desk(
        do="book", start=NINE.isoformat(), operatory=OPERATORIES[0], provider=DENTIST, patient=PATIENT
    )
    first = consultation(reference, slot(0))
    placed = await connections.systems["ascend-main"].write_hold(first, unlimited_permit)
    environment, heartbeat_details = ActivityEnvironment(), [placed.model_dump(mode="json")]

    def record_heartbeat(*details: Any) -> None:
        heartbeat_details[:] = details

    environment.on_heartbeat = record_heartbeat
    read_fault = {"system": "ascend", "method": "GET", "path": "/v1/appointments/", "kind": "status_before"}
    sandbox.fault(system="ascend", method="DELETE", path="/v1/appointments/", kind="status_after", then=read_fault)
    environment.info = replace(environment.info, attempt=2, heartbeat_details=list(heartbeat_details))
    with pytest.raises(OutsideError):
        await environment.run(HoldActivities(connections, KEYED_HASH).write_hold, request)
    assert [row["id"] for row in sandbox.state()["appointments"]] == [desk_appointment["id"]]
    environment.info = replace(environment.info, attempt=3, heartbeat_details=list(heartbeat_details))
    written = await environment.run(HoldActivities(connections, KEYED_HASH).write_hold, request)
    assert [conflict.appointment for conflict in written.conflicts] == [desk_appointment["id"]]
    assert [row["id"] for row in sandbox.state()["appointments"]] == [desk_appointment["id"]]


async def test_hold_that_the_desk_confirmed_at_an_earlier_time_is_found_at_once(
    connections: Connections, sandbox: SandboxControl
) -> None:
    reference = new_reference()
    earlier = slot(0, NINE + timedelta(days=1))
    first = consultation(reference, earlier)
    placed = await connections.systems["ascend-main"].write_hold(first, unlimited_permit)
    sandbox.desk(do="set_status", id=placed.id, status="CONFIRMED")
    await acquire_claim(connections, reference, slot(1))
    writes = tuple(WriteRecord(slot=written_slot, patient=PATIENT) for written_slot in (earlier, slot(1)))
    request = write_input(reference, slot(1)).model_copy(update={"look_first": True, "writes": writes})
    main = connections.practice.connection("ascend-main").model_copy(update={"consistency_delay": timedelta(minutes=1)})
    slow_connections = replace(connections, practice=connections.practice.model_copy(update={"connections": (main,)}))
    started_at = time.monotonic()
    written = await write_hold(slow_connections, request)
    assert written.appointment is not None
    assert (written.appointment.id, written.appointment.slot) == (placed.id, earlier)
    assert time.monotonic() - started_at < 60, "the activity waited for the consistency delay"


async def test_attempt_that_slept_after_the_fence_check_sends_nothing(
    connections: Connections, sandbox: SandboxControl
) -> None:
    """The default ``late_commit`` is 60 s, so a hold must be sent within 30 s of the check."""
    reference = new_reference()
    await acquire_claim(connections, reference, slot(0))
    late_connections = replace(connections, clock=OffsetClock(timedelta(seconds=-31)))
    with pytest.raises(Unavailable):
        await write_hold(late_connections, write_input(reference, slot(0)))
    assert sandbox.state()["appointments"] == []
    assert not (await connections.ledger.claims.renew(reference, datetime.now(UTC))).written


async def test_result_lists_only_what_this_call_released(connections: Connections, sandbox: SandboxControl) -> None:
    reference, system = new_reference(), connections.systems["ascend-main"]
    hold = consultation(reference, slot(0))
    request = ReleaseInput(reference=reference, location="oakland", start=NINE, slots=(slot(0),))

    async def release(**changes: object) -> ReleaseResult:
        return await release_everything(connections, request.model_copy(update=changes))

    ours, theirs = [(await system.write_hold(hold, unlimited_permit)).id for _ in range(2)]
    sandbox.desk(do="set_status", id=theirs, status="BROKEN")
    assert (await release(appointment_id=ours, keep_ids=(ours,))).released_ids == ()
    assert (await release(appointment_id=ours)).released_ids == (ours,)
    assert (await release(appointment_id=ours)).released_ids == ()
    assert await release(appointment_id=theirs) == ReleaseResult()
    sandbox.desk(do="set_status", id=theirs, status="CONFIRMED")
    assert [kept.id for kept in (await release(appointment_id=theirs, released_before=(ours,))).remaining] == [theirs]
    assert (await release(appointment_id=theirs, released_before=(theirs,))).released_ids == (theirs,)


async def test_hold_that_the_desk_gave_to_another_patient_is_kept_when_it_expires(
    connections: Connections, sandbox: SandboxControl
) -> None:
    reference, theirs = new_reference(), "9000000000304"
    request = write_input(reference, slot(0))
    await acquire_claim(connections, reference, slot(0))
    held = (await write_hold(connections, request)).appointment
    assert held is not None
    sandbox.desk(do="move", id=held.id, patient=theirs)
    release = ReleaseInput(reference=reference, location="oakland", start=NINE, slots=(slot(0),), patients=(PATIENT,))
    released = await release_everything(connections, release)
    assert [(kept.id, kept.patient) for kept in released.remaining] == [(held.id, theirs)]
    assert [row["id"] for row in sandbox.state()["appointments"]] == [held.id]


async def test_leftover_that_the_desk_gave_to_another_patient_is_the_visit(
    connections: Connections, sandbox: SandboxControl
) -> None:
    reference = new_reference()
    earlier = consultation(reference, slot(0))
    placed = await connections.systems["ascend-main"].write_hold(earlier, unlimited_permit)
    sandbox.desk(do="move", id=placed.id, patient="9000000000304")
    await acquire_claim(connections, reference, slot(1))
    writes = tuple(WriteRecord(slot=slot(number), patient=PATIENT) for number in (0, 1))
    request = write_input(reference, slot(1)).model_copy(update={"look_first": True, "writes": writes})
    written = await write_hold(connections, request)
    assert written.appointment is not None
    assert (written.appointment.id, written.appointment.patient) == (placed.id, "9000000000304")


async def test_appointment_that_was_released_twice_is_left_to_staff(
    connections: Connections, sandbox: SandboxControl
) -> None:
    reference, system = new_reference(), connections.systems["ascend-main"]
    hold = consultation(reference, slot(0))
    placed = await system.write_hold(hold, unlimited_permit)
    request = ReleaseInput(
        reference=reference, location="oakland", start=NINE, slots=(slot(0),), released_twice=(placed.id,)
    )
    result = await ActivityEnvironment().run(ReleaseActivities(connections).remove_leftovers, request)
    assert ([kept.id for kept in result.remaining], result.released_ids) == ([placed.id], ())


async def test_hold_at_an_earlier_time_that_yielded_is_not_returned(
    connections: Connections, sandbox: SandboxControl
) -> None:
    """The patient picked another time, which could not be written. Then the desk books over the hold at the first."""
    reference = new_reference()
    earlier = consultation(reference, slot(0))
    placed = await connections.systems["ascend-main"].write_hold(earlier, unlimited_permit)
    resources = {"operatory": OPERATORIES[0], "provider": DENTIST, "patient": PATIENT}
    desk_appointment = sandbox.desk(do="book", start=slot(0).time.start.isoformat(), **resources)
    new_slot = slot(0, NINE + timedelta(hours=3))
    writes = tuple(WriteRecord(slot=written_slot, patient=PATIENT) for written_slot in (slot(0), new_slot))
    request = write_input(reference, new_slot).model_copy(update={"writes": writes, "supersedes": placed.id})
    result = await ActivityEnvironment().run(
        HoldActivities(connections, KEYED_HASH).settle_landing,
        SettleLandingInput(**dict(request), appointment_id=placed.id),
    )
    assert result.appointment is None
    assert [conflict.appointment for conflict in result.conflicts] == [desk_appointment["id"]]
    assert [row["id"] for row in sandbox.state()["appointments"]] == [desk_appointment["id"]]
