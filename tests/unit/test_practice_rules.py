"""Rules that a practice file may state in several places, and what they must not be."""

from datetime import timedelta
from typing import Any

import pytest

from domain.practice import PracticeProblems, practice_from

ADDRESS = {"line1": "1 Example St", "city": "Oakland", "state": "CA", "postal_code": "94601"}


def location(name: str, provider: str, **rules: Any) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "connection": "main",
        "practice_system_id": name,
        "time_zone": "America/Los_Angeles",
        "address": ADDRESS,
        "phone": "+15105550100",
        "providers": {provider: provider},
        "operatories": {"op1": "1"},
        "hours": {"tuesday": ["08:00-12:00"]},
        **rules,
    }


def practice(defaults: Any = None, place: Any = None, service: Any = None) -> dict[str, Any]:
    services = [{"id": "cleaning", "label": "Cleaning", "duration": "60m", **(service or {})}]
    here = location("here", "maple", services=services, **(place or {}))
    there = location("there", "birch", services=[{"id": "cleaning", "label": "Cleaning", "duration": "60m"}])
    connections = [{"name": "main", "system": "ascend"}]
    return {"name": "Two", "connections": connections, "defaults": defaults or {}, "locations": [here, there]}


@pytest.mark.parametrize("layer", ["defaults", "place", "service"])
def test_lengths_by_provider_may_stand_in_any_layer(layer: str) -> None:
    found = practice_from(practice(**{layer: {"duration_by_provider": {"maple": "45m"}}}))
    assert found.rule("here", "cleaning").duration_with("maple") == timedelta(minutes=45)
    assert found.rule("there", "cleaning").duration_with("birch") == timedelta(minutes=60)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"defaults": {"duration_by_provider": {"mapel": "45m"}}}, "defaults.duration_by_provider: mapel is unknown"),
        ({"place": {"duration_by_provider": {"birch": "45m"}}}, "locations[0].duration_by_provider: birch is unknown"),
        (
            {"service": {"same_day_cutoff": "12:00-08:00"}},
            "same_day_cutoff: give a time of day on the location's clock",
        ),
        ({"defaults": {"same_day_cutoff": "12:00Z"}}, "same_day_cutoff: give a time of day on the location's clock"),
        ({"service": {"offered_by": []}}, "offered_by:"),
        ({"service": {"offered_in": []}}, "offered_in:"),
    ],
)
def test_what_would_mean_something_else_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(PracticeProblems) as refused:
        practice_from(practice(**given))
    assert told in str(refused.value)
