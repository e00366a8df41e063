"""Openings, found a whole calendar at a time, are exactly the slots to which ``conflicts`` has nothing to say."""

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import event, given, settings
from hypothesis import strategies as st

from domain.calendar import Appointment, AppointmentStatus, Block, Calendar, Window
from domain.interval import Interval, span
from domain.local_time import local_day
from domain.rules import HoursSpan, ServiceRule
from domain.schedule import Facts, alternatives, candidates, conflicts, openings
from domain.schedule.conflicts import opening_interval
from domain.slot import Slot

DAYS = {
    "UTC": (date(2026, 12, 1),),
    "America/Los_Angeles": (date(2027, 3, 13), date(2027, 3, 14), date(2027, 11, 7)),
    "Australia/Lord_Howe": (date(2026, 10, 4), date(2027, 4, 4)),
    "Africa/Cairo": (date(2027, 4, 30), date(2027, 10, 28)),
}
"""An even day, clocks set by an hour and by half an hour, and by an hour at midnight."""
PROVIDERS, OPERATORIES = ("p1", "p2"), ("o1", "o2")
TICK = 10
"""Minutes between the starts that are looked at; opening times and steps are multiples of it."""

minutes = st.integers(0, 30).map(lambda n: timedelta(minutes=n))
ticks = st.integers(1, 6).map(lambda n: timedelta(minutes=TICK * n))
rarely = st.sampled_from([False, False, False, True])


@st.composite
def opening_hours(draw: st.DrawFn) -> tuple[HoursSpan, ...]:
    """Up to three spans that follow one another, perhaps touching, perhaps until midnight."""
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
        only_in_windows=draw(rarely),
        reason=draw(st.sampled_from([None, "check"])),
        call_only=draw(rarely) and draw(rarely),
    )


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Facts, date, int]:
    zone = draw(st.sampled_from(sorted(DAYS)))
    first, days = draw(st.sampled_from(DAYS[zone])), draw(st.integers(1, 2))
    rule = draw(rules(zone))
    begin = local_day(first, rule.tz).start
    known = Interval(start=begin, end=local_day(first + timedelta(days=days - 1), rule.tz).end)
    length = int(known.length.total_seconds() // 60)
    who, where = st.sampled_from([*PROVIDERS, "p3"]), st.sampled_from([*OPERATORIES, "o3"])
    times = st.builds(
        lambda start, lasts, second: span(begin + timedelta(minutes=start, seconds=second), lasts),
        st.integers(-60, length),
        st.sampled_from([0, 5, 30, 60, 240]),
        st.sampled_from([0, 0, 1]),
    )
    appointments = st.builds(
        Appointment,
        id=st.integers(1, 99).map(str),
        time=times,
        provider=who,
        other_provider=st.none() | who,
        operatory=where,
        patient=st.just("x"),
        status=st.sampled_from(AppointmentStatus),
    )
    blocks = st.builds(Block, time=times, operatory=st.none() | where, provider=st.none() | who)
    windows = st.builds(
        Window,
        time=times,
        operatory=where,
        providers=st.sampled_from([(), ("p1",)]),
        reasons=st.sampled_from([(), ("check",), ("other",)]),
    )
    calendar = Calendar(
        span=known,
        appointments=tuple(draw(st.lists(appointments, max_size=5))),
        blocks=tuple(draw(st.lists(blocks, max_size=3))),
        windows=tuple(draw(st.lists(windows, max_size=8))),
    )
    facts = Facts(
        rule=rule,
        calendar=calendar,
        now=begin + timedelta(minutes=draw(st.sampled_from([-600, 0, 539, 540]) | st.integers(-60, length))),
        claims=tuple(draw(st.lists(st.builds(Slot, time=times, provider=who, operatory=where), max_size=2))),
        booked={first: draw(st.integers(0, 1))},
    )
    return facts, first, days


def free_one_by_one(facts: Facts) -> list[Slot]:
    """Every slot of the calendar's span, at whatever minute of the tick, that has no conflict."""
    known = facts.calendar.span
    count = int(known.length.total_seconds() // 60) // TICK
    starts = (known.start + timedelta(minutes=TICK * n) for n in range(count))
    return [slot for start in starts for slot in candidates(start, facts.rule) if not conflicts(slot, facts)]


@given(worlds())
@settings(max_examples=150)
def test_openings_and_conflicts_agree_on_every_slot(world: tuple[Facts, date, int]) -> None:
    facts, first, days = world
    expected = free_one_by_one(facts)
    event("something is free" if expected else "nothing is free")
    assert list(openings(facts, first, days)) == expected


@given(worlds(), st.integers(0, 24 * 60), st.sampled_from([None, *PROVIDERS]))
@settings(max_examples=50)
def test_alternatives_are_the_nearest_of_all_that_is_free(
    world: tuple[Facts, date, int], minute: int, provider: str | None
) -> None:
    facts, *_ = world
    known, tz = facts.calendar.span, facts.rule.tz
    lost = known.start + timedelta(minutes=minute)
    one_a_start: dict[datetime, Slot] = {}
    for slot in free_one_by_one(facts):
        around = slot.time.widened(facts.rule.buffer_before, facts.rule.buffer_after)
        if provider in (None, slot.provider) and known.contains(around):
            one_a_start.setdefault(slot.time.start, slot)
    found = alternatives(lost, facts, provider=provider, count=5)
    assert set(found) <= set(one_a_start.values())
    far = [(s.astimezone(tz).date() != lost.astimezone(tz).date(), abs(s - lost), s) for s in one_a_start]
    assert [slot.time.start for slot in found] == [start for *_, start in sorted(far)[:5]]


def test_an_opening_inside_a_clock_change_lies_within_the_hours() -> None:
    """Opening at 02:30 on the day 02:30 does not exist: the doors open at the instant, not at the reading."""
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


def test_hours_that_a_clock_change_swallows_offer_nothing() -> None:
    """In Cairo the day begins at one o'clock: who opens at ten past midnight and closes at one has no hours then."""
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
    opened = opening_interval(day, hours, rule)
    assert opened.start == opened.end
    known = Calendar(span=local_day(day, rule.tz))
    assert list(openings(Facts(rule=rule, calendar=known, now=known.span.start - timedelta(days=2)), day, 1)) == []


def test_alternatives_at_the_edge_of_what_was_read_keep_their_buffer() -> None:
    """A visit that ends where the reading begins is not in it."""
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
    lost = datetime(2027, 1, 13, 18, tzinfo=UTC)
    read = Calendar(span=Interval(start=lost - timedelta(days=1), end=lost + timedelta(days=7)))
    before = Appointment(
        id="1",
        time=span(read.span.start - timedelta(hours=1), 60),
        provider="hazel",
        operatory="op1",
        patient="9",
        status=AppointmentStatus.CONFIRMED,
    )
    now = lost - timedelta(days=2)
    truth = Facts(rule=rule, calendar=read.model_copy(update={"appointments": (before,)}), now=now)
    offered = alternatives(lost, Facts(rule=rule, calendar=read, now=now), count=40)
    assert len(offered) > 10
    assert [slot for slot in offered if conflicts(slot, truth)] == []
