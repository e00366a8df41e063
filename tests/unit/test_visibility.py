"""What is shown of a booking while no worker answers."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from adapters.practice_file import read_practice
from client.visibility import view_from_visibility
from devstack import ROOT
from domain.practice import Practice
from runtime.codec import DecryptionError
from workflows.shared.search_attributes import APPOINTMENT_START, BOOKING_LOCATION

NINE_IN_BROOKLYN = datetime(2026, 12, 7, 14, tzinfo=UTC)


@pytest.fixture
def practice() -> Practice:
    return read_practice(ROOT / "practice.toml")


def execution(location: str, reference: str | Exception = "bk_1") -> Any:
    """A booking as the server lists it: times are in UTC. ``reference``: an exception is raised by the memo."""

    async def memo_value(*_: Any, **__: Any) -> str:
        if isinstance(reference, Exception):
            raise reference
        return reference

    attributes: list[SearchAttributePair[Any]] = [
        SearchAttributePair(BOOKING_LOCATION, location),
        SearchAttributePair(APPOINTMENT_START, NINE_IN_BROOKLYN),
    ]
    return SimpleNamespace(
        id="booking-x", typed_search_attributes=TypedSearchAttributes(attributes), memo_value=memo_value
    )


async def test_start_is_in_the_locations_time_zone(practice: Practice) -> None:
    view = await view_from_visibility(execution("brooklyn"), practice)
    assert view.start == NINE_IN_BROOKLYN
    assert f"{view.start:%H:%M}" == "09:00"


async def test_booking_of_a_removed_location_is_still_shown(practice: Practice) -> None:
    assert (await view_from_visibility(execution("closed-down"), practice)).start == NINE_IN_BROOKLYN


async def test_booking_encrypted_with_other_keys_is_shown_without_its_reference(practice: Practice) -> None:
    view = await view_from_visibility(execution("brooklyn", DecryptionError("no key with id 'k1'")), practice)
    assert (view.id, view.reference) == ("booking-x", "")
    assert view.detail == "The booking cannot be read: no key with id 'k1'."
