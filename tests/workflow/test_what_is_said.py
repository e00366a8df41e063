"""What the patient is told, what is not said any more, and whom the desk must call instead."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowUpdateRPCTimeoutOrCancelledError

from activities.hold_contracts import ConfirmHoldResult, HoldResult
from activities.slots import SlotCheck
from adapters.errors import Unavailable
from domain.booking import MessageState, Reason, Status
from domain.calendar import AppointmentStatus
from domain.matching import Match, Verdict
from domain.slot import Cause, Conflict
from tests.support.by_hand import ByHand, at_work, surely
from tests.support.courses import (
    APPROVE,
    DECLINE,
    RETRY,
    SECONDS,
    STAFF,
    Handle,
    asked_to_end,
    cancel,
    confirmed,
    decide,
    happened,
    until,
    waiting,
)
from workflows.booking.messages import ANSWER_GRACE, ANSWER_TIMEOUT, Resolution, ResolutionKind, WaitOptions
from workflows.booking.workflow import BookingWorkflow


async def test_who_cancels_during_the_write_hears_nothing_else_and_the_desk_nothing(hand: ByHand) -> None:
    write, stopped = hand.answers["write_hold"], asyncio.Event()

    async def deaf(given: Any) -> Any:
        await surely(stopped)
        return write(given)

    hand.answers["write_hold"] = deaf
    handle = await hand.start(confirmation=STAFF)
    await until(lambda: hand.made("write_hold"))
    cancelling = asyncio.create_task(cancel(handle))
    await asked_to_end(handle, "write_hold")
    stopped.set()
    await cancelling
    assert (await handle.result()).status is Status.CANCELLED
    assert (hand.told(), hand.desk_told()) == (["cancelled"], [])
    assert len(hand.made("release_hold")) == 1


async def test_what_is_overtaken_is_not_said_any_more(hand: ByHand) -> None:
    notify, hand.answers["notify"] = hand.answers["notify"], Unavailable("away")
    handle = await hand.start(confirmation=STAFF)
    await until(lambda: "held" in hand.told())
    await decide(handle, DECLINE)
    sent: list[str] = []

    def note(given: Any) -> Any:
        sent.append(str(given.kind))
        return notify(given)

    hand.answers["notify"] = note
    assert (await handle.result()).status is Status.DECLINED
    await asyncio.sleep(3)  # the first would have been tried again by now
    assert sent == ["declined"]


async def test_what_is_held_again_or_not_any_more_is_said_again(hand: ByHand) -> None:
    withdrawn, away = hand.answers["release_hold"], Unavailable("away")
    hand.answers["release_hold"] = away
    handle = await hand.start(confirmation=STAFF, hold_expiry=SECONDS)
    await hand.has_told("held")
    hand.answers["release_hold"] = withdrawn
    await waiting(handle, Reason.HOLD_EXPIRED)
    await hand.has_told("held", "expired")
    hand.answers["release_hold"] = away
    await decide(handle, RETRY)
    await waiting(handle, Reason.APPROVAL)
    await hand.has_told("held", "expired", "held")
    hand.answers["release_hold"] = withdrawn
    await waiting(handle, Reason.HOLD_EXPIRED)
    await hand.has_told("held", "expired", "held", "expired")
    assert len({(given.kind, given.version) for given in hand.made("notify")}) == 4
    await cancel(handle)


async def test_a_cancel_does_not_wait_for_messages(hand: ByHand) -> None:
    hand.answers["notify"] = Unavailable("away")
    handle = await hand.start()
    await confirmed(handle)
    assert (await cancel(handle)).status is Status.CANCELLED
    await until(lambda: hand.made("release_hold"))


@pytest.fixture
def soon(hand: ByHand) -> ByHand:
    """The visit would begin while the test looks on."""
    hand.begins_in(4)
    return hand


async def is_called_by_the_desk(handle: Handle, status: Status, reason: Reason) -> None:
    view = await waiting(handle, Reason.NOT_REACHED)
    assert (view.status, view.resolutions) == (status, ("approve",))
    await decide(handle, APPROVE)
    ended = await handle.result()
    assert (ended.status, ended.reason) == (status, reason)


async def test_who_gave_no_way_to_be_told_that_nobody_decided_is_called_by_the_desk(soon: ByHand) -> None:
    handle = await soon.start(confirmation=STAFF, consent=False)
    await is_called_by_the_desk(handle, Status.DECLINED, Reason.EXPIRED)
    assert soon.told() == []
    assert {"desk_exception", "desk_expired"} <= set(soon.desk_told())


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
    hand.answers["confirm_hold"] = ConfirmHoldResult(conflicts=(Conflict(cause=Cause.APPOINTMENT, appointment="99"),))
    hand.answers["find_alternatives"] = SlotCheck()
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
        await surely(asked)
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
    patience = WaitOptions(timeout=20 * SECONDS)
    asking = asyncio.create_task(handle.execute_update(BookingWorkflow.wait_for_decision_within, patience))
    await happened(handle, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED)
    answering.set()
    assert (await asking).view.status is Status.DECLINED
    ended = await handle.result()
    assert (ended.reason, hand.desk_told()) == (Reason.OUTSIDE_RULES, [])


async def test_a_no_that_nobody_waited_for_any_more_is_not_taken_for_heard(client: Client) -> None:
    """No worker was there; whoever asked was told "received" and is gone."""
    hand = ByHand(client)
    hand.answers["recheck_slot"] = SlotCheck(conflicts=(Conflict(cause=Cause.RULE),))
    handle = await hand.start(consent=False)
    with pytest.raises(WorkflowUpdateRPCTimeoutOrCancelledError):
        await handle.execute_update(BookingWorkflow.wait_for_decision, rpc_timeout=SECONDS)
    await asyncio.sleep((ANSWER_TIMEOUT + ANSWER_GRACE).total_seconds())
    async with at_work(hand, client):
        assert (await waiting(handle, Reason.NOT_REACHED)).status is Status.DECLINED
        await decide(handle, APPROVE)
        await handle.result()
    await hand.end()


async def test_a_parent_who_alone_can_be_reached_is_told(hand: ByHand) -> None:
    born = {"last_name": "Sampleton", "date_of_birth": "2019-01-15"}
    parent = {
        "first_name": "Ma",
        "last_name": "Sampleton",
        "date_of_birth": "1985-03-02",
        "email": "ma@patients.example",
    }
    handle = await hand.start(asked={"patient": {"first_name": "Tad", **born}, "guardian": parent})
    await confirmed(handle)
    await hand.has_told("confirmed")
    assert [notice.to for notice in hand.made("notify")] == ["ma@patients.example"]
    assert hand.made("recheck_slot")[0].contact == "ma@patients.example"
    assert (await handle.query(BookingWorkflow.view)).reason is None


async def test_the_last_word_comes_after_every_older_one(hand: ByHand) -> None:
    """Also where the one between them was overtaken before it began."""
    out, sent = asyncio.Event(), []

    async def send(notice: Any) -> MessageState:
        if notice.kind == "held":
            await surely(out)
        sent.append(str(notice.kind))
        return MessageState(kind=notice.kind, channel=notice.channel, version=notice.version, state="accepted")

    hand.answers["notify"] = send
    hand.answers["write_hold"] = lambda _: HoldResult(appointment=hand.visit(status=AppointmentStatus.TENTATIVE))
    handle = await hand.start(confirmation=STAFF)
    await waiting(handle, Reason.APPROVAL)
    await until(lambda: hand.told() == ["held"])
    assert (await decide(handle, APPROVE)).status is Status.CONFIRMED
    await cancel(handle)
    out.set()
    await until(lambda: len(sent) == 2)
    assert sent == ["held", "cancelled"]
