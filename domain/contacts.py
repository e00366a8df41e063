"""Phone numbers and email addresses as evidence of who somebody is."""

import re
from collections.abc import Iterable

from domain.phone import numbers_in

FILLER_WORDS = frozenset(
    {
        *("anonymous", "asdf", "decline", "declined", "donotreply", "dummy", "fake", "na", "no", "nobody", "noemail"),
        *("nomail", "none", "noone", "noreply", "notavailable", "nothing", "null", "placeholder", "refuse", "refused"),
        *("test", "testing", "unknown", "x", "xx", "xxx"),
    }
)
"""An email address is a filler if its local part, or the part of its host before the dot, is one of these."""
FILLER_LOCAL_PARTS = FILLER_WORDS | {"abc", "email", "mail", "patient"}
"""The last four count before the @ only: there are mail providers of these names."""
_ASSIGNABLE_NUMBER = re.compile(r"[2-9](?!11)[0-8]\d[2-9](?!11)\d{6}")
"""Ten digits that the North American Numbering Plan can assign to a subscriber (https://www.nanpa.com)."""
_FILLER_ENDING = re.compile(r"(?:(\d)\1{6}|1234567|7654321|5551212)$")


def email_key(address: str) -> str:
    """An email address without case and plus tag."""
    local, _, host = address.strip().casefold().partition("@")
    return f"{local.split('+', 1)[0]}@{host}"


def contact_key(contact: str) -> str:
    """Text that is equal for every spelling of an email address; E.164 phone numbers are returned as they are.

    Store it only as a keyed hash.
    """
    return email_key(contact) if "@" in contact else contact


def contact_keys(phones: Iterable[str], emails: Iterable[str]) -> frozenset[str]:
    """The keys of every phone number and email address in these fields, fillers included.

    A field may hold several, and words around them.
    """
    numbers = {number for field in phones for number in numbers_in(field)}
    addresses = {email_key(word) for field in emails for word in re.split(r"[\s,;]+", field) if "@" in word}
    return frozenset(numbers | addresses)


def is_filler(key: str) -> bool:
    """Whether a contact was only typed to fill a field, such as 999-999-9999 or none@none.com. It says nothing.

    The rules are in docs/matching.md.
    """
    if "@" in key:
        local, _, host = key.partition("@")
        return re.sub(r"[._/-]", "", local) in FILLER_LOCAL_PARTS or host.split(".")[0] in FILLER_WORDS
    is_unassigned = key.startswith("+1") and not _ASSIGNABLE_NUMBER.fullmatch(key[2:])
    return is_unassigned or _FILLER_ENDING.search(key) is not None
