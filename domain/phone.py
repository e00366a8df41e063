"""Telephone numbers as they are typed in the United States: read in one way, written as each reader wants them."""

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, ValidationResult


def e164(text: str) -> str:
    """As messages are addressed. Raises ValueError for what could not be dialled from elsewhere."""
    return phonenumbers.format_number(_dialled(text), PhoneNumberFormat.E164)


def printed(text: str) -> str:
    """As people read it. Raises ValueError for what is no number."""
    return phonenumbers.format_number(_read(text), PhoneNumberFormat.INTERNATIONAL)


def north_american(text: str) -> str | None:
    """Its digits as North America counts them; None for a number from elsewhere."""
    number = _dialled(text)
    return str(number.national_number) if number.country_code == 1 else None


def phone_key(text: str) -> str:
    """Digits without extension; numbers without an area code never agree with anything."""
    try:
        number = _dialled(text)
    except ValueError:
        return ""
    return f"{number.country_code}{number.national_number}"


def _dialled(text: str) -> PhoneNumber:
    number = _read(text)
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        raise ValueError("not a possible phone number; give it as +15105550123")
    return number


def _read(text: str) -> PhoneNumber:
    try:
        return phonenumbers.parse(text, "US")
    except NumberParseException:
        raise ValueError("not a phone number; give it as +15105550123") from None
