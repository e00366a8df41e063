"""How long it takes to say what is free: 60 days, 12 operatories, 8 providers, 10,000 appointments."""

import random
import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from zoneinfo import ZoneInfo

from bench.load import quantile
from domain.calendar import Appointment, AppointmentStatus, Calendar
from domain.interval import Interval
from domain.rules import HoursSpan, ServiceRule
from domain.schedule import Facts, openings

DAYS = 60
APPOINTMENTS = 10_000
OPERATORIES = tuple(f"o{n}" for n in range(12))
PROVIDERS = tuple(f"p{n}" for n in range(8))
FIRST = date(2027, 1, 4)
ZONE = "America/Los_Angeles"


def measure(times: int = 15) -> dict[str, float]:
    """Milliseconds of one call, the middle and the slowest of several; the process does nothing else meanwhile."""
    facts = _facts()
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        found = list(openings(facts, FIRST, DAYS))
        taken.append((time.perf_counter() - begun) * 1000)
    return {"ms": round(quantile(taken, 0.5), 1), "slowest_ms": round(max(taken), 1), "openings": len(found)}


def _facts() -> Facts:
    """A busy group practice: open every day, two thirds of every provider's time taken, by visits of 15 minutes."""
    hours = (HoursSpan(open=clock(8), close=clock(12)), HoursSpan(open=clock(13), close=clock(17)))
    rule = ServiceRule(
        location="bench",
        service="cleaning",
        label="Cleaning",
        zone=ZONE,
        duration=timedelta(minutes=30),
        providers=PROVIDERS,
        operatories=OPERATORIES,
        hours=dict.fromkeys(range(1, 8), hours),
        horizon=timedelta(days=90),
    )
    begin = datetime.combine(FIRST, clock(0), ZoneInfo(ZONE))
    span = Interval(start=begin, end=begin + timedelta(days=DAYS))
    now = (begin - timedelta(days=1)).astimezone(UTC)
    return Facts(rule=rule, calendar=Calendar(span=span, appointments=_appointments(begin)), now=now)


def _appointments(begin: datetime) -> tuple[Appointment, ...]:
    chance = random.Random(7)
    starts = [8 * 60 + 15 * n for n in range(16)] + [13 * 60 + 15 * n for n in range(16)]
    places = [(day, start, provider) for day in range(DAYS) for start in starts for provider in PROVIDERS]
    found = []
    for number, (day, start, provider) in enumerate(chance.sample(places, APPOINTMENTS)):
        at = (begin + timedelta(days=day, minutes=start)).astimezone(UTC)
        found.append(
            Appointment(
                id=str(number),
                time=Interval(start=at, end=at + timedelta(minutes=15)),
                provider=provider,
                operatory=chance.choice(OPERATORIES),
                patient=str(number),
                status=AppointmentStatus.CONFIRMED,
            )
        )
    return tuple(found)
