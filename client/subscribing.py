"""Having NexHealth tell us of landings and changes."""

from adapters.nexhealth.subscriptions import Subscribed
from client.session import Session
from domain.practice import UnknownName
from runtime.build import nexhealth
from settings import ConfigurationError


async def subscribe(session: Session, connection: str, *, rotate: bool = False) -> Subscribed:
    """Raises UnknownName, ConfigurationError and the errors of the adapters."""
    practice, settings = session.practice, session.settings
    found = practice.connection(connection)
    if found.kind != "nexhealth":
        raise UnknownName("connection", connection, [c.name for c in practice.connections if c.kind == "nexhealth"])
    if not settings.public_base_url:
        raise ConfigurationError(["PUBLIC_BASE_URL: is missing; it is where NexHealth calls us"])
    system = nexhealth(found, practice, settings)
    try:
        return await (system.rotate_secret(settings.nexhealth_webhook_secrets) if rotate else system.subscribe())
    finally:
        await system.close()
