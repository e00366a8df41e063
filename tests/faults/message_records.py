"""What the ledger and the message providers know about the messages of a seed."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import text

from tests.faults.evidence import Delivery, LedgerMessage, ObservedBooking
from tests.faults.ledger_faults import open_engine
from tests.faults.practice_probe import Row

TEXT_PATTERNS = {
    "confirmed": re.compile(r"your visit is confirmed: (?P<when>.+?)\. To change"),
    "held": re.compile(r": (?P<when>.+?) is held for you"),
    "received": re.compile(r"we have your request for (?P<when>.+?)\. It is"),
    "requested": re.compile(r": (?P<when>.+?) is requested but not booked yet"),
    "cancelled": re.compile(r"your request for (?P<when>.+?) is cancelled"),
    "visit_cancelled": re.compile(r"your visit on (?P<when>.+?) is cancelled"),
    "declined": re.compile(r"we could not book your request"),
    "expired": re.compile(r"we could not hold (?P<when>.+?) any longer"),
}
"""By kind of message. They must match the texts that patients get."""
STATUS_OF_KIND = {"visit_cancelled": "cancelled"}
"""The status that a kind of message tells, where its name is another. The evidence has the status."""


def read_ledger_messages(state: Row, ledger_url: str) -> Iterator[LedgerMessage]:
    """The ledger's messages. The provider has an email if it has our key, and a text if it has its id."""
    at_provider = {mail["custom_args"].get("msg_key") for mail in state["emails"]} | {t["sid"] for t in state["texts"]}
    columns = "reference, kind, version, channel, state, code, key, provider_id"
    for row in _query(ledger_url, f"SELECT {columns} FROM messages"):
        reference, kind, version, channel, message_state, code, key, provider_id = row
        delivered = (key if channel == "email" else provider_id) in at_provider
        yield LedgerMessage(reference, _told_status(kind), version, channel, message_state, code, delivered)


def read_deliveries(state: Row, ledger_url: str) -> Iterator[Delivery]:
    """Everything that the providers accepted, with the booking that each message belongs to.

    Emails carry our key. Texts carry none: they are attributed by the provider's id, or by an equal text to the same
    number. A text of another kind than the ledger has under its id is attributed to nobody; see ``uncross_texts``.
    """
    yield from _read_email_deliveries(state, ledger_url)
    yield from _read_text_deliveries(state, ledger_url)


def _read_email_deliveries(state: Row, ledger_url: str) -> Iterator[Delivery]:
    by_key = {row[0]: row for row in _query(ledger_url, "SELECT key, reference, kind FROM messages")}
    for mail in state["emails"]:
        key = mail["custom_args"].get("msg_key", "")
        _, reference, kind = by_key.get(key, (key, None, "unknown"))
        yield Delivery(
            datetime.fromisoformat(mail["at"]), "email", mail["to"], _told_status(kind), key, reference=reference
        )


def _read_text_deliveries(state: Row, ledger_url: str) -> Iterator[Delivery]:
    query = "SELECT provider_id, reference, kind, version FROM messages WHERE channel = 'sms'"
    by_sid = {row[0]: row for row in _query(ledger_url, query)}
    attributed: dict[tuple[str, str], tuple[str, str]] = {}
    """By number and body: reference and key of a text whose id the ledger knows."""
    for row in sorted(state["texts"], key=lambda row: row["sid"] not in by_sid):
        kind, start_text = _parse_text(row["body"])
        if row["sid"] in by_sid and by_sid[row["sid"]][2] == kind:
            _, reference, _, version = by_sid[row["sid"]]
            owner = reference, f"{reference}:{kind}:{version}"
            attributed.setdefault((row["to"], row["body"]), owner)
        else:
            nobody = "", f"{row['to'][-2:]}:{kind}:{start_text}"
            owner = attributed.get((row["to"], row["body"]), nobody)
        reference, key = owner
        at = datetime.fromisoformat(row["at"])
        yield Delivery(
            at, "sms", row["to"], _told_status(kind), key, start_text=start_text, reference=reference or None
        )


def _told_status(kind: str) -> str:
    return STATUS_OF_KIND.get(kind, kind)


def _parse_text(body: str) -> tuple[str, str]:
    """The kind of a text, and the appointment time that it states."""
    for kind, pattern in TEXT_PATTERNS.items():
        match = pattern.search(body)
        if match is not None:
            return kind, match.groupdict().get("when", "")
    return "unknown", ""


def uncross_texts(deliveries: Sequence[Delivery], bookings: Sequence[ObservedBooking]) -> list[Delivery]:
    """Correct a mix-up: if the answers to two texts to one number are lost, the ledger may swap their provider ids.

    Two texts of one kind are exchanged if each states the time of the other's booking. The same holds if one of them
    is attributed to nobody, because its booking got the id of a text that states another booking's time.
    """
    start_texts: dict[str | None, str] = {booking.reference: booking.start_text for booking in bookings}
    result = list(deliveries)
    for i, j in itertools.permutations(range(len(result)), 2):
        one, other = result[i], result[j]
        alike = one.channel == other.channel == "sms" and (one.address, one.kind) == (other.address, other.kind)
        own_times = start_texts.values() if one.reference is None else (start_texts.get(one.reference),)
        states_others_time = one.start_text == start_texts.get(other.reference) != other.start_text
        if alike and states_others_time and other.start_text in own_times:
            result[i] = replace(one, key=other.key, reference=other.reference)
            result[j] = replace(other, key=one.key, reference=one.reference)
    return result


def _query(ledger_url: str, query: str) -> list[tuple[Any, ...]]:
    with open_engine(ledger_url).connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]
