"""Subscribe to NexHealth's webhooks, which report landings and changes of appointments."""

from adapters.nexhealth.subscriptions import SubscriptionResult
from client import Session
from domain.practice import UnknownName
from runtime.build import create_nexhealth_system
from settings import ConfigurationError


async def subscribe(session: Session, connection_name: str, *, rotate: bool = False) -> SubscriptionResult:
    """``rotate``: change the signing secret. Raises UnknownName, ConfigurationError and ``adapters.errors``."""
    practice, settings = session.practice, session.settings
    nexhealth = {connection.name: connection for connection in practice.connections if connection.kind == "nexhealth"}
    if connection_name not in nexhealth:
        raise UnknownName("connection", connection_name, nexhealth)
    if not settings.public_base_url:
        raise ConfigurationError(["PUBLIC_BASE_URL: is missing; NexHealth sends webhooks to it"])
    system = create_nexhealth_system(nexhealth[connection_name], practice, settings)
    try:
        return await (system.rotate_secret(settings.nexhealth_webhook_secrets) if rotate else system.subscribe())
    finally:
        await system.close()
