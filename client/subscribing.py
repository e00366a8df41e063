"""Having NexHealth tell us of landings and changes."""

from adapters.nexhealth.subscriptions import SubscriptionResult
from client.session import Session
from domain.practice import UnknownName
from runtime.build import nexhealth
from settings import ConfigurationError


async def subscribe(session: Session, connection: str, *, rotate: bool = False) -> SubscriptionResult:
    """Raises UnknownName, ConfigurationError and the errors of the adapters."""
    practice, settings = session.practice, session.settings
    through = {found.name: found for found in practice.connections if found.kind == "nexhealth"}
    if connection not in through:
        raise UnknownName("connection", connection, through)
    if not settings.public_base_url:
        raise ConfigurationError(["PUBLIC_BASE_URL: is missing; it is where NexHealth calls us"])
    system = nexhealth(through[connection], practice, settings)
    try:
        return await (system.rotate_secret(settings.nexhealth_webhook_secrets) if rotate else system.subscribe())
    finally:
        await system.close()
