"""Query parameters: which are required, how each one is parsed, and which are silently ignored."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from sandbox.nexhealth.envelope import api_error, invalid_parameter, missing_parameter
from sandbox.timestamps import parse_timestamp

PAGING = ("per_page", "end_cursor", "start_cursor", "sort")
"""The parameters of every paged list."""


def _parse_boolean(text: str) -> bool:
    return {"true": True, "false": False}[text]


_PARSERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("start", "end", "updated_since", "due_after"), parse_timestamp),
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
        _parse_boolean,
    ),
}  # fmt: skip


class Parameters:
    """The parsed query parameters of one call. A parameter whose name ends in ``[]`` is a list.

    Raises ErrorResponse 400 for a parameter that is missing, blank or not readable.
    """

    def __init__(self, query: list[tuple[str, str]], required: tuple[str, ...], optional: tuple[str, ...]) -> None:
        self._values: dict[str, Any] = {}
        self.ignored = sorted({name for name, _ in query if name not in required and name not in optional})
        for name, text in query:
            if name not in self.ignored:
                self._parse(name, text, is_required=name in required)
        for name in required:
            if name not in self._values:
                raise missing_parameter(name)

    def _parse(self, name: str, text: str, *, is_required: bool) -> None:
        if not text.strip() and is_required:
            raise api_error(400, f"Blank values not allowed for parameter {name}")
        try:
            value = _PARSERS.get(name, str)(text)
        except (ValueError, KeyError):
            raise invalid_parameter(name) from None
        if name.endswith("[]"):
            self._values.setdefault(name, []).append(value)
        else:
            self._values[name] = value

    def get(self, name: str, default: Any = None) -> Any:
        return self._values.get(name, default)

    def equal(self, row: Mapping[str, Any], *names: str) -> bool:
        """Whether the row equals the call in each of these parameters. Parameters that the call omits do not count."""
        return all(name not in self._values or row.get(name) == self._values[name] for name in names)

    def contain(self, row: Mapping[str, Any], **list_names: str) -> bool:
        """The same for list parameters, by the row's field: ``contain(row, patient_id="patient_ids[]")``."""
        return all(
            name not in self._values or row.get(field) in self._values[name] for field, name in list_names.items()
        )

    def is_updated_since(self, row: Mapping[str, Any]) -> bool:
        """Whether the row changed after ``updated_since``; True if the call omits that."""
        return (
            "updated_since" not in self._values or parse_timestamp(row["updated_at"]) >= self._values["updated_since"]
        )
