"""Rules that a practice file may set at several levels, and the values it refuses."""

from datetime import date, time, timedelta
from typing import Any

import pytest

from domain.practice import InvalidPractice, Practice
from tests.support.practices import cleaning, location, practice_of

ADDRESS = {"line1": "1 Example St", "city": "Oakland", "state": "CA", "postal_code": "94601"}


def two_locations(defaults: Any = None, location_keys: Any = None, service: Any = None) -> Practice:
    here = location("here", services=[cleaning(**(service or {}))], **(location_keys or {}))
    return practice_of(
        here, location("there", providers={"birch": "birch"}, operatories={"op1": "2"}), defaults=defaults
    )


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
        ({"service": {"same_day_cutoff": 43200}}, "same_day_cutoff: write a time of day on the location's clock"),
        ({"service": {"same_day_cutoff": "43200"}}, "same_day_cutoff: write a time of day on the location's clock"),
        *[({"service": {"closed_on": [number]}}, "closed_on[0]: must be a date") for number in (0, "0.00", 1.8e9)],
        *[
            (
                {"service": {"duration": text}},
                'duration: write a length of time as "45m", "2h" or "60d", at most "3650d"',
            )
            for text in ("99999999999999999h", "3651d", "４５m", "-1h", "1.5h", 45, "9" * 5000 + "h")
        ],
        ({"service": {"daily_cap": True}}, "daily_cap:"),
        ({"service": {"daily_cap": "2"}}, "daily_cap:"),
        ({"service": {"call_only": "yes"}}, "call_only:"),
        ({"service": {"label": "Cleaning\nBcc: all"}}, "label: control characters and line breaks are not allowed"),
        ({"service": {"\x1b[31mcolor": 1}}, "services[0].?[31mcolor: unknown key"),
        ({"service": {"offered_by": ["maple", "maple"]}}, "services[0].offered_by: maple is listed twice"),
        ({"service": {"duration": "20h"}}, "services[0].duration: is longer than any span of the opening hours"),
        (
            {"location_keys": {"duration_by_provider": {"maple": "5h"}}},
            "services[0].duration_by_provider.maple: is longer than any span of the opening hours",
        ),
        ({"service": {"minimum_notice": "60d"}}, "services[0].minimum_notice: must be shorter than horizon"),
        (
            {"defaults": {"minimum_notice": "2d"}, "service": {"horizon": "2d"}},
            "services[0].minimum_notice: must be shorter than horizon",
        ),
        (
            {"location_keys": {"providers": {"maple": "7", "hazel": "7"}}},
            "locations[0].providers.hazel: 7 is maple already; give each id one name",
        ),
        (
            {"location_keys": {"operatories": {"op1": "7", "op2": "7"}}},
            "locations[0].operatories.op2: 7 is op1 already; give each id one name",
        ),
        (
            {"location_keys": {"operatories": {"op1": "2"}}},
            "locations[1].operatories.op1: 2 is at here already; an operatory has one location",
        ),
        (
            {"location_keys": {"practice_system_id": "there"}},
            "locations[1].practice_system_id: there is here already; each location has its own id",
        ),
        *[
            ({"location_keys": {"phone": text}}, "phone: not a phone number; write it")
            for text in ("555-CALL", "12", "5550123", "911", "+1510555010", "(510) 555-0100 mom", "call us")
        ],
        *[
            ({"location_keys": {"address": ADDRESS | {key: text}}}, f"address.{key}: must be {allowed}")
            for key, text, allowed in (
                ("state", "XX", "the two capital letters of a state"),
                ("state", "ca", "the two capital letters of a state"),
                ("postal_code", "１２３４５", "a ZIP code in digits"),
            )
        ],
    ],
)
def test_wrong_value_is_refused_with_its_path(keys: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidPractice) as refused:
        two_locations(**keys)
    assert problem in str(refused.value)


@pytest.mark.parametrize("phone", ["+15105550100", "(510) 555-0100", "510.555.0100 ext. 12", "1-800-555-0199"])
def test_phone_of_a_location_is_accepted_as_people_write_it(phone: str) -> None:
    practice = practice_of(location("here", phone=phone))
    assert practice.location("here").phone.startswith("+1 ")


def test_time_and_day_may_be_written_with_and_without_quotes() -> None:
    """TOML reads both without quotes as a time and a date."""
    text = cleaning(same_day_cutoff="12:00", closed_on=["2026-12-25"])
    plain = cleaning(same_day_cutoff=time(12), closed_on=[date(2026, 12, 25)])
    rules = [practice_of(location("here", services=[keys])).rule("here", "cleaning") for keys in (text, plain)]
    assert rules[0] == rules[1]


def test_provider_may_work_at_two_locations() -> None:
    there = location("there", operatories={"op1": "2"})
    assert practice_of(location("here"), there).locations_sharing_providers("here") == {"there": frozenset({"maple"})}
