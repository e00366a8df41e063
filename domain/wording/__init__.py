"""Every text that patients and the front desk read. Texts for patients exist once per language."""

from domain.wording.compose import compose_message
from domain.wording.dates import format_start
from domain.wording.desk import write_unreadable_rows_email
from domain.wording.messages import NEVER_SUPERSEDED, MessageFacts, MessageKind, MessageText
from domain.wording.public import public_status
from domain.wording.reasons import reason_sentence, set_aside_sentence

__all__ = [
    "NEVER_SUPERSEDED",
    "MessageFacts",
    "MessageKind",
    "MessageText",
    "compose_message",
    "format_start",
    "public_status",
    "reason_sentence",
    "set_aside_sentence",
    "write_unreadable_rows_email",
]
