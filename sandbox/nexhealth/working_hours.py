"""Working hours, entered by hand or read from the office if its system has them."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from sandbox.nexhealth.endpoint import ApiCall, Endpoint, check_required, parse_id
from sandbox.nexhealth.envelope import Reply, invalid_parameter, public_fields
from sandbox.nexhealth.paging import page_reply
from sandbox.nexhealth.parameters import PAGING
from sandbox.nexhealth.records import working_hours_object
from sandbox.nexhealth.service import NexHealth
from sandbox.nexhealth.state import NexHealthState
from sandbox.store import Row

_WRITABLE_FIELDS = (
    *("provider_id", "operatory_id", "begin_time", "end_time", "days", "specific_date", "custom_recurrence"),
    "active",
)


def has_hours_for(
    state: NexHealthState,
    location: Row,
    provider: Row,
    operatory: Row | None,
    appointment_type: Row,
    start: datetime,
    end: datetime,
) -> bool:
    """Whether working hours of the provider and operatory cover the time and allow this appointment type."""
    zone = ZoneInfo(location["tz"])
    local_start, local_end = start.astimezone(zone), end.astimezone(zone)
    return any(
        row["provider_id"] == provider["id"]
        and row["operatory_id"] in (None, operatory["id"] if operatory else None)
        and appointment_type["id"] in row["_types"]
        and hours_apply_on(row, local_start.date())
        and parse_time_of_day(row["begin_time"]) <= local_start.time()
        and local_end.time() <= parse_time_of_day(row["end_time"])
        for row in hours_at(state, location)
    )


def hours_apply_on(hours: Row, day: date) -> bool:
    """Whether the working hours apply on that day."""
    if not hours["active"]:
        return False
    if hours["specific_date"]:
        return bool(hours["specific_date"] == day.isoformat())
    if hours["custom_recurrence"]:
        return _recurs_on(hours["custom_recurrence"], day)
    return f"{day:%A}" in hours["days"]


def _recurs_on(recurrence: Row, day: date) -> bool:
    first_day = date.fromisoformat(recurrence["ref"])
    if day < first_day:
        return False
    if recurrence["unit"] == "month":
        months = (day.year - first_day.year) * 12 + day.month - first_day.month
        return day.day == first_day.day and months % int(recurrence["num"]) == 0
    interval_days = int(recurrence["num"]) * (7 if recurrence["unit"] == "week" else 1)
    return (day - first_day).days % interval_days == 0


def hours_at(state: NexHealthState, location: Row) -> list[Row]:
    """The location's working hours. Hours from the office count only if its system has them."""
    synced = state.links[location["id"]].system.synced_hours
    rows = [row for row in state.synced_copy.all("working_hours") if row["location_id"] == location["id"]]
    return [row for row in rows if synced or row["source"] == "manual"]


def parse_time_of_day(text: str) -> time:
    """Raises ValueError."""
    return time.fromisoformat(text)


def _list(nexhealth: NexHealth, call: ApiCall) -> Reply:
    params, today = call.params, nexhealth.state.clock.now().date().isoformat()
    rows = [
        _hours_object(nexhealth.state, row, _includes_types(call))
        for row in hours_at(nexhealth.state, call.location)
        if params.equal(row, "provider_id", "operatory_id", "source")
        and row["active"] == params.get("active", True)
        and not (params.get("ignore_past_dates") and (row["specific_date"] or today) < today)
    ]
    return page_reply(rows, params)


def _read(nexhealth: NexHealth, call: ApiCall) -> Reply:
    row = nexhealth.state.get("working_hours", call.path_ids["id"])
    return Reply(public_fields(_hours_object(nexhealth.state, row, _includes_types(call))))


def _includes_types(call: ApiCall) -> bool:
    return "appointment_types" in call.params.get("include[]", [])


def _hours_object(state: NexHealthState, row: Row, with_types: bool) -> Row:
    location = state.get("locations", row["location_id"])
    tz_offset = state.clock.now().astimezone(ZoneInfo(location["tz"])).strftime("%z")
    hours = {**row, "tz_offset": tz_offset}
    if with_types:
        types = [public_fields(state.get("appointment_types", type_id)) for type_id in row["_types"]]
        hours["appointment_types"] = types
    return hours


def _create(nexhealth: NexHealth, call: ApiCall) -> Reply:
    body = call.body_part("working_hour")
    check_required(body, ("provider_id", "begin_time", "end_time"), "working_hour")
    if sum(1 for name in ("days", "specific_date", "custom_recurrence") if body.get(name)) != 1:
        raise invalid_parameter("working_hour[days], working_hour[specific_date], working_hour[custom_recurrence]")
    hours = working_hours_object(call.location["id"], "manual", **_parse_fields(body))
    row = nexhealth.state.add("working_hours", hours)
    return Reply(public_fields(_hours_object(nexhealth.state, row, False)), status=201)


def _update(nexhealth: NexHealth, call: ApiCall) -> Reply:
    row = nexhealth.state.get("working_hours", call.path_ids["id"])
    row = nexhealth.state.update("working_hours", row, **_parse_fields(call.body_part("working_hour")))
    return Reply(public_fields(_hours_object(nexhealth.state, row, True)))


def _delete(nexhealth: NexHealth, call: ApiCall) -> Reply:
    row = nexhealth.state.get("working_hours", call.path_ids["id"])
    nexhealth.state.synced_copy.delete("working_hours", str(row["id"]))
    return Reply(None, status=204)


def _parse_fields(body: Row) -> Row:
    """The writable fields of the body. Raises ValueError for a time or an id that is not readable."""
    fields = {name: body[name] for name in _WRITABLE_FIELDS if name in body}
    for name in ("begin_time", "end_time"):
        if name in fields:
            parse_time_of_day(fields[name])
    if "appointment_type_ids" in body:
        fields["_types"] = [parse_id(type_id) for type_id in body["appointment_type_ids"]]
    return fields


ENDPOINTS = (
    Endpoint(
        "GET",
        "/working_hours",
        _list,
        ("subdomain", "location_id"),
        ("provider_id", "operatory_id", "label_id", "source", "active", "ignore_past_dates", "include[]", *PAGING),
    ),
    Endpoint("POST", "/working_hours", _create, ("subdomain", "location_id")),
    Endpoint("GET", "/working_hours/{id}", _read, ("subdomain",), ("include[]",)),
    Endpoint("PATCH", "/working_hours/{id}", _update, ("subdomain",)),
    Endpoint("DELETE", "/working_hours/{id}", _delete, ("subdomain",)),
)
