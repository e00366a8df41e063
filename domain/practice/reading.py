"""From the keys of a practice file to a practice: inheritance, cross-checks, every problem at once."""

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

STAFF_DEADLINE = timedelta(hours=4)
_REQUIRED = ("duration", "hours")


class PracticeProblems(ValueError):
    """Everything that is wrong with a practice file; each names the path and what is allowed."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def practice_from(content: Mapping[str, Any]) -> Practice:
    """A practice from the decoded TOML. Raises PracticeProblems."""
    try:
        keys = PracticeKeys.model_validate(content)
    except ValidationError as refusal:
        raise PracticeProblems([_plain(error) for error in _told(refusal)]) from None
    problems = list(_problems(keys))
    if problems:
        raise PracticeProblems(problems)
    canonical = json.dumps(keys.model_dump(mode="json"), sort_keys=True)
    return Practice(
        name=keys.name,
        version=hashlib.sha256(canonical.encode()).hexdigest()[:12],
        connections=tuple(_connection(connection) for connection in keys.connections),
        locations=tuple(_location(place, keys.messages) for place in keys.locations),
        services={
            place.id: {service.id: _service(keys.defaults, place, service) for service in place.services}
            for place in keys.locations
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
    same = {name: value for name, value in keys if name in Connection.model_fields}
    resolved = {"kind": keys.reached_by, "landing": landing, "resend_after": keys.resends_after}
    return Connection(**same | resolved)


def _location(keys: LocationKeys, messages: MessageKeys) -> Location:
    fields = {name: getattr(keys, name) for name in Location.model_fields if name in LocationKeys.model_fields}
    quiet_hours = keys.quiet_hours or messages.quiet_hours
    return Location(**fields | {"email_content": messages.email_content, "quiet_hours": quiet_hours})


def _service(defaults: RuleKeys, place: LocationKeys, service: ServiceKeys) -> Service:
    values: dict[str, Any] = {}
    for layer in (defaults, place, service):
        for key in RuleKeys.model_fields:
            value = getattr(layer, key)
            if value is not None:
                values[key] = value
    staff_deadline = values.pop("staff_deadline", STAFF_DEADLINE)
    values["hours"] = _week(values["hours"])
    by_provider = values.pop("duration_by_provider", {})
    values["duration_by_provider"] = {
        place.providers[key]: length for key, length in by_provider.items() if key in place.providers
    }
    if "closed_on" in values:
        values["closed_on"] = frozenset(values["closed_on"])
    rule = ServiceRule(
        location=place.id,
        service=service.id,
        label=service.label,
        zone=place.time_zone,
        providers=tuple(place.providers[key] for key in service.offered_by or place.providers),
        operatories=tuple(place.operatories[key] for key in service.offered_in or place.operatories),
        reason=service.reason,
        procedures=service.procedures,
        **values,
    )
    return Service(rule=rule, staff_deadline=staff_deadline)


def _week(hours: WeekHours) -> dict[int, tuple[HoursSpan, ...]]:
    days = {number: getattr(hours, name) for number, name in enumerate(DAYS, start=1)}
    return {number: spans for number, spans in days.items() if spans}


def _problems(keys: PracticeKeys) -> Iterable[str]:
    """What only shows when the parts are seen together."""
    yield from _repeated("connections", "name", [connection.name for connection in keys.connections])
    yield from _repeated("locations", "id", [place.id for place in keys.locations])
    if keys.messages.email_content == "detailed" and not keys.messages.baa_on_file:
        yield (
            'messages.email_content: "detailed" needs baa_on_file = true: a business associate agreement that covers '
            "the email provider; SendGrid signs none"
        )
    yield from _hours_problems("defaults", keys.defaults)
    for i, connection in enumerate(keys.connections):
        if connection.reached_by == "ascend" and connection.system != "ascend":
            yield f'connections[{i}].kind: "ascend" reaches only system = "ascend"; leave it out, or say "nexhealth"'
    to_ascend = [i for i, connection in enumerate(keys.connections) if connection.reached_by == "ascend"]
    for i in to_ascend[1:]:
        yield (
            f"connections[{i}]: there is one Ascend account, whose locations share providers and patients; "
            f"leave it out, and put its locations on {keys.connections[to_ascend[0]].name}"
        )
    everybody = {key: system_id for place in keys.locations for key, system_id in place.providers.items()}
    yield from _unknown("defaults.duration_by_provider", keys.defaults.duration_by_provider or (), everybody)
    names = [connection.name for connection in keys.connections]
    through_nexhealth = [c.name for c in keys.connections if c.reached_by == "nexhealth"]
    for i, place in enumerate(keys.locations):
        path = f"locations[{i}]"
        if place.connection not in names:
            yield f"{path}.connection: unknown; allowed: {', '.join(names)}"
        if place.placeholder_patient is not None and place.connection in through_nexhealth:
            yield (
                f"{path}.placeholder_patient: NexHealth never moves an appointment to another patient; leave it out, "
                "and the slot is only kept from our own bookings"
            )
        yield from _repeated(f"{path}.services", "id", [service.id for service in place.services])
        yield from _hours_problems(path, place)
        yield from _unknown(f"{path}.duration_by_provider", place.duration_by_provider or (), place.providers)
        for j, service in enumerate(place.services):
            yield from _service_problems(keys, place, service, f"{path}.services[{j}]")


def _service_problems(keys: PracticeKeys, place: LocationKeys, service: ServiceKeys, path: str) -> Iterable[str]:
    yield from _hours_problems(path, service)
    for required in _REQUIRED:
        if all(getattr(layer, required) is None for layer in (keys.defaults, place, service)):
            yield f"{path}.{required}: is missing; set it here, in the location or in [defaults]"
    named = {
        "offered_by": (service.offered_by or (), place.providers),
        "offered_in": (service.offered_in or (), place.operatories),
        "duration_by_provider": (service.duration_by_provider or {}, place.providers),
    }
    for key, (used, known) in named.items():
        yield from _unknown(f"{path}.{key}", used, known)


def _unknown(path: str, used: Iterable[str], known: Iterable[str]) -> Iterable[str]:
    for name in used:
        if name not in known:
            yield f"{path}: {name} is unknown; allowed: {', '.join(known)}"


def _hours_problems(path: str, keys: RuleKeys) -> Iterable[str]:
    for day in DAYS if keys.hours is not None else ():
        spans = getattr(keys.hours, day)
        for earlier, later in itertools.pairwise(spans):
            if later.open < earlier.close or earlier.close.isoformat() == "00:00:00":
                yield f"{path}.hours.{day}: opening hours must follow one another without overlap"


def _repeated(path: str, key: str, values: Sequence[str]) -> Iterable[str]:
    for i, value in enumerate(values):
        if value in values[:i]:
            yield f"{path}[{i}].{key}: {value} is used twice"


def _told(refusal: ValidationError) -> Iterable[Any]:
    """A list with wrong items is not called too short as well: what is wrong with them is said already."""
    errors = refusal.errors()
    for error in errors:
        loc = error["loc"]
        if error["type"] != "too_short" or not any(e["loc"][: len(loc)] == loc for e in errors if e is not error):
            yield error


def _plain(error: Any) -> str:
    path = ""
    for part in error["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    if error["type"] == "extra_forbidden":
        return f"{path}: unknown key{_nearest(error['loc'])}"
    if error["type"] == "missing":
        return f"{path}: is missing"
    return f"{path}: {error['msg'].removeprefix('Value error, ')}"


def _nearest(loc: tuple[str | int, ...]) -> str:
    keys = [part for part in loc if isinstance(part, str)]
    model: type = PracticeKeys
    if "services" in keys:
        model = ServiceKeys
    elif keys[0] == "locations":
        model = LocationKeys
    elif keys[0] == "defaults":
        model = RuleKeys
    near = difflib.get_close_matches(keys[-1], list(model.model_fields), n=1)  # type: ignore[attr-defined]
    return f"; did you mean {near[0]}?" if near else ""
