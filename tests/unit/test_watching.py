"""How often a booking looks for what must not stand any more."""

import itertools
from datetime import UTC, datetime, timedelta

from activities.hold_contracts import WriteRecord
from domain.interval import span
from domain.slot import Slot
from tests.model.bookings import request
from workflows.booking.state import BookingState

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
VISIT = NOW + timedelta(days=9, hours=7)


def watching(*, queued: bool = True) -> BookingState:
    state = BookingState(request(0, VISIT, None), asked_at=NOW, updated_at=NOW)
    state.queued = queued
    state.writes = (WriteRecord(slot=Slot(time=span(VISIT, 30), provider="1", operatory="1"), patient="1"),)
    return state


def test_ever_more_rarely_and_once_more_when_the_visit_would_begin() -> None:
    state, looks = watching(), [NOW]
    state.plan_sweep(NOW, anew=True)
    while state.next_sweep is not None:
        looks.append(state.next_sweep)
        state.plan_sweep(state.next_sweep)
    apart = [later - earlier for earlier, later in itertools.pairwise(looks)]
    assert looks[-1] == VISIT
    assert apart[:-1] == sorted(apart[:-1])
    assert (apart[0], apart[-2], len(apart)) == (timedelta(seconds=30), timedelta(days=1), 20)


def test_what_is_looked_for_sooner_stays_so() -> None:
    state = watching()
    state.next_sweep = NOW
    state.plan_sweep(NOW, anew=True)
    assert state.next_sweep == NOW


def test_where_writes_are_immediate_nothing_is_watched() -> None:
    state = watching(queued=False)
    state.plan_sweep(NOW, anew=True)
    assert state.sweep_at is None


def test_an_office_is_off_since_it_was_first_seen_so_until_it_is_back() -> None:
    state, later = watching(), NOW + timedelta(minutes=5)
    state.office_is_off(NOW, unless_back_since=None)
    state.office_is_off(later, unless_back_since=None)
    assert (state.office_off, state.office_off_since) == (True, NOW)
    state.office_is_back(later)
    assert not state.office_off
    state.office_is_off(later, unless_back_since=None)
    assert not state.office_off
    state.office_is_off(later, unless_back_since=later)
    assert state.office_off_since == later
