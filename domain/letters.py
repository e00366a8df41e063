"""Latin letters with a stroke, a hook or a ligature, spelled with the letters of English.

Unicode decomposes ``é`` into ``e`` and a mark, but it does not decompose these.
"""

import re
from functools import lru_cache
from unicodedata import name

_SPELLINGS = {"ß": "ss", "ẞ": "SS", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ŋ": "ng", "ı": "i", "ĸ": "k"} | {
    "ə": "e",
    "ɛ": "e",
    "ɔ": "o",
    "ɩ": "i",
    "ʊ": "u",
}
_LETTER_WITH = re.compile(r"LATIN (?:SMALL|CAPITAL) LETTER ([A-Z]) WITH ")
"""The Unicode name of a letter that is another one with something added, as in LATIN SMALL LETTER D WITH STROKE."""
_IGNORES_MARKS = ("LATIN ", "GREEK ", "CYRILLIC ")


@lru_cache(maxsize=4096)
def plain_letter(character: str) -> str:
    """``d`` for ``đ``, ``Ae`` for ``Æ``; any other character as it is."""
    lower = character.lower()
    if character.isascii():
        return character
    spelling = _SPELLINGS.get(character) or _SPELLINGS.get(lower)
    if spelling is None:
        match = _LETTER_WITH.match(name(character, ""))
        if match is None:
            return character
        spelling = match[1].lower()
    return spelling.capitalize() if character != lower and spelling.islower() else spelling


@lru_cache(maxsize=4096)
def may_lose_marks(letter: str) -> bool:
    """Whether the letter with a mark is still the same letter to its readers, as ``é`` is an ``e``.

    In most scripts it is not: the mark is a vowel in Devanagari, and tells ``だ`` from ``た`` in Japanese.
    """
    return name(letter, "").startswith(_IGNORES_MARKS)
