"""Text messages to patients, in the basic SMS alphabet, GSM 03.38: one segment, or two with a link.

Only a practice whose name has letters that this alphabet cannot write, such as 牙科, gets texts in UCS-2. They are as
long, but a segment of UCS-2 has 67 characters, so they take and cost three segments, or five with a link.
"""

import re
import unicodedata
from collections.abc import Iterator
from unicodedata import category
from zoneinfo import ZoneInfo

from domain.letters import may_lose_marks, plain_letter
from domain.wording.dates import format_local_start
from domain.wording.messages import MessageFacts, MessageKind
from domain.wording.texts import PatientTexts

SMS_LENGTH = 160
"""Characters in one segment of the GSM alphabet."""
TWO_SEGMENTS_LENGTH = 2 * 153
"""Characters in a message of two segments, each with a header that joins them."""
GSM_ALPHABET = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,:;!?'\"()&%+-/=*#@$£¥èéùìòÇØøÅåÆæßÉÄÖÑÜäöñüàÉ¡¿"
)
"""The characters of GSM 03.38 that we use."""
_NAME_FALLBACK = "Dental office"
_TYPOGRAPHIC = str.maketrans("‘’ʻʼ“”–—⁄", "''''\"\"--/")
_BETWEEN_NUMBERS = re.compile(r"(?<=[\d¼-¾⅐-⅟↉])(?=[¼-¾⅐-⅟↉])|(?<=[¼-¾⅐-⅟↉])(?=\d)")
"""Where a space keeps a fraction apart from a number beside it: 1½ is 1 1/2, not 11/2."""


def write_sms(kind: MessageKind, texts: PatientTexts, facts: MessageFacts) -> str:
    """The message with the practice's name in front. The name is cut off if there is no room for it."""
    when = format_local_start(facts.start.astimezone(ZoneInfo(facts.zone)), texts)
    body = spell_for_sms(": " + texts.sms[kind].format(phone=facts.practice_phone, when=when))
    name = _single_spaces(spell_for_sms(facts.practice_name)) or _NAME_FALLBACK
    text = _cut_utf16(name, max(SMS_LENGTH - len(body), 0)).strip() + body
    link = texts.sms_link.format(link=facts.link) if facts.link else ""
    return text + link if len(text + link) <= TWO_SEGMENTS_LENGTH else text


def spell_for_sms(text: str) -> str:
    """The text in the GSM alphabet, as far as that loses no letter and changes no number.

    Latin letters lose accents and strokes that the alphabet does not have, typographic quotes and dashes become plain
    ones, and fractions are spelled out. Other letters and numbers stay as they are. Other symbols are dropped.
    """
    return "".join(_spell_characters(unicodedata.normalize("NFC", text)))


def _spell_characters(text: str) -> Iterator[str]:
    keeps_marks = False
    for character in _BETWEEN_NUMBERS.sub(" ", text).translate(_TYPOGRAPHIC):
        for part in _parts(character):
            if category(part).startswith("M"):
                if keeps_marks:
                    yield part
            elif part in GSM_ALPHABET or part.isspace():
                keeps_marks = False
                yield part
            elif category(part)[0] in "LN":
                keeps_marks = not may_lose_marks(part)
                yield str(unicodedata.decimal(part, "")) or plain_letter(part)


def _parts(character: str) -> str:
    """The characters that a character is made of, unless the alphabet has it or the parts would not say the same."""
    decomposed = unicodedata.normalize("NFKD", character).translate(_TYPOGRAPHIC)
    is_raised_number = category(character) == "No" and "/" not in decomposed  # 10² is not 102
    is_mark_by_itself = len(decomposed) > 1 and decomposed.startswith(" ")
    return character if character in GSM_ALPHABET or is_raised_number or is_mark_by_itself else decomposed


def _cut_utf16(text: str, length: int) -> str:
    """The beginning of the text. In UCS-2, a character outside the basic plane counts as two."""
    return text.encode("utf-16-le")[: 2 * length].decode("utf-16-le", "ignore")


def _single_spaces(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
