"""Phone numbers as people in the United States type them, and the formats that other systems expect."""

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, ValidationResult


def e164(text: str) -> str:
    """The number for SMS, such as ``+15105550123``. Raises ValueError if it cannot be dialed from abroad."""
    return phonenumbers.format_number(_parse_dialable(text), PhoneNumberFormat.E164)


def display_format(text: str) -> str:
    """The number for people, such as ``+1 510-555-0123``. Raises ValueError if it is not a phone number."""
    return phonenumbers.format_number(_parse(text), PhoneNumberFormat.INTERNATIONAL)


def north_american_digits(text: str) -> str | None:
    """The ten digits of a North American number, ``None`` for any other. Raises ValueError as ``e164`` does."""
    number = _parse_dialable(text)
    return str(number.national_number) if number.country_code == 1 else None


def phone_key(text: str) -> str:
    """Digits for comparison, without extension. Empty if the number has no area code: such numbers match nothing."""
    try:
        number = _parse_dialable(text)
    except ValueError:
        return ""
    return f"{number.country_code}{number.national_number}"


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
