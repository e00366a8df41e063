"""What a booking wrote that must not stand, and when to look for it again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from workflows.booking.state.polling import poll_interval


@dataclass
class Leftovers:
    released: tuple[str, ...] = ()
    """Appointments that we released. An id stands here once for each release."""
    left_to_desk: tuple[str, ...] = ()
    """A person chose to keep these. They are not touched, and nobody is asked about them again."""
    unlanded: tuple[str, ...] = ()
    """Writes that the office system refused or did not take in. None of them is the hold any more."""
    is_release_pending: bool = False
    """A release of the hold was begun and its outcome is unknown. If the hold is gone, it was us."""
    may_have_claim: bool = False
    """A claim of ours may exist. It must be released when the booking ends."""
    uses_write_queue: bool = False
    """Writes go through a queue: a released appointment may land yet, or its release be refused."""
    late_commit_until: datetime | None = None
    """Until then a write whose outcome was unknown may still be carried out."""
    checks: int = 0
    next_check_at: datetime | None = None

    @property
    def check_at(self) -> datetime | None:
        """When to look for leftovers; ``None``: none can appear any more."""
        return min((at for at in (self.late_commit_until, self.next_check_at) if at is not None), default=None)

    @property
    def released_twice(self) -> tuple[str, ...]:
        return tuple(i for i in dict.fromkeys(self.released) if self.released.count(i) > 1)

    @property
    def not_the_hold(self) -> tuple[str, ...]:
        """Appointments of this booking that must not be mistaken for its hold."""
        return tuple(dict.fromkeys((*self.released, *self.left_to_desk, *self.unlanded)))

    def expect_claim(self) -> None:
        self.may_have_claim = True

    def forget_claim(self) -> None:
        self.may_have_claim = False

    def begin_release(self) -> None:
        self.is_release_pending = True

    def end_release(self) -> None:
        self.is_release_pending = False

    def add_released(self, *ids: str) -> None:
        self.released += ids

    def add_unlanded(self, appointment_id: str) -> None:
        self.unlanded += (appointment_id,)

    def keep(self, ids: tuple[str, ...], now: datetime) -> None:
        """A person has seen to the leftovers: these stay."""
        self.left_to_desk += ids
        if self.late_commit_until is not None and self.late_commit_until <= now:
            self.late_commit_until = None
        if not ids:
            self.next_check_at = None

    def retry_release(self, now: datetime) -> None:
        """Try once more to release what was refused."""
        self.released = tuple(dict.fromkeys(self.released))
        self.next_check_at = now

    def expect_queued_writes(self, uses_write_queue: bool = True) -> None:
        self.uses_write_queue |= uses_write_queue

    def expect_late_commit(self, until: datetime) -> None:
        self.late_commit_until = until

    def end_late_commit(self, expected: datetime | None, checked_at: datetime) -> None:
        """A check after this moment found all that could come late, unless another write began meanwhile."""
        if expected is not None and expected <= checked_at and self.late_commit_until == expected:
            self.late_commit_until = None

    def plan_check_now(self, now: datetime) -> None:
        self.next_check_at = now

    def restart_checks(self, now: datetime, intervals: tuple[timedelta, ...], visit_start: datetime) -> None:
        """Something was released just now. A check that is planned sooner stays."""
        self.checks = 0
        sooner = self.next_check_at if self.next_check_at is not None else visit_start
        self.next_check_at = self._planned(now, intervals, min(sooner, visit_start), visit_start)

    def plan_next_check(self, now: datetime, intervals: tuple[timedelta, ...], visit_start: datetime) -> None:
        """Plan the check after the present one: ever more rarely, the last when the visit would begin."""
        self.checks += 1
        self.next_check_at = self._planned(now, intervals, visit_start, visit_start)

    def _planned(
        self, now: datetime, intervals: tuple[timedelta, ...], latest: datetime, visit_start: datetime
    ) -> datetime | None:
        """``None`` where writes are immediate, so that nothing can land late, and once the visit would have begun."""
        if not self.uses_write_queue or now >= visit_start:
            return None
        return min(now + poll_interval(self.checks, intervals), latest)
