"""Text messages to patients, in the basic SMS alphabet: one segment, or two with a link."""

import re
import unicodedata
from zoneinfo import ZoneInfo

from domain.wording.dates import format_local_start
from domain.wording.messages import MessageFacts, MessageKind
from domain.wording.texts import PatientTexts

SMS_LENGTH = 160
"""Characters in one segment of the GSM alphabet. A single character outside it would reduce them to 70."""
TWO_SEGMENTS_LENGTH = 2 * 153
"""Characters in a message of two segments, each with a header that joins them."""
GSM_ALPHABET = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,:;!?'\"()&%+-/=*#@$£¥èéùìòÇØøÅåÄÖÑÜäöñüàÉ¡¿"
)
"""The characters of GSM 03.38 that we use."""
_NAME_FALLBACK = "Dental office"
_TYPOGRAPHIC = str.maketrans("‘’“”–—", "''\"\"--")


def write_sms(kind: MessageKind, texts: PatientTexts, facts: MessageFacts) -> str:
    """The message with the practice's name in front. The name is cut off if there is no room for it."""
    when = format_local_start(facts.start.astimezone(ZoneInfo(facts.zone)), texts)
    body = _to_gsm(": " + texts.sms[kind].format(phone=facts.practice_phone, when=when))
    name = _single_spaces(_to_gsm(facts.practice_name)) or _NAME_FALLBACK
    text = name[: max(SMS_LENGTH - len(body), 0)].strip() + body
    link = texts.sms_link.format(link=facts.link) if facts.link else ""
    return text + link if len(text + link) <= TWO_SEGMENTS_LENGTH else text


def _to_gsm(text: str) -> str:
    return "".join(_to_gsm_character(character) for character in text)


def _to_gsm_character(character: str) -> str:
    """The nearest character that SMS has: a letter without its accent, a plain quote or dash, or nothing."""
    if character in GSM_ALPHABET or character.isspace():
        return character
    decomposed = unicodedata.normalize("NFKD", character.translate(_TYPOGRAPHIC))
    return "".join(c for c in decomposed if c in GSM_ALPHABET)


def _single_spaces(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
