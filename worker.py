"""The Temporal worker: connects, builds its parts, and runs until it is told to stop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import structlog
from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, Worker

from activities.connections import Connections
from activities.holds import HoldActivities
from activities.notifications import NotificationActivities
from activities.patients import PatientActivities
from activities.queues import practice_queue
from activities.release import ReleaseActivities
from activities.slots import SlotActivities
from activities.status_links import StatusLinks
from activities.unreadable_rows import UnreadableRowReporter
from adapters.practice_file import read_practice
from domain.keyed_hash import KeyedHash
from runtime import time_zone_data
from runtime.build import open_connections, open_messengers
from runtime.client import connect, ensure_search_attributes
from runtime.codec_process import CodecProcess
from runtime.http_server import serve
from runtime.keys import create_development_keys, link_keyring, payload_keyring
from runtime.limited_values import find_limited_values
from runtime.ops import ops_app
from runtime.process import run_until_stopped
from runtime.readiness import watching
from runtime.required_settings import check_codec_settings
from runtime.shared_profile import publish_profile
from runtime.telemetry import create_runtime
from settings import Settings
from workflows.booking.workflow import BookingWorkflow
from workflows.shared.search_attributes import ALL

log = structlog.get_logger("worker")

GRACEFUL_SHUTDOWN_TIMEOUT = timedelta(seconds=25)
"""How long running activities may continue after SIGTERM. The container's stop grace period must be longer."""
MAX_CONCURRENT_CALLS_PER_CONNECTION = 8
"""Activities at once on one connection, so that a practice system that hangs occupies no more than these."""
MAX_CONCURRENT_WORKFLOW_TASKS = 8
"""More tasks would only wait inside this process, in order of arrival. In the task queue, locations take turns."""
MAX_CONCURRENT_NOTIFICATIONS = 20


@asynccontextmanager
async def running_workers(client: Client, connections: Connections, settings: Settings) -> AsyncIterator[list[Worker]]:
    """One worker for workflows and messages and one for each connection, all in this process."""
    link_secrets = link_keyring(settings).secrets
    contact_hash = KeyedHash(*link_secrets)
    status_links = StatusLinks(connections.ledger, link_secrets[0], settings.public_base_url)
    slots = SlotActivities(connections, contact_hash)
    practice_activities = _practice_activities(connections, slots, contact_hash)
    async with AsyncExitStack() as stack:
        messengers = await stack.enter_async_context(open_messengers(settings, connections.practice.name))
        notifications = NotificationActivities(connections, messengers, contact_hash, status_links)
        workers = [_booking_worker(client, settings.booking_task_queue, notifications, slots)]
        for connection in connections.practice.connections:
            workers.append(
                Worker(
                    client,
                    task_queue=practice_queue(connection.name),
                    activities=practice_activities,
                    max_concurrent_activities=MAX_CONCURRENT_CALLS_PER_CONNECTION,
                    graceful_shutdown_timeout=GRACEFUL_SHUTDOWN_TIMEOUT,
                )
            )
        for worker in workers:
            await stack.enter_async_context(worker)
        reporter = UnreadableRowReporter(connections, contact_hash, notifications.report_unreadable_rows)
        reporting = asyncio.create_task(reporter.run())
        stack.callback(reporting.cancel)
        try:
            yield workers
        finally:
            # All at once: the exit stack would stop them one after the other, each with its own grace period.
            await asyncio.gather(*(worker.shutdown() for worker in workers))


def _booking_worker(
    client: Client, task_queue: str, notifications: NotificationActivities, slots: SlotActivities
) -> Worker:
    return Worker(
        client,
        task_queue=task_queue,
        workflows=[BookingWorkflow],
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(initial=4),
        max_concurrent_workflow_tasks=MAX_CONCURRENT_WORKFLOW_TASKS,
        # On the workflows' own queue, because the server hands such activities to this worker without queueing them.
        activities=[notifications.notify, notifications.route_exception, slots.claim_slot],
        max_concurrent_activities=MAX_CONCURRENT_NOTIFICATIONS,
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN_TIMEOUT,
    )


def _practice_activities(
    connections: Connections, slots: SlotActivities, contact_hash: KeyedHash
) -> list[Callable[..., Any]]:
    """The activities that call a practice system or the ledger."""
    patients = PatientActivities(connections, contact_hash)
    holds, release = HoldActivities(connections, contact_hash), ReleaseActivities(connections)
    return [
        patients.match_patient,
        patients.recheck_chart,
        patients.create_chart,
        slots.recheck_slot,
        slots.find_alternatives,
        slots.release_claim,
        holds.write_hold,
        holds.settle_landing,
        holds.confirm_hold,
        holds.read_appointment,
        release.release_everything,
        release.remove_leftovers,
    ]


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Work until ``stop`` is set, then finish what is running."""
    check_codec_settings(settings)
    practice = read_practice(settings.practice_file)
    create_development_keys(settings)
    for value in find_limited_values(practice, settings):
        log.warning("practice_value_limited", **value._asdict())
    async with AsyncExitStack() as stack:
        systems, ledger = await stack.enter_async_context(open_connections(settings, practice))
        await publish_profile(settings, practice, ledger)
        connections = Connections(practice=practice, systems=systems, ledger=ledger)
        client = await connect(settings, runtime=create_runtime(settings.metrics_address))
        await ensure_search_attributes(client, ALL)
        workers = await stack.enter_async_context(running_workers(client, connections, settings))
        readiness = await stack.enter_async_context(watching(settings, client, ledger))

        def is_ready() -> bool:
            return not stop.is_set() and all(worker.is_running for worker in workers) and readiness.is_ready

        if settings.worker_http_address:
            app = ops_app(
                CodecProcess(payload_keyring(settings).keys, settings.temporal_namespace),
                is_ready,
                origin=settings.codec_origin,
                token=settings.codec_token.get_secret_value(),
                hosts=[name for name in (settings.codec_host, settings.worker_http_address.rpartition(":")[0]) if name],
            )
            await stack.enter_async_context(serve(app, settings.worker_http_address, "WORKER_HTTP_ADDRESS"))
        log.info(
            "worker_ready",
            locations=len(practice.locations),
            connections=len(systems),
            time_zone_data=time_zone_data.VERSION,
        )
        await stop.wait()
        log.info("worker_stopping")


if __name__ == "__main__":
    run_until_stopped(run)
