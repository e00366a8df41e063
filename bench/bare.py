"""The baseline: a bare workflow with as many activities as a booking, in the same order, that do nothing.

Like a booking, it is started and asked for its decision in one round trip (update-with-start). Two activities run in
parallel, one follows, then it answers, then two more run in parallel (a booking's messages). Every payload is as long
as a booking's request. The bare workflows have their own worker process on the same server, with the SDK's defaults.

There are three variants:

* ``bare``: plain JSON, no plugin, one task queue. The SDK passes activities straight to the worker (eager execution).
* ``bare-split``: the same, with the activities on a second task queue, as bookings need it to keep offices apart.
* ``bare-encrypted``: like ``bare``, with Holdfast's converter and codec. It shows the cost of encryption.
"""

import asyncio
import os
import signal
import sys
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from runtime.codec import EncryptionCodec
    from runtime.converter import data_converter
    from runtime.keys import payload_keyring
    from settings import load_settings

VARIANTS = ("bare", "bare-split", "bare-encrypted")
"""Each is also the name of its workflow task queue."""
ACTIVITY_TIMEOUT = timedelta(seconds=30)


def activity_queue(variant: str) -> str:
    return f"{variant}-activities" if variant == "bare-split" else variant


@activity.defn
async def do_nothing(payload: str) -> str:
    return payload


@workflow.defn
class BareWorkflow:
    def __init__(self) -> None:
        self._decided = False

    @workflow.run
    async def run(self, payload: str) -> None:
        await asyncio.gather(self._run_activity(payload), self._run_activity(payload))
        await self._run_activity(payload)
        self._decided = True
        await asyncio.gather(self._run_activity(payload), self._run_activity(payload))
        # An update that is still running when the workflow ends would fail.
        await workflow.wait_condition(workflow.all_handlers_finished)

    async def _run_activity(self, payload: str) -> str:
        return await workflow.execute_activity(
            do_nothing,
            payload,
            task_queue=activity_queue(workflow.info().task_queue),
            start_to_close_timeout=ACTIVITY_TIMEOUT,
        )

    @workflow.update
    async def wait_for_decision(self) -> str:
        await workflow.wait_condition(lambda: self._decided)
        return "decided"


async def connect_bare_client(variant: str) -> Client:
    config = ClientConfig.load_client_connect_config()
    if variant == "bare-encrypted":
        settings = load_settings()
        codec = EncryptionCodec(payload_keyring(settings), settings.temporal_namespace)
        return await Client.connect(**config, data_converter=data_converter(codec))
    return await Client.connect(**config)


async def main() -> None:
    """Run the workers of all variants until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    workers: list[Worker] = []
    for variant in VARIANTS:
        workers += _workers(await connect_bare_client(variant), variant)
    running = [asyncio.create_task(worker.run()) for worker in workers]
    await stop.wait()
    await asyncio.gather(*(worker.shutdown() for worker in workers), *running)


def _workers(client: Client, variant: str) -> list[Worker]:
    """One worker for everything, or two if the variant's activities have their own queue."""
    queue = activity_queue(variant)
    if queue == variant:
        return [Worker(client, task_queue=variant, workflows=[BareWorkflow], activities=[do_nothing])]
    return [
        Worker(client, task_queue=variant, workflows=[BareWorkflow]),
        Worker(client, task_queue=queue, activities=[do_nothing]),
    ]


if __name__ == "__main__":
    asyncio.run(main())
    sys.stderr.flush()
    os._exit(0)  # the SDK's native threads can crash a normal interpreter exit
