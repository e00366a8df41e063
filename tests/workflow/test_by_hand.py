"""The tests' own worker: what one test leaves behind must not reach into the next."""

import gc
from collections.abc import Iterator

import pytest
from temporalio.client import Client

from domain.booking import Reason
from tests.support.by_hand import ByHand, at_work
from tests.support.courses import waiting
from workflows.booking.workflow import BookingWorkflow


@pytest.fixture
def nothing_is_collected_by_chance() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def bookings_in_memory() -> int:
    return sum(type(each).__name__ == BookingWorkflow.__name__ for each in gc.get_objects())


@pytest.mark.usefixtures("nothing_is_collected_by_chance")
async def test_the_bookings_that_a_worker_had_in_memory_are_gone_with_it(client: Client) -> None:
    hand = ByHand(client)
    async with at_work(hand, client):
        handle = await hand.start(consent=False)
        await waiting(handle, Reason.NOT_REACHED)
        assert bookings_in_memory() == 1
    assert bookings_in_memory() == 0
    await hand.end()
