"""What a step comes to where it ends just as it is not wanted any more: against the real server."""

import asyncio
import os

from temporalio import activity, workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from activities.queues import practice_queue
    from activities.slots import SlotActivities
    from domain.booking import Reason
    from tests.support.courses import happened
    from workflows.booking.interruptions import Withdrawn
    from workflows.shared.activity_runner import PracticeSteps


ANSWERS = asyncio.Event()


@activity.defn(name="release_claim")
async def answers_when_it_may(_: str) -> None:
    await ANSWERS.wait()


async def nobody_asks(_: Reason) -> None:
    raise AssertionError


@workflow.defn
class GivesUp:
    """Stops its step, after as long as its first worker may need to go away."""

    @workflow.run
    async def run(self, connection: str) -> str:
        steps = PracticeSteps(connection, "oakland", nobody_asks)
        step = asyncio.create_task(steps.urgent(SlotActivities.release_claim, "bk_1", "Free the claim"))
        await workflow.sleep(4)
        steps.stop()
        try:
            await step
        except Withdrawn:
            return "withdrawn"
        return "done"


async def test_a_step_that_has_ended_when_it_is_stopped_is_not_wanted_all_the_same(client: Client) -> None:
    """The timer and the step's end reach the workflow together, since no worker was there when each came."""
    name = f"gives-up-{os.urandom(4).hex()}"
    async with Worker(client, task_queue=practice_queue(name), activities=[answers_when_it_may]):
        async with Worker(client, task_queue=name, workflows=[GivesUp], max_cached_workflows=0):
            handle = await client.start_workflow(GivesUp.run, name, id=name, task_queue=name)
            await happened(handle, EventType.EVENT_TYPE_TIMER_STARTED)
        await happened(handle, EventType.EVENT_TYPE_TIMER_FIRED)
        ANSWERS.set()
        await happened(handle, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
        async with Worker(client, task_queue=name, workflows=[GivesUp], max_cached_workflows=0):
            assert await asyncio.wait_for(handle.result(), 20) == "withdrawn"
