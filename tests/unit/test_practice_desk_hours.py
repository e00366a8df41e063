"""Where the desk's hours come from, if the practice file does not say them."""

import tomllib
from datetime import date, time
from typing import Any

from devstack import ROOT
from domain.policy import VisitLimits
from domain.practice import Practice, parse_practice
from domain.rules import HoursSpan


def practice(**location: Any) -> Practice:
    content = tomllib.loads((ROOT / "practice.toml").read_text())
    content["locations"] = content["locations"][:1]
    content["defaults"].pop("closed_on", None)
    content["locations"][0] |= location
    return parse_practice(content)


def span(opens: int, closes: int) -> HoursSpan:
    return HoursSpan(open=time(opens), close=time(closes))


def test_desk_is_there_while_the_location_is_open() -> None:
    desk = practice(closed_on=[date(2026, 12, 25)]).locations[0].desk_hours
    assert desk.hours == {weekday: (span(8, 12), span(13, 17)) for weekday in range(1, 6)}
    assert desk.closed_on == {date(2026, 12, 25)}


def test_desk_hours_of_a_location_win_over_its_opening_hours() -> None:
    changed = practice(desk_hours={"monday": ["07:00-18:00"]})
    assert changed.locations[0].desk_hours.hours == {1: (span(7, 18),)}
    assert changed.policy("oakland", "cleaning").desk_hours.hours == {1: (span(7, 18),)}


def test_limits_travel_with_a_booking() -> None:
    assert practice().policy("oakland", "cleaning").limits == VisitLimits(per_patient=2, per_contact=6)
