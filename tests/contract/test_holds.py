"""The write protocol's own decisions, with the real adapter, the real ledger and the sandbox's calendar."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities import holds
from activities.connections import Connections
from activities.hold_contracts import CheckLandingInput, ConfirmHoldInput, HoldResult, WriteHoldInput, WriteRecord
from activities.holds import HoldActivities
from activities.release import ReleaseActivities, ReleaseInput, ReleaseResult
from adapters.ascend import AscendSystem
from adapters.errors import OutsideError, Unavailable
from adapters.ledger import Claim, ClaimLost, Ledger
from adapters.practice_file import read_practice
from adapters.practice_system import Hold
from demo.stack import ROOT
from domain.calendar import Appointment
from domain.interval import span
from domain.reference import new_reference
from domain.slot import Cause, Slot
from tests.contract.test_ascend import OAKLAND, PATIENT
from tests.support.practice_systems import NINE, at_any_time
from tests.support.sandbox import SandboxControl

CHAIRS = ("12000000000301", "12000000000302")
DENTIST = "9000000000201"


def slot(chair: int, start: datetime = NINE) -> Slot:
    return Slot(time=span(start, 30), provider=DENTIST, operatory=CHAIRS[chair])


def to_write(reference: str, where: Slot) -> WriteHoldInput:
    return WriteHoldInput(reference=reference, location="oakland", service="consult", slot=where, patient=PATIENT)


def consultation(reference: str, where: Slot) -> Hold:
    return Hold(reference=reference, location=OAKLAND, slot=where, patient=PATIENT, title="Consultation")


async def written_by(parts: Connections, given: WriteHoldInput) -> HoldResult:
    return await ActivityEnvironment().run(HoldActivities(parts).write_hold, given)


async def withdrawn_by(parts: Connections, given: ReleaseInput) -> ReleaseResult:
    return await ActivityEnvironment().run(ReleaseActivities(parts).release_hold, given)


@pytest.fixture
def parts(ledger: Ledger, ascend: AscendSystem) -> Connections:
    return Connections(practice=read_practice(ROOT / "practice.toml"), systems={"ascend-main": ascend}, ledger=ledger)


async def claimed(parts: Connections, reference: str, where: Slot) -> None:
    claim = Claim(
        reference=reference,
        connection="ascend-main",
        location="oakland",
        service="consult",
        local_day=where.time.start.date(),
        slot=where,
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
    await parts.ledger.claims.take(claim, datetime.now(UTC))


async def test_what_was_carried_out_late_for_a_slot_lost_since_does_not_take_the_new_ones_place(
    parts: Connections, sandbox: SandboxControl
) -> None:
    reference = new_reference()
    late = consultation(reference, slot(0))
    await parts.systems["ascend-main"].place_hold(late, at_any_time)
    await claimed(parts, reference, slot(1))
    writes = tuple(WriteRecord(slot=slot(chair), patient=PATIENT) for chair in (0, 1))
    given = to_write(reference, slot(1)).model_copy(update={"writes": writes})
    written = await written_by(parts, given)
    assert written.appointment is not None
    assert written.appointment.slot == slot(1)
    assert [row["id"] for row in sandbox.state()["appointments"]] == [written.appointment.id]


async def test_what_the_desk_moved_just_after_our_look_is_confirmed_where_it_is(
    parts: Connections, sandbox: SandboxControl
) -> None:
    reference = new_reference()
    await claimed(parts, reference, slot(0))
    holds, given = HoldActivities(parts), to_write(reference, slot(0))
    held = (await ActivityEnvironment().run(holds.write_hold, given)).appointment
    assert held is not None
    noon = NINE + timedelta(hours=3)
    sandbox.desk(do="move", id=held.id, start=noon.isoformat())
    confirmed = await ActivityEnvironment().run(
        holds.confirm_hold, ConfirmHoldInput(**dict(given), appointment_id=held.id)
    )
    assert confirmed.appointment is not None
    assert confirmed.appointment.time.start == noon
    assert [row["start"] for row in sandbox.state()["appointments"]] == [
        noon.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    ]


async def test_an_unknown_write_is_still_looked_for_when_the_claim_is_lost(parts: Connections) -> None:
    given = to_write(new_reference(), slot(0)).model_copy(update={"look_first": True})
    written = await written_by(parts, given)
    assert [conflict.cause for conflict in written.conflicts] == [Cause.CLAIM]
    assert written.ambiguous


async def test_a_visit_is_taken_back_wherever_it_was_written(parts: Connections, sandbox: SandboxControl) -> None:
    reference, system = new_reference(), parts.systems["ascend-main"]
    slots = (slot(0), slot(0, NINE + timedelta(days=7)))
    for where in slots:
        await system.place_hold(consultation(reference, where), at_any_time)
    given = ReleaseInput(reference=reference, location="oakland", start=slots[1].time.start, slots=slots)
    await withdrawn_by(parts, given)
    assert sandbox.state()["appointments"] == []


async def test_what_was_moved_over_another_visit_is_not_confirmed_by_itself(
    parts: Connections, sandbox: SandboxControl
) -> None:
    reference = new_reference()
    await claimed(parts, reference, slot(0))
    noon = NINE + timedelta(hours=3)
    where = {"operatory": CHAIRS[0], "provider": DENTIST, "patient": PATIENT}
    theirs = sandbox.desk(do="book", start=noon.isoformat(), **where)
    first = consultation(reference, slot(0))
    placed = await parts.systems["ascend-main"].place_hold(first, at_any_time)
    sandbox.desk(do="move", id=placed.id, start=noon.isoformat())
    given = to_write(reference, slot(0)).model_copy(update={"look_first": True, "confirm": True})
    written = await written_by(parts, given)
    assert written.appointment is not None
    assert (written.appointment.id, written.confirmed) == (placed.id, False)
    assert [conflict.appointment for conflict in written.conflicts] == [theirs["id"]]


@pytest.mark.parametrize("deed", ["delete", "cancel", "note"])
async def test_what_the_desk_took_out_before_we_looked_again_is_not_written_again(
    parts: Connections, sandbox: SandboxControl, deed: str
) -> None:
    reference = new_reference()
    await claimed(parts, reference, slot(0))
    sandbox.fault(system="ascend", method="GET", path="/v1/appointments$", kind="hold_before", seconds=60)
    given = to_write(reference, slot(0)).model_copy(update={"confirm": True})
    writing = asyncio.create_task(written_by(parts, given))
    while not sandbox.held():
        await asyncio.sleep(0.02)
    rows = sandbox.state()["appointments"]
    sandbox.desk(do="move" if deed == "note" else deed, id=rows[0]["id"], note="Called, wants another day")
    sandbox.release()
    written = await writing
    assert (written.appointment, written.conflicts, written.ambiguous) == (None, (), True)
    left = [(row["status"], row["note"]) for row in sandbox.state()["appointments"]]
    assert (
        left
        == {
            "delete": [],
            "cancel": [("BROKEN", rows[0]["note"])],
            "note": [("UNCONFIRMED", "Called, wants another day")],
        }[deed]
    )
    with pytest.raises(ClaimLost):
        await parts.ledger.claims.renew(reference, datetime.now(UTC))


async def test_what_the_desk_took_out_before_anybody_could_look_is_not_written_again(
    parts: Connections, sandbox: SandboxControl
) -> None:
    reference = new_reference()
    await claimed(parts, reference, slot(0))
    sandbox.fault(system="ascend", method="GET", path="/v1/appointments$", kind="status_before")
    environment, told = ActivityEnvironment(), list[Appointment]()
    environment.on_heartbeat = lambda *details: told.extend(details)
    with pytest.raises(Unavailable):
        await environment.run(HoldActivities(parts).write_hold, to_write(reference, slot(0)))
    (row,) = sandbox.state()["appointments"]
    assert [placed.id for placed in told] == [row["id"]]
    sandbox.desk(do="delete", id=row["id"])
    details = [told[0].model_dump(mode="json")]
    environment.info = replace(environment.info, attempt=2, heartbeat_details=details)
    written = await environment.run(HoldActivities(parts).write_hold, to_write(reference, slot(0)))
    assert (written.appointment, written.conflicts) == (None, ())
    assert sandbox.state()["appointments"] == []


async def test_what_gave_way_with_its_answer_lost_is_not_taken_for_something_that_the_desk_took_out(
    parts: Connections, sandbox: SandboxControl
) -> None:
    reference = new_reference()
    await claimed(parts, reference, slot(0))
    given = to_write(reference, slot(0))
    theirs = sandbox.desk(do="book", start=NINE.isoformat(), operatory=CHAIRS[0], provider=DENTIST, patient=PATIENT)
    first = consultation(reference, slot(0))
    placed = await parts.systems["ascend-main"].place_hold(first, at_any_time)
    environment, told = ActivityEnvironment(), [placed.model_dump(mode="json")]

    def beat(*details: Any) -> None:
        told[:] = details

    environment.on_heartbeat = beat
    unread = {"system": "ascend", "method": "GET", "path": "/v1/appointments/", "kind": "status_before"}
    sandbox.fault(system="ascend", method="DELETE", path="/v1/appointments/", kind="status_after", then=unread)
    environment.info = replace(environment.info, attempt=2, heartbeat_details=list(told))
    with pytest.raises(OutsideError):
        await environment.run(HoldActivities(parts).write_hold, given)
    assert [row["id"] for row in sandbox.state()["appointments"]] == [theirs["id"]]
    environment.info = replace(environment.info, attempt=3, heartbeat_details=list(told))
    written = await environment.run(HoldActivities(parts).write_hold, given)
    assert [conflict.appointment for conflict in written.conflicts] == [theirs["id"]]
    assert [row["id"] for row in sandbox.state()["appointments"]] == [theirs["id"]]


async def test_what_the_desk_confirmed_at_an_earlier_time_is_known_at_once(
    parts: Connections, sandbox: SandboxControl
) -> None:
    reference = new_reference()
    earlier = slot(0, NINE + timedelta(days=1))
    first = consultation(reference, earlier)
    placed = await parts.systems["ascend-main"].place_hold(first, at_any_time)
    sandbox.desk(do="set_status", id=placed.id, status="CONFIRMED")
    await claimed(parts, reference, slot(1))
    writes = tuple(WriteRecord(slot=where, patient=PATIENT) for where in (earlier, slot(1)))
    given = to_write(reference, slot(1)).model_copy(update={"look_first": True, "writes": writes})
    main = parts.practice.connection("ascend-main").model_copy(update={"consistency_delay": timedelta(minutes=1)})
    slowly = replace(parts, practice=parts.practice.model_copy(update={"connections": (main,)}))
    begun = time.monotonic()
    written = await written_by(slowly, given)
    assert written.appointment is not None
    assert (written.appointment.id, written.appointment.slot) == (placed.id, earlier)
    assert time.monotonic() - begun < 60, "it was waited for"


async def test_an_attempt_that_slept_after_it_asserted_its_claim_sends_nothing(
    parts: Connections, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = new_reference()
    await claimed(parts, reference, slot(0))
    asleep = datetime.now(UTC) - timedelta(seconds=31)
    monkeypatch.setattr(holds, "utc_now", lambda: asleep)
    with pytest.raises(Unavailable):
        await written_by(parts, to_write(reference, slot(0)))
    assert sandbox.state()["appointments"] == []
    assert not (await parts.ledger.claims.renew(reference, datetime.now(UTC))).written


async def test_only_what_we_took_back_ourselves_is_said_to_be(parts: Connections, sandbox: SandboxControl) -> None:
    reference, system = new_reference(), parts.systems["ascend-main"]
    hold = consultation(reference, slot(0))
    given = ReleaseInput(reference=reference, location="oakland", start=NINE, slots=(slot(0),))

    async def taken_back(**known: object) -> ReleaseResult:
        asked = given.model_copy(update=known)
        return await withdrawn_by(parts, asked)

    ours, theirs = [(await system.place_hold(hold, at_any_time)).id for _ in range(2)]
    sandbox.desk(do="set_status", id=theirs, status="BROKEN")
    assert (await taken_back(appointment_id=ours, keep_ids=(ours,))).taken == ()
    assert (await taken_back(appointment_id=ours)).taken == (ours,)
    assert (await taken_back(appointment_id=ours)).taken == ()
    assert await taken_back(appointment_id=theirs) == ReleaseResult()
    sandbox.desk(do="set_status", id=theirs, status="CONFIRMED")
    assert [kept.id for kept in (await taken_back(appointment_id=theirs, released_before=(ours,))).kept] == [theirs]
    assert (await taken_back(appointment_id=theirs, released_before=(theirs,))).taken == (theirs,)


async def test_a_hold_to_which_the_desk_gave_the_right_chart_stays_when_it_expires(
    parts: Connections, sandbox: SandboxControl
) -> None:
    reference, theirs = new_reference(), "9000000000304"
    placeholder = to_write(reference, slot(0))
    await claimed(parts, reference, slot(0))
    held = (await written_by(parts, placeholder)).appointment
    assert held is not None
    sandbox.desk(do="move", id=held.id, patient=theirs)
    given = ReleaseInput(reference=reference, location="oakland", start=NINE, slots=(slot(0),), patients=(PATIENT,))
    withdrawn = await withdrawn_by(parts, given)
    assert [(kept.id, kept.patient) for kept in withdrawn.kept] == [(held.id, theirs)]
    assert [row["id"] for row in sandbox.state()["appointments"]] == [held.id]


async def test_what_was_left_at_an_earlier_time_and_given_to_another_patient_is_the_visit(
    parts: Connections, sandbox: SandboxControl
) -> None:
    reference = new_reference()
    earlier = consultation(reference, slot(0))
    placed = await parts.systems["ascend-main"].place_hold(earlier, at_any_time)
    sandbox.desk(do="move", id=placed.id, patient="9000000000304")
    await claimed(parts, reference, slot(1))
    writes = tuple(WriteRecord(slot=slot(chair), patient=PATIENT) for chair in (0, 1))
    given = to_write(reference, slot(1)).model_copy(update={"look_first": True, "writes": writes})
    written = await written_by(parts, given)
    assert written.appointment is not None
    assert (written.appointment.id, written.appointment.patient) == (placed.id, "9000000000304")


async def test_what_was_taken_back_twice_is_left_to_a_person(parts: Connections, sandbox: SandboxControl) -> None:
    reference, system = new_reference(), parts.systems["ascend-main"]
    hold = consultation(reference, slot(0))
    placed = await system.place_hold(hold, at_any_time)
    given = ReleaseInput(
        reference=reference, location="oakland", start=NINE, slots=(slot(0),), released_twice=(placed.id,)
    )
    swept = await ActivityEnvironment().run(ReleaseActivities(parts).remove_leftovers, given)
    assert ([kept.id for kept in swept.kept], swept.taken) == ([placed.id], ())


async def test_a_hold_that_gives_way_at_an_earlier_time_is_not_said_to_stand(
    parts: Connections, sandbox: SandboxControl
) -> None:
    """Another time was chosen and could not be written; then the desk books over the hold that still stood."""
    reference = new_reference()
    earlier = consultation(reference, slot(0))
    placed = await parts.systems["ascend-main"].place_hold(earlier, at_any_time)
    where = {"operatory": CHAIRS[0], "provider": DENTIST, "patient": PATIENT}
    theirs = sandbox.desk(do="book", start=slot(0).time.start.isoformat(), **where)
    wanted = slot(0, NINE + timedelta(hours=3))
    writes = tuple(WriteRecord(slot=where, patient=PATIENT) for where in (slot(0), wanted))
    given = to_write(reference, wanted).model_copy(update={"writes": writes, "replaces": placed.id})
    seen = await ActivityEnvironment().run(
        HoldActivities(parts).check_landing, CheckLandingInput(**dict(given), appointment_id=placed.id)
    )
    assert seen.appointment is None
    assert [conflict.appointment for conflict in seen.conflicts] == [theirs["id"]]
    assert [row["id"] for row in sandbox.state()["appointments"]] == [theirs["id"]]
