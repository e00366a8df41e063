"""The conflict engine, compared with an oracle that checks every single minute."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calendar import Appointment, AppointmentStatus, Block, Calendar
from domain.interval import Interval, span
from domain.local_time import check_start, instant, local_day
from domain.rules import HoursSpan, ServiceRule
from domain.schedule import Facts, alternatives, calendar_conflicts, candidate_slots, conflicts, openings
from domain.schedule.conflicts import hours_on
from domain.schedule.starts import grid
from domain.slot import Cause, Slot

DAY = date(2026, 12, 1)
MIDNIGHT = datetime(2026, 12, 1, tzinfo=UTC)
HOURS = {n: (HoursSpan(open=time(8), close=time(12)), HoursSpan(open=time(13), close=time(17))) for n in range(1, 8)}


def rule(**changes: object) -> ServiceRule:
    fields = {
        "location": "here",
        "service": "cleaning",
        "label": "Cleaning",
        "zone": "UTC",
        "duration": timedelta(minutes=45),
        "providers": ("p1", "p2"),
        "operatories": ("o1", "o2"),
        "hours": HOURS,
        **changes,
    }
    return ServiceRule.model_validate(fields)


def appointment(
    number: int, start: int, minutes: int, provider: str, operatory: str, status: str = "tentative"
) -> Appointment:
    return Appointment(
        id=str(number),
        time=span(MIDNIGHT + timedelta(minutes=start), minutes),
        provider=provider,
        operatory=operatory,
        patient="x",
        status=AppointmentStatus(status),
    )


def facts(the_rule: ServiceRule, *appointments: Appointment, blocks: tuple[Block, ...] = (), **more: object) -> Facts:
    calendar = Calendar(span=local_day(DAY, the_rule.tz), appointments=appointments, blocks=blocks)
    return Facts(rule=the_rule, calendar=calendar, now=MIDNIGHT - timedelta(days=1), **more)  # type: ignore[arg-type]


appointment_lists = st.lists(
    st.builds(
        appointment,
        st.integers(1, 10**6),
        st.integers(7 * 60, 17 * 60),
        st.integers(1, 150),
        st.sampled_from(["p1", "p2", "p3"]),
        st.sampled_from(["o1", "o2", "o3"]),
        st.sampled_from(["tentative", "confirmed", "broken", "no_show"]),
    ),
    max_size=8,
)
block_lists = st.lists(
    st.builds(
        lambda start, minutes, operatory, provider: Block(
            time=span(MIDNIGHT + timedelta(minutes=start), minutes), operatory=operatory, provider=provider
        ),
        st.integers(7 * 60, 17 * 60),
        st.integers(1, 90),
        st.sampled_from([None, "o1", "o2"]),
        st.sampled_from([None, "p1"]),
    ),
    max_size=3,
)


def is_free_every_minute(slot: Slot, day_facts: Facts) -> bool:
    """Whether each minute that the visit and its buffers need is free."""
    the_rule = day_facts.rule
    minute, end = slot.time.start - the_rule.buffer_before, slot.time.end + the_rule.buffer_after
    while minute < end:
        in_visit = slot.time.start <= minute < slot.time.end
        for a in day_facts.calendar.appointments:
            covers_minute = a.time.start <= minute < a.time.end and a.status.value not in ("broken", "no_show")
            if covers_minute and (a.operatory == slot.operatory or a.provider == slot.provider):
                return False
        for b in day_facts.calendar.blocks:
            covers_minute = b.time.start <= minute < b.time.end
            if (
                in_visit
                and covers_minute
                and b.operatory in (None, slot.operatory)
                and b.provider in (None, slot.provider)
            ):
                return False
        minute += timedelta(minutes=1)
    return True


@given(appointment_lists, block_lists, st.sampled_from([0, 5, 10]), st.sampled_from([0, 15]))
@settings(max_examples=150)
def test_openings_are_exactly_the_grid_slots_that_are_free_every_minute(
    appointments: list[Appointment], blocks: list[Block], before: int, after: int
) -> None:
    the_rule = rule(buffer_before=timedelta(minutes=before), buffer_after=timedelta(minutes=after))
    day_facts = facts(the_rule, *appointments, blocks=tuple(blocks))
    offered = list(openings(day_facts, DAY, 1))
    expected = [
        slot
        for hours in hours_on(DAY, the_rule)
        for start in grid(DAY, hours, the_rule)
        for slot in candidate_slots(start, the_rule)
        if slot.time.end <= datetime.combine(DAY, hours.close, UTC) and is_free_every_minute(slot, day_facts)
    ]
    assert offered == expected
    assert all(not conflicts(slot, day_facts) for slot in offered)
    refused = {s for start in grid(DAY, HOURS[1][0], the_rule) for s in candidate_slots(start, the_rule)} - set(offered)
    assert all(conflicts(slot, day_facts) for slot in refused)


def test_slot_that_only_touches_an_appointment_has_no_conflict() -> None:
    day_facts = facts(rule(), appointment(1, 9 * 60, 60, "p1", "o1"))
    assert not conflicts(Slot(time=span(MIDNIGHT + timedelta(hours=10), 45), provider="p1", operatory="o1"), day_facts)


def test_provider_busy_in_another_operatory_is_named_as_the_cause() -> None:
    day_facts = facts(rule(), appointment(1, 9 * 60, 60, "p1", "o2"))
    slot = Slot(time=span(MIDNIGHT + timedelta(hours=9), 45), provider="p1", operatory="o1")
    assert [c.cause for c in conflicts(slot, day_facts)] == [Cause.PROVIDER_ELSEWHERE]
    assert [c.cause for c in calendar_conflicts(slot, day_facts.calendar)] == [Cause.PROVIDER_ELSEWHERE]


@pytest.mark.parametrize(
    ("changes", "start", "cause"),
    [
        ({"minimum_notice": timedelta(days=2)}, 9 * 60, Cause.NOTICE),
        ({"horizon": timedelta(hours=3)}, 9 * 60, Cause.HORIZON),
        ({}, 7 * 60, Cause.HOURS),
        ({}, 11 * 60 + 30, Cause.HOURS),
        ({}, 9 * 60 + 7, Cause.STEP),
        ({"call_only": True}, 9 * 60, Cause.RULE),
        ({"only_in_windows": True}, 9 * 60, Cause.WINDOW),
        ({"closed_on": [DAY]}, 9 * 60, Cause.HOURS),
    ],
)
def test_every_rule_has_its_own_cause(changes: dict[str, object], start: int, cause: Cause) -> None:
    slot = Slot(time=span(MIDNIGHT + timedelta(minutes=start), 45), provider="p1", operatory="o1")
    assert cause in [c.cause for c in conflicts(slot, facts(rule(**changes)))]


@pytest.mark.parametrize(
    ("changes", "asked_ahead", "cause"),
    [
        ({"minimum_notice": timedelta(hours=2)}, timedelta(minutes=119), Cause.NOTICE),
        ({"horizon": timedelta(days=1)}, timedelta(days=1), Cause.HORIZON),
        ({"same_day_cutoff": time(7)}, timedelta(hours=2), Cause.CUTOFF),
    ],
    ids=["notice", "horizon", "cut-off"],
)
def test_timing_rules_apply_at_the_time_of_the_request_and_not_to_staff(
    changes: dict[str, object], asked_ahead: timedelta, cause: Cause
) -> None:
    slot = Slot(time=span(MIDNIGHT + timedelta(hours=9), 45), provider="p1", operatory="o1")
    late_request = facts(rule(**changes), asked_at=slot.time.start - asked_ahead)
    tolerance = timedelta(minutes=-1) if cause is Cause.HORIZON else timedelta(minutes=1)
    just_before_start = replace(late_request, now=slot.time.start - timedelta(minutes=1))
    assert [c.cause for c in conflicts(slot, just_before_start)] == [cause]
    assert not conflicts(slot, replace(just_before_start, asked_at=slot.time.start - asked_ahead - tolerance))
    assert not conflicts(slot, replace(just_before_start, staff_override=True))
    after_start = replace(just_before_start, now=slot.time.start, staff_override=True)
    assert [c.cause for c in conflicts(slot, after_start)] == [Cause.NOTICE]


def test_daily_cap_counts_local_days() -> None:
    day_facts = facts(rule(daily_cap=2), booked={DAY: 2})
    slot = Slot(time=span(MIDNIGHT + timedelta(hours=9), 45), provider="p1", operatory="o1")
    assert [c.cause for c in conflicts(slot, day_facts)] == [Cause.CAP]
    assert not list(openings(day_facts, DAY, 1))


def test_claim_of_another_booking_conflicts_like_an_appointment() -> None:
    slot = Slot(time=span(MIDNIGHT + timedelta(hours=9), 45), provider="p1", operatory="o1")
    day_facts = facts(rule(), claims=(slot,))
    assert [c.cause for c in conflicts(slot, day_facts)] == [Cause.CLAIM]
    assert slot not in openings(day_facts, DAY, 1)


def test_alternatives_are_the_nearest_free_starts_with_the_same_day_first() -> None:
    the_rule = rule(providers=("p1",), operatories=("o1",), slot_step=timedelta(minutes=60))
    day_facts = facts(the_rule, appointment(1, 9 * 60, 60, "p1", "o1"))
    nearest = alternatives(MIDNIGHT + timedelta(hours=9), day_facts)
    assert [s.time.start.hour for s in nearest] == [8, 10, 11]


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        (date(2027, 3, 14), "America/Los_Angeles", 23),
        (date(2027, 11, 7), "America/Los_Angeles", 25),
        (date(2026, 10, 4), "Australia/Lord_Howe", 23.5),
        (date(2027, 4, 30), "Africa/Cairo", 23),
        (date(2026, 12, 1), "Asia/Kolkata", 24),
    ],
)
def test_local_day_has_its_real_length(day: date, zone: str, hours: float) -> None:
    assert local_day(day, rule(zone=zone).tz).length == timedelta(hours=hours)


def test_wall_time_in_the_spring_gap_is_read_from_a_clock_that_was_never_set_forward() -> None:
    tz = rule(zone="America/Los_Angeles").tz
    moment = instant(date(2027, 3, 14), time(2, 30), tz)
    assert f"{moment.astimezone(tz):%H:%M}" == "03:30"


def test_no_opening_starts_at_a_wall_time_that_does_not_exist() -> None:
    night_hours = {7: (HoursSpan(open=time(1), close=time(5)),)}
    the_rule = rule(
        zone="America/Los_Angeles", hours=night_hours, slot_step=timedelta(minutes=30), duration=timedelta(minutes=30)
    )
    day = date(2027, 3, 14)
    day_facts = Facts(
        rule=the_rule,
        calendar=Calendar(span=local_day(day, the_rule.tz)),
        now=datetime(2027, 3, 13, tzinfo=UTC),
    )
    clocks = {s.time.start.astimezone(the_rule.tz).strftime("%H:%M") for s in openings(day_facts, day, 1)}
    assert clocks == {"01:00", "01:30", "03:00", "03:30", "04:00", "04:30"}


def test_start_in_the_spring_gap_is_refused_unless_its_offset_is_foreign() -> None:
    tz = rule(zone="America/Los_Angeles").tz
    with pytest.raises(ValueError, match="02:30 does not exist"):
        check_start(datetime.fromisoformat("2027-03-14T02:30:00-08:00"), tz)
    check_start(datetime.fromisoformat("2027-03-14T10:30:00+00:00"), tz)
    check_start(datetime.fromisoformat("2027-03-14T03:30:00-07:00"), tz)


def test_intervals_are_half_open() -> None:
    first, second = span(MIDNIGHT, 30), span(MIDNIGHT + timedelta(minutes=30), 30)
    assert not first.overlaps(second)
    assert first.overlaps(Interval(start=first.start, end=second.end))
