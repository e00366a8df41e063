"""What a client may say of a request when nobody answers in time."""

import asyncio
import json
import os
import re
import subprocess
import sys
from datetime import timedelta

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from adapters.practice_file import read_practice
from client import BadRequest, BookingClient, NoAnswer, NotPossible
from devstack import ROOT, DevStack
from domain.booking import BookingView, Status
from domain.practice import Practice
from runtime.keys import payload_keyring
from runtime.plugin import holdfast_plugin
from settings import load_settings
from tests.support.gate import Gate
from tests.workflow.test_bookings import a_day, at, request


@pytest.fixture
def unanswered(client: Client, monkeypatch: pytest.MonkeyPatch) -> BookingClient:
    """Requests go to a queue that no worker serves; nobody need wait long to see it."""
    monkeypatch.setattr("client.bookings.RPC_TIMEOUT", timedelta(seconds=1))
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


async def test_what_nobody_answers_for_is_shown_as_it_is_listed(unanswered: BookingClient) -> None:
    view = await unanswered.submit(request(at(a_day(), 9)))
    shown = await unanswered.show(view.request_id)
    assert (shown.status, shown.reference, shown.detail) == (
        Status.RECEIVED,
        view.reference,
        "The booking does not answer.",
    )


async def test_a_call_that_nobody_answers_is_neither_done_nor_refused(unanswered: BookingClient) -> None:
    view = await unanswered.submit(request(at(a_day(), 9)))
    with pytest.raises(NoAnswer):
        await unanswered.cancel(view.request_id)


async def test_a_caller_who_gives_up_waiting_is_let_go(unanswered: BookingClient) -> None:
    view = await unanswered.submit(request(at(a_day(), 9)))
    for call in (unanswered.cancel(view.request_id), unanswered.wait(view.request_id, 20)):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call, 0.5)


async def test_the_soonest_are_listed_and_one_that_does_not_answer_as_far_as_is_known(
    unanswered: BookingClient,
) -> None:
    day, other = at(a_day(), 12), at(a_day(), 12)
    wanted = [request(start, location="denver") for start in (max(day, other), min(day, other))]
    _, sooner = await asyncio.gather(*(unanswered.submit(each) for each in wanted))
    for _ in range(100):  # the listing lags
        if (await unanswered.find(status=Status.RECEIVED, location="denver")).total >= len(wanted):
            break
        await asyncio.sleep(0.2)
    (seen,), _ = await unanswered.find(status=Status.RECEIVED, location="denver", limit=1)
    assert (seen.request_id, seen.reference, seen.start) == (sooner.request_id, sooner.reference, sooner.start)


@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["table", "json"])
async def test_the_command_line_says_how_many_there_are_beyond_what_it_lists(
    unanswered: BookingClient, stack: DevStack, arguments: list[str]
) -> None:
    await asyncio.gather(*(unanswered.submit(request(at(a_day(), hour), location="denver")) for hour in (9, 10)))
    command = [sys.executable, "starter.py", "list", "--location", "denver", "--limit", "1", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=stack.environment, capture_output=True, text=True, timeout=60)
    if arguments:
        said = json.loads(done.stdout.splitlines()[-1])
        assert (len(said["bookings"]), said["total"] >= 2) == (1, True)
    else:
        assert re.search(r"Bookings \(1 of \d+; --limit shows more\)", done.stdout)


async def test_a_booking_that_was_closed_from_outside_is_neither_called_cancelled_nor_queued(
    bookings: BookingClient, client: Client
) -> None:
    view = await bookings.wait((await bookings.submit(request(at(a_day(), 9), service="exam"))).request_id, 20)
    await client.get_workflow_handle(view.id).terminate()
    with pytest.raises(NotPossible, match="closed"):
        await bookings.cancel(view.request_id)
    for _ in range(100):
        queue = await bookings.find(location="oakland", open_exceptions=True)
        if view.request_id not in [waiting.request_id for waiting in queue.views]:
            return
        await asyncio.sleep(0.2)
    pytest.fail("still in the desk's queue, where nobody can decide it any more")


async def test_received_is_never_said_of_a_request_that_could_not_be_handed_over(stack: DevStack) -> None:
    gate = await gate_to_temporal()
    cut_off = await through(gate)
    await gate.shut()
    bookings = BookingClient(cut_off, read_practice(load_settings().practice_file), "bookings")
    with pytest.raises(RPCError):
        await bookings.submit(request(at(a_day(), 9) + timedelta(minutes=30)))


class Reopening(BookingClient):
    """The way to the server opens again just when the client looks what became of its call."""

    def __init__(self, client: Client, practice: Practice, gate: Gate) -> None:
        super().__init__(client, practice, "bookings")
        self._gate = gate

    async def show(self, request_id: str) -> BookingView:
        await self._gate.open()
        return await super().show(request_id)


async def test_a_call_that_was_lost_on_the_way_is_not_told_as_refused(stack: DevStack, bookings: BookingClient) -> None:
    gate = await gate_to_temporal()
    cut_off = await through(gate)
    view = await bookings.wait((await bookings.submit(request(at(a_day(), 9)))).request_id, 20)
    assert view.status is Status.CONFIRMED
    await gate.shut()
    with pytest.raises(NoAnswer):
        await Reopening(cut_off, read_practice(load_settings().practice_file), gate).cancel(view.request_id)
    await gate.shut()


async def gate_to_temporal() -> Gate:
    gate = Gate(int(os.environ["TEMPORAL_ADDRESS"].rpartition(":")[2]))
    await gate.open()
    return gate


async def through(gate: Gate) -> Client:
    plugin = holdfast_plugin(payload_keyring(load_settings()), "default")
    return await Client.connect(f"127.0.0.1:{gate.port}", plugins=[plugin])


async def test_who_waits_while_no_worker_answers_hears_received(unanswered: BookingClient) -> None:
    view = await unanswered.submit(request(at(a_day(), 9)))
    waited = await unanswered.wait(view.request_id, 2)
    assert (waited.status, waited.reference) == (Status.RECEIVED, view.reference)


async def test_what_is_to_come_is_listed_before_what_is_over(unanswered: BookingClient, client: Client) -> None:
    hours = [at(a_day(), hour) for hour in (9, 10)]
    over, coming = [await unanswered.submit(request(start, location="brooklyn")) for start in hours]
    await client.get_workflow_handle(over.id).terminate()
    for _ in range(100):
        listed = await unanswered.find(location="brooklyn", status=Status.RECEIVED, limit=1000)
        still = {view.request_id for view in listed.views}
        (first,), _ = await unanswered.find(location="brooklyn", status=Status.RECEIVED, limit=1)
        if {over.request_id, coming.request_id} <= still and first.request_id != over.request_id:
            return
        await asyncio.sleep(0.2)
    pytest.fail(f"listed: {still}; first: {first}")
