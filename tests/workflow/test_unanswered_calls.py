"""What the client reports when no worker, or not even the Temporal server, answers in time."""

import asyncio
import os
from datetime import timedelta

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from adapters.practice_file import read_practice
from client import BadRequest, DeskClient, NoAnswer, NotPossible
from devstack import DevStack
from domain.booking import BookingView, Status
from domain.practice import Practice
from runtime.keys import payload_keyring
from runtime.plugin import holdfast_plugin
from settings import load_settings
from tests.support.bookings import at, build_request, next_free_day
from tests.support.gate import Gate


async def test_repeated_request_returns_the_booking_that_exists(unserved_bookings: DeskClient) -> None:
    request = build_request(at(next_free_day(), 9))
    first, repeated = await unserved_bookings.submit(request), await unserved_bookings.submit(request)
    assert first.status is Status.RECEIVED
    assert repeated.reference == first.reference


async def test_request_id_reused_with_other_content_is_refused_without_a_worker(
    unserved_bookings: DeskClient,
) -> None:
    request = build_request(at(next_free_day(), 9))
    await unserved_bookings.submit(request)
    with pytest.raises(BadRequest, match="request_id: already used"):
        await unserved_bookings.submit(request.model_copy(update={"note": "something else"}))


async def test_booking_without_a_worker_is_shown_from_its_listing(unserved_bookings: DeskClient) -> None:
    view = await unserved_bookings.submit(build_request(at(next_free_day(), 9)))
    listed_view = await unserved_bookings.show(view.request_id)
    assert (listed_view.status, listed_view.reference, listed_view.detail) == (
        Status.RECEIVED,
        view.reference,
        "The booking does not answer.",
    )


async def test_unanswered_cancel_raises_no_answer(unserved_bookings: DeskClient) -> None:
    view = await unserved_bookings.submit(build_request(at(next_free_day(), 9)))
    with pytest.raises(NoAnswer):
        await unserved_bookings.cancel(view.request_id)


async def test_call_can_be_abandoned_with_a_timeout(unserved_bookings: DeskClient) -> None:
    view = await unserved_bookings.submit(build_request(at(next_free_day(), 9)))
    for call in (unserved_bookings.cancel(view.request_id), unserved_bookings.wait(view.request_id, 20)):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call, 0.5)


async def test_wait_without_a_worker_returns_received(unserved_bookings: DeskClient) -> None:
    view = await unserved_bookings.submit(build_request(at(next_free_day(), 9)))
    result = await unserved_bookings.wait(view.request_id, 2)
    assert (result.status, result.reference) == (Status.RECEIVED, view.reference)


async def test_terminated_booking_is_neither_reported_as_cancelled_nor_listed_as_open(
    bookings: DeskClient, client: Client
) -> None:
    view = await bookings.wait(
        (await bookings.submit(build_request(at(next_free_day(), 9), service="exam"))).request_id, 20
    )
    await client.get_workflow_handle(view.id).terminate()
    with pytest.raises(NotPossible, match="closed"):
        await bookings.cancel(view.request_id)
    for _ in range(100):
        queue = await bookings.find(location="oakland", open_exceptions=True)
        if view.request_id not in [open_view.request_id for open_view in queue.views]:
            return
        await asyncio.sleep(0.2)
    pytest.fail("still in the desk's queue, although nobody can resolve it any more")


async def test_request_that_did_not_reach_temporal_raises_an_error(stack: DevStack) -> None:
    gate = await open_gate_to_temporal()
    client = await connect_through(gate)
    await gate.shut()
    bookings = DeskClient(client, read_practice(load_settings().practice_file), "bookings")
    with pytest.raises(RPCError):
        await bookings.submit(build_request(at(next_free_day(), 9) + timedelta(minutes=30)))


async def test_cancel_that_was_lost_on_the_way_is_not_reported_as_refused(
    stack: DevStack, bookings: DeskClient
) -> None:
    gate = await open_gate_to_temporal()
    client = await connect_through(gate)
    view = await bookings.wait((await bookings.submit(build_request(at(next_free_day(), 9)))).request_id, 20)
    assert view.status is Status.CONFIRMED
    await gate.shut()
    with pytest.raises(NoAnswer):
        await ReopeningClient(client, read_practice(load_settings().practice_file), gate).cancel(view.request_id)
    await gate.shut()


class ReopeningClient(DeskClient):
    """Opens the gate again just when it looks up what happened to its lost call."""

    def __init__(self, client: Client, practice: Practice, gate: Gate) -> None:
        super().__init__(client, practice, "bookings")
        self._gate = gate

    async def show(self, request_id: str) -> BookingView:
        await self._gate.open()
        return await super().show(request_id)


async def open_gate_to_temporal() -> Gate:
    gate = Gate(int(os.environ["TEMPORAL_ADDRESS"].rpartition(":")[2]))
    await gate.open()
    return gate


async def connect_through(gate: Gate) -> Client:
    plugin = holdfast_plugin(payload_keyring(load_settings()), "default")
    return await Client.connect(f"127.0.0.1:{gate.port}", plugins=[plugin])
