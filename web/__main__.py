"""``python -m web``: receives webhooks at WEB_ADDRESS until told to stop."""

import asyncio
from collections.abc import Collection
from contextlib import AsyncExitStack

import structlog
from temporalio.service import RPCError

from adapters.errors import Unavailable
from adapters.practice_file import read_practice
from client import calendar_news
from client.check import unbelieved
from runtime.build import connections
from runtime.client import connect
from runtime.ops import serve
from runtime.process import run_until_told
from settings import ConfigurationError, Settings
from web.news import NewsDesk
from web.webhooks import webhooks_app
from workflows.booking.messages import AppointmentEvent

log = structlog.get_logger("web")


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until ``stop`` is set. Raises ConfigurationError."""
    practice = read_practice(settings.practice_file)
    if settings.is_production and (problems := unbelieved(settings, practice)):
        raise ConfigurationError(problems)
    async with AsyncExitStack() as stack:
        systems, ledger = await stack.enter_async_context(connections(settings, practice))
        temporal = await connect(settings)

        async def tell(booking: str, news: AppointmentEvent) -> bool:
            try:
                return await calendar_news.tell(temporal, booking, news)
            except RPCError as failure:
                raise Unavailable(f"Temporal: {failure.status.name}") from None

        async def wake(offices: Collection[str]) -> int:
            waiting = [
                place.id
                for place in practice.locations
                if place.connection in reached and (not offices or place.practice_system_id in offices)
            ]
            try:
                return await calendar_news.signal_office_online(temporal, waiting)
            except RPCError as failure:
                raise Unavailable(f"Temporal: {failure.status.name}") from None

        reached = {c.name: systems[c.name] for c in practice.connections if c.kind == "nexhealth"}
        desk = NewsDesk(settings.nexhealth_subdomain, reached, ledger, tell, wake)
        app = webhooks_app(desk, settings.nexhealth_webhook_secrets)
        await stack.enter_async_context(serve(app, settings.web_address))
        log.info("web ready", address=settings.web_address)
        await stop.wait()


if __name__ == "__main__":
    run_until_told(run)
