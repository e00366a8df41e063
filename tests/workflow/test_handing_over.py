"""What a client may say of a request when nobody answers in time."""

import os
from datetime import timedelta

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from adapters.practice_file import read_practice
from client.bookings import BookingClient
from client.edge import BadRequest
from domain.booking import Status
from runtime.plugin import holdfast_plugin
from settings import load_settings
from tests.faults.gate import Gate
from tests.workflow.test_bookings import a_day, at, request


@pytest.fixture
def unanswered(client: Client) -> BookingClient:
    """Requests go to a queue that no worker serves."""
    return BookingClient(client, read_practice(load_settings().practice_file), "nobody-serves-this")


async def test_received_is_said_of_the_booking_that_really_stands(unanswered: BookingClient) -> None:
    one = request(at(a_day(), 9))
    first, again = await unanswered.submit(one), await unanswered.submit(one)
    assert first.status is Status.RECEIVED
    assert again.reference == first.reference


async def test_other_content_under_the_same_id_is_refused_though_no_worker_answers(unanswered: BookingClient) -> None:
    one = request(at(a_day(), 9))
    await unanswered.submit(one)
    with pytest.raises(BadRequest, match="request_id: already used"):
        await unanswered.submit(one.model_copy(update={"note": "something else"}))


async def test_received_is_never_said_of_a_request_that_could_not_be_handed_over(client: Client) -> None:
    gate = Gate(int(os.environ["TEMPORAL_ADDRESS"].rpartition(":")[2]))
    await gate.open()
    settings = load_settings()
    plugin = holdfast_plugin(settings.payload_keyring, "default")
    cut_off = await Client.connect(f"127.0.0.1:{gate.port}", plugins=[plugin])
    await gate.shut()
    bookings = BookingClient(cut_off, read_practice(settings.practice_file), "bookings")
    with pytest.raises(RPCError):
        await bookings.submit(request(at(a_day(), 9) + timedelta(minutes=30)))
