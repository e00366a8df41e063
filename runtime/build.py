"""Build the adapters that the settings and the practice file describe, open them together and close them together."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from adapters.ascend import AscendConfig, AscendSystem
from adapters.ledger import Ledger
from adapters.messaging.sendgrid import SendGridConfig, SendGridMessenger
from adapters.messaging.twilio import TwilioConfig, TwilioMessenger
from adapters.messenger import Channel, Messenger
from adapters.nexhealth import RECEIVER_SHARE, Account, NexHealthConfig, NexHealthSystem, worker_share
from adapters.practice_system import PracticeSystem
from domain.practice import Connection, Practice
from runtime.required_settings import check_connection_settings
from settings import Settings, missing_variables


@asynccontextmanager
async def open_connections(
    settings: Settings, practice: Practice, *, for_webhooks: bool = False
) -> AsyncIterator[tuple[Mapping[str, PracticeSystem], Ledger]]:
    """Every practice system by connection name, and the ledger with its tables up to date.

    ``for_webhooks``: only those that send webhooks, with the receiver's share of the rate limit. Raises
    ConfigurationError and LedgerUnavailable.
    """
    connections = [each for each in practice.connections if each.kind == "nexhealth" or not for_webhooks]
    check_connection_settings(settings, connections)
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(open_ledger(settings))
        systems: dict[str, PracticeSystem] = {}
        account = Account(RECEIVER_SHARE if for_webhooks else worker_share(settings.nexhealth_workers))
        for connection in connections:
            system = create_practice_system(connection, practice, settings, account)
            stack.push_async_callback(system.close)
            systems[connection.name] = system
        yield systems, ledger


@asynccontextmanager
async def open_ledger(settings: Settings) -> AsyncIterator[Ledger]:
    """The ledger with its tables up to date. Raises LedgerUnavailable."""
    ledger = Ledger(settings.effective_ledger_url)
    try:
        await ledger.migrate()
        yield ledger
    finally:
        await ledger.close()


@asynccontextmanager
async def open_messengers(settings: Settings, sender_name: str) -> AsyncIterator[Mapping[Channel, Messenger]]:
    """One messenger for each channel whose variables are set. ``sender_name`` is the sender of emails."""
    async with AsyncExitStack() as stack:
        messengers: dict[Channel, Messenger] = {}
        if not missing_variables(settings, Channel.EMAIL):
            messengers[Channel.EMAIL] = _create_sendgrid(settings, sender_name)
        if not missing_variables(settings, Channel.SMS):
            messengers[Channel.SMS] = _create_twilio(settings)
        for messenger in messengers.values():
            stack.push_async_callback(messenger.close)
        yield messengers


def create_practice_system(
    connection: Connection, practice: Practice, settings: Settings, account: Account
) -> PracticeSystem:
    """``account``: the rate limit that all connections through NexHealth share. Raises ConfigurationError."""
    if connection.kind == "nexhealth":
        return create_nexhealth_system(connection, practice, settings, account)
    check_connection_settings(settings, [connection])
    return _create_ascend_system(connection, settings)


def create_nexhealth_system(
    connection: Connection, practice: Practice, settings: Settings, account: Account | None = None
) -> NexHealthSystem:
    """Raises ConfigurationError."""
    check_connection_settings(settings, [connection])
    return NexHealthSystem(
        NexHealthConfig(
            base_url=settings.nexhealth_base_url,
            api_key=settings.nexhealth_api_key.get_secret_value(),
            subdomain=settings.nexhealth_subdomain,
            system=connection.system,
            locations=tuple(p.practice_system_id for p in practice.locations if p.connection == connection.name),
            public_url=settings.public_base_url,
            connect_timeout=settings.nexhealth_connect_timeout,
            read_timeout=settings.nexhealth_read_timeout,
            page_size=connection.page_size,
            requests_per_second=connection.requests_per_second,
            longest_appointment=connection.longest_appointment,
            office_status_max_age=connection.landing.check_while_offline / 4,
        ),
        account,
    )


def _create_ascend_system(connection: Connection, settings: Settings) -> PracticeSystem:
    return AscendSystem(
        AscendConfig(
            base_url=settings.ascend_base_url,
            client_id=settings.ascend_client_id,
            client_secret=settings.ascend_client_secret.get_secret_value(),
            organization_id=settings.ascend_organization_id,
            connect_timeout=settings.ascend_connect_timeout,
            read_timeout=settings.ascend_read_timeout,
            page_size=connection.page_size,
            requests_per_second=connection.requests_per_second,
            confirmed_status=connection.confirmed_status,
            longest_appointment=connection.longest_appointment,
        )
    )


def _create_sendgrid(settings: Settings, sender_name: str) -> Messenger:
    return SendGridMessenger(
        SendGridConfig(
            base_url=settings.sendgrid_base_url,
            api_key=settings.sendgrid_api_key.get_secret_value(),
            sender=settings.sendgrid_from,
            sender_name=sender_name,
        )
    )


def _create_twilio(settings: Settings) -> Messenger:
    return TwilioMessenger(
        TwilioConfig(
            base_url=settings.twilio_base_url,
            account_sid=settings.twilio_account_sid,
            api_key_sid=settings.twilio_api_key_sid,
            api_key_secret=settings.twilio_api_key_secret.get_secret_value(),
            messaging_service_sid=settings.twilio_messaging_service_sid,
        )
    )
