"""Emails to the front desk. Staff read them in English."""

import re

from domain.wording.messages import MessageFacts, MessageKind, MessageText
from domain.wording.reasons import reason_sentence

_SUBJECTS = {
    MessageKind.DESK_EXCEPTION: "A booking needs a decision",
    MessageKind.DESK_ESCALATION: "A booking is still waiting for a decision",
    MessageKind.DESK_EXPIRED: "A booking ended without a decision",
}


def is_for_desk(kind: MessageKind) -> bool:
    return kind in _SUBJECTS


def write_desk_email(kind: MessageKind, facts: MessageFacts) -> MessageText:
    """One email to the desk: which booking, and why it needs the desk."""
    subject = _SUBJECTS[kind]
    practice_name = re.sub(r"\s+", " ", facts.practice_name).strip()
    explanation = reason_sentence(facts.reason) if facts.reason else ""
    ids = f"Booking: {facts.booking}\nReference in the calendar: {facts.reference}"
    return MessageText(subject=subject, text=f"{subject} at {practice_name}.\n\n{explanation}\n\n{ids}")
