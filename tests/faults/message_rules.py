"""What patients and the desk are told: the truth, once, and nothing after an opt-out."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from itertools import zip_longest

from domain.wording import format_start
from tests.faults.calendar_rules import FINAL
from tests.faults.facts import Asked, Booking, Evidence, Sent, Violation
from tests.faults.history import OK

MOST_SENDS = 2
"""A message whose outcome stays unknown is sent once more, never a third time."""
SAME_SECONDS = timedelta(seconds=5)
"""What changes while a message goes out, that message cannot say."""
IN_FLIGHT = timedelta(seconds=2)
"""A message that was under way when the patient opted out."""
OUTCOMES = ("confirmed", "held", "cancelled", "declined")
"""Statuses that the patient is told of, each by a message of that name."""
BY_PATIENT = ("submit", "submit_other", "cancel", "reschedule")


def told_the_truth(evidence: Evidence) -> Iterator[Violation]:
    """I5: "your appointment is" was true at the instant when it was said."""
    for message in evidence.sent:
        if message.kind == "confirmed" and message.reference is not None and not _stood(evidence, message):
            yield Violation("untrue", message.key, "told of an appointment that did not stand then")


def last_word(evidence: Evidence) -> Iterator[Violation]:
    """I5: what a patient heard last, on each channel, fits where the booking stands."""
    heard: defaultdict[tuple[str | None, str], list[Sent]] = defaultdict(list)
    for message in sorted(evidence.sent, key=lambda sent: sent.at):
        heard[message.reference, message.to].append(message)
    for booking in evidence.bookings:
        for channel, to in _asked(evidence, booking).addresses.items():
            words = heard[booking.reference, to]
            if not words or _may_be_silent(evidence, booking, channel, to) or _blurred(evidence, booking, channel, to):
                continue
            if words[-1].kind not in _fitting(booking):
                yield Violation("untrue", booking.request_id, f"was last told {words[-1].kind}, and is {_is(booking)}")
            elif booking.status == "confirmed" and words[-1].when not in ("", booking.start_text):
                yield Violation("untrue", booking.request_id, "was last told another time than it has")


def duplicate_messages(evidence: Evidence) -> int:
    """Deliveries beyond the first of each message."""
    return sum(count - 1 for count in Counter(message.key for message in evidence.sent).values())


def repeats(evidence: Evidence) -> Iterator[Violation]:
    """I6: repeated only where an answer was lost, at most once each."""
    repeated = duplicate_messages(evidence)
    if repeated > evidence.unknown_sends:
        yield Violation("duplicate_message", "all", f"{repeated} repeats, {evidence.unknown_sends} lost answers")
    for key, count in Counter(message.key for message in evidence.sent).items():
        if count > MOST_SENDS:
            yield Violation("duplicate_message", key, f"sent {count} times")


def accepted(evidence: Evidence) -> Iterator[Violation]:
    """I6: what our ledger calls accepted, the provider really has."""
    for note in evidence.noted:
        if note.state == "accepted" and not note.delivered:
            yield Violation("untold", note.reference, f"{note.kind} by {note.channel} never reached the provider")


def notices(evidence: Evidence) -> Iterator[Violation]:
    """I6: each outcome is told on every channel that the patient agreed to, and what waits for the desk is told it.

    Who cannot be told at all is the desk's to call. One whose end nobody heard of is lost altogether.
    """
    told = {(note.reference, note.kind, note.channel) for note in evidence.noted if note.told}
    desk = {note.reference for note in evidence.noted if note.told and note.kind == "desk_exception"}
    for booking in evidence.bookings:
        channels = _asked(evidence, booking).addresses
        due = {c for c, to in channels.items() if not _may_be_silent(evidence, booking, c, to)}
        ended_unheard = booking.status in FINAL and not knows_the_end(evidence, booking)
        if booking.status in OUTCOMES and booking.reason != "not_reached" and not ended_unheard:
            for channel in sorted(due):
                if (booking.reference, booking.status, channel) not in told:
                    yield Violation("untold", booking.request_id, f"is {booking.status}, not told by {channel}")
        nobody = not due and not any((booking.reference, "confirmed", channel) in told for channel in channels)
        if (booking.open or (booking.status == "confirmed" and nobody)) and booking.reference not in desk:
            yield Violation("untold", booking.request_id, f"is {_is(booking)}, and the desk was not told")


def opt_outs(evidence: Evidence) -> Iterator[Violation]:
    """I6: nothing reaches an address after its owner said stop, or on a channel that was not agreed to."""
    for message in evidence.sent:
        for stop in evidence.opt_outs:
            said = (stop.channel, stop.to) == (message.channel, message.to)
            if said and message.at > stop.at + IN_FLIGHT and not _in_window(evidence, message):
                yield Violation("after_opt_out", message.key, f"{message.kind} was sent by {message.channel}")
    agreed = {b.reference: _asked(evidence, b).addresses for b in evidence.bookings if b.request_id in evidence.asked}
    for message in evidence.sent:
        to_patient = message.reference in agreed and not message.kind.startswith("desk_")
        if to_patient and agreed[message.reference or ""].get(message.channel) != message.to:
            yield Violation("no_consent", message.key, f"{message.kind} was sent by {message.channel}")


def knows_the_end(evidence: Evidence, booking: Booking) -> bool:
    """Whether somebody heard how a booking ended: the patient, by message or from the answer; else the desk.

    Who took it back, agreed to no message and did not wait for the answer, ended it all the same.
    """
    if booking.status in ("completed", "no_show"):
        return True
    if any(note.told and (note.reference, note.kind) == (booking.reference, booking.status) for note in evidence.noted):
        return True
    if booking.open and booking.queued:
        return True
    channels = _asked(evidence, booking).addresses
    silent = all(_may_be_silent(evidence, booking, channel, to) for channel, to in channels.items())
    of_it = [event for event in evidence.history if event.request_id == booking.request_id]
    if silent and booking.status == "cancelled" and any(event.call == "cancel" for event in of_it):
        return True
    return any(
        (event.outcome, event.detail) == (OK, booking.status) and (silent or event.call in BY_PATIENT)
        for event in of_it
    )


def _asked(evidence: Evidence, booking: Booking) -> Asked:
    return evidence.asked.get(booking.request_id, Asked())


def _may_be_silent(evidence: Evidence, booking: Booking, channel: str, to: str) -> bool:
    """The patient has opted out there, or has heard enough for a day."""
    enough = any(
        (note.reference, note.channel, note.code) == (booking.reference, channel, "daily_limit")
        for note in evidence.noted
    )
    return enough or any((stop.channel, stop.to) == (channel, to) for stop in evidence.opt_outs)


def _blurred(evidence: Evidence, booking: Booking, channel: str, to: str) -> bool:
    """Whether the last word can't be made out: a send in doubt, or a text that is nobody's for certain."""
    in_doubt = any(
        (note.reference, note.channel, note.state) == (booking.reference, channel, "uncertain")
        for note in evidence.noted
    )
    return in_doubt or any(sent.reference is None and sent.to == to for sent in evidence.sent)


def _fitting(booking: Booking) -> tuple[str, ...]:
    if booking.status in OUTCOMES:
        return (booking.status,)
    if booking.status in FINAL:
        return OUTCOMES
    if booking.status == "needs_staff" and booking.appointment_id is not None:
        return "held", "received", "requested"
    return "received", "requested", "expired"


def _is(booking: Booking) -> str:
    return f"{booking.status} ({booking.reason})" if booking.reason else booking.status


def _stood(evidence: Evidence, message: Sent) -> bool:
    """Whether the appointment was there and final, at the time told, in the seconds before the provider took it."""
    since = message.at - SAME_SECONDS - evidence.lag
    rows = {c.id for c in evidence.changes if c.visit is not None and c.visit.reference == message.reference}
    for row in rows:
        trail = [change for change in evidence.changes if change.id == row and change.at <= message.at]
        for change, after in zip_longest(trail, trail[1:]):
            visit = change.visit
            if visit is None or not visit.confirmed or (after is not None and after.at < since):
                continue
            if message.when in ("", format_start(visit.start, evidence.zone, "en")):
                return True
    return False


def _in_window(evidence: Evidence, message: Sent) -> bool:
    return any(begin <= message.at <= end for begin, end in evidence.windows)
