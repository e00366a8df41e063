"""Courses that a booking seldom takes: each step answers as the test says, against the real server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from activities.hold_contracts import HoldConfirmed, HoldWritten
from activities.slots import SlotCheck
from activities.withdrawals import HoldWithdrawn
from adapters.errors import NotAuthorized, OutcomeUnknown, Unavailable
from client.bookings import BookingClient, NotPossible
from domain.booking import BookingView, Reason, Status
from domain.calendar import AppointmentStatus, EventKind, LandingState
from domain.interval import Interval
from domain.matching import Match, Verdict
from domain.rules import Confirmation
from domain.slot import Cause, Conflict
from tests.support.by_hand import ByHand, by_hand, hour
from workflows.booking import BookingWorkflow
from workflows.contracts import CalendarNews, NewTime, Resolution, ResolutionKind
from workflows.search_attributes import APPOINTMENT_START, EXCEPTION_REASON

STAFF = Confirmation.STAFF
SECONDS = timedelta(seconds=1)
APPROVE, DECLINE, RETRY = (
    Resolution(kind=kind) for kind in (ResolutionKind.APPROVE, ResolutionKind.DECLINE, ResolutionKind.RETRY)
)
OUTCOME_DUE = timedelta(hours=12)
"""So long after a visit's end its outcome is read."""

Handle = WorkflowHandle[BookingWorkflow, BookingView]


@pytest.fixture(params=[1000, 0], ids=["remembered", "forgotten"])
async def hand(client: Client, request: pytest.FixtureRequest) -> AsyncIterator[ByHand]:
    """On a worker that has bookings in memory, and on one that, as after every restart, has none."""
    async with by_hand(client, remembered=request.param) as hand:
        yield hand


async def until(true: Callable[[], Any], seconds: float = 8) -> None:
    for _ in range(int(seconds * 20)):
        if true():
            return
        await asyncio.sleep(0.05)
    pytest.fail("it never came true")


async def seen(handle: Handle, true: Callable[[BookingView], bool], seconds: float = 8) -> BookingView:
    for _ in range(int(seconds * 20)):
        view = await handle.query(BookingWorkflow.view)
        if true(view):
            return view
        await asyncio.sleep(0.05)
    pytest.fail(f"still {view.status} {view.reason}")


async def waiting(handle: Handle, reason: Reason) -> BookingView:
    return await seen(handle, lambda view: view.reason is reason and bool(view.resolutions))


async def confirmed(handle: Handle) -> BookingView:
    return await seen(handle, lambda view: view.status is Status.CONFIRMED)


async def decide(handle: Handle, decision: Resolution) -> BookingView:
    return await handle.execute_update(BookingWorkflow.resolve_exception, decision)


async def cancel(handle: Handle) -> BookingView:
    return await handle.execute_update(BookingWorkflow.cancel)


# ---- the desk and its deadlines


async def test_a_hold_that_may_not_be_taken_back_is_tried_rarely_and_a_person_is_asked(hand: ByHand) -> None:
    hand.answers["withdraw_hold"] = NotAuthorized("no")
    handle = await hand.start(confirmation=STAFF, hold_expiry=SECONDS)
    await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    await asyncio.sleep(2)
    assert len(hand.made("withdraw_hold")) <= 4
    assert "expired" not in hand.told()
    hand.answers["withdraw_hold"] = HoldWithdrawn()
    await decide(handle, DECLINE)
    assert (await handle.result()).status is Status.DECLINED


async def test_a_cancel_does_not_wait_until_an_expired_hold_could_be_taken_back(hand: ByHand) -> None:
    hand.answers["withdraw_hold"] = Unavailable("away")
    handle = await hand.start(confirmation=STAFF, hold_expiry=SECONDS)
    await until(lambda: hand.made("withdraw_hold"))
    assert (await cancel(handle)).status is Status.CANCELLED
    hand.answers["withdraw_hold"] = HoldWithdrawn()
    assert (await handle.result()).status is Status.CANCELLED
    assert hand.told() == ["held", "cancelled"]


async def test_who_does_not_act_is_reminded_while_there_is_still_time(hand: ByHand) -> None:
    hand.slot = hand.slot.model_copy(update={"time": hour(datetime.now(UTC) + 4 * SECONDS)})
    handle = await hand.start(confirmation=STAFF, staff_deadline=timedelta(hours=4))
    ended = await handle.result()
    assert (ended.status, ended.reason) == (Status.DECLINED, Reason.EXPIRED)
    assert hand.desk_told() == ["desk_exception", "desk_escalation", "desk_expired"]


async def test_what_the_desk_has_confirmed_itself_is_not_declined_when_the_visit_would_begin(hand: ByHand) -> None:
    hand.slot = hand.slot.model_copy(update={"time": hour(datetime.now(UTC) + 3 * SECONDS)})
    hand.answers["withdraw_hold"] = lambda given: HoldWithdrawn(kept=(hand.visit(reference=given.reference),))
    handle = await hand.start(confirmation=STAFF)
    await confirmed(handle)
    await hand.has_told("held", "confirmed")


async def test_a_hold_that_nobody_decided_on_is_taken_back_when_the_visit_would_begin(hand: ByHand) -> None:
    hand.slot = hand.slot.model_copy(update={"time": hour(datetime.now(UTC) + 3 * SECONDS)})
    handle = await hand.start(confirmation=STAFF)
    ended = await handle.result()
    assert (ended.status, ended.reason) == (Status.DECLINED, Reason.EXPIRED)
    assert hand.told() == ["held", "declined"]
    assert hand.desk_told()[-1] == "desk_expired"


async def test_a_hold_that_can_not_be_taken_back_does_not_keep_the_booking_from_its_end(hand: ByHand) -> None:
    hand.slot = hand.slot.model_copy(update={"time": hour(datetime.now(UTC) + 3 * SECONDS)})
    hand.answers["withdraw_hold"] = NotAuthorized("no")
    handle = await hand.start(confirmation=STAFF)
    view = await seen(handle, lambda view: view.status is Status.DECLINED and bool(view.resolutions))
    assert view.reason is Reason.REFUSED_BY_SYSTEM
    hand.answers["withdraw_hold"] = HoldWithdrawn()
    await decide(handle, RETRY)
    assert (await handle.result()).status is Status.DECLINED


async def test_reminders_become_rarer(hand: ByHand) -> None:
    handle = await hand.start(confirmation=STAFF, staff_deadline=SECONDS)
    await until(lambda: hand.desk_told().count("desk_escalation") == 2)
    timers = [event.timer_started_event_attributes async for event in handle.fetch_history_events()]
    waits = [timer.start_to_fire_timeout.ToTimedelta() for timer in timers if timer.timer_id]
    assert waits == [SECONDS, 2 * SECONDS, 4 * SECONDS]
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
    view = await decide(handle, RETRY)
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
    assert (first.asked_at, first.attended) == (begun, False)
    assert (staffs.asked_at, staffs.attended) == (begun, True)
    assert (patients.asked_at > begun, patients.attended) == (True, False)


# ---- what is said


async def test_who_cancels_during_the_write_hears_nothing_else_and_the_desk_nothing(hand: ByHand) -> None:
    write = hand.answers["write_hold"]

    async def deaf(given: Any) -> Any:
        await asyncio.shield(asyncio.sleep(1))
        return write(given)

    hand.answers["write_hold"] = deaf
    handle = await hand.start(confirmation=STAFF)
    await until(lambda: hand.made("write_hold"))
    await cancel(handle)
    assert (await handle.result()).status is Status.CANCELLED
    assert (hand.told(), hand.desk_told()) == (["cancelled"], [])
    assert len(hand.made("withdraw_hold")) == 1


async def test_what_is_overtaken_is_not_said_any_more(hand: ByHand) -> None:
    notify, hand.answers["notify"] = hand.answers["notify"], Unavailable("away")
    handle = await hand.start(confirmation=STAFF)
    await until(lambda: hand.told() == ["held"])
    sent: list[str] = []

    def note(given: Any) -> Any:
        sent.append(str(given.kind))
        return notify(given)

    hand.answers["notify"] = note
    await decide(handle, DECLINE)
    await asyncio.sleep(3)  # the first would have been tried again by now
    assert sent == ["declined"]
    assert (await handle.result()).status is Status.DECLINED


async def test_what_is_held_again_or_not_any_more_is_said_again(hand: ByHand) -> None:
    handle = await hand.start(confirmation=STAFF, hold_expiry=SECONDS)
    await waiting(handle, Reason.HOLD_EXPIRED)
    await decide(handle, RETRY)
    await waiting(handle, Reason.APPROVAL)
    await waiting(handle, Reason.HOLD_EXPIRED)
    await until(lambda: hand.told() == ["held", "expired", "held", "expired"])
    assert len({(given.kind, given.version) for given in hand.made("notify")}) == 4
    await cancel(handle)


async def test_a_cancel_does_not_wait_for_messages(hand: ByHand) -> None:
    hand.answers["notify"] = Unavailable("away")
    handle = await hand.start()
    await confirmed(handle)
    assert (await cancel(handle)).status is Status.CANCELLED
    await until(lambda: hand.made("withdraw_hold"), 2)


async def test_a_write_that_never_shows_is_for_a_person_at_once(hand: ByHand) -> None:
    never = ApplicationError("what was written does not show", type="NeverShown", non_retryable=True)
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
    hand.answers["write_hold"] = HoldWritten(ambiguous=True)
    handle = await hand.start()
    await waiting(handle, Reason.HOLD_CHANGED)
    assert len(hand.made("write_hold")) == 1
    await decide(handle, RETRY)
    await waiting(handle, Reason.HOLD_CHANGED)
    assert [given.look_first for given in hand.made("write_hold")] == [False, True]
    await decide(handle, DECLINE)
    assert (await handle.result()).status is Status.DECLINED


async def test_a_cancel_does_not_wait_for_the_sweep(hand: ByHand) -> None:
    hand.answers["write_hold"] = lambda _: HoldWritten(appointment=hand.visit(), confirmed=True, ambiguous=True)
    handle = await hand.start(late_commit=timedelta(hours=1))
    await confirmed(handle)
    assert (await cancel(handle)).status is Status.CANCELLED
    await until(lambda: hand.made("withdraw_hold"), 2)


@pytest.fixture
def soon(hand: ByHand) -> ByHand:
    """The visit would begin while the test looks on."""
    hand.slot = hand.slot.model_copy(update={"time": hour(datetime.now(UTC) + 4 * SECONDS)})
    return hand


async def is_called_by_the_desk(handle: Handle, status: Status, reason: Reason) -> None:
    view = await waiting(handle, Reason.NOT_REACHED)
    assert (view.status, view.resolutions) == (status, ("approve",))
    await decide(handle, APPROVE)
    ended = await handle.result()
    assert (ended.status, ended.reason) == (status, reason)


async def test_who_gave_no_way_to_be_told_that_nobody_decided_is_called_by_the_desk(soon: ByHand) -> None:
    handle = await soon.start(confirmation=STAFF, consent=False)
    await waiting(handle, Reason.APPROVAL)
    await is_called_by_the_desk(handle, Status.DECLINED, Reason.EXPIRED)
    assert soon.told() == []
    await until(lambda: set(soon.desk_told()) == {"desk_escalation", "desk_exception", "desk_expired"})


@pytest.mark.parametrize("state", ["opted_out", "uncertain"])
async def test_whom_no_message_surely_reached_is_called_by_the_desk(hand: ByHand, state: str) -> None:
    notify = hand.answers["notify"]
    hand.answers["notify"] = lambda given: notify(given).model_copy(update={"state": state})
    handle = await hand.start(confirmation=STAFF)
    await waiting(handle, Reason.APPROVAL)
    await decide(handle, DECLINE)
    await is_called_by_the_desk(handle, Status.DECLINED, Reason.DECLINED_BY_STAFF)


async def test_who_took_it_back_need_not_be_told(hand: ByHand) -> None:
    handle = await hand.start(confirmation=STAFF, consent=False)
    await waiting(handle, Reason.APPROVAL)
    await cancel(handle)
    assert (await handle.result()).status is Status.CANCELLED
    assert hand.desk_told().count("desk_exception") == 1


async def test_who_heard_that_it_is_held_hears_that_it_is_not_any_more(hand: ByHand) -> None:
    hand.answers["match_patient"] = Match(verdict=Verdict.ASK, reason=Reason.PATIENT_AMBIGUOUS, candidates=("7", "8"))
    hand.answers["confirm_hold"] = HoldConfirmed(conflicts=(Conflict(cause=Cause.APPOINTMENT, appointment="99"),))
    hand.answers["nearest_openings"] = SlotCheck()
    handle = await hand.start(confirmation=STAFF)
    await waiting(handle, Reason.PATIENT_AMBIGUOUS)
    await hand.has_told("received")
    await decide(handle, Resolution(kind=ResolutionKind.PATIENT, patient="7"))
    await waiting(handle, Reason.APPROVAL)
    await hand.has_told("received", "held")
    await decide(handle, APPROVE)
    await waiting(handle, Reason.SLOT_TAKEN)
    await hand.has_told("received", "held", "received")
    await cancel(handle)


async def test_what_is_overtaken_while_it_goes_out_does_not_wait_for_the_end_of_quiet_hours(hand: ByHand) -> None:
    notify, asked = hand.answers["notify"], asyncio.Event()

    async def late_at_night(given: Any) -> Any:
        if len(hand.made("notify")) > 1:
            return notify(given)
        await asked.wait()
        morning = datetime.now(UTC) + SECONDS
        return notify(given).model_copy(update={"state": "quiet_hours", "not_before": morning})

    hand.answers["notify"] = late_at_night
    handle = await hand.start()
    await confirmed(handle)
    await until(lambda: hand.made("notify"))
    await cancel(handle)
    asked.set()
    await handle.result()
    assert hand.told() == ["confirmed", "cancelled"]


async def test_who_has_the_no_as_the_answer_need_not_be_told(hand: ByHand) -> None:
    answering = asyncio.Event()

    async def outside(_: Any) -> SlotCheck:
        await answering.wait()
        return SlotCheck(conflicts=(Conflict(cause=Cause.HOURS),))

    hand.answers["recheck_slot"] = outside
    handle = await hand.start(consent=False)
    asking = asyncio.create_task(handle.execute_update(BookingWorkflow.wait_for_decision))
    await until(lambda: hand.made("recheck_slot"))
    await asyncio.sleep(0.5)
    answering.set()
    assert (await asking).view.status is Status.DECLINED
    ended = await handle.result()
    assert (ended.reason, hand.desk_told()) == (Reason.OUTSIDE_RULES, [])


# ---- a confirmed visit


async def test_the_desk_hears_at_once_of_what_must_wait_behind_another_question(hand: ByHand) -> None:
    handle = await hand.start(consent=False)
    await waiting(handle, Reason.NOT_REACHED)
    hand.answers["read_outcome"] = lambda _: hand.visit(status=AppointmentStatus.TENTATIVE)
    hand.answers["confirm_hold"] = NotAuthorized("no")
    refused = CalendarNews(kind=EventKind.CHANGE_FAILED, appointment_id="11")
    await handle.signal(BookingWorkflow.schedule_changed, refused)
    await until(lambda: Reason.REFUSED_BY_SYSTEM in [given.reason for given in hand.made("tell_desk")])
    await decide(handle, APPROVE)
    await waiting(handle, Reason.REFUSED_BY_SYSTEM)


def over_already(hand: ByHand) -> None:
    """The visit ended so long ago that its outcome is due in a moment."""
    end = datetime.now(UTC) - OUTCOME_DUE + 1.5 * SECONDS
    hand.slot = hand.slot.model_copy(update={"time": hour(end - timedelta(hours=1))})


async def test_an_outcome_that_may_not_be_read_waits_for_a_person(hand: ByHand) -> None:
    over_already(hand)
    read, hand.answers["read_outcome"] = hand.answers["read_outcome"], NotAuthorized("no")
    handle = await hand.start()
    view = await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    assert (view.status, view.resolutions) == (Status.CONFIRMED, ("approve", "retry"))
    hand.answers["read_outcome"] = read
    await decide(handle, RETRY)
    assert (await handle.result()).status is Status.COMPLETED


async def test_a_sweep_that_is_refused_waits_for_a_person_and_the_visit_can_still_be_cancelled(hand: ByHand) -> None:
    hand.answers["write_hold"] = lambda _: HoldWritten(appointment=hand.visit(), confirmed=True, ambiguous=True)
    hand.answers["sweep_twins"] = NotAuthorized("no")
    handle = await hand.start()
    view = await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    assert view.status is Status.CONFIRMED
    hand.answers["sweep_twins"] = HoldWithdrawn()
    view = await decide(handle, RETRY)
    assert (view.status, view.reason) == (Status.CONFIRMED, None)
    await until(lambda: len(hand.made("sweep_twins")) == 2)
    await cancel(handle)
    assert (await handle.result()).reason is Reason.WITHDRAWN


async def test_a_visit_that_the_desk_moved_is_followed_to_its_new_end(hand: ByHand) -> None:
    over_already(hand)
    start = datetime.now(UTC) - OUTCOME_DUE + 4 * SECONDS
    moved = Interval(start=start - timedelta(hours=1), end=start)
    hand.answers["read_outcome"] = lambda _: hand.visit(time=moved)
    handle = await hand.start()
    await until(lambda: hand.made("read_outcome"))
    view = await seen(handle, lambda view: view.start == moved.start)
    assert view.status is Status.CONFIRMED
    assert (await handle.describe()).typed_search_attributes.get(APPOINTMENT_START) is not None
    hand.answers["read_outcome"] = lambda _: hand.visit(time=moved, status=AppointmentStatus.NO_SHOW)
    assert (await handle.result()).status is Status.NO_SHOW


async def test_a_patient_who_was_never_reached_leaves_the_queue_with_the_visit(hand: ByHand) -> None:
    over_already(hand)
    hand.answers["notify"] = NotAuthorized("no")
    handle = await hand.start()
    await waiting(handle, Reason.NOT_REACHED)
    ended = await handle.result()
    assert (ended.status, ended.reason, ended.resolutions) == (Status.COMPLETED, None, ())
    assert (await handle.describe()).typed_search_attributes.get(EXCEPTION_REASON) is None


async def test_a_visit_that_has_begun_is_not_cancelled_online(hand: ByHand, bookings: BookingClient) -> None:
    over_already(hand)
    handle = await hand.start()
    view = await confirmed(handle)
    with pytest.raises(NotPossible, match="has begun"):
        await bookings.cancel(view.request_id)
    assert (await handle.result()).status is Status.COMPLETED
    assert hand.made("withdraw_hold") == []


# ---- nothing is left behind


async def test_a_claim_of_which_nothing_is_known_ends_with_its_booking(hand: ByHand) -> None:
    hand.answers["recheck_slot"] = NotAuthorized("no")
    handle = await hand.start()
    await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    await cancel(handle)
    await handle.result()
    assert len(hand.made("release_claim")) == 1


async def test_a_claim_ends_too_where_a_person_took_the_hold_out(hand: ByHand) -> None:
    hand.answers["withdraw_hold"] = NotAuthorized("no")
    handle = await hand.start(confirmation=STAFF)
    await waiting(handle, Reason.APPROVAL)
    await decide(handle, DECLINE)
    view = await waiting(handle, Reason.REFUSED_BY_SYSTEM)
    assert view.status is Status.DECLINED
    await decide(handle, APPROVE)
    ended = await handle.result()
    assert (ended.status, ended.reason) == (Status.DECLINED, Reason.DECLINED_BY_STAFF)
    assert len(hand.made("release_claim")) == 1


def before_long(hand: ByHand) -> None:
    """The desk must know in half of the time that is left until the visit."""
    hand.slot = hand.slot.model_copy(update={"time": hour(datetime.now(UTC) + 8 * SECONDS)})


@pytest.mark.parametrize("failure", [Unavailable("away"), ValueError("a bug")], ids=["away", "bug"])
async def test_the_desk_knows_before_the_visit_what_could_not_be_taken_back_and_it_is_tried_on(
    hand: ByHand, failure: Exception
) -> None:
    before_long(hand)
    hand.answers["withdraw_hold"] = failure
    handle = await hand.start()
    await confirmed(handle)
    await cancel(handle)
    view = await waiting(handle, Reason.NOT_TAKEN_BACK)
    assert (view.status, view.start > datetime.now(UTC)) == (Status.CANCELLED, True)
    tried = len(hand.made("withdraw_hold"))
    await until(lambda: len(hand.made("withdraw_hold")) > tried)
    hand.answers["withdraw_hold"] = HoldWithdrawn()
    ended = await handle.result()
    assert (ended.status, ended.reason, ended.resolutions) == (Status.CANCELLED, Reason.WITHDRAWN, ())
    assert hand.desk_told().count("desk_exception") == 1


async def test_a_person_who_has_seen_it_is_not_asked_again_and_it_is_tried_on(hand: ByHand) -> None:
    before_long(hand)
    hand.answers["withdraw_hold"] = Unavailable("away")
    handle = await hand.start()
    await confirmed(handle)
    await cancel(handle)
    await waiting(handle, Reason.NOT_TAKEN_BACK)
    await decide(handle, APPROVE)
    hand.answers["withdraw_hold"] = HoldWithdrawn()
    assert (await handle.result()).reason is Reason.WITHDRAWN


async def test_what_is_late_does_not_take_the_place_of_what_the_desk_has_before_it(hand: ByHand) -> None:
    before_long(hand)
    hand.answers["withdraw_hold"] = Unavailable("away")
    handle = await hand.start(confirmation=STAFF, hold_expiry=SECONDS)
    await until(lambda: [given.reason for given in hand.made("tell_desk")][-1:] == [Reason.NOT_TAKEN_BACK])
    await waiting(handle, Reason.APPROVAL)
    hand.answers["withdraw_hold"] = HoldWithdrawn()
    await decide(handle, DECLINE)
    assert (await handle.result()).reason is Reason.DECLINED_BY_STAFF


async def test_who_could_not_be_told_and_what_could_not_be_taken_back_are_both_known_to_the_desk(hand: ByHand) -> None:
    before_long(hand)
    hand.answers["withdraw_hold"] = Unavailable("away")
    handle = await hand.start(confirmation=STAFF, consent=False)
    await waiting(handle, Reason.APPROVAL)
    await decide(handle, DECLINE)
    await waiting(handle, Reason.NOT_REACHED)
    await until(lambda: [given.reason for given in hand.made("tell_desk")][-1:] == [Reason.NOT_TAKEN_BACK])
    await decide(handle, APPROVE)
    await waiting(handle, Reason.NOT_TAKEN_BACK)
    hand.answers["withdraw_hold"] = HoldWithdrawn()
    assert (await handle.result()).reason is Reason.DECLINED_BY_STAFF


@pytest.mark.parametrize(("step", "undone_by"), [("write_hold", "withdraw_hold"), ("recheck_slot", "release_claim")])
async def test_temporals_own_cancel_takes_back_what_may_have_been_done(hand: ByHand, step: str, undone_by: str) -> None:
    hand.answers[step] = OutcomeUnknown("lost")
    handle = await hand.start()
    await until(lambda: hand.made(step))
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
    assert hand.made(undone_by)
    assert (await handle.query(BookingWorkflow.view)).status is Status.CANCELLED


async def test_temporals_own_cancel_is_not_lost_on_a_step_that_ends_all_the_same(hand: ByHand) -> None:
    write = hand.answers["write_hold"]

    async def deaf(given: Any) -> Any:
        await asyncio.shield(asyncio.sleep(1))
        return write(given)

    hand.answers["write_hold"] = deaf
    handle = await hand.start()
    await until(lambda: hand.made("write_hold"))
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), 8)
    assert hand.made("withdraw_hold")
    assert hand.told() == ["cancelled"]


async def test_a_hold_that_was_never_confirmed_is_undone_not_broken(hand: ByHand) -> None:
    lost = HoldWritten(conflicts=(Conflict(cause=Cause.APPOINTMENT),))
    hand.answers["write_hold"] = lost
    handle = await hand.start()
    await waiting(handle, Reason.SLOT_TAKEN)
    await cancel(handle)
    await handle.result()
    assert [given.confirmed for given in hand.made("withdraw_hold")] == [False]


# ---- those who wait for a decision


@pytest.fixture
def undecided(hand: ByHand) -> ByHand:
    hand.answers["recheck_slot"] = Unavailable("away")
    return hand


async def updates(handle: Handle) -> int:
    kinds = [event.event_type async for event in handle.fetch_history_events()]
    return kinds.count(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED)


async def test_a_long_wait_asks_once_and_then_looks(
    undecided: ByHand, bookings: BookingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.bookings.HEARD_WITHIN", SECONDS)
    free = SlotCheck(slot=undecided.slot)
    handle = await undecided.start()
    view = await handle.query(BookingWorkflow.view)
    waits = asyncio.create_task(bookings.wait(view.request_id, 20))
    await asyncio.sleep(5)
    assert await updates(handle) == 1
    undecided.answers["recheck_slot"] = free
    assert (await waits).status is Status.CONFIRMED


async def test_who_waits_while_the_office_takes_it_asks_nothing(hand: ByHand, bookings: BookingClient) -> None:
    hand.answers["write_hold"] = HoldWritten(appointment=hand.visit(landing=LandingState.ACCEPTED))
    handle = await hand.start()
    await seen(handle, lambda view: view.reason is Reason.AWAITING_OFFICE)
    assert (await bookings.wait((await handle.query(BookingWorkflow.view)).request_id, 2)).status is Status.RECEIVED
    assert await updates(handle) == 0
    await cancel(handle)


async def test_as_many_as_may_wait_do_not_keep_anybody_from_cancelling(
    undecided: ByHand, bookings: BookingClient
) -> None:
    handle = await undecided.start()
    view = await handle.query(BookingWorkflow.view)
    waits = [asyncio.create_task(bookings.wait(view.request_id, 60)) for _ in range(12)]
    await asyncio.sleep(2)
    assert (await bookings.cancel(view.request_id)).status is Status.CANCELLED
    assert {(await each).status for each in waits} == {Status.CANCELLED}


# ---- what is asked of a booking that no worker remembers


async def at_rest(handle: Handle) -> None:
    """All that was begun has answered, and no worker has anything to do."""
    while True:
        kinds = [event.event_type async for event in handle.fetch_history_events()]
        begun = kinds.count(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
        answered = kinds.count(EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
        if begun == answered and kinds[-1] is EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            return
        await asyncio.sleep(0.05)


async def test_what_is_asked_after_a_rest_comes_after_what_has_happened(hand: ByHand) -> None:
    hand.answers["recheck_slot"] = SlotCheck(conflicts=(Conflict(cause=Cause.APPOINTMENT, time=hand.slot.time),))
    hand.answers["nearest_openings"] = SlotCheck()
    handles = [await hand.start() for _ in range(8)]
    for handle in handles:
        await waiting(handle, Reason.SLOT_TAKEN)
        await at_rest(handle)
    for handle in handles:
        assert (await cancel(handle)).status is Status.CANCELLED
        await handle.result()
    assert sorted(hand.told()) == ["cancelled"] * 8 + ["received"] * 8
