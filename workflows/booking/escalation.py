"""When the desk is reminded of an exception that nobody has resolved."""

from datetime import datetime, timedelta

LAST_ESCALATION_BEFORE_VISIT = timedelta(hours=3)
"""The desk hears once more while there is still time to act."""
MAX_ESCALATION_INTERVAL = timedelta(days=7)


class EscalationSchedule:
    """Each interval is twice the one before; one more escalation comes three hours before the visit.

    If the visit is less than six hours away, that one comes halfway to it.
    """

    def __init__(self, first_interval: timedelta, visit_start: datetime, now: datetime) -> None:
        self._interval = first_interval
        self._last_call = max(visit_start - LAST_ESCALATION_BEFORE_VISIT, now + (visit_start - now) / 2)
        self.next_at = now
        self.plan_next(now)

    def plan_next(self, now: datetime) -> None:
        self.next_at = now + self._interval
        if now < self._last_call:
            self.next_at = min(self.next_at, self._last_call)
        self._interval = min(2 * self._interval, max(self._interval, MAX_ESCALATION_INTERVAL))
