"""Emails to patients. By default they say what became of the request, and neither when nor where the visit is."""

from zoneinfo import ZoneInfo

from domain.policy import EmailContent
from domain.wording.dates import format_local_start
from domain.wording.messages import MessageFacts, MessageKind, MessageText
from domain.wording.texts import PatientTexts


def write_email(kind: MessageKind, texts: PatientTexts, facts: MessageFacts, content: EmailContent) -> MessageText:
    """One email. Only with ``EmailContent.DETAILED`` does it say when the visit is."""
    paragraphs = [texts.email_notices[kind]]
    if content is EmailContent.DETAILED and kind in texts.email_details:
        when = format_local_start(facts.start.astimezone(ZoneInfo(facts.zone)), texts)
        paragraphs = [texts.email_details[kind].format(when=when)]
    if facts.link:
        paragraphs.append(texts.email_link.format(link=facts.link))
    paragraphs.append(texts.email_contact.format(phone=facts.practice_phone))
    paragraphs.append(texts.email_unexpected)
    return MessageText(subject=texts.email_subjects[kind], text="\n\n".join(paragraphs))
