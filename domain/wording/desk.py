"""Emails to the front desk. Staff read them in English."""

import re
from collections.abc import Sequence

from domain.wording.messages import MessageFacts, MessageKind, MessageText
from domain.wording.reasons import reason_sentence

_SUBJECTS = {
    MessageKind.DESK_EXCEPTION: "A booking needs a decision",
    MessageKind.DESK_ESCALATION: "A booking is still waiting for a decision",
    MessageKind.DESK_EXPIRED: "A booking ended without a decision",
    MessageKind.DESK_SET_ASIDE: "A booking did not accept a decision or message",
}

UNREADABLE_ROWS_SUBJECT = "Entries in the calendar need a correction"
MAX_LISTED_ROWS = 20


def is_for_desk(kind: MessageKind) -> bool:
    return kind in _SUBJECTS


def write_desk_email(kind: MessageKind, facts: MessageFacts) -> MessageText:
    """One email to the desk: which booking, and why it needs the desk."""
    subject = _SUBJECTS[kind]
    practice_name = re.sub(r"\s+", " ", facts.practice_name).strip()
    explanation = reason_sentence(facts.reason) if facts.reason else ""
    ids = f"Booking: {facts.booking}\nReference in the calendar: {facts.reference}"
    return MessageText(subject=subject, text=f"{subject} at {practice_name}.\n\n{explanation}\n\n{ids}")


def write_unreadable_rows_email(practice_name: str, rows: Sequence[tuple[str, str | None, str]]) -> MessageText:
    """One email to the desk about rows that cannot be read. ``rows``: of each its kind, its id, and the field.

    It names no patient and no time.
    """
    lines = [f"* {kind} {row_id or '(its number is unreadable)'}: {field}" for kind, row_id, field in rows]
    if len(lines) > MAX_LISTED_ROWS:
        lines = [*lines[:MAX_LISTED_ROWS], f"* and {len(lines) - MAX_LISTED_ROWS} more"]
    return MessageText(
        subject=UNREADABLE_ROWS_SUBJECT,
        text=f"{UNREADABLE_ROWS_SUBJECT} at {' '.join(practice_name.split())}.\n\n"
        "Holdfast cannot read part of these entries of the practice system. Until somebody corrects or deletes them "
        "there, Holdfast offers no time that they may occupy.\n\n" + "\n".join(lines),
    )
