"""The parts of a booking's state: how often leftovers are checked, and whether the office system is online."""

import itertools
from datetime import UTC, datetime, timedelta

from activities.hold_contracts import WriteRecord
from domain.calendar import Appointment, AppointmentStatus, LandingState
from domain.interval import span
from domain.slot import Slot
from tests.model.bookings import booking_input
from workflows.booking.contracts import RequestedTime
from workflows.booking.state.booking_state import BookingState

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
VISIT = NOW + timedelta(days=9, hours=7)


def state_with_write(*, uses_write_queue: bool = True) -> BookingState:
    state = BookingState(booking_input(0, VISIT, None), started_at=NOW, now=NOW)
    state.leftovers.expect_queued_writes(uses_write_queue)
    slot = Slot(time=span(VISIT, 30), provider="1", operatory="1")
    state.reservation.begin_write(WriteRecord(slot=slot, patient="1"))
    return state


def test_leftover_checks_become_rarer_and_the_last_is_at_the_visits_start() -> None:
    state, checks = state_with_write(), [NOW]
    state.restart_leftover_checks(NOW)
    while state.leftovers.next_check_at is not None:
        checks.append(state.leftovers.next_check_at)
        state.plan_next_leftover_check(state.leftovers.next_check_at)
    intervals = [later - earlier for earlier, later in itertools.pairwise(checks)]
    assert checks[-1] == VISIT
    assert intervals[:-1] == sorted(intervals[:-1])
    assert (intervals[0], intervals[-2], len(intervals)) == (timedelta(seconds=30), timedelta(days=1), 20)


def test_new_release_does_not_postpone_a_planned_check() -> None:
    state = state_with_write()
    state.leftovers.plan_check_now(NOW)
    state.restart_leftover_checks(NOW)
    assert state.leftovers.next_check_at == NOW


def test_immediate_writes_need_no_leftover_checks() -> None:
    state = state_with_write(uses_write_queue=False)
    state.restart_leftover_checks(NOW)
    assert state.leftovers.check_at is None


def test_office_is_offline_from_the_first_report_until_it_is_online_again() -> None:
    state, later = state_with_write(), NOW + timedelta(minutes=5)
    state.record_offline(NOW, checked_since=None)
    state.record_offline(later, checked_since=None)
    assert (state.office.is_offline, state.office.offline_since) == (True, NOW)
    state.record_online(later)
    assert not state.office.is_offline
    state.record_offline(later, checked_since=None)
    assert not state.office.is_offline, "the report that it is online is newer than this answer"
    state.record_offline(later, checked_since=later)
    assert state.office.offline_since == later


def test_hold_that_has_not_landed_is_an_answer_unless_another_time_was_chosen() -> None:
    state = state_with_write()
    slot = Slot(time=span(VISIT, 30), provider="1", operatory="1")
    hold = Appointment(
        id="11", patient="1", status=AppointmentStatus.TENTATIVE, landing=LandingState.ACCEPTED, **dict(slot)
    )
    state.record_hold(hold, NOW)
    assert state.has_answer
    state.reservation.request_time(RequestedTime(start=VISIT + timedelta(days=1)))
    assert not state.has_answer, "the answer would show the time that is no longer wanted"
