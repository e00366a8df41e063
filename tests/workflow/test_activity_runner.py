"""What an urgent activity's result means when the activity ends just as it is cancelled: against the real server."""

import asyncio
import os

from temporalio import activity, workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from activities.queues import practice_queue
    from activities.slots import SlotActivities
    from tests.support.workflow_history import wait_for_event
    from workflows.shared.activity_runner import ActivityRunner
    from workflows.shared.outcomes import Cancelled


MAY_COMPLETE = asyncio.Event()


@activity.defn(name="release_claim")
async def complete_when_allowed(_: str) -> None:
    await MAY_COMPLETE.wait()


@workflow.defn
class StopsItsActivity:
    """Stops its urgent activity, after long enough for its first worker to go away."""

    @workflow.run
    async def run(self, connection: str) -> str:
        runner = ActivityRunner(connection, "oakland")
        running = asyncio.create_task(runner.run_urgent(SlotActivities.release_claim, "bk_1", "Release the claim"))
        await workflow.sleep(4)
        runner.stop_urgent()
        try:
            await running
        except Cancelled:
            return "cancelled"
        return "done"


async def test_urgent_activity_that_completes_when_it_is_stopped_counts_as_cancelled(client: Client) -> None:
    """The timer and the activity's completion reach the workflow together, because no worker ran when each came."""
    name = f"stops-activity-{os.urandom(4).hex()}"
    async with Worker(client, task_queue=practice_queue(name), activities=[complete_when_allowed]):
        async with Worker(client, task_queue=name, workflows=[StopsItsActivity], max_cached_workflows=0):
            handle = await client.start_workflow(StopsItsActivity.run, name, id=name, task_queue=name)
            await wait_for_event(handle, EventType.EVENT_TYPE_TIMER_STARTED)
        await wait_for_event(handle, EventType.EVENT_TYPE_TIMER_FIRED)
        MAY_COMPLETE.set()
        await wait_for_event(handle, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
        async with Worker(client, task_queue=name, workflows=[StopsItsActivity], max_cached_workflows=0):
            assert await asyncio.wait_for(handle.result(), 20) == "cancelled"
