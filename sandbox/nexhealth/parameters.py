"""Query parameters: which are needed, which are known, how each is read, and which are silently ignored."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from sandbox.nexhealth.envelope import invalid, missing, refusal
from sandbox.times import instant

PAGING = ("per_page", "end_cursor", "start_cursor", "sort")


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text]


_KINDS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("start", "end", "updated_since", "due_after"), instant),
    **dict.fromkeys(("date_of_birth", "start_date"), date.fromisoformat),
    **dict.fromkeys(
        (
            "location_id", "patient_id", "provider_id", "operatory_id", "appointment_type_id", "created_by", "label_id",
            "recall_id", "per_page", "days", "slot_length", "slot_interval", "working_hour_label_id",
            "appointments_per_timeslot", "patient_ids[]", "provider_ids[]", "operatory_ids[]", "ids[]", "lids[]",
            "pids[]", "location_ids[]",
        ),
        int,
    ),
    **dict.fromkeys(
        (
            "cancelled", "unavailable", "nex_only", "inactive", "new_patient", "non_patient", "location_strict",
            "requestable", "active", "ignore_past_dates", "overlapping_operatory_slots", "notify_patient",
        ),
        _boolean,
    ),
}  # fmt: skip


class Parameters:
    """Of one call: typed by name; a name that ends in ``[]`` is a list."""

    def __init__(self, given: list[tuple[str, str]], needs: tuple[str, ...], takes: tuple[str, ...]) -> None:
        self._values: dict[str, Any] = {}
        self.ignored = sorted({name for name, _ in given if name not in needs and name not in takes})
        for name, text in given:
            if name in self.ignored:
                continue
            if not text.strip() and name in needs:
                raise refusal(400, f"Blank values not allowed for parameter {name}")
            try:
                value = _KINDS.get(name, str)(text)
            except (ValueError, KeyError):
                raise invalid(name) from None
            if name.endswith("[]"):
                self._values.setdefault(name, []).append(value)
            else:
                self._values[name] = value
        for name in needs:
            if name not in self._values:
                raise missing(name)

    def get(self, name: str, default: Any = None) -> Any:
        return self._values.get(name, default)

    def equal(self, row: Mapping[str, Any], *names: str) -> bool:
        """Whether the row has the wanted value for each of the names that were given."""
        return all(name not in self._values or row.get(name) == self._values[name] for name in names)

    def among(self, row: Mapping[str, Any], **lists: str) -> bool:
        """The same for list parameters: ``among(row, patient_id="patient_ids[]")``."""
        return all(given not in self._values or row.get(field) in self._values[given] for field, given in lists.items())

    def since(self, row: Mapping[str, Any]) -> bool:
        return "updated_since" not in self._values or instant(row["updated_at"]) >= self._values["updated_since"]
