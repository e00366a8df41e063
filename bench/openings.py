"""How long it takes to compute the openings of 60 days: 12 operatories, 8 providers, 10,000 appointments."""

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
APPOINTMENT_MINUTES = 15
OPERATORIES = tuple(f"o{n}" for n in range(12))
PROVIDERS = tuple(f"p{n}" for n in range(8))
FIRST_DAY = date(2027, 1, 4)
ZONE = "America/Los_Angeles"


def measure_openings(repeats: int = 15) -> dict[str, float]:
    """The median and the slowest time of one call, in milliseconds. The process does nothing else meanwhile."""
    facts = _facts()
    times_ms = []
    for _ in range(repeats):
        started_at = time.perf_counter()
        slots = list(openings(facts, FIRST_DAY, DAYS))
        times_ms.append((time.perf_counter() - started_at) * 1000)
    return {"ms": round(quantile(times_ms, 0.5), 1), "slowest_ms": round(max(times_ms), 1), "openings": len(slots)}


def _facts() -> Facts:
    """A busy group practice. It is open every day, and appointments fill two thirds of every provider's time."""
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
    start = datetime.combine(FIRST_DAY, clock(0), ZoneInfo(ZONE))
    span = Interval(start=start, end=start + timedelta(days=DAYS))
    now = (start - timedelta(days=1)).astimezone(UTC)
    return Facts(rule=rule, calendar=Calendar(span=span, appointments=_appointments(start)), now=now)


def _appointments(first_midnight: datetime) -> tuple[Appointment, ...]:
    """Random appointments, the same in every run."""
    generator = random.Random(7)
    minutes = [hour * 60 + APPOINTMENT_MINUTES * n for hour in (8, 13) for n in range(16)]
    slots = [(day, minute, provider) for day in range(DAYS) for minute in minutes for provider in PROVIDERS]
    appointments = []
    for number, (day, minute, provider) in enumerate(generator.sample(slots, APPOINTMENTS)):
        start = (first_midnight + timedelta(days=day, minutes=minute)).astimezone(UTC)
        appointments.append(
            Appointment(
                id=str(number),
                time=Interval(start=start, end=start + timedelta(minutes=APPOINTMENT_MINUTES)),
                provider=provider,
                operatory=generator.choice(OPERATORIES),
                patient=str(number),
                status=AppointmentStatus.CONFIRMED,
            )
        )
    return tuple(appointments)
