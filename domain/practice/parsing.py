"""Parses a practice file: applies inheritance, checks how its parts fit together, and reports every problem at once."""

import difflib
import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from domain.policy import LandingPolicy
from domain.practice.keys import (
    DAYS,
    ConnectionKeys,
    LocationKeys,
    MessageKeys,
    PracticeKeys,
    RuleKeys,
    ServiceKeys,
    WeekHours,
)
from domain.practice.model import Connection, Location, Practice, Service
from domain.rules import HoursSpan, ServiceRule

DEFAULT_STAFF_DEADLINE = timedelta(hours=4)
_REQUIRED_RULES = ("duration", "hours")


class InvalidPractice(ValueError):
    """Every problem of a practice file. Each names its path and says what is allowed."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def parse_practice(content: Mapping[str, Any]) -> Practice:
    """Parse the decoded TOML of a practice file. Raises InvalidPractice."""
    try:
        keys = PracticeKeys.model_validate(content)
    except ValidationError as validation_error:
        raise InvalidPractice([_describe(error) for error in _without_repeats(validation_error)]) from None
    problems = list(_find_problems(keys))
    if problems:
        raise InvalidPractice(problems)
    canonical = json.dumps(keys.model_dump(mode="json"), sort_keys=True)
    return Practice(
        name=keys.name,
        version=hashlib.sha256(canonical.encode()).hexdigest()[:12],
        connections=tuple(_connection(connection) for connection in keys.connections),
        locations=tuple(_location(location, keys.messages) for location in keys.locations),
        services={
            location.id: {service.id: _service(keys.defaults, location, service) for service in location.services}
            for location in keys.locations
        },
    )


def _connection(keys: ConnectionKeys) -> Connection:
    landing = LandingPolicy(
        check_after=keys.check_after,
        check_while_offline=keys.check_while_offline,
        notify_patient_after=keys.notify_patient_after,
        max_wait=keys.landing_max_wait,
        lead_time=keys.landing_lead_time,
    )
    unchanged = {name: value for name, value in keys if name in Connection.model_fields}
    resolved = {"kind": keys.effective_kind, "landing": landing, "resend_after": keys.effective_resend_after}
    return Connection(**unchanged | resolved)


def _location(keys: LocationKeys, messages: MessageKeys) -> Location:
    unchanged = {name: getattr(keys, name) for name in Location.model_fields if name in LocationKeys.model_fields}
    quiet_hours = keys.quiet_hours or messages.quiet_hours
    return Location(**unchanged | {"email_content": messages.email_content, "quiet_hours": quiet_hours})


def _service(defaults: RuleKeys, location: LocationKeys, service: ServiceKeys) -> Service:
    values: dict[str, Any] = {}
    for layer in (defaults, location, service):
        for key in RuleKeys.model_fields:
            value = getattr(layer, key)
            if value is not None:
                values[key] = value
    staff_deadline = values.pop("staff_deadline", DEFAULT_STAFF_DEADLINE)
    values["hours"] = _hours_by_weekday(values["hours"])
    durations = values.pop("duration_by_provider", {})
    values["duration_by_provider"] = {
        location.providers[name]: duration for name, duration in durations.items() if name in location.providers
    }
    if "closed_on" in values:
        values["closed_on"] = frozenset(values["closed_on"])
    rule = ServiceRule(
        location=location.id,
        service=service.id,
        label=service.label,
        zone=location.time_zone,
        providers=tuple(location.providers[name] for name in service.offered_by or location.providers),
        operatories=tuple(location.operatories[name] for name in service.offered_in or location.operatories),
        reason=service.reason,
        procedures=service.procedures,
        **values,
    )
    return Service(rule=rule, staff_deadline=staff_deadline)


def _hours_by_weekday(hours: WeekHours) -> dict[int, tuple[HoursSpan, ...]]:
    spans_by_weekday = {weekday: getattr(hours, name) for weekday, name in enumerate(DAYS, start=1)}
    return {weekday: spans for weekday, spans in spans_by_weekday.items() if spans}


def _find_problems(keys: PracticeKeys) -> Iterable[str]:
    """Problems that show only when several parts of the file are compared."""
    yield from _duplicate_problems("connections", "name", [connection.name for connection in keys.connections])
    yield from _duplicate_problems("locations", "id", [location.id for location in keys.locations])
    if keys.messages.email_content == "detailed" and not keys.messages.baa_on_file:
        yield (
            'messages.email_content: "detailed" needs baa_on_file = true, which says that you have a business '
            "associate agreement with the email provider; SendGrid does not sign one"
        )
    yield from _hours_problems("defaults", keys.defaults)
    yield from _connection_problems(keys.connections)
    all_providers = {name: system_id for location in keys.locations for name, system_id in location.providers.items()}
    yield from _unknown_name_problems(
        "defaults.duration_by_provider", keys.defaults.duration_by_provider or (), all_providers
    )
    for i, location in enumerate(keys.locations):
        yield from _location_problems(keys, location, f"locations[{i}]")


def _connection_problems(connections: Sequence[ConnectionKeys]) -> Iterable[str]:
    for i, connection in enumerate(connections):
        if connection.effective_kind == "ascend" and connection.system != "ascend":
            yield (
                f'connections[{i}].kind: "ascend" reaches only system = "ascend"; '
                'remove the key, or set it to "nexhealth"'
            )
    ascend_indexes = [i for i, connection in enumerate(connections) if connection.effective_kind == "ascend"]
    for i in ascend_indexes[1:]:
        yield (
            f"connections[{i}]: there is one Ascend account, whose locations share providers and patients; "
            f"remove this connection, and set its locations to {connections[ascend_indexes[0]].name}"
        )


def _location_problems(keys: PracticeKeys, location: LocationKeys, path: str) -> Iterable[str]:
    connection_names = [connection.name for connection in keys.connections]
    nexhealth_names = [each.name for each in keys.connections if each.effective_kind == "nexhealth"]
    if location.connection not in connection_names:
        yield f"{path}.connection: unknown; allowed: {', '.join(connection_names)}"
    if location.placeholder_patient is not None and location.connection in nexhealth_names:
        yield (
            f"{path}.placeholder_patient: NexHealth never moves an appointment to another patient; "
            "remove the key (until the patient is known, only our own bookings then respect the slot)"
        )
    yield from _duplicate_problems(f"{path}.services", "id", [service.id for service in location.services])
    yield from _hours_problems(path, location)
    yield from _unknown_name_problems(
        f"{path}.duration_by_provider", location.duration_by_provider or (), location.providers
    )
    for i, service in enumerate(location.services):
        yield from _service_problems(keys.defaults, location, service, f"{path}.services[{i}]")


def _service_problems(defaults: RuleKeys, location: LocationKeys, service: ServiceKeys, path: str) -> Iterable[str]:
    yield from _hours_problems(path, service)
    for required in _REQUIRED_RULES:
        if all(getattr(layer, required) is None for layer in (defaults, location, service)):
            yield f"{path}.{required}: is missing; set it here, in the location or in [defaults]"
    names = {
        "offered_by": (service.offered_by or (), location.providers),
        "offered_in": (service.offered_in or (), location.operatories),
        "duration_by_provider": (service.duration_by_provider or {}, location.providers),
    }
    for key, (used, known) in names.items():
        yield from _unknown_name_problems(f"{path}.{key}", used, known)


def _unknown_name_problems(path: str, used: Iterable[str], known: Iterable[str]) -> Iterable[str]:
    for name in used:
        if name not in known:
            yield f"{path}: {name} is unknown; allowed: {', '.join(known)}"


def _hours_problems(path: str, keys: RuleKeys) -> Iterable[str]:
    for day in DAYS if keys.hours is not None else ():
        spans = getattr(keys.hours, day)
        for earlier, later in itertools.pairwise(spans):
            if later.open < earlier.close or earlier.close.isoformat() == "00:00:00":
                yield f"{path}.hours.{day}: list opening hours in order, without overlap"


def _duplicate_problems(path: str, key: str, values: Sequence[str]) -> Iterable[str]:
    for i, value in enumerate(values):
        if value in values[:i]:
            yield f"{path}[{i}].{key}: {value} is used twice"


def _without_repeats(validation_error: ValidationError) -> Iterable[Any]:
    """Pydantic's errors, except "too short" for a list whose items have errors of their own.

    Pydantic counts only valid items, so it calls such a list too short as well.
    """
    errors = validation_error.errors()
    for error in errors:
        path = error["loc"]
        if error["type"] != "too_short" or not any(e["loc"][: len(path)] == path for e in errors if e is not error):
            yield error


def _describe(error: Any) -> str:
    path = ""
    for part in error["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    if error["type"] == "extra_forbidden":
        return f"{path}: unknown key{_suggestion(error['loc'])}"
    if error["type"] == "missing":
        return f"{path}: is missing"
    return f"{path}: {error['msg'].removeprefix('Value error, ')}"


def _suggestion(path: tuple[str | int, ...]) -> str:
    keys = [part for part in path if isinstance(part, str)]
    model: type = PracticeKeys
    if "services" in keys:
        model = ServiceKeys
    elif keys[0] == "locations":
        model = LocationKeys
    elif keys[0] == "defaults":
        model = RuleKeys
    close_matches = difflib.get_close_matches(keys[-1], list(model.model_fields), n=1)  # type: ignore[attr-defined]
    return f"; did you mean {close_matches[0]}?" if close_matches else ""
