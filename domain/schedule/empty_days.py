"""Why a day has no opening: what keeps each possible start of that day from being free."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime

from domain.schedule.conflicts import Facts, conflicts, hours_on, opening_interval
from domain.schedule.openings import candidate_slots
from domain.slot import Cause


def causes_of_empty_day(day: date, facts: Facts) -> tuple[Cause, ...]:
    """The causes on a local day without openings, the most frequent first. Only ``HOURS`` if the practice is closed."""
    counts: Counter[Cause] = Counter()
    for start in _starts(day, facts):
        for slot in candidate_slots(start, facts.rule):
            counts.update({conflict.cause for conflict in conflicts(slot, facts)})
    # The last starts of every day are outside the hours, because the visit would end too late. That explains nothing.
    causes = [cause for cause, _ in counts.most_common() if cause is not Cause.HOURS]
    return tuple(causes) or (Cause.HOURS,)


def _starts(day: date, facts: Facts) -> Iterator[datetime]:
    for span in hours_on(day, facts.rule):
        opening = opening_interval(day, span, facts.rule)
        start = opening.start
        while start < opening.end:
            yield start
            start += facts.rule.slot_step
