"""Rules that a practice file may state in several places, and what they must not be."""

from datetime import timedelta
from typing import Any

import pytest

from domain.practice import Practice, PracticeProblems
from tests.support.practices import cleaning, location, practice_of


def two_places(defaults: Any = None, place: Any = None, service: Any = None) -> Practice:
    here = location("here", services=[cleaning(**(service or {}))], **(place or {}))
    return practice_of(here, location("there", providers={"birch": "birch"}), defaults=defaults)


@pytest.mark.parametrize("layer", ["defaults", "place", "service"])
def test_lengths_by_provider_may_stand_in_any_layer(layer: str) -> None:
    found = two_places(**{layer: {"duration_by_provider": {"maple": "45m"}}})
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
        two_places(**given)
    assert told in str(refused.value)
