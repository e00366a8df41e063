"""Builds small practices the way a practice file does: one connection, ``main``, and the keys a test needs."""

from typing import Any

from domain.practice import Practice, parse_practice

Keys = dict[str, Any]


def practice_of(*locations: Keys, defaults: Keys | None = None, **connection: Any) -> Practice:
    return parse_practice(
        {
            "name": "Example Dental",
            "connections": [{"name": "main", "system": "ascend", **connection}],
            "defaults": defaults or {},
            "locations": locations,
        }
    )


def location(name: str, **keys: Any) -> Keys:
    return {
        "id": name,
        "name": name,
        "connection": "main",
        "practice_system_id": name,
        "time_zone": "America/Los_Angeles",
        "address": {"line1": "1 Example St", "city": "Oakland", "state": "CA", "postal_code": "94601"},
        "phone": "+15105550100",
        "providers": {"maple": "maple"},
        "operatories": {"op1": "1"},
        "hours": {"tuesday": ["08:00-12:00"]},
        "services": [cleaning()],
        **keys,
    }


def cleaning(**keys: Any) -> Keys:
    return {"id": "cleaning", "label": "Cleaning", "duration": "60m", **keys}
