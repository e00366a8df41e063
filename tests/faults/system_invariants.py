"""Invariants of the system as a whole: no request is lost, everything settles, data stays private, calls stay few."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from tests.faults.calendar_invariants import FINAL_STATUSES
from tests.faults.evidence import Evidence, Violation
from tests.faults.history import INVOKED, OK, HistoryEntry
from tests.faults.message_invariants import somebody_knows_the_end

MAX_CALLS_PER_REQUEST = 30
"""To one vendor, on average, with all retries. Without faults a request takes six."""
RATE_WINDOW = 10.0
"""Seconds over which a call rate is measured."""
BURST_ALLOWANCE = 2.0
"""In seconds: as many calls as the rate allows in this time may be made at once."""


def no_request_lost(evidence: Evidence) -> Iterator[Violation]:
    """I1: each answered request has a booking. Each booking ends confirmed, ends with notice, or waits for the desk."""
    existing = {booking.request_id for booking in evidence.bookings}
    answered = {entry.request_id for entry in evidence.history if entry.operation == "submit" and entry.outcome == OK}
    for request_id in sorted(answered - existing):
        yield Violation("lost", request_id, "was answered, and no booking exists")
    for booking in evidence.bookings:
        waits_for_office = booking.reason in ("awaiting_office", "office_off")
        if booking.has_open_exception and not booking.in_desk_queue:
            text = f"{booking.status} has an open exception and is not in the desk's queue"
            yield Violation("lost", booking.request_id, text)
        elif waits_for_office and booking.reference in evidence.unreported_references:
            continue  # the booking waits for the landing check, then asks the desk
        elif booking.status not in ("confirmed", *FINAL_STATUSES) and not booking.has_open_exception:
            yield Violation("lost", booking.request_id, f"ends {booking.status}, and nobody is asked to act")
        elif booking.status in FINAL_STATUSES and not somebody_knows_the_end(evidence, booking):
            yield Violation("lost", booking.request_id, f"ends {booking.status}, and nobody was notified")


def one_chart_per_person(evidence: Evidence) -> Iterator[Violation]:
    """Each person gets one chart, however many bookings need one. Only late chart writes may add to it."""
    for person, count in evidence.charts_per_person.items():
        if count > 1 + evidence.late_chart_writes:
            yield Violation("duplicate_chart", person, f"has {count} charts")


def every_booking_settles(evidence: Evidence) -> Iterator[Violation]:
    """I10: when the faults are over, every booking settles."""
    for request_id in evidence.unsettled_requests:
        yield Violation("stuck", request_id, "did not settle in time")


def every_history_replays(evidence: Evidence) -> Iterator[Violation]:
    """I10: another worker can continue every booking from its workflow history."""
    for request_id in evidence.unreplayable_requests:
        yield Violation("replay_failure", request_id, "its history does not replay")


def calls_stay_limited(evidence: Evidence) -> Iterator[Violation]:
    """I10: faults cause no call storm, neither in total nor in any short time."""
    requests = len({entry.request_id for entry in evidence.history})
    for vendor, times in evidence.call_times.items():
        if len(times) > MAX_CALLS_PER_REQUEST * max(requests, 1):
            yield Violation("call_storm", vendor, f"{len(times)} calls for {requests} requests")
        allowed, peak = evidence.allowed_rates.get(vendor), count_peak_calls(times)
        if allowed is not None and peak > allowed * (RATE_WINDOW + BURST_ALLOWANCE):
            text = f"{peak} calls in {RATE_WINDOW:.0f} s; {allowed:.0f} per second are allowed"
            yield Violation("call_storm", vendor, text)


def count_peak_calls(times: Sequence[float]) -> int:
    """The largest number of calls in any window of ``RATE_WINDOW``."""
    ordered, first, peak = sorted(times), 0, 0
    for last, time in enumerate(ordered):
        while ordered[first] < time - RATE_WINDOW:
            first += 1
        peak = max(peak, last - first + 1)
    return peak


def no_personal_data_leaks(evidence: Evidence) -> Iterator[Violation]:
    """I11: logs and databases hold no personal data and no secrets in plain text."""
    for file in evidence.leaking_files:
        yield Violation("data_leak", file, "holds personal data or a secret in plain text")


def one_content_per_request_id(evidence: Evidence) -> Iterator[Violation]:
    """Of two different requests with one id, exactly one is accepted."""
    accepted: dict[str, set[str]] = defaultdict(set)
    for entry in evidence.history:
        if entry.outcome == OK and entry.operation in ("submit", "submit_other"):
            accepted[entry.request_id].add(entry.operation)
    for request_id, operations in accepted.items():
        if len(operations) > 1:
            yield Violation("conflicting_content", request_id, "two different requests were accepted under one id")


def find_unanswered(history: Iterable[HistoryEntry]) -> set[str]:
    """Requests that were sent and never answered. They may exist or not; both are right."""
    sent: set[str] = set()
    answered: set[str] = set()
    for entry in history:
        (sent if entry.outcome == INVOKED else answered).add(entry.request_id)
    return sent - answered
