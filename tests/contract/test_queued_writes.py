"""Activities on a practice system that queues writes and judges them itself, with a real ledger and the sandbox."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.connections import Connections
from activities.error_types import HOLD_NEVER_VISIBLE, HOLD_NOT_VISIBLE_YET
from activities.hold_contracts import ConfirmHoldInput, HoldResult, SettleLandingInput, WriteHoldInput
from activities.holds import MIN_SEARCH_INTERVAL, HoldActivities
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
from tests.contract.test_nexhealth import HOUR, NOVA, new_chart
from tests.support.practice_systems import NINE, PracticeUnderTest, practice_under_test, unlimited_permit
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


CLAIM_DURATION = timedelta(minutes=5)
SLOT_REQUEST = SlotRequest(
    reference=new_reference(), location="portland", service="cleaning", start=NINE, claim_expires_at=NINE
)


class Activities:
    """The activities of one practice behind NexHealth, and helpers to prepare a booking."""

    def __init__(self, tested: PracticeUnderTest, practice: Practice, ledger: Ledger) -> None:
        self.tested, self._ledger = tested, ledger
        connections = Connections(practice=practice, systems={"main": tested.system}, ledger=ledger)
        self.connections = connections
        self.holds = HoldActivities(connections, KeyedHash(b"k" * 32))
        main = practice.connection("main").model_copy(update={"resend_after": timedelta(minutes=2)})
        slow_resend_practice = practice.model_copy(update={"connections": (main,)})
        self.holds_with_slow_resend = HoldActivities(
            replace(connections, practice=slow_resend_practice), KeyedHash(b"k" * 32)
        )
        self.patients = PatientActivities(connections, KeyedHash(b"k" * 32))
        self.slots = SlotActivities(connections, KeyedHash(b"k" * 32))
        self.run = ActivityEnvironment().run

    async def acquire_claim(self) -> WriteHoldInput:
        hold = self.tested.hold()
        fields = {"reference": hold.reference, "location": "portland", "service": "cleaning", "slot": hold.slot}
        claim = Claim(**fields, connection="main", local_day=NINE.date(), expires_at=datetime.now(UTC) + CLAIM_DURATION)
        await self._ledger.claims.acquire(claim, datetime.now(UTC))
        return WriteHoldInput(**fields, patient=self.tested.patient)

    async def count_booked(self, now: datetime) -> int:
        """Bookings that count for the daily limit."""
        day = NINE.date()
        return (await self._ledger.claims.count_booked("portland", "cleaning", day, day, now)).get(day, 0)

    async def land_later(self) -> None:
        """Another booking writes a hold in the other operatory, and the office has it and confirms it."""
        hold = self.tested.hold(NINE + 2 * HOUR, operatory=1, provider=1)
        fields = {"reference": hold.reference, "location": "portland", "service": "cleaning", "slot": hold.slot}
        claim = Claim(**fields, connection="main", local_day=NINE.date(), expires_at=datetime.now(UTC) + CLAIM_DURATION)
        await self._ledger.claims.acquire(claim, datetime.now(UTC))
        request = WriteHoldInput(**fields, patient=self.tested.patient, confirm=True)
        placed = (await self.run(self.holds.write_hold, request)).appointment
        assert placed is not None
        self.tested.settle()
        settling = SettleLandingInput(**dict(request), appointment_id=placed.id, check_online_first=False)
        assert (await self.run(self.holds.settle_landing, settling)).confirmed

    async def write_hold(self) -> tuple[WriteHoldInput, Appointment]:
        request = await self.acquire_claim()
        placed = (await self.run(self.holds.write_hold, request)).appointment
        assert placed is not None
        return request, placed


def practice_with_notice(notice: timedelta) -> Practice:
    """The practice with this minimum notice before a visit."""
    return practice_with(minimum_notice=f"{notice // HOUR}h", horizon=f"{2 * notice.days}d")


@pytest.fixture
async def activities(sandbox: SandboxControl, ledger: Ledger) -> AsyncIterator[Activities]:
    with practice_under_test(sandbox, "nexhealth dentrix") as tested:
        yield Activities(tested, practice_with(), ledger)
        await tested.system.close()


def close_since_yesterday(tested: PracticeUnderTest) -> None:
    """Close an operatory from so early that our reading does not show it. The partner still sees it."""
    start, end = (NINE - 14 * HOUR).isoformat(), (NINE + HOUR).isoformat()
    tested.desk(do="block", location="101", operatory=tested.operatories[0], start=start, end=end)


async def test_conflict_that_only_the_partner_sees_is_a_lost_slot_not_an_error(activities: Activities) -> None:
    close_since_yesterday(activities.tested)
    written = await activities.run(activities.holds.write_hold, await activities.acquire_claim())
    assert written.appointment is None
    assert [conflict.cause for conflict in written.conflicts] == [Cause.APPOINTMENT]


async def test_write_refused_because_of_our_own_lost_write_returns_that_write(activities: Activities) -> None:
    """The first write is committed late: after we searched for it, and before we write again."""
    request = await activities.acquire_claim()
    late = {"system": "nexhealth", "method": "POST", "path": "/appointments", "kind": "late_commit"}
    activities.tested.sandbox.fault(**late, seconds=6)
    with pytest.raises(OutcomeUnknown):
        await activities.run(activities.holds.write_hold, request)
    activities.tested.sandbox.fault(
        system="nexhealth", method="POST", path="/appointments", kind="hold_before", seconds=60
    )
    writing = asyncio.create_task(activities.run(activities.holds.write_hold, request))
    while not (activities.tested.sandbox.held() and activities.tested.sandbox.state()["nexhealth"]["appointments"]):
        await asyncio.sleep(0.02)
    activities.tested.sandbox.release()
    written = await writing
    assert written.appointment is not None
    assert written.appointment.landing is LandingState.ACCEPTED
    assert written.may_commit_late
    rows = activities.tested.sandbox.state()["nexhealth"]["appointments"]
    assert [row["id"] for row in rows] == [int(written.appointment.id)]


async def test_write_that_never_becomes_visible_is_sent_twice_and_then_left_to_staff(activities: Activities) -> None:
    request = await activities.acquire_claim()
    activities.tested.sandbox.fault(
        system="nexhealth", method="POST", path="/appointments", kind="drop_before", times=2
    )
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await activities.run(activities.holds.write_hold, request)
    sent = activities.tested.sandbox.state()["calls"]["nexhealth"]["POST /appointments"]
    for _ in range(2):
        with pytest.raises(ApplicationError) as failed:
            await activities.run(activities.holds.write_hold, request)
        assert (failed.value.type, failed.value.non_retryable) == (HOLD_NEVER_VISIBLE, True)
    assert activities.tested.sandbox.state()["calls"]["nexhealth"]["POST /appointments"] == sent == 2


async def test_lost_write_is_searched_for_at_growing_intervals_before_it_is_sent_again(activities: Activities) -> None:
    request = await activities.acquire_claim()
    activities.tested.sandbox.fault(system="nexhealth", method="POST", path="/appointments", kind="drop_before")
    with pytest.raises(OutcomeUnknown):
        await activities.run(activities.holds_with_slow_resend.write_hold, request)
    started_at = time.monotonic()
    with pytest.raises(ApplicationError) as failed:
        await activities.run(activities.holds_with_slow_resend.write_hold, request)
    assert time.monotonic() - started_at < 60, "the attempt itself waited"
    assert (failed.value.type, failed.value.non_retryable) == (HOLD_NOT_VISIBLE_YET, False)
    assert failed.value.next_retry_delay == MIN_SEARCH_INTERVAL


@pytest.mark.parametrize(("status", "raised"), [(403, Unavailable), (422, Refused)])
async def test_write_that_was_certainly_not_carried_out_does_not_count(
    activities: Activities, status: int, raised: type[OutsideError]
) -> None:
    """It counts neither as a send nor, once its claim has expired, for the daily limit."""
    request = await activities.acquire_claim()
    for _ in range(3):
        activities.tested.sandbox.fault(
            system="nexhealth", method="POST", path="/appointments", kind="text_error", status=status
        )
        with pytest.raises(raised):
            await activities.run(activities.holds.write_hold, request)
    assert await activities.count_booked(datetime.now(UTC)) == 1, "the claim is live"
    assert await activities.count_booked(datetime.now(UTC) + CLAIM_DURATION) == 0
    assert (await activities.run(activities.holds.write_hold, request)).appointment is not None
    assert await activities.count_booked(datetime.now(UTC) + CLAIM_DURATION) == 1


async def test_excluded_chart_is_not_used_although_the_partner_returns_it(activities: Activities) -> None:
    """NexHealth makes no second chart of the same name, birth date and phone: it answers with the first."""
    first = await activities.tested.system.create_patient(new_chart(activities.tested), unlimited_permit)
    request = CreateChartInput(
        reference=new_reference(),
        location="portland",
        person=NOVA,
        language="en",
        excluded_charts=(first.id,),
        provider="202",
    )
    match = await activities.run(activities.patients.create_chart, request)
    assert (match.verdict, match.reason) == (Verdict.ASK, Reason.PATIENT_AMBIGUOUS)


async def test_minimum_notice_is_judged_when_the_patient_asked(sandbox: SandboxControl, ledger: Ledger) -> None:
    notice = NINE - datetime.now(UTC) + 24 * HOUR
    with practice_under_test(sandbox, "nexhealth dentrix") as tested:
        activities = Activities(tested, practice_with_notice(notice), ledger)
        too_late = await activities.run(activities.slots.recheck_slot, SLOT_REQUEST)
        assert [conflict.cause for conflict in too_late.conflicts] == [Cause.NOTICE]
        in_time = SLOT_REQUEST.model_copy(update={"asked_at": NINE - notice})
        assert (await activities.run(activities.slots.recheck_slot, in_time)).slot is not None
        by_staff = SLOT_REQUEST.model_copy(update={"staff_override": True})
        assert (await activities.run(activities.slots.recheck_slot, by_staff)).slot is not None
        await tested.system.close()


async def test_unreadable_windows_do_not_matter_to_a_rule_that_does_not_need_them(
    activities: Activities, sandbox: SandboxControl
) -> None:
    sandbox.fault(system="ascend", path="scheduletemplates", kind="forbidden", times=None)
    practice = activities.connections.practice
    rule = practice.rule("portland", "cleaning")
    with practice_under_test(sandbox, "ascend") as tested:
        ascend_location = practice.location("portland").model_copy(update={"practice_system_id": tested.location})
        site = replace(activities.connections.site("portland"), location=ascend_location, system=tested.system)
        assert (await site.read_day(NINE, rule)).windows is None
        with pytest.raises(NotAuthorized):
            await site.read_day(NINE, rule.model_copy(update={"only_in_windows": True}))
        await tested.system.close()


@pytest.mark.parametrize("policy", ["kept", "cancelled"])
async def test_reported_refusal_is_believed_whatever_the_partner_does_with_the_row(
    activities: Activities, policy: str
) -> None:
    activities.tested.sandbox.nexhealth(failed_rows=policy)
    request, placed = await activities.write_hold()
    activities.tested.sandbox.fault(system="office", method="insert", path="/101", kind="failed")
    activities.tested.settle()
    check = SettleLandingInput(**dict(request), appointment_id=placed.id, reported=LandingState.REFUSED)
    appointment = (await activities.run(activities.holds.settle_landing, check)).appointment
    assert appointment is not None
    assert (appointment.id, appointment.landing) == (placed.id, LandingState.REFUSED)


# An office whose system is offline


def calls(tested: PracticeUnderTest) -> dict[str, int]:
    return dict(tested.sandbox.state()["calls"]["nexhealth"])


async def test_checks_while_the_office_is_offline_share_one_status_call(activities: Activities) -> None:
    request, placed = await activities.write_hold()
    activities.tested.sandbox.office(101, online=False)
    before = calls(activities.tested)
    check = SettleLandingInput(**dict(request), appointment_id=placed.id)
    for _ in range(5):
        assert (await activities.run(activities.holds.settle_landing, check)).office_offline
    new_calls = {
        call: n - before.get(call, 0) for call, n in calls(activities.tested).items() if n > before.get(call, 0)
    }
    assert new_calls == {"GET /sync_status": 1}
    result = await activities.run(
        activities.holds.settle_landing, check.model_copy(update={"check_online_first": False})
    )
    assert result.appointment is not None
    assert result.appointment.landing is LandingState.ACCEPTED


async def test_check_after_the_office_is_reported_online_reads_the_status_again(activities: Activities) -> None:
    request, placed = await activities.write_hold()
    activities.tested.sandbox.office(101, online=False)
    check = SettleLandingInput(**dict(request), appointment_id=placed.id)
    assert (await activities.run(activities.holds.settle_landing, check)).office_offline
    activities.tested.sandbox.office(101, online=True)
    activities.tested.settle()
    assert (await activities.run(activities.holds.settle_landing, check)).office_offline
    reported = check.model_copy(update={"online_since": datetime.now(UTC)})
    result = await activities.run(activities.holds.settle_landing, reported)
    assert result.appointment is not None
    assert result.appointment.landing is LandingState.LANDED


async def test_confirmation_is_not_sent_while_the_office_is_offline(activities: Activities) -> None:
    request, placed = await activities.write_hold()
    activities.tested.settle()
    activities.tested.sandbox.office(101, online=False)
    confirm = ConfirmHoldInput(**dict(request), appointment_id=placed.id)
    first = await activities.run(activities.holds.confirm_hold, confirm)
    assert (first.office_offline, first.appointment) == (True, None)
    before = calls(activities.tested)
    retry = confirm.model_copy(update={"check_online_first": True})
    for _ in range(3):
        assert (await activities.run(activities.holds.confirm_hold, retry)).office_offline
    new_calls = {
        call: n - before.get(call, 0) for call, n in calls(activities.tested).items() if n > before.get(call, 0)
    }
    assert new_calls == {"GET /sync_status": 1}
    activities.tested.sandbox.office(101, online=True)
    final = await activities.run(
        activities.holds.confirm_hold, retry.model_copy(update={"online_since": datetime.now(UTC)})
    )
    assert final.appointment is not None
    assert final.appointment.status is AppointmentStatus.CONFIRMED


async def test_office_counts_as_online_when_its_status_cannot_be_read(activities: Activities) -> None:
    activities.tested.sandbox.fault(system="nexhealth", path="/sync_status", kind="status_before")
    assert await activities.tested.system.accepts_writes("101")
    assert await activities.tested.system.accepts_writes("101")
    assert calls(activities.tested)["GET /sync_status"] == 1


async def test_one_offline_office_does_not_make_the_others_offline(activities: Activities) -> None:
    activities.tested.sandbox.office(102, online=False)
    assert await activities.tested.system.accepts_writes("101")
    assert not await activities.tested.system.accepts_writes("102")
    assert await activities.tested.system.accepts_writes("999")


async def settle(activities: Activities, request: WriteHoldInput, placed: Appointment) -> HoldResult:
    settling = SettleLandingInput(**dict(request), appointment_id=placed.id, check_online_first=False)
    return await activities.run(activities.holds.settle_landing, settling)


async def test_hold_that_later_writes_have_overtaken_is_overdue(activities: Activities) -> None:
    request, placed = await activities.write_hold()
    activities.tested.sandbox.fault(system="office", method="insert", kind="held", times=None, match=request.reference)
    activities.tested.settle()
    assert not (await settle(activities, request, placed)).is_overdue
    await activities.land_later()
    result = await settle(activities, request, placed)
    assert result.appointment is not None
    assert (result.appointment.landing, result.is_overdue) == (LandingState.ACCEPTED, True)


async def test_hold_that_landed_first_makes_no_later_one_overdue(activities: Activities) -> None:
    await activities.land_later()
    activities.tested.sandbox.fault(system="office", method="insert", kind="held", times=None)
    request, placed = await activities.write_hold()
    activities.tested.settle()
    assert not (await settle(activities, request, placed)).is_overdue
