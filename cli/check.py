"""Check a practice's set-up, so that problems are found before its first patient."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio.service import RPCError

from adapters.errors import OutsideError
from adapters.messenger import Channel, Messenger
from adapters.nexhealth import Account, worker_share
from adapters.practice_file import PracticeFileError, read_practice
from adapters.practice_system import Capabilities, PracticeSystem, ReferenceData
from adapters.rate_limits import wait_out_rate_limit
from cli.keys import count_key_usage, key_reports
from cli.terminal import SafeConsole
from domain.practice import Connection, Location, Practice
from runtime import time_zone_data
from runtime.build import create_practice_system, open_ledger, open_messengers
from runtime.keys import payload_keyring
from runtime.limited_values import find_limited_values
from runtime.logs import configure_logging
from runtime.required_settings import webhook_secret_problems
from runtime.shared_profile import connect_checked
from settings import ConfigurationError, Settings, load_settings, missing_variables


@dataclass(frozen=True)
class Finding:
    what: str
    """What was checked."""
    ok: bool
    remedy: str = ""
    """What to do about it, or why it is off."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


async def run_checks() -> list[Finding]:
    """Check settings, practice file, ledger, webhooks, every connection, every channel and Temporal.

    One problem does not hide the others. Only wrong settings or a wrong practice file end the checks early.
    """
    try:
        settings = load_settings()
    except ConfigurationError as error:
        return [Finding("settings", False, problem) for problem in error.problems]
    configure_logging(settings.log_format, "ERROR")
    try:
        practice = read_practice(settings.practice_file)
    except PracticeFileError as error:
        return [Finding(str(settings.practice_file), False, problem) for problem in error.problems]
    return [
        Finding("settings", True),
        Finding(f"{settings.practice_file}: {len(practice.locations)} locations", True),
        _check_time_zones(),
        await _check_ledger(settings),
        *_check_desks(practice),
        *_check_webhooks(settings, practice),
        *await _check_connections(settings, practice),
        *await _check_channels(settings, practice),
        *await _check_temporal(settings, practice),
    ]


def _check_time_zones() -> Finding:
    problem = time_zone_data.problem_of(
        time_zone_data.VERSION, time_zone_data.machines_version(), datetime.now(UTC).date()
    )
    return Finding(f"time zones: {time_zone_data.VERSION}", not problem, problem)


async def _check_ledger(settings: Settings) -> Finding:
    try:
        async with open_ledger(settings):
            return Finding("ledger", True)
    except OutsideError as error:
        return Finding("ledger", False, str(error))


def _check_desks(practice: Practice) -> list[Finding]:
    return [
        Finding(
            f"desk email of {location.id}: off",
            True,
            "desk_email is not set, so the desk learns of bookings that need a person only from its queue",
        )
        for location in practice.locations
        if location.desk_email is None
    ]


def _check_webhooks(settings: Settings, practice: Practice) -> list[Finding]:
    if settings.public_base_url:
        return _findings("webhooks", webhook_secret_problems(settings, practice))
    return [Finding("webhooks: off", True, "PUBLIC_BASE_URL is not set, so NexHealth cannot send webhooks")]


async def _check_connections(settings: Settings, practice: Practice) -> list[Finding]:
    findings, account = [], Account(worker_share(settings.nexhealth_workers))
    for connection in practice.connections:
        problems = await _connection_problems(connection, practice, settings, account)
        findings += _findings(f"connection {connection.name}", problems)
    limited_values = find_limited_values(practice, settings)
    return findings + [
        Finding(f"connection {value.connection}: limited", True, value.sentence) for value in limited_values
    ]


async def _connection_problems(
    connection: Connection, practice: Practice, settings: Settings, account: Account
) -> list[str]:
    try:
        system = create_practice_system(connection, practice, settings, account)
    except ConfigurationError as error:
        return list(error.problems)
    try:
        return [
            *await wait_out_rate_limit(system.check),
            *await wait_out_rate_limit(lambda: _unknown_ids(connection.name, system, practice)),
            *unsupported_rules(connection.name, system.capabilities, practice),
        ]
    except OutsideError as error:
        return [str(error)]
    finally:
        await system.close()


async def _unknown_ids(connection_name: str, system: PracticeSystem, practice: Practice) -> list[str]:
    """Ids in the practice file that the practice system does not know, or knows as inactive or at another location."""
    reference_data = await system.reference_data()
    return [
        problem
        for location in practice.locations
        if location.connection == connection_name
        for problem in _unknown_ids_of(location, reference_data)
    ]


def _unknown_ids_of(location: Location, reference_data: ReferenceData) -> list[str]:
    problems = []
    record = reference_data.locations.get(location.practice_system_id)
    if record is None:
        problems.append(f"{location.id}: the practice system has no location {location.practice_system_id}")
    elif record.zone and record.zone != location.time_zone:
        problems.append(f"{location.id}: time_zone is {location.time_zone}, but the practice system has {record.zone}")
    for name, provider_id in location.providers.items():
        if not getattr(reference_data.providers.get(provider_id), "active", False):
            problems.append(f"{location.id}: provider {name} ({provider_id}) is unknown or inactive there")
    for name, operatory_id in location.operatories.items():
        operatory = reference_data.operatories.get(operatory_id)
        if operatory is None or not operatory.active or operatory.location != location.practice_system_id:
            problems.append(
                f"{location.id}: operatory {name} ({operatory_id}) is unknown, inactive or at another location"
            )
    return problems


def unsupported_rules(connection_name: str, capabilities: Capabilities, practice: Practice) -> list[str]:
    """Rules of the practice file that this connection's practice system does not support."""
    problems = []
    rules = [
        (location.id, service_id, service.rule)
        for location in practice.locations
        if location.connection == connection_name
        for service_id, service in practice.services[location.id].items()
    ]
    for location_id, service_id, rule in rules:
        if rule.only_in_windows and not capabilities.syncs_hours:
            problems.append(
                f"{location_id}: {service_id} is offered only_in_windows, but {capabilities.system} shows no schedule "
                "here, so it is never offered; set its hours in the practice file instead"
            )
        if rule.procedures and not capabilities.attaches_procedures:
            problems.append(
                f"{location_id}: procedures of {service_id} cannot be attached in {capabilities.system} here; "
                "leave them out"
            )
    return problems


async def _check_channels(settings: Settings, practice: Practice) -> list[Finding]:
    findings = []
    async with open_messengers(settings, practice.name) as messengers:
        for channel in Channel:
            if channel in messengers:
                findings += _findings(f"channel {channel}", await _channel_problems(messengers[channel]))
            else:
                missing = ", ".join(missing_variables(settings, channel))
                findings.append(Finding(f"channel {channel}: off", True, f"not set: {missing}"))
    return findings


async def _channel_problems(messenger: Messenger) -> list[str]:
    try:
        return await messenger.check()
    except OutsideError as error:
        return [str(error)]


async def _check_temporal(settings: Settings, practice: Practice) -> list[Finding]:
    """Also whether this process has the workers' keys and practice file, and the keys of every booking."""
    try:
        client = await connect_checked(settings, practice)
        usage = await count_key_usage(client, SafeConsole(stderr=True))
    except ConfigurationError as error:
        return [Finding("the workers' keys and practice file", False, problem) for problem in error.problems]
    except (ConnectionError, OutsideError) as error:
        return [Finding("Temporal", False, str(error))]
    except RPCError as error:
        return [Finding("Temporal", False, f"Temporal does not list bookings: {error.message}")]
    reports = key_reports(payload_keyring(settings), usage)
    findings = [Finding(f"payload key {r.key_id}", not r.is_missing, r.advice) for r in reports]
    return [Finding("Temporal", True), *findings]


def _findings(what: str, problems: list[str]) -> list[Finding]:
    return [Finding(what, False, problem) for problem in problems] or [Finding(what, True)]
