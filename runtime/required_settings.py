"""Which settings a process needs for what it serves, and for the connections of its practice file."""

from collections.abc import Sequence

from domain.practice import Connection, Practice
from settings import MIN_CODEC_TOKEN_LENGTH, ConfigurationError, Settings, missing_variables


def check_connection_settings(settings: Settings, connections: Sequence[Connection]) -> None:
    """Raises ConfigurationError with every variable that these connections need and that is not set."""
    problems = [
        f"{name}: is missing; connection {connection.name} needs it"
        for connection in connections
        for name in missing_variables(settings, connection.kind)
    ]
    if problems:
        raise ConfigurationError(problems)


def webhook_secret_problems(settings: Settings, practice: Practice) -> list[str]:
    """The problem that no webhook of NexHealth can be verified, if the practice uses NexHealth and has no secret.

    Without webhooks every event must be polled for instead.
    """
    names = [connection.name for connection in practice.connections if connection.kind == "nexhealth"]
    if not names or settings.nexhealth_webhook_secrets:
        return []
    return [
        "NEXHEALTH_WEBHOOK_SECRET: is missing; NexHealth's webhooks are refused, and every landing costs calls; "
        f"`starter.py subscribe {names[0]}` prints it"
    ]


def check_codec_settings(settings: Settings) -> None:
    """In production the codec always has a token, also for callers on the same machine. Raises ConfigurationError."""
    is_served = bool(settings.worker_http_address)
    if settings.is_production and is_served and len(settings.codec_token.get_secret_value()) < MIN_CODEC_TOKEN_LENGTH:
        raise ConfigurationError(
            [
                f"CODEC_TOKEN: must have {MIN_CODEC_TOKEN_LENGTH} characters or more; in production the worker's codec "
                "needs it"
            ]
        )
