"""What a new practice must mend before its first patient finds out."""

from dataclasses import asdict, dataclass
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from adapters.errors import OutsideError
from adapters.messenger import Channel, Messenger
from adapters.nexhealth import Account
from adapters.practice_file import PracticeFileError, read_practice
from adapters.practice_system import Capabilities, PracticeSystem
from domain.practice import Connection, Practice
from runtime.build import messengers, open_ledger, practice_system
from runtime.client import connect
from runtime.codec import DecryptionError
from runtime.logs import configure_logging
from settings import ConfigurationError, Settings, load_settings, missing


@dataclass(frozen=True)
class Finding:
    what: str
    ok: bool
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


async def run_checks() -> list[Finding]:
    """Settings, practice file, ledger, every connection and channel, and Temporal: none skipped in silence."""
    try:
        settings = load_settings()
    except ConfigurationError as wrong:
        return [Finding("settings", False, problem) for problem in wrong.problems]
    configure_logging(settings.log_format, "ERROR")
    try:
        practice = read_practice(settings.practice_file)
    except PracticeFileError as wrong:
        return [Finding(str(settings.practice_file), False, problem) for problem in wrong.problems]
    found = [
        Finding("settings", True),
        Finding(f"{settings.practice_file}: {len(practice.locations)} locations", True),
    ]
    found.append(await _ledger(settings))
    found += _webhooks(settings, practice)
    found += await _practice_systems(settings, practice)
    found += await _channels(settings, practice)
    found.append(await _temporal(settings))
    return found


def unbelieved(settings: Settings, practice: Practice) -> list[str]:
    """Without its secret nothing that NexHealth tells us is believed, and whatever it would tell is looked up."""
    told = [connection.name for connection in practice.connections if connection.kind == "nexhealth"]
    if not told or settings.nexhealth_webhook_secrets:
        return []
    return [
        "NEXHEALTH_WEBHOOK_SECRET: is missing; nothing that NexHealth tells us is believed, and every landing costs "
        f"calls; `starter.py subscribe {told[0]}` prints it"
    ]


async def _ledger(settings: Settings) -> Finding:
    try:
        async with open_ledger(settings):
            return Finding("ledger", True)
    except OutsideError as failure:
        return Finding("ledger", False, str(failure))


def _webhooks(settings: Settings, practice: Practice) -> list[Finding]:
    if settings.public_base_url:
        return _findings("webhooks", unbelieved(settings, practice))
    return [Finding("webhooks: off", True, "PUBLIC_BASE_URL is not set, so NexHealth can tell us nothing")]


async def _practice_systems(settings: Settings, practice: Practice) -> list[Finding]:
    found, account = [], Account(settings.nexhealth_processes)
    for connection in practice.connections:
        problems = await _connection(connection, practice, settings, account)
        found += _findings(f"connection {connection.name}", problems)
    return found


async def _connection(connection: Connection, practice: Practice, settings: Settings, account: Account) -> list[str]:
    try:
        system = practice_system(connection, practice, settings, account)
    except ConfigurationError as wrong:
        return list(wrong.problems)
    try:
        return await _problems(connection.name, system, practice)
    finally:
        await system.close()


async def _problems(name: str, system: PracticeSystem, practice: Practice) -> list[str]:
    try:
        return [
            *await system.check(),
            *await _unknown_ids(name, system, practice),
            *out_of_reach(name, system.capabilities, practice),
        ]
    except OutsideError as failure:
        return [str(failure)]


async def _unknown_ids(name: str, system: PracticeSystem, practice: Practice) -> list[str]:
    """Ids in the practice file that the practice system does not know, or knows as inactive or elsewhere."""
    known = await system.reference_data()
    problems = []
    for location in practice.locations:
        if location.connection != name:
            continue
        place = known.locations.get(location.practice_system_id)
        if place is None:
            problems.append(f"{location.id}: the practice system has no location {location.practice_system_id}")
        elif place.zone and place.zone != location.time_zone:
            problems.append(f"{location.id}: time_zone is {location.time_zone}, the practice system says {place.zone}")
        for key, provider in location.providers.items():
            if not getattr(known.providers.get(provider), "active", False):
                problems.append(f"{location.id}: provider {key} ({provider}) is unknown or inactive there")
        for key, operatory in location.operatories.items():
            chair = known.operatories.get(operatory)
            if chair is None or not chair.active or chair.location != location.practice_system_id:
                problems.append(f"{location.id}: operatory {key} ({operatory}) is unknown, inactive or elsewhere")
    return problems


def out_of_reach(name: str, capabilities: Capabilities, practice: Practice) -> list[str]:
    """Rules that this practice system gives no ground for."""
    problems = []
    rules = [
        (location.id, service, found.rule)
        for location in practice.locations
        if location.connection == name
        for service, found in practice.services[location.id].items()
    ]
    for location, service, rule in rules:
        if rule.only_in_windows and not capabilities.syncs_hours:
            problems.append(
                f"{location}: {service} is offered only_in_windows, but {capabilities.system} shows no schedule here: "
                "it is never offered; set its hours in the practice file"
            )
        if rule.procedures and not capabilities.attaches_procedures:
            problems.append(
                f"{location}: procedures of {service} cannot be attached in {capabilities.system} here; leave them out"
            )
    return problems


async def _channels(settings: Settings, practice: Practice) -> list[Finding]:
    found = []
    async with messengers(settings, practice.name) as channels:
        for channel in Channel:
            if channel in channels:
                found += _findings(f"channel {channel}", await _channel(channels[channel]))
            else:
                found.append(
                    Finding(f"channel {channel}: off", True, f"not set: {', '.join(missing(settings, channel))}")
                )
    return found


async def _channel(messenger: Messenger) -> list[str]:
    try:
        return await messenger.check()
    except OutsideError as failure:
        return [str(failure)]


async def _temporal(settings: Settings) -> Finding:
    try:
        unread = await _unreadable(await connect(settings))
    except ConnectionError as unreachable:
        return Finding("Temporal", False, str(unreachable))
    except RPCError as refusal:
        return Finding("Temporal", False, f"Temporal does not list bookings: {refusal.message}")
    return Finding("Temporal", not unread, unread)


async def _unreadable(client: Client) -> str:
    """The latest booking tells whether those who send, work and look have the same keys."""
    async for booking in client.list_workflows("WorkflowType = 'BookingWorkflow'", limit=1):
        try:
            await booking.memo()
        except DecryptionError as sealed:
            return f"PAYLOAD_KEYS: {booking.id} was sealed with others: {sealed}"
    return ""


def _findings(what: str, problems: list[str]) -> list[Finding]:
    return [Finding(what, False, problem) for problem in problems] or [Finding(what, True)]
