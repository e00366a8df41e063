"""Phone numbers as people in the United States type them, and the formats that other systems expect."""

import re
from collections.abc import Iterator

import phonenumbers
from phonenumbers import (
    Leniency,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberMatcher,
    PhoneNumberType,
    ValidationResult,
)

MAX_FIELD_LENGTH = 200
"""Characters of a chart's phone field that are searched for numbers."""
_COSTLY_TYPES = frozenset({PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST})
_NO_COUNTRY = "001"
"""What the library calls the region of satellite phones and of other services that belong to no country."""
_TEN_DIGITS = re.compile(r"(?<!\d)(?:1\D{0,3})?\d{3}\D{0,3}\d{3}\D{0,3}\d{4}(?!\d)")
_DIGITS_AND_EXTENSION = re.compile(r"[0-9+(). -]+((ext\.?|x) *[0-9]{1,7})?")


def mobile_e164(text: str) -> str:
    """A number that a patient gave for texts, such as ``+15105550123``.

    Raises ValueError if it has words or an extension, or if a text to it would be costly.
    """
    number = _parse_dialable(text)
    if any(c.isalpha() for c in text) or number.extension:
        raise ValueError("must be digits only, without words or an extension, as in +15105550123")
    is_premium = phonenumbers.number_type(number) in _COSTLY_TYPES
    if is_premium or phonenumbers.region_code_for_number(number) == _NO_COUNTRY:
        raise ValueError("must be an ordinary phone number; premium-rate and satellite numbers are not allowed")
    return _e164(number)


def display_format(text: str) -> str:
    """The number of a practice, as people read it: ``+1 510-555-0123``.

    Raises ValueError if nobody can have this number. The library would read letters as digits, and "12" as a number.
    """
    number = _parse(text)
    if _DIGITS_AND_EXTENSION.fullmatch(text) is None or not phonenumbers.is_valid_number(number):
        raise ValueError("not a phone number; write it in digits with its area code, as in +15105550123")
    return phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)


def north_american_digits(text: str) -> str | None:
    """The ten digits of a North American number, ``None`` for any other. Raises ValueError if it is no number."""
    number = _parse_dialable(text)
    return str(number.national_number) if number.country_code == 1 else None


def numbers_in(text: str) -> frozenset[str]:
    """Every number in a chart's phone field as E.164, without extensions. The field may hold words and several numbers.

    A number without area code is left out: it could be anybody's.
    """
    text = text[:MAX_FIELD_LENGTH]
    return frozenset(_find_numbers(text)) or frozenset(_find_north_american(text))


def _find_numbers(text: str) -> Iterator[str]:
    for match in PhoneNumberMatcher(text, "US", leniency=Leniency.POSSIBLE):
        if phonenumbers.is_possible_number_with_reason(match.number) == ValidationResult.IS_POSSIBLE:
            yield _e164(match.number)


def _find_north_american(text: str) -> Iterator[str]:
    """Numbers in groups that the library does not take for a number, such as ``510_555_0123``."""
    for match in _TEN_DIGITS.finditer(text):
        digits = "".join(c for c in match[0] if c.isdecimal())
        yield _e164(_parse(digits))


def _e164(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _parse_dialable(text: str) -> PhoneNumber:
    number = _parse(text)
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        raise ValueError("not a possible phone number; write it as +15105550123")
    return number


def _parse(text: str) -> PhoneNumber:
    try:
        return phonenumbers.parse(text, "US")
    except NumberParseException:
        raise ValueError("not a phone number; write it as +15105550123") from None
