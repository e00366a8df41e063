"""What is told of a booking while no worker answers."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from adapters.practice_file import read_practice
from client.listed import as_listed
from demo.stack import ROOT
from domain.practice import Practice
from runtime.codec import DecryptionError
from workflows.shared.search_attributes import APPOINTMENT_START, BOOKING_LOCATION

NINE_IN_BROOKLYN = datetime(2026, 12, 7, 14, tzinfo=UTC)


@pytest.fixture
def practice() -> Practice:
    return read_practice(ROOT / "practice.toml")


def execution(location: str, reference: str | Exception = "bk_1") -> Any:
    """As the server lists it: its own clock is UTC."""

    async def memo_value(*_: Any, **__: Any) -> str:
        if isinstance(reference, Exception):
            raise reference
        return reference

    said: list[SearchAttributePair[Any]] = [
        SearchAttributePair(BOOKING_LOCATION, location),
        SearchAttributePair(APPOINTMENT_START, NINE_IN_BROOKLYN),
    ]
    return SimpleNamespace(id="booking-x", typed_search_attributes=TypedSearchAttributes(said), memo_value=memo_value)


async def test_the_time_is_told_on_the_locations_clock(practice: Practice) -> None:
    view = await as_listed(execution("brooklyn"), practice)
    assert view.start == NINE_IN_BROOKLYN
    assert f"{view.start:%H:%M}" == "09:00"


async def test_a_location_that_is_gone_from_the_practice_file_does_not_hide_its_booking(practice: Practice) -> None:
    assert (await as_listed(execution("closed-down"), practice)).start == NINE_IN_BROOKLYN


async def test_a_booking_sealed_with_other_keys_is_listed_all_the_same(practice: Practice) -> None:
    view = await as_listed(execution("brooklyn", DecryptionError("no key with id 'k1'")), practice)
    assert (view.id, view.reference) == ("booking-x", "")
    assert view.detail == "The booking cannot be read: no key with id 'k1'."
