"""Adapters as the settings and the practice file describe them, opened together and closed together."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from adapters.ledger import Ledger
from adapters.messenger import Channel, Messenger
from adapters.practice_system import PracticeSystem
from domain.practice import Practice
from settings import Settings


@asynccontextmanager
async def connections(
    settings: Settings, practice: Practice
) -> AsyncIterator[tuple[Mapping[str, PracticeSystem], Ledger]]:
    """Every practice system by connection name, and the ledger, migrated."""
    async with AsyncExitStack() as stack:
        ledger = Ledger(settings.ledger_url)
        stack.push_async_callback(ledger.close)
        await ledger.migrate()
        systems: dict[str, PracticeSystem] = {}
        for connection in practice.connections:
            system = practice_system(connection, settings)
            stack.push_async_callback(system.close)
            systems[connection.name] = system
        yield systems, ledger


@asynccontextmanager
async def messengers(settings: Settings) -> AsyncIterator[Mapping[Channel, Messenger]]:
    """The messaging channels that are set up."""
    async with AsyncExitStack() as stack:
        channels: dict[Channel, Messenger] = {}
        for messenger in (_email(settings), _sms(settings)):
            if messenger is not None:
                stack.push_async_callback(messenger.close)
                channels[messenger.channel] = messenger
        yield channels
