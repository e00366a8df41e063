"""The test harness leaves no workflow behind that could disturb the next test."""

import gc
from collections.abc import Iterator

import pytest
from temporalio.client import Client

from domain.booking import Reason
from tests.support.workflow_handles import wait_for_exception
from tests.support.workflow_harness import WorkflowHarness
from workflows.booking.workflow import BookingWorkflow


@pytest.fixture
def disabled_garbage_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def count_workflows_in_memory() -> int:
    return sum(type(each).__name__ == BookingWorkflow.__name__ for each in gc.get_objects())


@pytest.mark.usefixtures("disabled_garbage_collector")
async def test_cached_workflows_are_freed_when_their_worker_stops(client: Client) -> None:
    harness = WorkflowHarness(client)
    left_by_other_tests = count_workflows_in_memory()
    async with harness.running_workers():
        handle = await harness.start_booking(consent=False)
        await wait_for_exception(handle, Reason.NOT_REACHED)
        # A workflow task that timed out on a busy machine leaves a second instance behind.
        assert count_workflows_in_memory() > left_by_other_tests
    assert count_workflows_in_memory() <= left_by_other_tests
    await harness.terminate_and_replay()
