"""What a step comes to where it ends just as it is not wanted any more: against the real server."""

import asyncio
import os

from temporalio import activity, workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from activities.queues import practice_queue
    from activities.slots import SlotActivities
    from domain.booking import Reason
    from workflows.interruptions import Withdrawn
    from workflows.practice_steps import PracticeSteps


@activity.defn(name="release_claim")
async def takes_a_while(_: str) -> None:
    await asyncio.sleep(1)


async def nobody_asks(_: Reason) -> None:
    raise AssertionError


@workflow.defn
class GivesUp:
    """Stops its step after half of the time that it takes."""

    @workflow.run
    async def run(self, connection: str) -> str:
        steps = PracticeSteps(connection, "oakland", nobody_asks)
        step = asyncio.create_task(steps.urgent(SlotActivities.release_claim, "bk_1", "Free the claim"))
        await workflow.sleep(0.5)
        steps.stop()
        try:
            await step
        except Withdrawn:
            return "withdrawn"
        return "done"


async def test_a_step_that_has_ended_when_it_is_stopped_is_not_wanted_all_the_same(client: Client) -> None:
    """The timer and the step's end reach the workflow together, since no worker was there when each came."""
    name = f"gives-up-{os.urandom(4).hex()}"
    async with Worker(client, task_queue=practice_queue(name), activities=[takes_a_while]):
        async with Worker(client, task_queue=name, workflows=[GivesUp], max_cached_workflows=0):
            handle = await client.start_workflow(GivesUp.run, name, id=name, task_queue=name)
            while EventType.EVENT_TYPE_TIMER_STARTED not in await kinds(handle):
                await asyncio.sleep(0.02)
        while EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED not in await kinds(handle):
            await asyncio.sleep(0.05)
        async with Worker(client, task_queue=name, workflows=[GivesUp], max_cached_workflows=0):
            assert await asyncio.wait_for(handle.result(), 20) == "withdrawn"


async def kinds(handle: WorkflowHandle[GivesUp, str]) -> list[int]:
    return [event.event_type async for event in handle.fetch_history_events()]
