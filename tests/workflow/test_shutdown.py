"""A worker process that is told to stop stops in one grace period, however many connections it serves."""

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
from tests.support.courses import until

GRACE = timedelta(seconds=3)


@workflow.defn(sandboxed=False)
class OnEveryQueue:
    @workflow.run
    async def run(self, queues: list[str]) -> None:
        for queue in queues:
            workflow.start_activity(
                "release_claim", "bk_none", task_queue=queue, start_to_close_timeout=timedelta(seconds=100)
            )
        await workflow.sleep(timedelta(days=1))


async def test_workers_of_a_process_stop_together(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "GRACEFUL_SHUTDOWN_TIMEOUT", GRACE)
    suffix, begun = os.urandom(3).hex(), list[str]()
    settings = load_settings().model_copy(update={"booking_task_queue": f"bookings-{suffix}"})
    practice = read_practice(settings.practice_file)
    renamed = tuple(c.model_copy(update={"name": f"{c.name}-{suffix}"}) for c in practice.connections)
    practice = practice.model_copy(update={"connections": renamed})

    async def hang(reference: str) -> None:
        begun.append(reference)
        await asyncio.sleep(60)

    ledger: Any = SimpleNamespace(claims=SimpleNamespace(release=hang))
    parts = Connections(practice=practice, systems={}, ledger=cast(Ledger, ledger))
    queues = [practice_queue(connection.name) for connection in renamed]
    async with Worker(client, task_queue=f"every-{suffix}", workflows=[OnEveryQueue]):
        handle = await client.start_workflow(
            OnEveryQueue.run, queues, id=f"every-{suffix}", task_queue=f"every-{suffix}"
        )
        async with worker.running_workers(client, parts, settings):
            await until(lambda: len(begun) == len(queues) > 2)
            told = time.monotonic()
        assert time.monotonic() - told < (len(queues) - 1) * GRACE.total_seconds()
        await handle.terminate()
