"""When the desk is reminded of an exception that nobody has resolved. Time counts while somebody is there."""

from datetime import datetime, timedelta

from domain.policy import BookingPolicy

LAST_ESCALATION_BEFORE_VISIT = timedelta(hours=3)
"""The desk hears once more while there is still time to act."""


class EscalationSchedule:
    """Each interval is twice the one before, up to a week; one more escalation comes three desk hours before the visit.

    If less than twice that time is left, it comes halfway to the visit.
    """

    def __init__(self, policy: BookingPolicy, visit_start: datetime, now: datetime) -> None:
        self._policy = policy
        self._interval = policy.staff_deadline
        before_visit = policy.desk_hours.subtract(visit_start, LAST_ESCALATION_BEFORE_VISIT, policy.tz)
        self._last_call = max(before_visit, now + (visit_start - now) / 2)
        self.next_at = now
        self.plan_next(now)

    def plan_next(self, now: datetime) -> None:
        desk_hours = self._policy.desk_hours
        self.next_at = desk_hours.add(now, self._interval, self._policy.tz)
        if now < self._last_call:
            self.next_at = min(self.next_at, self._last_call)
        self._interval = min(2 * self._interval, max(self._interval, desk_hours.week_length))
