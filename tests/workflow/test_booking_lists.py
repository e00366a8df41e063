"""Lists of bookings: their order, the desk's queue, and the command line."""

import asyncio
import json
import re
import subprocess
import sys

import pytest
from temporalio.client import Client

from client import DeskClient
from devstack import ROOT, DevStack
from domain.booking import Reason, Status
from tests.support.bookings import at, build_request, next_free_day, submit_and_wait
from tests.support.sandbox import SandboxControl


async def test_desk_queue_lists_open_exceptions(bookings: DeskClient, control: SandboxControl) -> None:
    view = await submit_and_wait(bookings, build_request(at(next_free_day(), 9), note="Please call first."))
    assert view.reason is Reason.SPECIAL_REQUEST
    for _ in range(100):
        queue = await bookings.find(location="oakland", open_exceptions=True)
        if view.request_id in [open_view.request_id for open_view in queue.views]:
            return
        await asyncio.sleep(0.2)
    pytest.fail("the booking is not in the queue")


async def test_limited_list_has_the_soonest_booking_even_if_it_does_not_answer(
    unserved_bookings: DeskClient,
) -> None:
    day, other_day = at(next_free_day(), 12), at(next_free_day(), 12)
    requests = [build_request(start, location="denver") for start in (max(day, other_day), min(day, other_day))]
    _, soonest = await asyncio.gather(*(unserved_bookings.submit(request) for request in requests))
    for _ in range(100):  # Temporal's visibility lags
        if (await unserved_bookings.find(status=Status.RECEIVED, location="denver")).total >= len(requests):
            break
        await asyncio.sleep(0.2)
    (listed,), _ = await unserved_bookings.find(status=Status.RECEIVED, location="denver", limit=1)
    assert (listed.request_id, listed.reference, listed.start) == (soonest.request_id, soonest.reference, soonest.start)


async def test_future_bookings_are_listed_before_ended_ones(unserved_bookings: DeskClient, client: Client) -> None:
    hours = [at(next_free_day(), hour) for hour in (9, 10)]
    ended, open_booking = [await unserved_bookings.submit(build_request(start, location="brooklyn")) for start in hours]
    await client.get_workflow_handle(ended.id).terminate()
    for _ in range(100):
        listed = await unserved_bookings.find(location="brooklyn", status=Status.RECEIVED, limit=1000)
        listed_ids = {view.request_id for view in listed.views}
        (first,), _ = await unserved_bookings.find(location="brooklyn", status=Status.RECEIVED, limit=1)
        if {ended.request_id, open_booking.request_id} <= listed_ids and first.request_id != ended.request_id:
            return
        await asyncio.sleep(0.2)
    pytest.fail(f"listed: {listed_ids}; first: {first}")


@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["table", "json"])
async def test_list_command_reports_the_total_beyond_its_limit(
    unserved_bookings: DeskClient, stack: DevStack, arguments: list[str]
) -> None:
    await asyncio.gather(
        *(unserved_bookings.submit(build_request(at(next_free_day(), hour), location="denver")) for hour in (9, 10))
    )
    command = [sys.executable, "starter.py", "list", "--location", "denver", "--limit", "1", *arguments]
    result = subprocess.run(command, cwd=ROOT, env=stack.environment, capture_output=True, text=True, timeout=60)
    if arguments:
        report = json.loads(result.stdout.splitlines()[-1])
        assert (len(report["bookings"]), report["total"] >= 2) == (1, True)
    else:
        assert re.search(r"Bookings \(1 of \d+; --limit shows more\)", result.stdout)


@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["panel", "json"])
async def test_show_command_prints_contacts_only_on_request(
    bookings: DeskClient, stack: DevStack, arguments: list[str]
) -> None:
    view = await submit_and_wait(bookings, build_request(at(next_free_day(), 9)))

    def run_show(*more: str) -> str:
        command = [sys.executable, "starter.py", "show", view.request_id, *arguments, *more]
        result = subprocess.run(command, cwd=ROOT, env=stack.environment, capture_output=True, text=True, timeout=60)
        return result.stdout + result.stderr

    patient = (await bookings.contacts(view.request_id)).patient
    contact_details = [patient.last_name, str(patient.date_of_birth), str(patient.mobile), str(patient.email)]
    with_contacts, without = run_show("--contacts"), run_show()
    assert all(detail in with_contacts for detail in contact_details)
    assert not any(detail in without for detail in contact_details)
