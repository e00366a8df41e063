"""Phone numbers and email addresses as evidence: what charts hold, and what only fills a field."""

import pytest

from domain.contacts import contact_keys, is_filler
from domain.phone import mobile_e164, numbers_in


@pytest.mark.parametrize(
    ("field", "numbers"),
    [
        ("(510) 555-0601 mom", {"+15105550601"}),
        ("mom 5105550601", {"+15105550601"}),
        ("510-555-0601 / 510-555-0602", {"+15105550601", "+15105550602"}),
        ("5105550601,5105550602", {"+15105550601", "+15105550602"}),
        ("510 555 0601 510 555 0602", {"+15105550601", "+15105550602"}),
        ("H 510-555-0601 x12 or W 510.555.0602", {"+15105550601", "+15105550602"}),
        ("510_555_0601", {"+15105550601"}),
        ("510.555.0601 ext. 7", {"+15105550601"}),
        ("+44 20 7946 0000", {"+442079460000"}),
        ("555-0123 mom", set()),
        ("1-800-FLOWERS", set()),
        ("05/05/2015", set()),
        ("", set()),
        ("9" * 100_000, set()),
    ],
)
def test_every_number_in_a_charts_phone_field_counts_and_words_are_no_digits(field: str, numbers: set[str]) -> None:
    assert numbers_in(field) == numbers


@pytest.mark.parametrize("text", ["+15105550123", "(510) 555-0123", "+44 7400 123456", "+1 500 555 0006"])
def test_mobile_number_in_any_format_is_accepted_once_and_again(text: str) -> None:
    number = mobile_e164(text)
    assert mobile_e164(number) == number


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("555-0123 mom", "digits only"),
        ("510-555-0123 ext 7", "digits only"),
        ("510-555-0123#7", "digits only"),
        ("1-800-FLOWERS", "digits only"),
        ("+19005550123", "ordinary phone number"),
        ("+881612345678", "ordinary phone number"),
        ("+870773111632", "ordinary phone number"),
        ("+882161234567", "ordinary phone number"),
        ("510-555-0123 / 510-555-0124", "not a"),
        ("12", "not a possible"),
    ],
)
def test_mobile_number_with_words_or_with_costs_is_refused_with_what_is_allowed(text: str, allowed: str) -> None:
    with pytest.raises(ValueError, match=allowed):
        mobile_e164(text)


@pytest.mark.parametrize(
    "contact",
    [
        *("999-999-9999", "000-000-0000", "0000000000", "123-456-7890", "111-111-1111", "555-555-5555"),
        *("510-999-9999", "510-123-4567", "510-555-1212", "911-555-0123", "+999999999999", "+44 0000000000"),
    ],
)
def test_number_that_only_fills_the_field_is_no_contact(contact: str) -> None:
    assert all(is_filler(key) for key in contact_keys([contact], []))


@pytest.mark.parametrize(
    "contact",
    [
        *("none@none.com", "no@email.com", "test@test.com", "NA@example.com", "no.email@example.com", "x@y.example"),
        *("jane@noemail.com", "no-reply@example.com", "none+5@gmail.com"),
    ],
)
def test_address_that_only_fills_the_field_is_no_contact(contact: str) -> None:
    assert all(is_filler(key) for key in contact_keys([], [contact]))
    assert contact_keys([], [contact])


@pytest.mark.parametrize(
    "contact",
    [
        *("510-555-0123", "+1 500 555 0006", "212-555-0100", "+44 20 7946 0000", "+4915112345678"),
        *("jane@email.com", "nora@patients.example", "third@example.com", "nobel@example.com"),
    ],
)
def test_ordinary_contact_is_no_filler(contact: str) -> None:
    (key,) = contact_keys([], [contact]) if "@" in contact else contact_keys([contact], [])
    assert not is_filler(key)
