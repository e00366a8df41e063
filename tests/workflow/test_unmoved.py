"""What is asked while no worker is there does not change what happens once one is."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from domain.booking import Reason, Status
from tests.support.by_hand import ByHand, at_work
from tests.workflow.test_courses import DECLINE, STAFF, Handle, decide, waiting
from workflows.booking import BookingWorkflow


@pytest.mark.parametrize("remembered", [1000, 0])
async def test_a_query_that_waited_for_a_worker_does_not_move_the_booking_on(client: Client, remembered: int) -> None:
    """A timer fires meanwhile, and a person decides."""
    hand = ByHand(client)
    async with at_work(hand, client):
        handle = await hand.start(confirmation=STAFF, staff_deadline=timedelta(seconds=4))
        await waiting(handle, Reason.APPROVAL)
        await hand.has_told("held")
        await asyncio.sleep(0.5)
    looking = asyncio.create_task(handle.query(BookingWorkflow.view))
    while EventType.EVENT_TYPE_TIMER_FIRED not in await kinds(handle):
        await asyncio.sleep(0.05)
    deciding = asyncio.create_task(decide(handle, DECLINE))
    await asyncio.sleep(0.5)
    async with at_work(hand, client, remembered):
        assert (await looking).reason is Reason.APPROVAL
        assert (await deciding).status is Status.DECLINED
        await handle.result()
    await hand.end()


async def kinds(handle: Handle) -> list[int]:
    return [event.event_type async for event in handle.fetch_history_events()]
