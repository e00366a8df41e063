"""Which settings the connections of a practice file need."""

from collections.abc import Sequence

from domain.practice import Connection, Practice
from settings import ConfigurationError, Settings, missing_variables


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
