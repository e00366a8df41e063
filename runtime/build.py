"""Adapters as the settings and the practice file describe them, opened together and closed together."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from adapters.ascend import AscendConfig, AscendSystem
from adapters.ledger import Ledger
from adapters.messaging.sendgrid import SendGridConfig, SendGridMessenger
from adapters.messaging.twilio import TwilioConfig, TwilioMessenger
from adapters.messenger import Channel, Messenger
from adapters.nexhealth import Account, NexHealthConfig, NexHealthSystem
from adapters.practice_system import PracticeSystem
from domain.practice import Connection, Practice
from settings import ConfigurationError, Settings, missing


@asynccontextmanager
async def connections(
    settings: Settings, practice: Practice
) -> AsyncIterator[tuple[Mapping[str, PracticeSystem], Ledger]]:
    """Every practice system by connection name, and the ledger, migrated.

    Raises ConfigurationError and LedgerUnavailable.
    """
    _ask_for(settings, practice.connections)
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(open_ledger(settings))
        systems: dict[str, PracticeSystem] = {}
        account = Account(settings.nexhealth_processes)
        for connection in practice.connections:
            system = practice_system(connection, practice, settings, account)
            stack.push_async_callback(system.close)
            systems[connection.name] = system
        yield systems, ledger


@asynccontextmanager
async def open_ledger(settings: Settings) -> AsyncIterator[Ledger]:
    """The ledger, migrated. Raises LedgerUnavailable."""
    ledger = Ledger(settings.ledger)
    try:
        await ledger.migrate()
        yield ledger
    finally:
        await ledger.close()


@asynccontextmanager
async def messengers(settings: Settings, sender_name: str) -> AsyncIterator[Mapping[Channel, Messenger]]:
    """The messaging channels that are set up."""
    async with AsyncExitStack() as stack:
        channels: dict[Channel, Messenger] = {}
        if not missing(settings, Channel.EMAIL):
            channels[Channel.EMAIL] = _sendgrid(settings, sender_name)
        if not missing(settings, Channel.SMS):
            channels[Channel.SMS] = _twilio(settings)
        for messenger in channels.values():
            stack.push_async_callback(messenger.close)
        yield channels


def practice_system(connection: Connection, practice: Practice, settings: Settings, account: Account) -> PracticeSystem:
    """``account``: shared by all that are behind NexHealth. Raises ConfigurationError."""
    if connection.kind == "nexhealth":
        return nexhealth(connection, practice, settings, account)
    _ask_for(settings, [connection])
    return _ascend(connection, settings)


def nexhealth(
    connection: Connection, practice: Practice, settings: Settings, account: Account | None = None
) -> NexHealthSystem:
    """One practice system behind NexHealth. Raises ConfigurationError."""
    _ask_for(settings, [connection])
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


def _ask_for(settings: Settings, needed: Sequence[Connection]) -> None:
    problems = [
        f"{name}: is missing; connection {connection.name} needs it"
        for connection in needed
        for name in missing(settings, connection.kind)
    ]
    if problems:
        raise ConfigurationError(problems)


def _ascend(connection: Connection, settings: Settings) -> PracticeSystem:
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


def _sendgrid(settings: Settings, sender_name: str) -> Messenger:
    return SendGridMessenger(
        SendGridConfig(
            base_url=settings.sendgrid_base_url,
            api_key=settings.sendgrid_api_key.get_secret_value(),
            sender=settings.sendgrid_from,
            sender_name=sender_name,
        )
    )


def _twilio(settings: Settings) -> Messenger:
    return TwilioMessenger(
        TwilioConfig(
            base_url=settings.twilio_base_url,
            account_sid=settings.twilio_account_sid,
            api_key_sid=settings.twilio_api_key_sid,
            api_key_secret=settings.twilio_api_key_secret.get_secret_value(),
            messaging_service_sid=settings.twilio_messaging_service_sid,
        )
    )
