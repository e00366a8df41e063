"""Open slots: working hours, less what stands in the copy."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sandbox.nexhealth.calls import Call, Endpoint
from sandbox.nexhealth.envelope import Reply, missing
from sandbox.nexhealth.hours import hours_at, on_day, time_of_day
from sandbox.nexhealth.service import NexHealth
from sandbox.nexhealth.world import World
from sandbox.store import Row


def _slots(nex: NexHealth, call: Call) -> Reply:
    params = call.params
    if not params.get("pids[]") and params.get("appointment_type_id") is None:
        raise missing("pids")
    found = []
    for lid in params.get("lids[]"):
        search = Search(nex.world, call, nex.world.location(lid, call.of))
        for provider in search.providers():
            slots = search.slots(provider)
            until = None if slots else search.next_date(provider)
            found.append({"lid": lid, "pid": provider, "slots": slots, "next_available_date": until})
    return Reply(found)


class Search:
    """Open slots at one location: working hours, less what stands in the copy."""

    LOOKS_AHEAD = 180

    def __init__(self, world: World, call: Call, place: Row) -> None:
        params = call.params
        self._world, self._place, self._params = world, place, params
        self._zone = ZoneInfo(place["tz"])
        kind = params.get("appointment_type_id")
        self._type = world.get("appointment_types", kind) if kind is not None else None
        self._length = timedelta(minutes=self._type["minutes"] if self._type else params.get("slot_length", 15))
        self._step = timedelta(minutes=params.get("slot_interval", 0)) or self._length
        self._hours = [row for row in hours_at(world, place) if self._wanted(row)]
        hidden = (world.clock.now() - timedelta(seconds=world.switches.slots_lag)).isoformat(timespec="milliseconds")
        self._taken = [
            (row, datetime.fromisoformat(row["start_time"]), datetime.fromisoformat(row["end_time"]))
            for row in world.copy.all("appointments")
            if row["location_id"] == place["id"]
            and not row["cancelled"]
            and row["created_at"] <= hidden.replace("+00:00", "Z")
        ]

    def providers(self) -> list[int]:
        return sorted({row["provider_id"] for row in self._hours})

    def slots(self, provider: int) -> list[Row]:
        first = self._params.get("start_date")
        days = [first + timedelta(days=n) for n in range(self._params.get("days"))]
        return [slot for day in days for slot in self._on(provider, day)]

    def next_date(self, provider: int) -> str | None:
        day = self._params.get("start_date") + timedelta(days=self._params.get("days"))
        for ahead in range(self.LOOKS_AHEAD):
            if self._on(provider, day + timedelta(days=ahead)):
                return str((day + timedelta(days=ahead)).isoformat())
        return None

    def _wanted(self, row: Row) -> bool:
        params = self._params
        return (
            params.among(row, provider_id="pids[]")
            and row["operatory_id"] in (None, *params.get("operatory_ids[]", [row["operatory_id"]]))
            and params.get("working_hour_source", row["source"]) == row["source"]
            and (self._type is None or self._type["id"] in row["_types"])
        )

    def _on(self, provider: int, day: date) -> list[Row]:
        found: dict[tuple[datetime, int | None], Row] = {}
        for row in self._hours:
            if row["provider_id"] != provider or not on_day(row, day):
                continue
            start = datetime.combine(day, time_of_day(row["begin_time"]), self._zone)
            end = datetime.combine(day, time_of_day(row["end_time"]), self._zone)
            while start + self._length <= end:
                every = self._params.get("overlapping_operatory_slots", False)
                key = (start, row["operatory_id"] if every else None)
                if key not in found and self._free(row, start):
                    found[key] = self._slot(row, start)
                start += self._step
        return [found[key] for key in sorted(found, key=lambda key: (key[0], key[1] or 0))]

    def _free(self, hours_row: Row, start: datetime) -> bool:
        chair, provider = hours_row["operatory_id"], hours_row["provider_id"]
        return start > self._world.clock.now() and not any(
            begin < start + self._length
            and start < end
            and (row["operatory_id"] == chair or row["provider_id"] == provider or row["operatory_id"] is None)
            for row, begin, end in self._taken
        )

    def _slot(self, hours_row: Row, start: datetime) -> Row:
        chair = {} if hours_row["operatory_id"] is None else {"operatory_id": hours_row["operatory_id"]}
        times = {
            "time": start.isoformat(timespec="milliseconds"),
            "end_time": (start + self._length).isoformat(timespec="milliseconds"),
        }
        return {**times, **chair, "provider_id": hours_row["provider_id"], "working_hour_label_id": None}


ENDPOINTS = (
    Endpoint(
        "GET",
        "/available_slots",
        _slots,
        ("subdomain", "start_date", "days", "lids[]"),
        (
            *(
                "pids[]",
                "operatory_ids[]",
                "appointment_type_id",
                "slot_length",
                "slot_interval",
                "working_hour_source",
            ),
            *("working_hour_label_id", "overlapping_operatory_slots", "appointments_per_timeslot"),
        ),
    ),
)
