"""Composes one message."""

from domain.policy import EmailContent
from domain.wording.desk import is_for_desk, write_desk_email
from domain.wording.email import write_email
from domain.wording.languages import LANGUAGES
from domain.wording.messages import MessageFacts, MessageKind, MessageText
from domain.wording.sms import write_sms


def compose_message(
    kind: MessageKind, channel: str, language: str, facts: MessageFacts, content: EmailContent
) -> MessageText:
    """The text of one message. It names no patient and no service, and an email by default no time and no practice."""
    if is_for_desk(kind):
        return write_desk_email(kind, facts)
    texts = LANGUAGES[language]
    if channel == "sms":
        return MessageText(subject="", text=write_sms(kind, texts, facts))
    return write_email(kind, texts, facts, content)
