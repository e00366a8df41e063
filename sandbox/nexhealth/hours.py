"""Working hours: entered by hand, or read from the office where its system has them."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from sandbox.nexhealth.calls import Call, Endpoint, identifier, required
from sandbox.nexhealth.envelope import Reply, invalid, shown
from sandbox.nexhealth.paging import paged
from sandbox.nexhealth.parameters import PAGING
from sandbox.nexhealth.records import working_hours
from sandbox.nexhealth.service import NexHealth
from sandbox.nexhealth.world import World
from sandbox.store import Row


def open_for(
    world: World, place: Row, provider: Row, chair: Row | None, kind: Row, start: datetime, end: datetime
) -> bool:
    """Whether some working hours of the provider and operatory span the time and are for this type."""
    zone = ZoneInfo(place["tz"])
    first, last = start.astimezone(zone), end.astimezone(zone)
    return any(
        row["provider_id"] == provider["id"]
        and row["operatory_id"] in (None, chair["id"] if chair else None)
        and kind["id"] in row["_types"]
        and on_day(row, first.date())
        and time_of_day(row["begin_time"]) <= first.time()
        and last.time() <= time_of_day(row["end_time"])
        for row in hours_at(world, place)
    )


def on_day(row: Row, day: date) -> bool:
    if not row["active"]:
        return False
    if row["specific_date"]:
        return bool(row["specific_date"] == day.isoformat())
    recurrence = row["custom_recurrence"]
    if recurrence:
        return _recurs(recurrence, day)
    return f"{day:%A}" in row["days"]


def _recurs(recurrence: Row, day: date) -> bool:
    since = date.fromisoformat(recurrence["ref"])
    if day < since:
        return False
    if recurrence["unit"] == "month":
        months = (day.year - since.year) * 12 + day.month - since.month
        return day.day == since.day and months % int(recurrence["num"]) == 0
    every = int(recurrence["num"]) * (7 if recurrence["unit"] == "week" else 1)
    return (day - since).days % every == 0


def hours_at(world: World, place: Row) -> list[Row]:
    """Of the location; hours that came from the office only where its system has them."""
    synced = world.lines[place["id"]].system.synced_hours
    rows = [row for row in world.copy.all("working_hours") if row["location_id"] == place["id"]]
    return [row for row in rows if synced or row["source"] == "manual"]


def _listing(nex: NexHealth, call: Call) -> Reply:
    params, today = call.params, nex.world.clock.now().date().isoformat()
    rows = [
        _shown(nex.world, row, "appointment_types" in params.get("include[]", []))
        for row in hours_at(nex.world, call.at)
        if params.equal(row, "provider_id", "operatory_id", "source")
        and row["active"] == params.get("active", True)
        and not (params.get("ignore_past_dates") and (row["specific_date"] or today) < today)
    ]
    return paged(rows, params)


def _item(nex: NexHealth, call: Call) -> Reply:
    row = nex.world.get("working_hours", call.ids["id"])
    return Reply(shown(_shown(nex.world, row, "appointment_types" in call.params.get("include[]", []))))


def _shown(world: World, row: Row, with_types: bool) -> Row:
    place = world.get("locations", row["location_id"])
    offset = world.clock.now().astimezone(ZoneInfo(place["tz"])).strftime("%z")
    types = [shown(world.get("appointment_types", one)) for one in row["_types"]] if with_types else None
    return {**row, "tz_offset": offset} | ({} if types is None else {"appointment_types": types})


def _create(nex: NexHealth, call: Call) -> Reply:
    given = call.part("working_hour")
    required(given, ("provider_id", "begin_time", "end_time"), "working_hour")
    if sum(1 for name in ("days", "specific_date", "custom_recurrence") if given.get(name)) != 1:
        raise invalid("working_hour[days], working_hour[specific_date], working_hour[custom_recurrence]")
    row = nex.world.add("working_hours", working_hours(call.at["id"], "manual", **_given(given)))
    return Reply(shown(_shown(nex.world, row, False)), status=201)


def _change(nex: NexHealth, call: Call) -> Reply:
    row = nex.world.get("working_hours", call.ids["id"])
    row = nex.world.change("working_hours", row, **_given(call.part("working_hour")))
    return Reply(shown(_shown(nex.world, row, True)))


def _delete(nex: NexHealth, call: Call) -> Reply:
    nex.world.copy.delete("working_hours", str(nex.world.get("working_hours", call.ids["id"])["id"]))
    return Reply(None, status=204)


def _given(given: Row) -> Row:
    names = (
        "provider_id",
        "operatory_id",
        "begin_time",
        "end_time",
        "days",
        "specific_date",
        "custom_recurrence",
        "active",
    )
    found = {name: given[name] for name in names if name in given}
    for name in ("begin_time", "end_time"):
        if name in found:
            time_of_day(found[name])
    if "appointment_type_ids" in given:
        found["_types"] = [identifier(one) for one in given["appointment_type_ids"]]
    return found


def time_of_day(text: str) -> time:
    return time.fromisoformat(text)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/working_hours",
        _listing,
        ("subdomain", "location_id"),
        ("provider_id", "operatory_id", "label_id", "source", "active", "ignore_past_dates", "include[]", *PAGING),
    ),
    Endpoint("POST", "/working_hours", _create, ("subdomain", "location_id")),
    Endpoint("GET", "/working_hours/{id}", _item, ("subdomain",), ("include[]",)),
    Endpoint("PATCH", "/working_hours/{id}", _change, ("subdomain",)),
    Endpoint("DELETE", "/working_hours/{id}", _delete, ("subdomain",)),
)
