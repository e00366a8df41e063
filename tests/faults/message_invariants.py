"""Invariants of messages to patients and the desk: they are true, sent once, and respect opt-outs and consent."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from itertools import zip_longest

from domain.wording import format_start
from tests.faults.calendar_invariants import FINAL_STATUSES
from tests.faults.evidence import Delivery, Evidence, ObservedBooking, RequestIntent, Violation
from tests.faults.history import OK

MAX_SENDS = 2
"""A message with an unknown outcome is sent once more, never a third time."""
SEND_TIME = timedelta(seconds=5)
"""A message need not reflect what changed this shortly before the provider accepted it."""
OPT_OUT_GRACE = timedelta(seconds=2)
"""For a message that was on its way when the patient opted out."""
NOTIFIED_STATUSES = ("confirmed", "held", "cancelled", "declined")
"""The patient gets a message about each of these, of the kind with the same name."""
PATIENT_OPERATIONS = ("submit", "submit_other", "cancel", "reschedule")


def confirmations_were_true(evidence: Evidence) -> Iterator[Violation]:
    """I5: a message that says "your visit is confirmed" was true at the instant of its delivery."""
    for delivery in evidence.deliveries:
        confirmation = delivery.kind == "confirmed" and delivery.reference is not None
        if confirmation and not _stood_at_delivery(evidence, delivery):
            yield Violation("untrue", delivery.key, "confirmed an appointment that did not stand then")


def last_message_matches_status(evidence: Evidence) -> Iterator[Violation]:
    """I5: the last message to a patient on each channel matches the booking's status."""
    by_address: defaultdict[tuple[str | None, str], list[Delivery]] = defaultdict(list)
    for delivery in sorted(evidence.deliveries, key=lambda delivery: delivery.at):
        by_address[delivery.reference, delivery.address].append(delivery)
    for booking in evidence.bookings:
        for channel, address in _intent(evidence, booking).addresses.items():
            deliveries = by_address[booking.reference, address]
            if (
                not deliveries
                or _may_be_silent(evidence, booking, channel, address)
                or _last_message_is_uncertain(evidence, booking, channel, address)
            ):
                continue
            last = deliveries[-1]
            if last.kind not in _matching_kinds(booking):
                text = f"got {last.kind} as its last message, and is {_describe(booking)}"
                yield Violation("untrue", booking.request_id, text)
            elif booking.status == "confirmed" and last.start_text not in ("", booking.start_text):
                yield Violation("untrue", booking.request_id, "its last message states another time than it has")


def count_duplicate_messages(evidence: Evidence) -> int:
    """Deliveries beyond the first of each message."""
    return sum(count - 1 for count in Counter(delivery.key for delivery in evidence.deliveries).values())


def messages_sent_once(evidence: Evidence) -> Iterator[Violation]:
    """I6: a message is repeated only if its answer was lost, and then at most once."""
    duplicates = count_duplicate_messages(evidence)
    if duplicates > evidence.unknown_sends:
        text = f"{duplicates} duplicates, {evidence.unknown_sends} lost answers"
        yield Violation("duplicate_message", "all", text)
    for key, count in Counter(delivery.key for delivery in evidence.deliveries).items():
        if count > MAX_SENDS:
            yield Violation("duplicate_message", key, f"sent {count} times")


def accepted_messages_reached_provider(evidence: Evidence) -> Iterator[Violation]:
    """I6: the provider has every message that our ledger calls accepted."""
    for message in evidence.ledger_messages:
        if message.state == "accepted" and not message.delivered:
            text = f"{message.kind} by {message.channel} never reached the provider"
            yield Violation("not_notified", message.reference, text)


def outcomes_were_notified(evidence: Evidence) -> Iterator[Violation]:
    """I6: the patient is notified on every channel that they agreed to, and the desk of every open exception.

    If nobody can be notified, the desk has to call. A booking that ended without anybody's knowledge counts as lost,
    under ``no_request_lost``.
    """
    sent = {(m.reference, m.kind, m.channel) for m in evidence.ledger_messages if m.may_have_arrived}
    notified_desk = {m.reference for m in evidence.ledger_messages if m.may_have_arrived and m.kind == "desk_exception"}
    for booking in evidence.bookings:
        addresses = _intent(evidence, booking).addresses
        due = {
            channel for channel, address in addresses.items() if not _may_be_silent(evidence, booking, channel, address)
        }
        counts_as_lost = booking.status in FINAL_STATUSES and not somebody_knows_the_end(evidence, booking)
        if booking.status in NOTIFIED_STATUSES and booking.reason != "not_reached" and not counts_as_lost:
            for channel in sorted(due):
                if (booking.reference, booking.status, channel) not in sent:
                    text = f"is {booking.status}, and got no message about it by {channel}"
                    yield Violation("not_notified", booking.request_id, text)
        nobody_notified = not due and not any(
            (booking.reference, "confirmed", channel) in sent for channel in addresses
        )
        desk_is_due = booking.has_open_exception or (booking.status == "confirmed" and nobody_notified)
        if desk_is_due and booking.reference not in notified_desk:
            text = f"is {_describe(booking)}, and the desk was not notified"
            yield Violation("not_notified", booking.request_id, text)


def opt_outs_and_consent_respected(evidence: Evidence) -> Iterator[Violation]:
    """I6: no message goes to an address after its opt-out, or on a channel that the patient did not agree to."""
    for delivery in evidence.deliveries:
        for opt_out in evidence.opt_outs:
            same_address = (opt_out.channel, opt_out.address) == (delivery.channel, delivery.address)
            too_late = delivery.at > opt_out.at + OPT_OUT_GRACE
            if same_address and too_late and not _during_disruption(evidence, delivery):
                yield Violation("after_opt_out", delivery.key, f"{delivery.kind} was sent by {delivery.channel}")
    consented = {
        booking.reference: _intent(evidence, booking).addresses
        for booking in evidence.bookings
        if booking.request_id in evidence.intents
    }
    for delivery in evidence.deliveries:
        to_patient = delivery.reference in consented and not delivery.kind.startswith("desk_")
        if to_patient and consented[delivery.reference or ""].get(delivery.channel) != delivery.address:
            yield Violation("no_consent", delivery.key, f"{delivery.kind} was sent by {delivery.channel}")


def somebody_knows_the_end(evidence: Evidence, booking: ObservedBooking) -> bool:
    """Whether somebody learned how a booking ended: the patient by message or from an answer, otherwise the desk.

    A patient who cancelled, agreed to no message and did not wait for the answer ended it all the same.
    """
    if booking.status in ("completed", "no_show"):
        return True
    if any(
        message.may_have_arrived and (message.reference, message.kind) == (booking.reference, booking.status)
        for message in evidence.ledger_messages
    ):
        return True
    if booking.has_open_exception and booking.in_desk_queue:
        return True
    addresses = _intent(evidence, booking).addresses
    silent = all(_may_be_silent(evidence, booking, channel, address) for channel, address in addresses.items())
    history = [entry for entry in evidence.history if entry.request_id == booking.request_id]
    if silent and booking.status == "cancelled" and any(entry.operation == "cancel" for entry in history):
        return True
    return any(
        (entry.outcome, entry.detail) == (OK, booking.status) and (silent or entry.operation in PATIENT_OPERATIONS)
        for entry in history
    )


def _intent(evidence: Evidence, booking: ObservedBooking) -> RequestIntent:
    return evidence.intents.get(booking.request_id, RequestIntent())


def _may_be_silent(evidence: Evidence, booking: ObservedBooking, channel: str, address: str) -> bool:
    """The address opted out, or the patient got the day's limit of messages."""
    limited = any(
        (message.reference, message.channel, message.code) == (booking.reference, channel, "daily_limit")
        for message in evidence.ledger_messages
    )
    return limited or any((o.channel, o.address) == (channel, address) for o in evidence.opt_outs)


def _last_message_is_uncertain(evidence: Evidence, booking: ObservedBooking, channel: str, address: str) -> bool:
    """A send has an unknown outcome, or a text to this address can't be attributed to a booking."""
    unknown_send = any(
        (message.reference, message.channel, message.state) == (booking.reference, channel, "uncertain")
        for message in evidence.ledger_messages
    )
    return unknown_send or any(d.reference is None and d.address == address for d in evidence.deliveries)


def _matching_kinds(booking: ObservedBooking) -> tuple[str, ...]:
    if booking.status in NOTIFIED_STATUSES:
        return (booking.status,)
    if booking.status in FINAL_STATUSES:
        return NOTIFIED_STATUSES
    if booking.status == "needs_staff" and booking.appointment_id is not None:
        return "held", "received", "requested"
    return "received", "requested", "expired"


def _describe(booking: ObservedBooking) -> str:
    return f"{booking.status} ({booking.reason})" if booking.reason else booking.status


def _stood_at_delivery(evidence: Evidence, delivery: Delivery) -> bool:
    """Whether the appointment stood confirmed, at the stated time, shortly before the provider took the message."""
    since = delivery.at - SEND_TIME - evidence.max_read_lag
    appointment_ids = {
        change.appointment_id
        for change in evidence.changes
        if change.after is not None and change.after.reference == delivery.reference
    }
    for appointment_id in appointment_ids:
        trail = [c for c in evidence.changes if c.appointment_id == appointment_id and c.at <= delivery.at]
        for change, next_change in zip_longest(trail, trail[1:]):
            appointment = change.after
            if appointment is None or not appointment.counts_as_confirmed:
                continue
            if next_change is not None and next_change.at < since:
                continue
            if delivery.start_text in ("", format_start(appointment.start, evidence.time_zone, "en")):
                return True
    return False


def _during_disruption(evidence: Evidence, delivery: Delivery) -> bool:
    return any(begin <= delivery.at <= end for begin, end in evidence.disruptions)
