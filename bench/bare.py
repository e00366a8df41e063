"""The floor: a workflow of as many activities as a booking has, in the same order, that do nothing at all.

Like a booking it is started and asked for its answer in one round trip (update-with-start); two activities run side
by side, one follows, then it answers, then two more (a booking's messages) run side by side. Everything carries a text
as long as a booking's request. It has a worker process of its own, on the same server, with the SDK's defaults:

* ``bare`` plain JSON, no plugin, one task queue: the SDK hands activities straight to the worker (eager execution);
* ``bare-split`` the same with the activities on a second queue, as bookings need it to keep offices apart;
* ``bare-encrypted`` like ``bare`` with Holdfast's converter and codec, to say what encryption costs.
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
    from settings import load_settings

VARIANTS = ("bare", "bare-split", "bare-encrypted")


def activity_queue(variant: str) -> str:
    return f"{variant}-activities" if variant == "bare-split" else variant


@activity.defn
async def nothing(given: str) -> str:
    return given


@workflow.defn
class BareWorkflow:
    def __init__(self) -> None:
        self._decided = False

    @workflow.run
    async def run(self, given: str) -> None:
        await asyncio.gather(self._step(given), self._step(given))
        await self._step(given)
        self._decided = True
        await asyncio.gather(self._step(given), self._step(given))
        await workflow.wait_condition(workflow.all_handlers_finished)

    async def _step(self, given: str) -> str:
        return await workflow.execute_activity(
            nothing,
            given,
            task_queue=activity_queue(workflow.info().task_queue),
            start_to_close_timeout=timedelta(seconds=30),
        )

    @workflow.update
    async def wait_for_decision(self) -> str:
        await workflow.wait_condition(lambda: self._decided)
        return "decided"


async def bare_client(variant: str) -> Client:
    config = ClientConfig.load_client_connect_config()
    if variant == "bare-encrypted":
        settings = load_settings()
        codec = EncryptionCodec(settings.payload_keyring, settings.temporal_namespace)
        return await Client.connect(**config, data_converter=data_converter(codec))
    return await Client.connect(**config)


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    workers = []
    for variant in VARIANTS:
        client = await bare_client(variant)
        apart = activity_queue(variant) != variant
        here = [] if apart else [nothing]
        workers.append(Worker(client, task_queue=variant, workflows=[BareWorkflow], activities=here))
        if apart:
            workers.append(Worker(client, task_queue=activity_queue(variant), activities=[nothing]))
    running = [asyncio.create_task(worker.run()) for worker in workers]
    await stop.wait()
    await asyncio.gather(*(worker.shutdown() for worker in workers), *running)


if __name__ == "__main__":
    asyncio.run(main())
    sys.stderr.flush()
    os._exit(0)
