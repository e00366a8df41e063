"""A worker process stops within one grace period, however many connections it serves."""

import asyncio
import os
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

import worker
from activities.connections import Connections
from activities.queues import practice_queue
from adapters.ledger import Ledger
from adapters.practice_file import read_practice
from settings import load_settings
from tests.support.polling import wait_until

GRACE_PERIOD = timedelta(seconds=3)


@workflow.defn(sandboxed=False)
class StartsActivityOnEveryQueue:
    @workflow.run
    async def run(self, queues: list[str]) -> None:
        for queue in queues:
            workflow.start_activity(
                "release_claim", "bk_none", task_queue=queue, start_to_close_timeout=timedelta(seconds=100)
            )
        await workflow.sleep(timedelta(days=1))


async def test_workers_of_one_process_stop_at_the_same_time(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "GRACEFUL_SHUTDOWN_TIMEOUT", GRACE_PERIOD)
    suffix, running_activities = os.urandom(3).hex(), list[str]()
    settings = load_settings().model_copy(update={"booking_task_queue": f"bookings-{suffix}"})
    practice = read_practice(settings.practice_file)
    renamed = tuple(
        connection.model_copy(update={"name": f"{connection.name}-{suffix}"}) for connection in practice.connections
    )
    practice = practice.model_copy(update={"connections": renamed})

    async def hang(reference: str) -> None:
        running_activities.append(reference)
        await asyncio.sleep(60)

    ledger: Any = SimpleNamespace(claims=SimpleNamespace(release=hang))
    connections = Connections(practice=practice, systems={}, ledger=cast(Ledger, ledger))
    queues = [practice_queue(connection.name) for connection in renamed]
    name = f"every-queue-{suffix}"
    async with Worker(client, task_queue=name, workflows=[StartsActivityOnEveryQueue]):
        handle = await client.start_workflow(StartsActivityOnEveryQueue.run, queues, id=name, task_queue=name)
        async with worker.running_workers(client, connections, settings):
            await wait_until(lambda: len(running_activities) == len(queues) > 2)
            stop_began_at = time.monotonic()
        assert time.monotonic() - stop_began_at < (len(queues) - 1) * GRACE_PERIOD.total_seconds()
        await handle.terminate()
