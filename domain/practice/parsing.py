"""Parses a practice file: applies inheritance, and reports every problem at once."""

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from domain.desk_hours import DeskHours, merge_spans
from domain.policy import LandingPolicy, VisitLimits
from domain.practice.consistency import find_problems
from domain.practice.keys import (
    DAYS,
    ConnectionKeys,
    LocationKeys,
    PracticeKeys,
    RuleKeys,
    ServiceKeys,
    WeekHours,
)
from domain.practice.model import Connection, Location, Practice, Service
from domain.rules import HoursSpan, ServiceRule
from domain.text import printable_key

DEFAULT_STAFF_DEADLINE = timedelta(hours=4)


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
    problems = list(find_problems(keys))
    if problems:
        raise InvalidPractice(problems)
    canonical = json.dumps(keys.model_dump(mode="json"), sort_keys=True)
    return Practice(
        name=keys.name,
        version=hashlib.sha256(canonical.encode()).hexdigest()[:12],
        connections=tuple(_connection(connection) for connection in keys.connections),
        limits=VisitLimits(per_patient=keys.limits.visits_per_patient, per_contact=keys.limits.visits_per_contact),
        locations=tuple(_location(keys, location) for location in keys.locations),
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
    # Only what is written in the file, so that ``model_fields_set`` tells it from the defaults.
    unchanged = {name: getattr(keys, name) for name in keys.model_fields_set if name in Connection.model_fields}
    resolved = {"kind": keys.effective_kind, "landing": landing, "resend_after": keys.effective_resend_after}
    return Connection(**unchanged | resolved)


def _location(keys: PracticeKeys, location: LocationKeys) -> Location:
    unchanged = {name: getattr(location, name) for name in Location.model_fields if name in LocationKeys.model_fields}
    resolved = {
        "email_content": keys.messages.email_content,
        "quiet_hours": location.quiet_hours or keys.messages.quiet_hours,
        "desk_hours": _desk_hours(keys.defaults, location),
    }
    return Location(**unchanged | resolved)


def _desk_hours(defaults: RuleKeys, location: LocationKeys) -> DeskHours:
    """If the file does not say when somebody is at the desk: whenever the location is open, or any of its services."""
    hours = location.desk_hours or location.hours or defaults.hours
    weeks = [hours] if hours is not None else [each.hours for each in location.services if each.hours is not None]
    spans: dict[int, set[HoursSpan]] = {}
    for week in weeks:
        for weekday, of_day in _hours_by_weekday(week).items():
            spans.setdefault(weekday, set()).update(of_day)
    closed_on = location.closed_on if location.closed_on is not None else defaults.closed_on or ()
    return DeskHours(
        hours={weekday: merge_spans(of_day) for weekday, of_day in spans.items()}, closed_on=frozenset(closed_on)
    )


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
        name = printable_key(str(part))
        path += f"[{part}]" if isinstance(part, int) else f".{name}" if path else name
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
    close_matches = difflib.get_close_matches(printable_key(keys[-1]), list(model.model_fields), n=1)  # type: ignore[attr-defined]
    return f"; did you mean {close_matches[0]}?" if close_matches else ""
