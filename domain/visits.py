"""Whether one more visit of a patient is theirs to book online, or for the desk to decide."""

from collections.abc import Sequence

from domain.base import Value
from domain.booking import Reason
from domain.interval import Interval
from domain.policy import VisitLimits


class OpenVisit(Value):
    """A visit that is requested with a slot of its own, held, or confirmed, and not over yet."""

    service: str
    time: Interval


def visit_problem(
    visit: OpenVisit, of_patient: Sequence[OpenVisit], of_contact: int, limits: VisitLimits
) -> Reason | None:
    """Why the desk must see this visit first, or ``None``.

    ``of_patient``: the patient's other open visits. ``of_contact``: how many open visits of anybody have the same
    phone number or email address.
    """
    if overlaps(visit, of_patient):
        return Reason.VISIT_OVERLAPS
    if any(each.service == visit.service for each in of_patient):
        return Reason.SAME_SERVICE
    if len(of_patient) >= limits.per_patient:
        return Reason.TOO_MANY_VISITS
    return Reason.TOO_MANY_OPEN if of_contact >= limits.per_contact else None


def overlaps(visit: OpenVisit, open_visits: Sequence[OpenVisit]) -> bool:
    return any(each.time.overlaps(visit.time) for each in open_visits)
