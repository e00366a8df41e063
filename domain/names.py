"""Names of people as keys for comparison: their words, their suffix, and how alike two of them are."""

from collections.abc import Iterator
from typing import NamedTuple
from unicodedata import category, name, normalize

from rapidfuzz.distance import JaroWinkler

from domain.letters import may_lose_marks, plain_letter

MIN_SIMILARITY = 0.88
"""From this Jaro-Winkler similarity on, two words may be spellings of one name."""
MIN_CONTAINED_LENGTH = 3
"""A last name of at least this many letters may be a part of a longer one that is written as one word."""
SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv"})
PARTICLES = frozenset(
    {
        *("al", "bin", "bint", "d", "da", "das", "de", "del", "della", "den", "der", "di", "do", "dos", "du", "e"),
        *("el", "ibn", "la", "las", "le", "los", "ten", "ter", "van", "von", "y"),
    }
)
"""Words of a last name that say nothing when two names share them."""
SHORT_FORMS = tuple(
    frozenset(group.split())
    for group in (
        "william will bill billy liam",
        "robert rob bob bobby",
        "richard rick dick richie",
        "james jim jimmy jamie",
        "john jack johnny",
        "elizabeth liz beth betty eliza lisa",
        "margaret maggie meg peggy greta",
        "katherine catherine kathryn kate katie kathy cathy",
        "michael mike mickey",
        "edward ed eddie ted",
        "charles charlie chuck",
        "jose pepe",
        "francisco paco pancho",
        "guadalupe lupe",
        "ignacio nacho",
        "patricia pat patty trish",
        "susan sue suzy",
        "anthony tony antonio",
        "theodore theo ted teddy",
        "henry harry hank",
    )
)
_APOSTROPHES = "'`´‘’"


class LastName(NamedTuple):
    """A last name, with its suffix apart."""

    words: tuple[str, ...]
    suffix: str = ""
    """``jr`` or the like; empty if there is none."""

    @property
    def key(self) -> str:
        return "".join(self.words)


def name_key(text: str) -> str:
    """A name without case, accents, apostrophes, hyphens and spaces. Empty if it has no letter: equal to no name."""
    return "".join(name_words(text))


def name_words(text: str) -> tuple[str, ...]:
    """The keys of the words of a name. A hyphen separates two words, an apostrophe does not."""
    separated = "".join(" " if _is_separator(c) else c for c in text)
    return tuple(key for key in map(_word_key, separated.split()) if key)


def last_name(text: str) -> LastName:
    """Split a last name. A name that is nothing but a suffix is a name."""
    words = name_words(text)
    if len(words) > 1 and words[-1] in SUFFIXES:
        return LastName(words[:-1], words[-1])
    return LastName(words)


def is_same_last_name(one: str, other: str) -> bool:
    """Whether two last names are one, however it is spelled and whatever its suffix."""
    return last_name(one).key == last_name(other).key != ""


def are_first_names_similar(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two first names may be spellings, short forms, initials or parts of one name."""
    pairs = [(a, b) for a in (*one, "".join(one)) for b in (*other, "".join(other))]
    return any(a.startswith(b) or b.startswith(a) or _is_alike(a, b) or _is_short_form(a, b) for a, b in pairs)


def are_last_names_similar(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two last names may be spellings of one name, or one may be a part of the other."""
    shorter, longer = sorted(("".join(one), "".join(other)), key=len)
    is_contained = len(shorter) >= MIN_CONTAINED_LENGTH and shorter in longer
    telling_pairs = [(a, b) for a in _without_particles(one) for b in _without_particles(other)]
    return is_contained or _is_alike(shorter, longer) or any(_is_alike(a, b) for a, b in telling_pairs)


def _is_alike(one: str, other: str) -> bool:
    return one == other or JaroWinkler.similarity(one, other, score_cutoff=MIN_SIMILARITY) > 0


def _is_short_form(one: str, other: str) -> bool:
    return any(one in group and other in group for group in SHORT_FORMS)


def _without_particles(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for word in words if word not in PARTICLES) or words


def _is_separator(character: str) -> bool:
    return character not in _APOSTROPHES and category(character)[0] in "PSZC"


def _word_key(word: str) -> str:
    return "".join(_key_characters(normalize("NFKD", normalize("NFKD", word).casefold())))


def _key_characters(decomposed: str) -> Iterator[str]:
    keeps_marks = False
    for character in decomposed:
        if category(character).startswith("M"):
            if keeps_marks:
                yield character
        elif character.isalnum() and not name(character, "").startswith("MODIFIER LETTER"):  # such as an ʻokina
            keeps_marks = not may_lose_marks(character)
            yield plain_letter(character)
