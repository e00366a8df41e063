"""The Temporal worker: connects, puts the parts together, runs until told to stop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import structlog
from temporalio.client import Client
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.worker import PollerBehaviorAutoscaling, Worker

from activities.connections import Connections
from activities.holds import HoldActivities
from activities.notifications import NotificationActivities
from activities.patients import PatientActivities
from activities.queues import practice_queue
from activities.release import ReleaseActivities
from activities.slots import SlotActivities
from adapters.practice_file import read_practice
from domain.keyed_hash import KeyedHash
from runtime.build import connections, messengers
from runtime.client import connect, ensure_search_attributes
from runtime.codec import EncryptionCodec
from runtime.ops import AddressTaken, ops_app, serve
from runtime.process import run_until_told
from settings import Settings
from workflows.booking.workflow import BookingWorkflow
from workflows.shared.search_attributes import ALL

log = structlog.get_logger("worker")

GRACE = timedelta(seconds=25)
"""After SIGTERM activities that run may finish for so long; the container's stop grace must be longer."""
CALLS_AT_ONCE = 8
"""Activities at a time on one connection: an office that hangs ties up no more than these."""
DECISIONS_AT_ONCE = 8
"""Workflow tasks at a time: more would only wait in this process, where a rush at one location comes first in line."""


@asynccontextmanager
async def workers(client: Client, parts: Connections, settings: Settings) -> AsyncIterator[list[Worker]]:
    """One worker for workflows and messages and one a connection, all in this process."""
    hashed = KeyedHash(*settings.link_keyring.secrets)
    practice_steps = _practice_steps(parts, hashed)
    async with AsyncExitStack() as stack:
        channels = await stack.enter_async_context(messengers(settings, parts.practice.name))
        messages = NotificationActivities(parts, channels, hashed, settings.public_base_url or None)
        running = [
            Worker(
                client,
                task_queue=settings.booking_task_queue,
                workflows=[BookingWorkflow],
                workflow_task_poller_behavior=PollerBehaviorAutoscaling(initial=4),
                max_concurrent_workflow_tasks=DECISIONS_AT_ONCE,
                activities=[
                    messages.notify,
                    messages.route_exception,
                ],  # beside the workflows: handed over without a queue
                max_concurrent_activities=20,
                graceful_shutdown_timeout=GRACE,
            ),
        ]
        for connection in parts.practice.connections:
            running.append(
                Worker(
                    client,
                    task_queue=practice_queue(connection.name),
                    activities=practice_steps,
                    max_concurrent_activities=CALLS_AT_ONCE,
                    graceful_shutdown_timeout=GRACE,
                )
            )
        for worker in running:
            await stack.enter_async_context(worker)
        try:
            yield running
        finally:
            await asyncio.gather(*(worker.shutdown() for worker in running))


def _practice_steps(parts: Connections, hashed: KeyedHash) -> list[Callable[..., Any]]:
    """The activities on a practice system."""
    patients, slots = PatientActivities(parts, hashed), SlotActivities(parts, hashed)
    holds, withdrawals = HoldActivities(parts), ReleaseActivities(parts)
    return [
        patients.match_patient,
        patients.create_chart,
        slots.recheck_slot,
        slots.find_alternatives,
        slots.release_claim,
        holds.write_hold,
        holds.check_landing,
        holds.confirm_hold,
        holds.read_appointment,
        withdrawals.release_hold,
        withdrawals.remove_leftovers,
    ]


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Work until ``stop`` is set, then finish what is running."""
    practice = read_practice(settings.practice_file)
    async with AsyncExitStack() as stack:
        systems, ledger = await stack.enter_async_context(connections(settings, practice))
        parts = Connections(practice=practice, systems=systems, ledger=ledger)
        client = await connect(settings, runtime=_runtime(settings))
        await ensure_search_attributes(client, ALL)
        running = await stack.enter_async_context(workers(client, parts, settings))
        if settings.worker_http_address:
            app = ops_app(
                EncryptionCodec(settings.payload_keyring, settings.temporal_namespace),
                ready=lambda: not stop.is_set() and all(worker.is_running for worker in running),
                origin=settings.codec_origin,
                token=settings.codec_token.get_secret_value(),
            )
            await stack.enter_async_context(serve(app, settings.worker_http_address))
        log.info("worker ready", locations=len(parts.practice.locations), connections=len(parts.systems))
        await stop.wait()
        log.info("worker stopping")


def _runtime(settings: Settings) -> Runtime | None:
    """Raises AddressTaken."""
    if not settings.metrics_address:
        return None
    metrics = PrometheusConfig(
        bind_address=settings.metrics_address,
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
    )
    try:
        return Runtime(telemetry=TelemetryConfig(metrics=metrics))
    except ValueError as refusal:
        raise AddressTaken(f"METRICS_ADDRESS: {settings.metrics_address}: {refusal}") from None


if __name__ == "__main__":
    run_until_told(run)
