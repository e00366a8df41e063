"""What is asked while no worker is there does not change what happens once one is."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.service import RPCError

from client import BookingClient, NotPossible
from domain.booking import BookingView, Reason, Status
from tests.support.by_hand import ByHand, at_work
from tests.support.courses import DECLINE, STAFF, Handle, decide, happened, waiting
from workflows.booking.workflow import BookingWorkflow

PATIENCE = timedelta(seconds=15)


@pytest.mark.parametrize("remembered", [1000, 0])
@pytest.mark.parametrize("looks", [1, 3])
@pytest.mark.parametrize("decided", ["meanwhile", "afterwards"])
async def test_a_query_that_waited_for_a_worker_does_not_move_the_booking_on(
    client: Client, decided: str, looks: int, remembered: int
) -> None:
    """A timer fires meanwhile, and a person decides.

    Of several queries the core loses some with the workflow that it forgets; their callers hear that nobody answered.
    """
    hand = ByHand(client)
    handle = await left_waiting(hand, client)
    looking = [asyncio.create_task(handle.query(BookingWorkflow.view, rpc_timeout=PATIENCE)) for _ in range(looks)]
    await its_timer_fires(handle)
    deciding = [asyncio.create_task(decide(handle, DECLINE))] if decided == "meanwhile" else []
    await asyncio.sleep(0.5)
    async with at_work(hand, client, remembered):
        seen = await asyncio.gather(*looking, return_exceptions=True)
        assert all(isinstance(view, BookingView | RPCError) for view in seen)
        assert any(isinstance(view, BookingView) for view in seen)
        deciding = deciding or [asyncio.create_task(decide(handle, DECLINE))]
        assert (await deciding[0]).status is Status.DECLINED
        await handle.result()
    await hand.end()


async def left_waiting(hand: ByHand, client: Client) -> Handle:
    """A booking that waits for approval, whose worker has gone before anybody is reminded."""
    async with at_work(hand, client):
        handle = await hand.start(confirmation=STAFF, staff_deadline=timedelta(seconds=4))
        await waiting(handle, Reason.APPROVAL)
        await hand.has_told("held")
        await asyncio.sleep(0.5)
    return handle


async def its_timer_fires(handle: Handle) -> None:
    await happened(handle, EventType.EVENT_TYPE_TIMER_FIRED)


@pytest.mark.parametrize("remembered", [1000, 0])
async def test_a_booking_closed_from_outside_before_a_task_saw_what_happened_can_be_shown(
    client: Client, bookings: BookingClient, remembered: int
) -> None:
    hand = ByHand(client)
    handle = await left_waiting(hand, client)
    await its_timer_fires(handle)
    await handle.terminate()
    async with at_work(hand, client, remembered):
        assert (await bookings.show(handle.id)).status is Status.HELD
        with pytest.raises(NotPossible, match="closed"):
            await bookings.cancel(handle.id)
