"""Rules that a practice file may set at several levels, and the values it refuses."""

from datetime import timedelta
from typing import Any

import pytest

from domain.practice import InvalidPractice, Practice
from tests.support.practices import cleaning, location, practice_of


def two_locations(defaults: Any = None, location_keys: Any = None, service: Any = None) -> Practice:
    here = location("here", services=[cleaning(**(service or {}))], **(location_keys or {}))
    return practice_of(here, location("there", providers={"birch": "birch"}), defaults=defaults)


@pytest.mark.parametrize("level", ["defaults", "location_keys", "service"])
def test_duration_by_provider_is_allowed_at_every_level(level: str) -> None:
    practice = two_locations(**{level: {"duration_by_provider": {"maple": "45m"}}})
    assert practice.rule("here", "cleaning").duration_with("maple") == timedelta(minutes=45)
    assert practice.rule("there", "cleaning").duration_with("birch") == timedelta(minutes=60)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"defaults": {"duration_by_provider": {"mapel": "45m"}}}, "defaults.duration_by_provider: mapel is unknown"),
        (
            {"location_keys": {"duration_by_provider": {"birch": "45m"}}},
            "locations[0].duration_by_provider: birch is unknown",
        ),
        (
            {"service": {"same_day_cutoff": "12:00-08:00"}},
            "same_day_cutoff: write a time of day on the location's clock",
        ),
        ({"defaults": {"same_day_cutoff": "12:00Z"}}, "same_day_cutoff: write a time of day on the location's clock"),
        ({"service": {"offered_by": []}}, "offered_by:"),
        ({"service": {"offered_in": []}}, "offered_in:"),
    ],
)
def test_wrong_value_is_refused_with_its_path(keys: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidPractice) as refused:
        two_locations(**keys)
    assert problem in str(refused.value)
