"""Steps on a practice system that queues writes and judges them itself: against the sandbox and a real ledger."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.connections import Connections, utc_now
from activities.hold_contracts import CheckLandingInput, ConfirmHoldInput, WriteHoldInput
from activities.holds import LOOKS_APART, HoldActivities
from activities.patients import CreateChartInput, PatientActivities
from activities.slots import SlotActivities, SlotRequest
from adapters.errors import NotAuthorized, OutcomeUnknown, OutsideError, Refused, Unavailable
from adapters.ledger import Claim, Ledger
from domain.booking import Reason
from domain.calendar import Appointment, AppointmentStatus, LandingState
from domain.keyed_hash import KeyedHash
from domain.matching import Verdict
from domain.practice import Practice
from domain.reference import new_reference
from domain.slot import Cause
from tests.contract.test_nexhealth import HOURS, NOVA, new
from tests.support.practice_systems import NINE, Bench, at_any_time, bench
from tests.support.practices import cleaning, location, practice_of
from tests.support.sandbox import SandboxControl


def practice_with(**service: Any) -> Practice:
    portland = location(
        "portland",
        practice_system_id="101",
        providers={"aspen": "201", "ivy": "202"},
        operatories={"op1": "301", "op2": "302"},
        hours={"tuesday": ["08:00-17:00"]},
        services=[cleaning(**service)],
    )
    return practice_of(portland, system="dentrix", consistency_delay="1s", resend_after="1s")


CLAIMED_FOR = timedelta(minutes=5)
WANTED = SlotRequest(
    reference=new_reference(), location="portland", service="cleaning", start=NINE, claim_expires_at=NINE
)


class Steps:
    def __init__(self, at: Bench, practice: Practice, ledger: Ledger) -> None:
        self.at, self._ledger = at, ledger
        connections = Connections(practice=practice, systems={"main": at.system}, ledger=ledger)
        self.connections = connections
        self.holds = HoldActivities(connections)
        main = practice.connection("main").model_copy(update={"resend_after": timedelta(minutes=2)})
        patiently = practice.model_copy(update={"connections": (main,)})
        self.patient_holds = HoldActivities(replace(connections, practice=patiently))
        self.patients = PatientActivities(connections, KeyedHash(b"k" * 32))
        self.slots = SlotActivities(connections, KeyedHash(b"k" * 32))
        self.run = ActivityEnvironment().run

    async def claimed(self) -> WriteHoldInput:
        hold = self.at.hold()
        given = {"reference": hold.reference, "location": "portland", "service": "cleaning", "slot": hold.slot}
        claim = Claim(**given, connection="main", local_day=NINE.date(), expires_at=utc_now() + CLAIMED_FOR)
        await self._ledger.claims.take(claim, utc_now())
        return WriteHoldInput(**given, patient=self.at.patient)

    async def booked(self, now: datetime) -> int:
        """So many count for the cap."""
        day = NINE.date()
        return (await self._ledger.claims.booked("portland", "cleaning", day, day, now)).get(day, 0)

    async def held(self) -> tuple[WriteHoldInput, Appointment]:
        given = await self.claimed()
        placed = (await self.run(self.holds.write_hold, given)).appointment
        assert placed is not None
        return given, placed


def noticed(notice: timedelta) -> Practice:
    """The practice, where visits must be asked for so long before."""
    return practice_with(minimum_notice=f"{notice // HOURS}h", horizon=f"{2 * notice.days}d")


@pytest.fixture
async def steps(sandbox: SandboxControl, ledger: Ledger) -> AsyncIterator[Steps]:
    with bench(sandbox, "nexhealth dentrix") as at:
        yield Steps(at, practice_with(), ledger)
        await at.system.close()


def close_since_yesterday(at: Bench) -> None:
    """Closed time that began longer ago than any visit: not in our reading, but in the partner's."""
    begun, ends = (NINE - 14 * HOURS).isoformat(), (NINE + HOURS).isoformat()
    at.desk(do="block", location="101", operatory=at.chairs[0], start=begun, end=ends)


async def test_what_only_the_partner_sees_in_the_way_is_a_lost_slot_not_a_failure(steps: Steps) -> None:
    close_since_yesterday(steps.at)
    written = await steps.run(steps.holds.write_hold, await steps.claimed())
    assert written.appointment is None
    assert [conflict.cause for conflict in written.conflicts] == [Cause.APPOINTMENT]


async def test_a_write_refused_because_our_own_lost_one_is_there_finds_that_one(steps: Steps) -> None:
    """The first write is committed late, after we looked for it and before we write again."""
    given = await steps.claimed()
    late = {"system": "nexhealth", "method": "POST", "path": "/appointments", "kind": "late_commit"}
    steps.at.sandbox.fault(**late, seconds=6)
    with pytest.raises(OutcomeUnknown):
        await steps.run(steps.holds.write_hold, given)
    steps.at.sandbox.fault(system="nexhealth", method="POST", path="/appointments", kind="hold_before", seconds=60)
    writing = asyncio.create_task(steps.run(steps.holds.write_hold, given))
    while not (steps.at.sandbox.held() and steps.at.sandbox.state()["nexhealth"]["appointments"]):
        await asyncio.sleep(0.02)
    steps.at.sandbox.release()
    written = await writing
    assert written.appointment is not None
    assert written.appointment.landing is LandingState.ACCEPTED
    assert written.ambiguous
    rows = steps.at.sandbox.state()["nexhealth"]["appointments"]
    assert [row["id"] for row in rows] == [int(written.appointment.id)]


async def test_a_write_of_which_nothing_shows_is_sent_again_once_and_then_a_person_is_asked(steps: Steps) -> None:
    given = await steps.claimed()
    steps.at.sandbox.fault(system="nexhealth", method="POST", path="/appointments", kind="drop_before", times=2)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await steps.run(steps.holds.write_hold, given)
    sent = steps.at.sandbox.state()["calls"]["nexhealth"]["POST /appointments"]
    for _ in range(2):
        with pytest.raises(ApplicationError) as failed:
            await steps.run(steps.holds.write_hold, given)
        assert (failed.value.type, failed.value.non_retryable) == ("NeverShown", True)
    assert steps.at.sandbox.state()["calls"]["nexhealth"]["POST /appointments"] == sent == 2


async def test_a_lost_write_is_looked_for_ever_more_rarely_before_it_is_sent_again(steps: Steps) -> None:
    given = await steps.claimed()
    steps.at.sandbox.fault(system="nexhealth", method="POST", path="/appointments", kind="drop_before")
    with pytest.raises(OutcomeUnknown):
        await steps.run(steps.patient_holds.write_hold, given)
    begun = time.monotonic()
    with pytest.raises(ApplicationError) as failed:
        await steps.run(steps.patient_holds.write_hold, given)
    assert time.monotonic() - begun < 60, "an attempt is no place to wait"
    assert (failed.value.type, failed.value.non_retryable) == ("NotShownYet", False)
    assert failed.value.next_retry_delay == LOOKS_APART


@pytest.mark.parametrize(("status", "raised"), [(403, Unavailable), (422, Refused)])
async def test_what_was_certainly_not_written_does_not_count(
    steps: Steps, status: int, raised: type[OutsideError]
) -> None:
    """Neither as a sending, nor for the cap of its day once its claim has run out while a person is asked."""
    given = await steps.claimed()
    for _ in range(3):
        steps.at.sandbox.fault(
            system="nexhealth", method="POST", path="/appointments", kind="text_error", status=status
        )
        with pytest.raises(raised):
            await steps.run(steps.holds.write_hold, given)
    assert await steps.booked(utc_now()) == 1, "its time is claimed"
    assert await steps.booked(utc_now() + CLAIMED_FOR) == 0
    assert (await steps.run(steps.holds.write_hold, given)).appointment is not None
    assert await steps.booked(utc_now() + CLAIMED_FOR) == 1


async def test_a_chart_that_a_person_ruled_out_is_not_taken_because_the_partner_insists(steps: Steps) -> None:
    """NexHealth makes no second chart of the same name, birth date and phone: it answers with the first."""
    first = await steps.at.system.create_patient(new(steps.at), at_any_time)
    given = CreateChartInput(
        reference=new_reference(),
        location="portland",
        person=NOVA,
        language="en",
        excluded_ids=(first.id,),
        provider="202",
    )
    match = await steps.run(steps.patients.create_chart, given)
    assert (match.verdict, match.reason) == (Verdict.ASK, Reason.PATIENT_AMBIGUOUS)


async def test_what_was_asked_in_time_is_booked_however_late_we_are(sandbox: SandboxControl, ledger: Ledger) -> None:
    notice = NINE - utc_now() + 24 * HOURS
    with bench(sandbox, "nexhealth dentrix") as at:
        steps = Steps(at, noticed(notice), ledger)
        late = await steps.run(steps.slots.recheck_slot, WANTED)
        assert [conflict.cause for conflict in late.conflicts] == [Cause.NOTICE]
        in_time = WANTED.model_copy(update={"asked_at": NINE - notice})
        assert (await steps.run(steps.slots.recheck_slot, in_time)).slot is not None
        by_hand = WANTED.model_copy(update={"staff_override": True})
        assert (await steps.run(steps.slots.recheck_slot, by_hand)).slot is not None
        await at.system.close()


async def test_hours_that_no_service_needs_stop_no_booking(steps: Steps, sandbox: SandboxControl) -> None:
    sandbox.fault(system="ascend", path="scheduletemplates", kind="forbidden", times=None)
    practice = steps.connections.practice
    rule = practice.rule("portland", "cleaning")
    with bench(sandbox, "ascend") as at:
        place = practice.location("portland").model_copy(update={"practice_system_id": at.location})
        site = replace(steps.connections.site("portland"), location=place, system=at.system)
        assert (await site.live_day(NINE, rule)).windows is None
        with pytest.raises(NotAuthorized):
            await site.live_day(NINE, rule.model_copy(update={"only_in_windows": True}))
        await at.system.close()


@pytest.mark.parametrize("policy", ["kept", "cancelled"])
async def test_what_the_office_refused_is_known_by_what_is_told_whatever_the_partner_does_with_its_row(
    steps: Steps, policy: str
) -> None:
    steps.at.sandbox.nexhealth(failed_rows=policy)
    given, placed = await steps.held()
    steps.at.sandbox.fault(system="office", method="insert", path="/101", kind="failed")
    steps.at.settle()
    told = CheckLandingInput(**dict(given), appointment_id=placed.id, reported=LandingState.REFUSED)
    seen = (await steps.run(steps.holds.check_landing, told)).appointment
    assert seen is not None
    assert (seen.id, seen.landing) == (placed.id, LandingState.REFUSED)


# An office that is off


def calls(at: Bench) -> dict[str, int]:
    return dict(at.sandbox.state()["calls"]["nexhealth"])


async def test_a_look_at_an_office_that_is_off_costs_one_call_for_all(steps: Steps) -> None:
    given, placed = await steps.held()
    steps.at.sandbox.office(101, online=False)
    before = calls(steps.at)
    look = CheckLandingInput(**dict(given), appointment_id=placed.id)
    for _ in range(5):
        assert (await steps.run(steps.holds.check_landing, look)).office_offline
    made = {call: n - before.get(call, 0) for call, n in calls(steps.at).items() if n > before.get(call, 0)}
    assert made == {"GET /sync_status": 1}
    seen = await steps.run(steps.holds.check_landing, look.model_copy(update={"check_online_first": False}))
    assert seen.appointment is not None
    assert seen.appointment.landing is LandingState.ACCEPTED


async def test_who_heard_that_the_office_is_back_is_not_answered_from_memory(steps: Steps) -> None:
    given, placed = await steps.held()
    steps.at.sandbox.office(101, online=False)
    look = CheckLandingInput(**dict(given), appointment_id=placed.id)
    assert (await steps.run(steps.holds.check_landing, look)).office_offline
    steps.at.sandbox.office(101, online=True)
    steps.at.settle()
    assert (await steps.run(steps.holds.check_landing, look)).office_offline
    heard = look.model_copy(update={"online_since": utc_now()})
    seen = await steps.run(steps.holds.check_landing, heard)
    assert seen.appointment is not None
    assert seen.appointment.landing is LandingState.LANDED


async def test_a_confirmation_waits_for_an_office_that_is_off_and_is_not_tried_in_vain(steps: Steps) -> None:
    given, placed = await steps.held()
    steps.at.settle()
    steps.at.sandbox.office(101, online=False)
    confirm = ConfirmHoldInput(**dict(given), appointment_id=placed.id)
    first = await steps.run(steps.holds.confirm_hold, confirm)
    assert (first.office_offline, first.appointment) == (True, None)
    before = calls(steps.at)
    again = confirm.model_copy(update={"check_online_first": True})
    for _ in range(3):
        assert (await steps.run(steps.holds.confirm_hold, again)).office_offline
    made = {call: n - before.get(call, 0) for call, n in calls(steps.at).items() if n > before.get(call, 0)}
    assert made == {"GET /sync_status": 1}
    steps.at.sandbox.office(101, online=True)
    done = await steps.run(steps.holds.confirm_hold, again.model_copy(update={"online_since": utc_now()}))
    assert done.appointment is not None
    assert done.appointment.status is AppointmentStatus.CONFIRMED


async def test_a_status_that_cannot_be_read_says_nothing_against_the_office(steps: Steps) -> None:
    steps.at.sandbox.fault(system="nexhealth", path="/sync_status", kind="status_before")
    assert await steps.at.system.accepts_writes("101")
    assert await steps.at.system.accepts_writes("101")
    assert calls(steps.at)["GET /sync_status"] == 1


async def test_only_the_office_that_is_off_is_off(steps: Steps) -> None:
    steps.at.sandbox.office(102, online=False)
    assert await steps.at.system.accepts_writes("101")
    assert not await steps.at.system.accepts_writes("102")
    assert await steps.at.system.accepts_writes("999")
