"""Problems of a practice file that show only when several of its parts are compared."""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from domain.practice.keys import DAYS, ConnectionKeys, LocationKeys, PracticeKeys, RuleKeys, ServiceKeys, WeekHours
from domain.rules import HoursSpan, ServiceRule

_REQUIRED_RULES = ("duration", "hours")


def find_problems(keys: PracticeKeys) -> Iterable[str]:
    """Each names its path and says what is allowed."""
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
    yield from _shared_id_problems(keys.locations)
    for i, location in enumerate(keys.locations):
        yield from _location_problems(keys, location, f"locations[{i}]")


def _shared_id_problems(locations: Sequence[LocationKeys]) -> Iterable[str]:
    """Ids of a practice system that stand where another id must. A provider may work at several locations."""
    offices: dict[tuple[str, str], str] = {}
    operatories: dict[tuple[str, str], str] = {}
    for i, location in enumerate(locations):
        path = f"locations[{i}]"
        office = (location.connection, location.practice_system_id)
        if office in offices:
            yield f"{path}.practice_system_id: {office[1]} is {offices[office]} already; each location has its own id"
        offices.setdefault(office, location.id)
        for kind, names in (("providers", location.providers), ("operatories", location.operatories)):
            yield from _repeated_id_problems(f"{path}.{kind}", names)
        for name, operatory_id in location.operatories.items():
            owner = operatories.setdefault((location.connection, operatory_id), location.id)
            if owner != location.id:
                yield f"{path}.operatories.{name}: {operatory_id} is at {owner} already; an operatory has one location"


def _repeated_id_problems(path: str, names: Mapping[str, str]) -> Iterable[str]:
    first_names: dict[str, str] = {}
    for name, system_id in names.items():
        if system_id in first_names:
            yield f"{path}.{name}: {system_id} is {first_names[system_id]} already; give each id one name"
        first_names.setdefault(system_id, name)


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
    yield from _week_problems(f"{path}.desk_hours", location.desk_hours)
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
        yield from (f"{path}.{key}: {name} is listed twice" for name, count in Counter(list(used)).items() if count > 1)
    yield from _never_offered_problems(defaults, location, service, path)


def _never_offered_problems(
    defaults: RuleKeys, location: LocationKeys, service: ServiceKeys, path: str
) -> Iterable[str]:
    """Rules that contradict each other, so that the service would be shown and never have an opening."""
    layers = (service, location, defaults)
    notice, horizon = (
        _nearest(layers, key, ServiceRule.model_fields[key].default) for key in ("minimum_notice", "horizon")
    )
    if notice >= horizon:
        yield f"{path}.minimum_notice: must be shorter than horizon, or the service is never offered"
    hours = _nearest(layers, "hours", WeekHours())
    longest = max((_length(span) for day in DAYS for span in getattr(hours, day)), default=timedelta(0))
    lengths = {"duration": _nearest(layers, "duration", timedelta(0))}
    for name, duration in _nearest(layers, "duration_by_provider", {}).items():
        lengths[f"duration_by_provider.{name}"] = duration
    for key, length in lengths.items():
        if length > longest:
            yield f"{path}.{key}: is longer than any span of the opening hours, so the service is never offered"


def _nearest(layers: Sequence[RuleKeys], key: str, default: Any) -> Any:
    """The value of the first layer that has one."""
    return next((value for layer in layers if (value := getattr(layer, key)) is not None), default)


def _length(span: HoursSpan) -> timedelta:
    opens, closes = (timedelta(hours=t.hour, minutes=t.minute) for t in (span.open, span.close))
    return closes - opens if closes else timedelta(days=1) - opens


def _unknown_name_problems(path: str, used: Iterable[str], known: Iterable[str]) -> Iterable[str]:
    for name in used:
        if name not in known:
            yield f"{path}: {name} is unknown; allowed: {', '.join(known)}"


def _hours_problems(path: str, keys: RuleKeys) -> Iterable[str]:
    yield from _week_problems(f"{path}.hours", keys.hours)


def _week_problems(path: str, week: WeekHours | None) -> Iterable[str]:
    for day in DAYS if week is not None else ():
        spans = getattr(week, day)
        for earlier, later in itertools.pairwise(spans):
            if later.open < earlier.close or earlier.close.isoformat() == "00:00:00":
                yield f"{path}.{day}: list opening hours in order, without overlap"


def _duplicate_problems(path: str, key: str, values: Sequence[str]) -> Iterable[str]:
    for i, value in enumerate(values):
        if value in values[:i]:
            yield f"{path}[{i}].{key}: {value} is used twice"
