"""``openings``, which judges a whole calendar at once, agrees with ``conflicts``, which judges one slot at a time."""

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import event, given, settings
from hypothesis import strategies as st

from domain.calendar import Appointment, AppointmentStatus, Block, Calendar, Window
from domain.interval import Interval, span
from domain.local_time import local_day
from domain.rules import HoursSpan, ServiceRule
from domain.schedule import Facts, alternatives, candidate_slots, conflicts, openings
from domain.schedule.conflicts import opening_interval
from domain.slot import Slot

DAYS = {
    "UTC": (date(2026, 12, 1),),
    "America/Los_Angeles": (date(2027, 3, 13), date(2027, 3, 14), date(2027, 11, 7)),
    "Australia/Lord_Howe": (date(2026, 10, 4), date(2027, 4, 4)),
    "Africa/Cairo": (date(2027, 4, 30), date(2027, 10, 28)),
}
"""A day without a clock change, changes by an hour and by half an hour, and one at midnight."""
PROVIDERS, OPERATORIES = ("p1", "p2"), ("o1", "o2")
TICK = 10
"""Minutes between the starts that are compared. Opening times and steps are multiples of it."""

minutes = st.integers(0, 30).map(lambda n: timedelta(minutes=n))
ticks = st.integers(1, 6).map(lambda n: timedelta(minutes=TICK * n))
rarely_true = st.sampled_from([False, False, False, True])


@st.composite
def opening_hours(draw: st.DrawFn) -> tuple[HoursSpan, ...]:
    """Up to three spans in order. They may touch, and the last may end at midnight."""
    edges = draw(st.lists(st.integers(0, 24 * 60 // TICK), min_size=2, max_size=4, unique=True).map(sorted))
    if draw(st.booleans()):
        edges = sorted({0, *edges, 24 * 60 // TICK})
    clock = [time(*divmod(edge * TICK % (24 * 60), 60)) for edge in edges]
    step = draw(st.sampled_from([1, 2]))
    return tuple(HoursSpan(open=clock[n], close=clock[n + 1]) for n in range(0, len(clock) - 1, step))


@st.composite
def rules(draw: st.DrawFn, zone: str) -> ServiceRule:
    return ServiceRule(
        location="here",
        service="cleaning",
        label="Cleaning",
        zone=zone,
        duration=draw(ticks),
        duration_by_provider=draw(st.dictionaries(st.sampled_from(PROVIDERS), ticks, max_size=1)),
        providers=tuple(draw(st.permutations(PROVIDERS))),
        operatories=tuple(draw(st.permutations(OPERATORIES))),
        hours=dict.fromkeys(range(1, 8), draw(opening_hours())),
        buffer_before=draw(st.just(timedelta(0)) | minutes),
        buffer_after=draw(st.just(timedelta(0)) | minutes),
        minimum_notice=draw(st.just(timedelta(0)) | minutes),
        horizon=draw(st.sampled_from([timedelta(days=60)] * 3 + [timedelta(hours=5)])),
        same_day_cutoff=draw(st.none() | st.just(time(9))),
        daily_cap=draw(st.sampled_from([None, None, None, 1])),
        slot_step=draw(ticks),
        only_in_windows=draw(rarely_true),
        reason=draw(st.sampled_from([None, "check"])),
        call_only=draw(rarely_true) and draw(rarely_true),
    )


@st.composite
def scheduling_cases(draw: st.DrawFn) -> tuple[Facts, date, int]:
    zone = draw(st.sampled_from(sorted(DAYS)))
    first, days = draw(st.sampled_from(DAYS[zone])), draw(st.integers(1, 2))
    rule = draw(rules(zone))
    begin = local_day(first, rule.tz).start
    calendar_span = Interval(start=begin, end=local_day(first + timedelta(days=days - 1), rule.tz).end)
    length = int(calendar_span.length.total_seconds() // 60)
    any_provider, any_operatory = st.sampled_from([*PROVIDERS, "p3"]), st.sampled_from([*OPERATORIES, "o3"])
    times = st.builds(
        lambda start, duration, second: span(begin + timedelta(minutes=start, seconds=second), duration),
        st.integers(-60, length),
        st.sampled_from([0, 5, 30, 60, 240]),
        st.sampled_from([0, 0, 1]),
    )
    appointments = st.builds(
        Appointment,
        id=st.integers(1, 99).map(str),
        time=times,
        provider=any_provider,
        other_provider=st.none() | any_provider,
        operatory=any_operatory,
        patient=st.just("x"),
        status=st.sampled_from(AppointmentStatus),
    )
    blocks = st.builds(Block, time=times, operatory=st.none() | any_operatory, provider=st.none() | any_provider)
    windows = st.builds(
        Window,
        time=times,
        operatory=any_operatory,
        providers=st.sampled_from([(), ("p1",)]),
        reasons=st.sampled_from([(), ("check",), ("other",)]),
    )
    calendar = Calendar(
        span=calendar_span,
        appointments=tuple(draw(st.lists(appointments, max_size=5))),
        blocks=tuple(draw(st.lists(blocks, max_size=3))),
        windows=tuple(draw(st.lists(windows, max_size=8))),
    )
    facts = Facts(
        rule=rule,
        calendar=calendar,
        now=begin + timedelta(minutes=draw(st.sampled_from([-600, 0, 539, 540]) | st.integers(-60, length))),
        claims=tuple(
            draw(st.lists(st.builds(Slot, time=times, provider=any_provider, operatory=any_operatory), max_size=2))
        ),
        booked={first: draw(st.integers(0, 1))},
    )
    return facts, first, days


def conflict_free_slots(facts: Facts) -> list[Slot]:
    """Every slot in the calendar's span that has no conflict, judged one by one."""
    calendar_span = facts.calendar.span
    count = int(calendar_span.length.total_seconds() // 60) // TICK
    starts = (calendar_span.start + timedelta(minutes=TICK * n) for n in range(count))
    return [slot for start in starts for slot in candidate_slots(start, facts.rule) if not conflicts(slot, facts)]


@given(scheduling_cases())
@settings(max_examples=150)
def test_openings_and_conflicts_agree_on_every_slot(case: tuple[Facts, date, int]) -> None:
    facts, first, days = case
    expected = conflict_free_slots(facts)
    event("something is free" if expected else "nothing is free")
    assert list(openings(facts, first, days)) == expected


@given(scheduling_cases(), st.integers(0, 24 * 60), st.sampled_from([None, *PROVIDERS]))
@settings(max_examples=50)
def test_alternatives_are_the_nearest_free_slots(
    case: tuple[Facts, date, int], minute: int, provider: str | None
) -> None:
    facts, *_ = case
    calendar_span, tz = facts.calendar.span, facts.rule.tz
    wanted = calendar_span.start + timedelta(minutes=minute)
    slot_by_start: dict[datetime, Slot] = {}
    for slot in conflict_free_slots(facts):
        buffered = slot.time.widened(facts.rule.buffer_before, facts.rule.buffer_after)
        if provider in (None, slot.provider) and calendar_span.contains(buffered):
            slot_by_start.setdefault(slot.time.start, slot)
    nearest = alternatives(wanted, facts, provider=provider, count=5)
    assert set(nearest) <= set(slot_by_start.values())
    distances = [(s.astimezone(tz).date() != wanted.astimezone(tz).date(), abs(s - wanted), s) for s in slot_by_start]
    assert [slot.time.start for slot in nearest] == [start for *_, start in sorted(distances)[:5]]


def test_opening_time_in_a_spring_gap_is_taken_as_an_instant() -> None:
    """On the day when 02:30 does not exist, a practice that opens at 02:30 opens when clocks show 03:30."""
    day = date(2027, 3, 14)
    rule = ServiceRule(
        location="here",
        service="cleaning",
        label="Cleaning",
        zone="America/Los_Angeles",
        duration=timedelta(minutes=30),
        providers=("p1",),
        operatories=("o1",),
        hours={7: (HoursSpan(open=time(2, 30), close=time(5)),)},
        slot_step=timedelta(minutes=30),
    )
    facts = Facts(rule=rule, calendar=Calendar(span=local_day(day, rule.tz)), now=datetime(2027, 3, 13, tzinfo=UTC))
    clocks = [f"{slot.time.start.astimezone(rule.tz):%H:%M}" for slot in openings(facts, day, 1)]
    assert clocks == ["03:30", "04:00", "04:30"]


def test_opening_hours_inside_a_spring_gap_offer_nothing() -> None:
    """In Cairo this day begins at 01:00, so a practice open from 00:10 to 01:00 has no hours that day."""
    day = date(2027, 4, 30)
    hours = HoursSpan(open=time(0, 10), close=time(1))
    rule = ServiceRule(
        location="here",
        service="cleaning",
        label="Cleaning",
        zone="Africa/Cairo",
        duration=timedelta(minutes=10),
        providers=PROVIDERS,
        operatories=OPERATORIES,
        hours={day.isoweekday(): (hours,)},
    )
    opening = opening_interval(day, hours, rule)
    assert opening.start == opening.end
    calendar = Calendar(span=local_day(day, rule.tz))
    assert (
        list(openings(Facts(rule=rule, calendar=calendar, now=calendar.span.start - timedelta(days=2)), day, 1)) == []
    )


def test_alternatives_keep_their_buffer_at_the_edge_of_the_calendar() -> None:
    """An appointment that ends where the calendar begins is not in the calendar, but still needs its distance."""
    every_day = {day: (HoursSpan(open=time(8), close=time(12)),) for day in range(1, 8)}
    rule = ServiceRule(
        location="here",
        service="cleaning",
        label="Cleaning",
        zone="America/Los_Angeles",
        duration=timedelta(hours=1),
        providers=("hazel",),
        operatories=("op1",),
        hours=every_day,
        horizon=timedelta(days=90),
        buffer_before=timedelta(minutes=30),
    )
    wanted = datetime(2027, 1, 13, 18, tzinfo=UTC)
    calendar = Calendar(span=Interval(start=wanted - timedelta(days=1), end=wanted + timedelta(days=7)))
    unread_appointment = Appointment(
        id="1",
        time=span(calendar.span.start - timedelta(hours=1), 60),
        provider="hazel",
        operatory="op1",
        patient="9",
        status=AppointmentStatus.CONFIRMED,
    )
    now = wanted - timedelta(days=2)
    complete = calendar.model_copy(update={"appointments": (unread_appointment,)})
    offered = alternatives(wanted, Facts(rule=rule, calendar=calendar, now=now), count=40)
    assert len(offered) > 10
    assert [slot for slot in offered if conflicts(slot, Facts(rule=rule, calendar=complete, now=now))] == []
