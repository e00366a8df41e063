"""Bookings that wait for an office that is known to be off."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from activities.hold_contracts import ConfirmHoldResult, HoldResult
from activities.release import ReleaseResult
from adapters.errors import Unavailable
from client import BookingClient
from domain.booking import Reason, Status
from domain.calendar import AppointmentStatus, EventKind, LandingState
from domain.policy import LandingPolicy
from domain.rules import Confirmation
from tests.support.by_hand import ByHand, by_hand
from tests.support.courses import APPROVE, RETRY, Handle, at_rest, confirmed, happened, seen, until
from workflows.booking.messages import AppointmentEvent
from workflows.booking.workflow import BookingWorkflow

SOON = timedelta(seconds=0.2)
FAR = timedelta(days=30)
TERM = timedelta(seconds=1)
"""Of a hold."""


def landing(**changes: Any) -> LandingPolicy:
    return LandingPolicy(**{"check_after": (SOON,), "min_wait": timedelta(0), **changes})


@pytest.fixture
async def hand(client: Client) -> AsyncIterator[ByHand]:
    async with by_hand(client) as found:
        found.answers["write_hold"] = lambda _: on_its_way(found)
        found.answers["check_landing"] = HoldResult(office_offline=True)
        yield found


def on_its_way(hand: ByHand) -> HoldResult:
    accepted = hand.visit(status=AppointmentStatus.TENTATIVE, landing=LandingState.ACCEPTED)
    return HoldResult(appointment=accepted)


def on(hand: ByHand) -> HoldResult:
    return HoldResult(appointment=hand.visit(), confirmed=True)


async def test_the_patient_hears_at_once_that_nothing_is_booked_yet_and_nobody_looks_in_vain(hand: ByHand) -> None:
    booking = await hand.start(landing=landing(notify_patient_after=2 * SOON))
    view = await seen(booking, lambda view: view.reason is Reason.OFFICE_OFFLINE)
    await hand.has_told("requested")
    await asyncio.sleep(1)
    assert view.status is Status.RECEIVED
    assert (hand.told(), hand.desk_told()) == (["requested"], [])
    assert len(hand.made("check_landing")) == 1


async def test_an_office_that_is_said_to_be_back_is_looked_at_and_not_judged_by_what_was_read_before(
    hand: ByHand,
) -> None:
    booking = await hand.start(landing=landing())
    await seen(booking, lambda view: view.reason is Reason.OFFICE_OFFLINE)
    await hand.has_told("requested")
    hand.answers["check_landing"] = on(hand)
    await booking.signal(BookingWorkflow.office_came_online)
    await confirmed(booking)
    first, second = hand.made("check_landing")
    assert (first.online_since, second.online_since is not None) == (None, True)
    await hand.has_told("requested", "confirmed")


async def test_an_office_whose_return_nobody_tells_is_asked_now_and_then(hand: ByHand) -> None:
    booking = await hand.start(landing=landing(check_while_offline=timedelta(seconds=1)))
    await seen(booking, lambda view: view.reason is Reason.OFFICE_OFFLINE)
    hand.answers["check_landing"] = on(hand)
    await confirmed(booking)


async def test_a_return_that_is_told_during_a_look_is_not_undone_by_what_the_look_brings(hand: ByHand) -> None:
    heard = asyncio.Event()

    async def look(_: Any) -> HoldResult:
        await heard.wait()
        return HoldResult(office_offline=True)

    hand.answers["check_landing"] = look
    booking = await hand.start(landing=landing())
    await until(lambda: hand.made("check_landing"))
    await booking.signal(BookingWorkflow.office_came_online)
    hand.answers["check_landing"] = on(hand)
    await happened(booking, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
    heard.set()
    await confirmed(booking)


async def test_patience_begins_when_the_office_is_back(hand: ByHand) -> None:
    patience = timedelta(seconds=4)
    booking = await hand.start(landing=landing(max_wait=patience))
    await seen(booking, lambda view: view.reason is Reason.OFFICE_OFFLINE)
    await asyncio.sleep(5)
    hand.answers["check_landing"] = on_its_way(hand)
    back_at = datetime.now(UTC)
    await booking.signal(BookingWorkflow.office_came_online)
    view = await seen(booking, lambda view: view.status is Status.NEEDS_STAFF)
    assert view.reason is Reason.NOT_LANDED
    assert view.updated_at >= back_at + patience


async def test_the_desk_is_asked_in_good_time_and_not_without_a_look(hand: ByHand) -> None:
    in_time = timedelta(days=3) - timedelta(seconds=6)
    hand.answers["check_landing"] = lambda given: (
        HoldResult(office_offline=True) if given.check_online_first else on_its_way(hand)
    )
    booking = await hand.start(landing=landing(lead_time=in_time))
    view = await seen(booking, lambda view: view.status is Status.NEEDS_STAFF)
    assert view.reason is Reason.NOT_LANDED
    assert [given.check_online_first for given in hand.made("check_landing")][:2] == [True, False]


async def test_the_desk_is_relieved_where_the_office_is_back_in_time(hand: ByHand) -> None:
    hand.answers["check_landing"] = lambda given: (
        HoldResult(office_offline=True) if given.check_online_first else on_its_way(hand)
    )
    booking = await hand.start(landing=landing(lead_time=FAR, min_wait=2 * SOON))
    await seen(booking, lambda view: view.status is Status.NEEDS_STAFF)
    while [given.check_online_first for given in hand.made("check_landing")] != [True, False, True]:
        await asyncio.sleep(0.05)
    await at_rest(booking)  # and it is known to be off
    hand.answers["check_landing"] = on(hand)
    await booking.signal(BookingWorkflow.office_came_online)
    await confirmed(booking)


async def test_what_landed_while_the_office_was_thought_to_be_off_is_found_before_anybody_is_asked(
    hand: ByHand,
) -> None:
    hand.answers["check_landing"] = lambda given: (
        HoldResult(office_offline=True) if given.check_online_first else on(hand)
    )
    booking = await hand.start(landing=landing(lead_time=timedelta(days=3) - timedelta(seconds=2)))
    await confirmed(booking)
    assert hand.desk_told() == []


# The confirmation


async def approved(hand: ByHand, bookings: BookingClient, **policy: Any) -> Handle:
    """Landed, approved by a person, and the office is off by then; all that was to be said before that has been.

    However long the person takes, the hold is not gone by then: until it is approved nothing can be taken back.
    """
    hand.answers["release_hold"] = Unavailable("away")
    hand.answers["write_hold"] = lambda _: HoldResult(appointment=hand.visit(status=AppointmentStatus.TENTATIVE))
    hand.answers["confirm_hold"] = ConfirmHoldResult(office_offline=True)
    booking = await hand.start(confirmation=Confirmation.STAFF, **policy)
    await seen(booking, lambda view: view.reason is Reason.APPROVAL)
    await until(lambda: hand.told() and hand.desk_told())
    await bookings.resolve(booking.id, APPROVE)
    view = await seen(booking, lambda view: view.reason not in (Reason.APPROVAL, None))
    assert view.reason in (Reason.AWAITING_CONFIRMATION, Reason.NOT_CONFIRMED)
    hand.answers["release_hold"] = ReleaseResult()
    return booking


async def test_what_a_person_approved_waits_for_the_office_and_does_not_expire(
    hand: ByHand, bookings: BookingClient
) -> None:
    booking = await approved(hand, bookings, hold_expiry=TERM)
    view = await booking.query(BookingWorkflow.view)
    assert (view.status, view.reason) == (Status.HELD, Reason.AWAITING_CONFIRMATION)
    tried = hand.made("release_hold")
    await asyncio.sleep(2 * TERM.total_seconds())
    assert (hand.made("release_hold"), hand.told()) == (tried, ["held"])
    hand.answers["confirm_hold"] = lambda _: ConfirmHoldResult(appointment=hand.visit())
    await booking.signal(BookingWorkflow.office_came_online)
    await confirmed(booking)
    assert [given.check_online_first for given in hand.made("confirm_hold")] == [False, False]
    await hand.has_told("held", "confirmed")


async def test_a_confirmation_is_tried_now_and_then_and_only_where_the_office_is_back(
    hand: ByHand, bookings: BookingClient
) -> None:
    booking = await approved(hand, bookings, landing=landing(check_while_offline=timedelta(seconds=1)))
    hand.answers["confirm_hold"] = lambda _: ConfirmHoldResult(appointment=hand.visit())
    await confirmed(booking)
    first, *later = (given.check_online_first for given in hand.made("confirm_hold"))
    assert (first, set(later)) == (False, {True})


async def test_other_news_does_not_have_the_confirmation_tried_again_and_again(
    hand: ByHand, bookings: BookingClient
) -> None:
    booking = await approved(hand, bookings)
    changed = AppointmentEvent(kind=EventKind.CHANGE_FAILED, appointment_id="11")
    await booking.signal(BookingWorkflow.schedule_changed, changed)
    await until(lambda: len(hand.made("confirm_hold")) > 1)
    await asyncio.sleep(1)
    assert len(hand.made("confirm_hold")) == 2


async def not_confirmed(hand: ByHand, bookings: BookingClient, **policy: Any) -> Handle:
    booking = await approved(hand, bookings, landing=landing(lead_time=FAR, min_wait=SOON), **policy)
    view = await seen(booking, lambda view: view.reason is Reason.NOT_CONFIRMED)
    assert view.status is Status.NEEDS_STAFF
    await until(lambda: hand.desk_told().count("desk_exception") == 2)
    return booking


async def test_what_a_person_marked_in_the_office_by_hand_is_confirmed(hand: ByHand, bookings: BookingClient) -> None:
    booking = await not_confirmed(hand, bookings)
    await bookings.resolve(booking.id, APPROVE)
    await confirmed(booking)
    assert len(hand.made("confirm_hold")) == 1


async def test_nobody_needs_to_act_any_more_where_the_office_is_back(hand: ByHand, bookings: BookingClient) -> None:
    booking = await not_confirmed(hand, bookings, hold_expiry=TERM)
    tried = hand.made("release_hold")
    await asyncio.sleep(2 * TERM.total_seconds())
    hand.answers["confirm_hold"] = lambda _: ConfirmHoldResult(appointment=hand.visit())
    await booking.signal(BookingWorkflow.office_came_online)
    await confirmed(booking)
    assert hand.made("release_hold") == tried


async def test_who_tries_again_is_not_made_to_wait_for_the_office(hand: ByHand, bookings: BookingClient) -> None:
    booking = await not_confirmed(hand, bookings)
    hand.answers["confirm_hold"] = lambda _: ConfirmHoldResult(appointment=hand.visit())
    await bookings.resolve(booking.id, RETRY)
    await confirmed(booking)


async def test_a_visit_that_could_not_be_marked_takes_place(hand: ByHand, bookings: BookingClient) -> None:
    hand.begins_in(10)
    booking = await not_confirmed(hand, bookings)
    await confirmed(booking)
    assert hand.made("release_hold") == []


async def test_what_waits_for_the_office_can_be_taken_back(hand: ByHand, bookings: BookingClient) -> None:
    booking = await approved(hand, bookings)
    view = await bookings.cancel(booking.id)
    assert view.status is Status.CANCELLED
    assert await booking.result()
    assert hand.made("release_hold")
