"""The open visits of one patient and one contact, counted inside the transaction that claims one more."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from adapters.ledger.schema import claims
from domain.base import Value
from domain.booking import Reason
from domain.interval import Interval
from domain.policy import VisitLimits
from domain.visits import OpenVisit, overlaps, visit_problem

Keys = tuple[str, ...]
"""Keyed hashes of one value. The first is stored; the others are under earlier secrets and may be stored still."""


class Visitor(Value):
    """Whose visit a claim is for."""

    person: Keys
    contacts: tuple[Keys, ...] = ()
    """At most two."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """What to lock, so that nobody else claims for the same person meanwhile."""
        return tuple(f"visits of {keys[0]}" for keys in (self.person, *self.contacts))


class VisitRefused(Exception):
    """The desk must see this visit first."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def to_columns(visitor: Visitor) -> dict[str, str | None]:
    contacts = [keys[0] for keys in visitor.contacts]
    contact, other_contact = (*contacts, None, None)[:2]
    return {"person": visitor.person[0], "contact": contact, "other_contact": other_contact}


def chart_subjects(chart: Keys) -> tuple[str, ...]:
    """What to lock, so that nobody else writes for the same chart meanwhile."""
    return tuple(f"visits of {key}" for key in chart[:1])


def check_new_visit(
    c: Connection, row: dict[str, Any], visitor: Visitor, limits: VisitLimits, now: float, *, is_counted: bool
) -> None:
    """Raises VisitRefused. ``is_counted``: this booking has a claim already, and only moves it."""
    visit, of_patient = _to_visit(row), _find_visits(c, row, claims.c.person.in_(visitor.person), now)
    if is_counted:
        problem = Reason.VISIT_OVERLAPS if overlaps(visit, of_patient) else None
    else:
        problem = visit_problem(visit, of_patient, _count_visits_of_contact(c, row, visitor, now), limits)
    if problem is not None:
        raise VisitRefused(problem)


def check_chart(c: Connection, row: dict[str, Any], chart: Keys, limits: VisitLimits, now: float) -> None:
    """The same for a chart, which tells one patient under another spelling. Raises VisitRefused."""
    problem = visit_problem(_to_visit(row), _find_visits(c, row, claims.c.chart.in_(chart), now), 0, limits)
    if problem is not None:
        raise VisitRefused(problem)


def counts_as_open(now: float) -> Any:
    """A written hold stands until it is released, even if its claim has expired."""
    return or_(claims.c.landed, claims.c.written, and_(claims.c.live, claims.c.expires_at > now))


def _find_visits(c: Connection, row: dict[str, Any], of_patient: Any, now: float) -> list[OpenVisit]:
    return [
        _to_visit(other._asdict())
        for other in c.execute(select(claims).where(of_patient, _of_another_booking(row, now)))
    ]


def _count_visits_of_contact(c: Connection, row: dict[str, Any], visitor: Visitor, now: float) -> int:
    keys = [key for contact in visitor.contacts for key in contact]
    of_contact = or_(claims.c.contact.in_(keys), claims.c.other_contact.in_(keys))
    return int(c.execute(select(func.count()).where(of_contact, _of_another_booking(row, now))).scalar_one())


def _of_another_booking(row: dict[str, Any], now: float) -> Any:
    """An open visit of another booking that is not over."""
    return and_(claims.c.reference != row["reference"], claims.c.end_at > now, counts_as_open(now))


def _to_visit(row: dict[str, Any]) -> OpenVisit:
    start, end = (datetime.fromtimestamp(row[name], UTC) for name in ("start_at", "end_at"))
    return OpenVisit(service=row["service"], time=Interval(start=start, end=end))
