"""``/available_slots``: working hours minus the appointments in NexHealth's copy."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sandbox.nexhealth.endpoint import ApiCall, Endpoint
from sandbox.nexhealth.envelope import Reply, missing_parameter
from sandbox.nexhealth.service import NexHealth
from sandbox.nexhealth.state import NexHealthState
from sandbox.nexhealth.working_hours import hours_apply_on, hours_at, parse_time_of_day
from sandbox.store import Row

_MAX_DAYS_AHEAD = 180
"""How far the search for the next available date goes."""


def _list(nexhealth: NexHealth, call: ApiCall) -> Reply:
    params = call.params
    if not params.get("pids[]") and params.get("appointment_type_id") is None:
        raise missing_parameter("pids")
    results = []
    for location_id in params.get("lids[]"):
        search = SlotSearch(nexhealth.state, call, nexhealth.state.get_location(location_id, call.institution))
        for provider_id in search.providers():
            slots = search.slots(provider_id)
            next_date = None if slots else search.next_available_date(provider_id)
            results.append({"lid": location_id, "pid": provider_id, "slots": slots, "next_available_date": next_date})
    return Reply(results)


class SlotSearch:
    """One search at one location."""

    def __init__(self, state: NexHealthState, call: ApiCall, location: Row) -> None:
        params = call.params
        self._state, self._location, self._params = state, location, params
        self._zone = ZoneInfo(location["tz"])
        type_id = params.get("appointment_type_id")
        self._type = state.get("appointment_types", type_id) if type_id is not None else None
        self._length = timedelta(minutes=self._type["minutes"] if self._type else params.get("slot_length", 15))
        self._step = timedelta(minutes=params.get("slot_interval", 0)) or self._length
        self._hours = [row for row in hours_at(state, location) if self._is_requested(row)]
        self._appointments = self._visible_appointments()

    def _visible_appointments(self) -> list[tuple[Row, datetime, datetime]]:
        """Appointments and blocks with their start and end, except those that ``slots_lag`` still hides."""
        visible_until = self._state.clock.now() - timedelta(seconds=self._state.switches.slots_lag)
        latest_creation = visible_until.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return [
            (row, datetime.fromisoformat(row["start_time"]), datetime.fromisoformat(row["end_time"]))
            for row in self._state.synced_copy.all("appointments")
            if row["location_id"] == self._location["id"]
            and not row["cancelled"]
            and row["created_at"] <= latest_creation
        ]

    def providers(self) -> list[int]:
        return sorted({row["provider_id"] for row in self._hours})

    def slots(self, provider_id: int) -> list[Row]:
        first_day = self._params.get("start_date")
        days = [first_day + timedelta(days=n) for n in range(self._params.get("days"))]
        return [slot for day in days for slot in self._slots_on(provider_id, day)]

    def next_available_date(self, provider_id: int) -> str | None:
        """The first date after the requested days that has a slot."""
        first_day = self._params.get("start_date") + timedelta(days=self._params.get("days"))
        for days_ahead in range(_MAX_DAYS_AHEAD):
            day: date = first_day + timedelta(days=days_ahead)
            if self._slots_on(provider_id, day):
                return day.isoformat()
        return None

    def _is_requested(self, hours: Row) -> bool:
        params = self._params
        return (
            params.contain(hours, provider_id="pids[]")
            and hours["operatory_id"] in (None, *params.get("operatory_ids[]", [hours["operatory_id"]]))
            and params.get("working_hour_source", hours["source"]) == hours["source"]
            and (self._type is None or self._type["id"] in hours["_types"])
        )

    def _slots_on(self, provider_id: int, day: date) -> list[Row]:
        every_operatory = self._params.get("overlapping_operatory_slots", False)
        slots: dict[tuple[datetime, int | None], Row] = {}
        for hours in self._hours:
            if hours["provider_id"] != provider_id or not hours_apply_on(hours, day):
                continue
            start = datetime.combine(day, parse_time_of_day(hours["begin_time"]), self._zone)
            end = datetime.combine(day, parse_time_of_day(hours["end_time"]), self._zone)
            while start + self._length <= end:
                # By default a provider has one slot at a time, in the first operatory that is free.
                key = (start, hours["operatory_id"] if every_operatory else None)
                if key not in slots and self._is_free(hours, start):
                    slots[key] = self._slot_object(hours, start)
                start += self._step
        return [slots[key] for key in sorted(slots, key=lambda key: (key[0], key[1] or 0))]

    def _is_free(self, hours: Row, start: datetime) -> bool:
        operatory_id, provider_id = hours["operatory_id"], hours["provider_id"]
        return start > self._state.clock.now() and not any(
            other_start < start + self._length
            and start < other_end
            and (other["operatory_id"] in (operatory_id, None) or other["provider_id"] == provider_id)
            for other, other_start, other_end in self._appointments
        )

    def _slot_object(self, hours: Row, start: datetime) -> Row:
        operatory = {} if hours["operatory_id"] is None else {"operatory_id": hours["operatory_id"]}
        times = {
            "time": start.isoformat(timespec="milliseconds"),
            "end_time": (start + self._length).isoformat(timespec="milliseconds"),
        }
        return {**times, **operatory, "provider_id": hours["provider_id"], "working_hour_label_id": None}


ENDPOINTS = (
    Endpoint(
        "GET",
        "/available_slots",
        _list,
        ("subdomain", "start_date", "days", "lids[]"),
        (
            *("pids[]", "operatory_ids[]", "appointment_type_id", "slot_length", "slot_interval"),
            *("working_hour_source", "working_hour_label_id", "overlapping_operatory_slots"),
            "appointments_per_timeslot",
        ),
    ),
)
