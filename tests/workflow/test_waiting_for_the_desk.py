"""What a person at the desk is asked, until when, and what happens where nobody answers."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from activities.hold_contracts import ConfirmHoldResult, HoldResult
from activities.release import ReleaseResult
from activities.slots import SlotCheck
from adapters.errors import NotAuthorized, Refused, Unavailable
from client import BookingClient, NotPossible
from domain.booking import Reason, Status
from domain.calendar import AppointmentStatus, EventKind, LandingState
from domain.matching import Match, Verdict
from domain.policy import LandingPolicy
from domain.slot import Cause, Conflict
from tests.support.by_hand import ByHand, hour, surely
from tests.support.courses import (
    APPROVE,
    DECLINE,
    RETRY,
    SECONDS,
    STAFF,
    asked_to_end,
    cancel,
    confirmed,
    decide,
    heard,
    seen,
    until,
    waiting,
)
from workflows.booking.messages import AppointmentEvent, NewTime, Resolution, ResolutionKind
from workflows.booking.workflow import BookingWorkflow


async def test_a_hold_that_may_not_be_taken_back_is_tried_rarely_and_a_person_is_asked(hand: ByHand) -> None:
    hand.answers["release_hold"] = NotAuthorized("no")
    begun = datetime.now(UTC)
    handle = await hand.start(confirmation=STAFF, hold_expiry=SECONDS)
    await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    await asyncio.sleep(2)
    assert len(hand.made("release_hold")) <= (datetime.now(UTC) - begun) / SECONDS
    assert "expired" not in hand.told()
    await decide(handle, DECLINE)
    await seen(handle, lambda view: view.status is Status.DECLINED and bool(view.resolutions))
    hand.answers["release_hold"] = ReleaseResult()
    await decide(handle, RETRY)
    assert (await handle.result()).status is Status.DECLINED


async def test_a_cancel_does_not_wait_until_an_expired_hold_could_be_taken_back(hand: ByHand) -> None:
    hand.answers["release_hold"] = Unavailable("away")
    handle = await hand.start(confirmation=STAFF, hold_expiry=SECONDS)
    await hand.has_told("held")
    await until(lambda: hand.made("release_hold"))
    assert (await cancel(handle)).status is Status.CANCELLED
    hand.answers["release_hold"] = ReleaseResult()
    assert (await handle.result()).status is Status.CANCELLED
    assert hand.told() == ["held", "cancelled"]


async def test_who_does_not_act_is_reminded_while_there_is_still_time(hand: ByHand) -> None:
    hand.begins_in(10)
    handle = await hand.start(confirmation=STAFF, staff_deadline=timedelta(hours=4))
    ended = await handle.result()
    assert (ended.status, ended.reason) == (Status.DECLINED, Reason.EXPIRED)
    assert hand.desk_told() == ["desk_exception", "desk_escalation", "desk_expired"]


async def test_what_the_desk_has_confirmed_itself_is_not_declined_when_the_visit_would_begin(hand: ByHand) -> None:
    hand.begins_in(6)
    hand.answers["release_hold"] = lambda given: ReleaseResult(kept=(hand.visit(reference=given.reference),))
    handle = await hand.start(confirmation=STAFF)
    await confirmed(handle)
    await hand.has_told("held", "confirmed")


async def test_a_hold_that_nobody_decided_on_is_taken_back_when_the_visit_would_begin(hand: ByHand) -> None:
    hand.begins_in(6)
    handle = await hand.start(confirmation=STAFF)
    ended = await handle.result()
    assert (ended.status, ended.reason) == (Status.DECLINED, Reason.EXPIRED)
    assert hand.told() == ["held", "declined"]
    assert hand.desk_told()[-1] == "desk_expired"


async def test_a_hold_that_can_not_be_taken_back_does_not_keep_the_booking_from_its_end(hand: ByHand) -> None:
    hand.begins_in(3)
    hand.answers["release_hold"] = NotAuthorized("no")
    handle = await hand.start(confirmation=STAFF)
    view = await seen(handle, lambda view: view.status is Status.DECLINED and bool(view.resolutions))
    assert view.reason is Reason.REFUSED_BY_SYSTEM
    hand.answers["release_hold"] = ReleaseResult()
    await decide(handle, RETRY)
    assert (await handle.result()).status is Status.DECLINED


async def test_reminders_become_rarer(hand: ByHand) -> None:
    handle = await hand.start(confirmation=STAFF, staff_deadline=SECONDS)
    await until(lambda: hand.desk_told().count("desk_escalation") >= 2)
    timers = [event.timer_started_event_attributes async for event in handle.fetch_history_events()]
    waits = [timer.start_to_fire_timeout.ToTimedelta() for timer in timers if timer.timer_id]
    assert waits[:3] == [SECONDS, 2 * SECONDS, 4 * SECONDS]
    await cancel(handle)


@pytest.mark.parametrize("kind", [RETRY, APPROVE])
async def test_only_whoever_had_the_note_before_them_has_read_it(hand: ByHand, kind: Resolution) -> None:
    recheck, hand.answers["recheck_slot"] = hand.answers["recheck_slot"], NotAuthorized("no")
    handle = await hand.start(note="I take blood thinners")
    await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    hand.answers["recheck_slot"] = recheck
    await decide(handle, RETRY)
    await waiting(handle, Reason.SPECIAL_REQUEST)
    view = await decide(handle, kind)
    if kind is APPROVE:
        await confirmed(handle)
    else:
        assert (await waiting(handle, Reason.SPECIAL_REQUEST)).request_id == view.request_id


async def test_a_decided_exception_is_not_shown_while_the_booking_goes_on(hand: ByHand) -> None:
    recheck, hand.answers["recheck_slot"] = hand.answers["recheck_slot"], NotAuthorized("no")
    handle = await hand.start()
    await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    goes_on = asyncio.Event()

    async def slowly(given: Any) -> Any:
        await goes_on.wait()
        return recheck(given)

    hand.answers["recheck_slot"] = slowly
    view = await handle.execute_update(BookingWorkflow.resolve_exception, RETRY)
    assert (view.status, view.reason, view.resolutions) == (Status.RECEIVED, None, ())
    goes_on.set()
    await confirmed(handle)


async def test_whether_it_was_asked_in_time_is_judged_by_when_it_was_and_by_whom(hand: ByHand) -> None:
    free = hand.answers["recheck_slot"]
    taken = SlotCheck(conflicts=(Conflict(cause=Cause.APPOINTMENT),), alternatives=(hand.slot,))
    hand.answers["recheck_slot"] = taken
    handle = await hand.start()
    await waiting(handle, Reason.SLOT_TAKEN)
    await decide(handle, RETRY)
    await waiting(handle, Reason.SLOT_TAKEN)
    hand.answers["recheck_slot"] = free
    await handle.execute_update(BookingWorkflow.reschedule, NewTime(start=hand.slot.time.start))
    await confirmed(handle)
    begun = (await handle.describe()).start_time
    first, staffs, patients = hand.made("recheck_slot")
    assert (first.asked_at, first.staff_override) == (begun, False)
    assert (staffs.asked_at, staffs.staff_override) == (begun, True)
    assert (patients.asked_at > begun, patients.staff_override) == (True, False)


async def test_a_write_that_never_shows_is_for_a_person_at_once(hand: ByHand) -> None:
    never = ApplicationError("what was written does not show", type="HoldNeverVisible", non_retryable=True)
    hand.answers["write_hold"] = never
    handle = await hand.start()
    await waiting(handle, Reason.NOT_LANDED)
    assert len(hand.made("write_hold")) == 1
    await decide(handle, RETRY)
    await until(lambda: len(hand.made("write_hold")) == 2)
    assert hand.made("write_hold")[1].look_first
    await waiting(handle, Reason.NOT_LANDED)
    await decide(handle, DECLINE)
    assert (await handle.result()).status is Status.DECLINED


async def test_a_hold_that_the_desk_took_out_at_once_is_for_a_person(hand: ByHand) -> None:
    hand.answers["write_hold"] = HoldResult(ambiguous=True)
    handle = await hand.start()
    await waiting(handle, Reason.HOLD_CHANGED)
    assert len(hand.made("write_hold")) == 1
    await decide(handle, RETRY)
    await waiting(handle, Reason.HOLD_CHANGED)
    assert [given.look_first for given in hand.made("write_hold")] == [False, True]
    await decide(handle, DECLINE)
    assert (await handle.result()).status is Status.DECLINED


async def test_the_desk_hears_at_once_of_what_must_wait_behind_another_question(hand: ByHand) -> None:
    handle = await hand.start(consent=False)
    await waiting(handle, Reason.NOT_REACHED)
    hand.answers["read_appointment"] = lambda _: hand.visit(status=AppointmentStatus.TENTATIVE)
    hand.answers["confirm_hold"] = NotAuthorized("no")
    refused = AppointmentEvent(kind=EventKind.CHANGE_FAILED, appointment_id="11")
    await handle.signal(BookingWorkflow.schedule_changed, refused)
    await until(lambda: Reason.REFUSED_BY_SYSTEM in [given.reason for given in hand.made("route_exception")])
    await decide(handle, APPROVE)
    await waiting(handle, Reason.REFUSED_BY_SYSTEM)


async def test_what_the_desk_hears_beside_its_question_and_its_reminders_do_not_wait_for_one_another(
    hand: ByHand,
) -> None:
    sent, ended = hand.answers["route_exception"], asyncio.Event()

    async def tell(given: Any) -> Any:
        if given.reason is Reason.REFUSED_BY_SYSTEM:
            await surely(ended)
        return sent(given)

    hand.answers["route_exception"] = tell
    handle = await hand.start(consent=False, staff_deadline=5 * SECONDS)
    await waiting(handle, Reason.NOT_REACHED)
    hand.answers["read_appointment"] = lambda _: hand.visit(status=AppointmentStatus.TENTATIVE)
    hand.answers["confirm_hold"] = NotAuthorized("no")
    refused = AppointmentEvent(kind=EventKind.CHANGE_FAILED, appointment_id="11")
    try:
        await handle.signal(BookingWorkflow.schedule_changed, refused)
        await until(lambda: Reason.REFUSED_BY_SYSTEM in [given.reason for given in hand.made("route_exception")])
        await until(lambda: "desk_escalation" in hand.desk_told()[1:])
    finally:
        ended.set()


async def test_the_desk_reads_how_the_practice_system_refused(hand: ByHand) -> None:
    hand.answers["write_hold"] = Refused("this practice system makes no chart without an email", code="email_missing")
    handle = await hand.start()
    view = await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    assert (view.detail or "").endswith("It said: this practice system makes no chart without an email.")
    await decide(handle, DECLINE)
    assert (await handle.result()).detail == "The office declined the request."


async def test_a_decision_on_what_is_not_asked_any_more_decides_nothing(hand: ByHand) -> None:
    """The receptionist's page says "approve this visit"; by her click the question is "this still stands"."""
    hand.answers["release_hold"] = NotAuthorized("no")
    handle = await hand.start(confirmation=STAFF)
    shown = await waiting(handle, Reason.APPROVAL)
    await cancel(handle)
    asked = await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await decide(handle, APPROVE.model_copy(update={"exception_number": shown.exception_number}))
    assert "The open exception has changed" in str(refused.value.cause)
    await handle.signal(
        BookingWorkflow.resolve, APPROVE.model_copy(update={"exception_number": shown.exception_number})
    )
    assert (await waiting(handle, Reason.REFUSED_BY_SYSTEM)).exception_number == asked.exception_number
    await decide(handle, APPROVE.model_copy(update={"exception_number": asked.exception_number}))
    assert (await handle.result()).exception_number is None


@pytest.mark.parametrize("who", ["patient", "staff"])
async def test_a_time_that_has_gone_by_is_refused_and_another_can_be_picked(
    hand: ByHand, bookings: BookingClient, who: str
) -> None:
    taken = (Conflict(cause=Cause.APPOINTMENT, time=hand.slot.time),)
    hand.answers["recheck_slot"] = lambda _: SlotCheck(conflicts=taken, alternatives=(hand.slot,))
    handle = await hand.start()
    view = await waiting(handle, Reason.SLOT_TAKEN)
    gone = datetime.now(UTC) - timedelta(minutes=5)
    pick = {
        "patient": lambda: bookings.reschedule(view.request_id, NewTime(start=gone)),
        "staff": lambda: bookings.resolve(view.request_id, Resolution(kind=ResolutionKind.START, start=gone)),
    }
    with pytest.raises(NotPossible, match="That time is in the past"):
        await pick[who]()
    hand.answers["recheck_slot"] = lambda _: SlotCheck(slot=hand.slot)
    await bookings.reschedule(view.request_id, NewTime(start=hand.slot.time.start))
    await confirmed(handle)


async def test_what_is_approved_while_its_expired_hold_is_being_taken_back_is_had_anew(hand: ByHand) -> None:
    gone = asyncio.Event()

    async def slowly(_: Any) -> ReleaseResult:
        await surely(gone)
        hand.answers["confirm_hold"] = ConfirmHoldResult()
        return ReleaseResult(taken=("11",))

    hand.answers["release_hold"] = slowly
    hand.answers["write_hold"] = lambda given: HoldResult(
        appointment=hand.visit(status=AppointmentStatus.TENTATIVE), confirmed=given.confirm
    )
    handle = await hand.start(confirmation=STAFF, hold_expiry=SECONDS)
    await hand.has_told("held")
    await hand.has_told_desk("desk_exception")
    await until(lambda: hand.made("release_hold"))
    deciding = asyncio.create_task(decide(handle, APPROVE))
    await asked_to_end(handle, "release_hold")
    gone.set()
    await deciding
    await confirmed(handle)
    await hand.has_told("held", "confirmed")
    assert hand.desk_told() == ["desk_exception"]


async def test_what_does_not_land_is_looked_for_ever_more_rarely(hand: ByHand) -> None:
    on_its_way = hand.visit(status=AppointmentStatus.TENTATIVE, landing=LandingState.ACCEPTED)
    hand.answers |= {
        "write_hold": HoldResult(appointment=on_its_way),
        "check_landing": HoldResult(appointment=on_its_way),
    }
    looks = LandingPolicy(check_after=(timedelta(seconds=0.3),), max_wait=timedelta(seconds=0.5), min_wait=timedelta(0))
    handle = await hand.start(landing=looks)
    await waiting(handle, Reason.NOT_LANDED)
    before = len(hand.made("check_landing"))
    await asyncio.sleep(6)
    assert len(hand.made("check_landing")) - before <= 5


async def test_who_was_found_to_be_new_is_not_asked_about_again(hand: ByHand) -> None:
    hand.answers["match_patient"] = Match(verdict=Verdict.ASK, reason=Reason.PATIENT_AMBIGUOUS, candidates=("7", "8"))
    handle = await hand.start()
    await waiting(handle, Reason.PATIENT_AMBIGUOUS)
    hand.answers["recheck_slot"] = SlotCheck(conflicts=(Conflict(cause=Cause.APPOINTMENT),))
    await decide(handle, Resolution(kind=ResolutionKind.NEW_PATIENT))
    again = await waiting(handle, Reason.SLOT_TAKEN)
    await decide(handle, RETRY)
    await seen(
        handle, lambda view: view.reason is Reason.SLOT_TAKEN and view.exception_number != again.exception_number
    )
    assert len(hand.made("match_patient")) == 1


@pytest.mark.parametrize(
    ("cause", "reason"), [(Cause.CAP, Reason.DAY_FULL), (Cause.HOURS, Reason.OUTSIDE_RULES)], ids=["full", "closed"]
)
async def test_whoever_picks_a_time_that_can_not_be_had_either_may_pick_a_third(
    hand: ByHand, bookings: BookingClient, cause: Cause, reason: Reason
) -> None:
    free = hand.answers["recheck_slot"]
    hand.answers["recheck_slot"] = SlotCheck(conflicts=(Conflict(cause=Cause.APPOINTMENT),))
    handle = await hand.start()
    view = await waiting(handle, Reason.SLOT_TAKEN)
    second, third = (hand.slot.time.start + timedelta(days=days) for days in (1, 2))
    hand.answers["recheck_slot"] = SlotCheck(conflicts=(Conflict(cause=cause), Conflict(cause=Cause.APPOINTMENT)))
    await bookings.reschedule(view.request_id, NewTime(start=second))
    await waiting(handle, reason)
    hand.answers["recheck_slot"] = free
    hand.slot = hand.slot.model_copy(update={"time": hour(third)})
    await bookings.reschedule(view.request_id, NewTime(start=third))
    assert (await confirmed(handle)).start == third


async def test_a_time_that_no_person_has_seen_is_approved_by_one(hand: ByHand) -> None:
    """The one that was approved is lost, and the patient picks another."""
    hand.answers["write_hold"] = lambda given: HoldResult(
        appointment=hand.visit(status=AppointmentStatus.TENTATIVE), confirmed=given.confirm
    )
    handle = await hand.start(confirmation=STAFF)
    await waiting(handle, Reason.APPROVAL)
    hand.answers["confirm_hold"] = ConfirmHoldResult(conflicts=(Conflict(cause=Cause.APPOINTMENT),))
    hand.answers["find_alternatives"] = SlotCheck()
    await decide(handle, APPROVE)
    await waiting(handle, Reason.SLOT_TAKEN)
    later = hand.slot.time.start + timedelta(days=1)
    hand.slot = hand.slot.model_copy(update={"time": hour(later)})
    await handle.execute_update(BookingWorkflow.reschedule, NewTime(start=later))
    assert (await waiting(handle, Reason.APPROVAL)).status is Status.HELD


async def test_who_asked_for_a_provider_gets_that_one_at_another_time_too(hand: ByHand) -> None:
    hand.answers["recheck_slot"] = SlotCheck(conflicts=(Conflict(cause=Cause.APPOINTMENT),))
    handle = await hand.start(provider="2")
    await waiting(handle, Reason.SLOT_TAKEN)
    await handle.execute_update(BookingWorkflow.reschedule, NewTime(start=hand.slot.time.start + timedelta(days=1)))
    await until(lambda: len(hand.made("recheck_slot")) == 2)
    assert [wanted.provider for wanted in hand.made("recheck_slot")] == ["2", "2"]


async def test_the_desk_is_asked_in_time_however_often_an_office_that_is_off_is_tried(hand: ByHand) -> None:
    hand.answers["write_hold"] = lambda _: HoldResult(appointment=hand.visit(status=AppointmentStatus.TENTATIVE))
    hand.answers["confirm_hold"] = ConfirmHoldResult(office_offline=True)
    landing = LandingPolicy(
        check_while_offline=timedelta(seconds=1), min_wait=timedelta(seconds=4), lead_time=timedelta(days=30)
    )
    handle = await hand.start(confirmation=STAFF, landing=landing)
    await waiting(handle, Reason.APPROVAL)
    await decide(handle, APPROVE)
    await waiting(handle, Reason.NOT_CONFIRMED)


@pytest.mark.parametrize("by", ["update", "signal"])
async def test_whoever_settled_who_it_is_has_not_seen_it_in_the_office(
    hand: ByHand, by: str, caplog: pytest.LogCaptureFixture
) -> None:
    on_its_way = hand.visit(status=AppointmentStatus.TENTATIVE, landing=LandingState.ACCEPTED)
    unclear = on_its_way.model_copy(update={"landing": LandingState.INCOMPLETE})
    match = hand.answers["match_patient"]
    hand.answers["match_patient"] = match.model_copy(
        update={"verdict": Verdict.ASK, "chart": None, "candidates": ("7",), "reason": Reason.PATIENT_EXISTS}
    )
    looked = asyncio.Event()

    async def look(_: Any) -> HoldResult:
        await looked.wait()
        return HoldResult(appointment=unclear)

    hand.answers["write_hold"] = HoldResult(appointment=on_its_way)
    hand.answers["check_landing"] = look
    hand.answers["read_appointment"] = on_its_way
    handle = await hand.start(landing=LandingPolicy(check_after=(timedelta(seconds=0.3),)), placeholder_patient="99")
    view = await waiting(handle, Reason.PATIENT_EXISTS)
    await until(lambda: hand.made("check_landing"))
    decision = Resolution(kind=ResolutionKind.APPROVE, exception_number=view.exception_number)
    if by == "signal":
        await handle.signal(BookingWorkflow.resolve, decision)
        looked.set()
        await until(lambda: "resolution_discarded" in caplog.text)
    else:
        deciding = asyncio.create_task(decide(handle, decision))
        await heard(handle)
        looked.set()
        with pytest.raises(WorkflowUpdateFailedError):
            await deciding
    await waiting(handle, Reason.LANDING_UNCLEAR)
    assert "confirmed" not in hand.told()


async def test_a_hold_that_we_may_not_take_back_and_the_desk_took_out_is_not_written_again_unasked(
    hand: ByHand,
) -> None:
    hand.answers["release_hold"] = NotAuthorized("no")
    hand.answers["write_hold"] = lambda given: HoldResult(
        appointment=hand.visit(status=AppointmentStatus.TENTATIVE), confirmed=given.confirm
    )
    handle = await hand.start(confirmation=STAFF, hold_expiry=timedelta(seconds=5))
    await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    hand.answers["confirm_hold"] = ConfirmHoldResult()
    await decide(handle, APPROVE)
    await waiting(handle, Reason.HOLD_CHANGED)
    assert len(hand.made("write_hold")) == 1


async def test_whose_decision_comes_too_late_for_its_question_hears_so(hand: ByHand) -> None:
    on_its_way = hand.visit(status=AppointmentStatus.TENTATIVE, landing=LandingState.ACCEPTED)
    looked = asyncio.Event()

    async def look(_: Any) -> HoldResult:
        await looked.wait()
        return HoldResult(appointment=on_its_way.model_copy(update={"landing": LandingState.REFUSED}))

    hand.answers["match_patient"] = Match(verdict=Verdict.ASK, candidates=("7", "8"), reason=Reason.PATIENT_AMBIGUOUS)
    hand.answers["write_hold"] = HoldResult(appointment=on_its_way)
    hand.answers["check_landing"] = look
    hand.answers["find_alternatives"] = SlotCheck()
    handle = await hand.start(landing=LandingPolicy(check_after=(timedelta(seconds=0.3),)), placeholder_patient="99")
    await waiting(handle, Reason.PATIENT_AMBIGUOUS)
    await until(lambda: hand.made("check_landing"))
    deciding = asyncio.create_task(decide(handle, DECLINE))
    await heard(handle)
    looked.set()
    with pytest.raises(WorkflowUpdateFailedError):
        print("answered", await deciding)
    await waiting(handle, Reason.REFUSED_BY_OFFICE)
