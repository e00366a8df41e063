"""What must hold of how it went: nobody is lost, everything comes to rest, nothing is readable, nobody is stormed."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from tests.faults.calendar_rules import FINAL
from tests.faults.facts import Evidence, Violation
from tests.faults.history import INVOKED, OK, Event
from tests.faults.message_rules import knows_the_end

MOST_CALLS = 30
"""To one vendor for one request, on average, with all its repeats: six do where nothing goes wrong."""
RATE_OVER, AT_ONCE = 10.0, 2.0
"""Seconds over which a rate is taken, and seconds' worth of calls that may be made at once."""


def lost(evidence: Evidence) -> Iterator[Violation]:
    """I1: whoever was answered has a booking; each one, answered or not, ends confirmed, told no, or in the queue."""
    known = {booking.request_id for booking in evidence.bookings}
    answered = {event.request_id for event in evidence.history if event.call == "submit" and event.outcome == OK}
    for request_id in sorted(answered - known):
        yield Violation("lost", request_id, "was answered, and no booking exists")
    for booking in evidence.bookings:
        if booking.open and not booking.queued:
            yield Violation("lost", booking.request_id, f"{booking.status} waits for a person and is not in the queue")
        elif booking.reason in ("awaiting_office", "office_off") and booking.reference in evidence.untold:
            continue  # it is waited for with patience, then a person is asked
        elif booking.status not in ("confirmed", *FINAL) and not booking.open:
            yield Violation("lost", booking.request_id, f"ends {booking.status}, and nobody is asked to act")
        elif booking.status in FINAL and not knows_the_end(evidence, booking):
            yield Violation("lost", booking.request_id, f"ends {booking.status}, and nobody was told")


def charts(evidence: Evidence) -> Iterator[Violation]:
    """One chart a person, however many bookings ask and however often."""
    spare = evidence.late_charts
    for person, count in evidence.charts.items():
        if count > 1 + spare:
            yield Violation("chart", person, f"has {count} charts")


def liveness(evidence: Evidence) -> Iterator[Violation]:
    """I10: with all trouble over, everything comes to rest."""
    for request_id in evidence.unsettled:
        yield Violation("stuck", request_id, "did not come to rest in time")


def replay(evidence: Evidence) -> Iterator[Violation]:
    """I10: whoever takes a booking over comes to where it stands."""
    for request_id in evidence.unrepeatable:
        yield Violation("replay", request_id, "its history does not replay")


def storms(evidence: Evidence) -> Iterator[Violation]:
    """I10: trouble does not make us call without measure, all told or in a hurry."""
    requests = len({event.request_id for event in evidence.history})
    for vendor, calls in evidence.calls.items():
        if len(calls) > MOST_CALLS * max(requests, 1):
            yield Violation("storm", vendor, f"{len(calls)} calls for {requests} requests")
        allowed, most = evidence.rates.get(vendor), busiest(calls)
        if allowed is not None and most > allowed * (RATE_OVER + AT_ONCE):
            yield Violation("storm", vendor, f"{most} calls in {RATE_OVER:.0f} s, {allowed:.0f} a second are allowed")


def busiest(calls: Sequence[float]) -> int:
    """The most calls in any span of ``RATE_OVER``."""
    times, first, most = sorted(calls), 0, 0
    for last, time in enumerate(times):
        while times[first] < time - RATE_OVER:
            first += 1
        most = max(most, last - first + 1)
    return most


def privacy(evidence: Evidence) -> Iterator[Violation]:
    """I11: nobody is readable where they must not be."""
    for place in evidence.leaks:
        yield Violation("leak", place, "a person is readable here")


def answers_agree(evidence: Evidence) -> Iterator[Violation]:
    """One id is one content: of two bodies under one id exactly one is accepted."""
    taken: dict[str, set[str]] = defaultdict(set)
    for event in evidence.history:
        if event.outcome == OK and event.call in ("submit", "submit_other"):
            taken[event.request_id].add(event.call)
    for request_id, calls in taken.items():
        if len(calls) > 1:
            yield Violation("two_contents", request_id, "two bodies were accepted under one id")


def unanswered(history: Iterable[Event]) -> set[str]:
    """Requests that were sent and never answered: whether they exist is open, and both are right."""
    sent: set[str] = set()
    answered: set[str] = set()
    for event in history:
        (sent if event.outcome == INVOKED else answered).add(event.request_id)
    return sent - answered
