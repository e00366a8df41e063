"""``python -m web``: receives webhooks and serves status pages on WEB_ADDRESS until it is told to stop."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack

import structlog
from starlette.routing import Mount
from temporalio.client import Client
from temporalio.service import RPCError

from activities.status_links import STATUS_PATH
from adapters.errors import Unavailable
from adapters.ledger import Ledger
from adapters.practice_file import read_practice
from adapters.practice_system import PracticeSystem
from client import BookingClient
from domain.practice import Practice
from runtime import time_zone_data
from runtime.build import open_connections
from runtime.client import connect
from runtime.http_server import http_app, serve
from runtime.keys import link_keyring
from runtime.ops import ready_route
from runtime.process import run_until_stopped
from runtime.readiness import watching
from runtime.required_settings import webhook_secret_problems
from runtime.shared_profile import check_profile
from runtime.telemetry import create_runtime
from settings import ConfigurationError, Settings
from web.status.app import StatusPages, status_app
from web.webhooks import booking_signals
from web.webhooks.app import webhooks_app
from web.webhooks.router import EventRouter
from workflows.booking.contracts import AppointmentEvent

log = structlog.get_logger("web")


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until ``stop`` is set. Raises ConfigurationError."""
    practice = read_practice(settings.practice_file)
    if settings.is_production and (problems := webhook_secret_problems(settings, practice)):
        raise ConfigurationError(problems)
    async with AsyncExitStack() as stack:
        # Only NexHealth sends webhooks, so this process needs the credentials of no other system.
        nexhealth, ledger = await stack.enter_async_context(open_connections(settings, practice, for_webhooks=True))
        await check_profile(settings, practice, ledger, signs_links=True)
        temporal = await connect(settings, runtime=create_runtime(metrics_address=""))
        readiness = await stack.enter_async_context(watching(settings, temporal, ledger))
        router = _event_router(settings.nexhealth_subdomain, nexhealth, practice, ledger, temporal)
        bookings = BookingClient(temporal, practice, settings.booking_task_queue)
        pages = StatusPages(ledger.links, link_keyring(settings).secrets, bookings, practice)
        webhooks = webhooks_app(router, settings.nexhealth_webhook_secrets)
        ready = ready_route(lambda: not stop.is_set() and readiness.is_ready)
        app = http_app([ready, Mount(STATUS_PATH, status_app(pages)), Mount("/", webhooks)])
        await stack.enter_async_context(serve(app, settings.web_address, "WEB_ADDRESS"))
        log.info("web_ready", address=settings.web_address, time_zone_data=time_zone_data.VERSION)
        await stop.wait()


def _event_router(
    account: str, systems: Mapping[str, PracticeSystem], practice: Practice, ledger: Ledger, temporal: Client
) -> EventRouter:
    """A router whose signals go to Temporal. It raises Unavailable when Temporal does not answer."""

    async def signal_booking(workflow_id: str, event: AppointmentEvent) -> bool:
        try:
            return await booking_signals.signal_appointment_event(temporal, workflow_id, event)
        except RPCError as error:
            raise Unavailable(f"Temporal: {error.status.name}") from None

    async def signal_office_online(offices: Collection[str]) -> int:
        locations = [
            location.id
            for location in practice.locations
            if location.connection in systems and (not offices or location.practice_system_id in offices)
        ]
        try:
            return await booking_signals.signal_office_online(temporal, locations)
        except RPCError as error:
            raise Unavailable(f"Temporal: {error.status.name}") from None

    return EventRouter(account, systems, ledger, signal_booking, signal_office_online)


if __name__ == "__main__":
    run_until_stopped(run)
