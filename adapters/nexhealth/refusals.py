"""What NexHealth's error texts mean. It has no error codes, so its words are all there is to go by.

The texts themselves go nowhere: they may quote what was sent.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from adapters.errors import Misconfigured, NotAuthorized, NotFound, OfficeOffline, OutsideError, Refused, SlotTaken

NOT_LANDED = timedelta(minutes=1)
"""A write that must wait for the office is tried again after so long: every try costs."""


class DuplicatePatient(Refused):
    """The patient exists already."""

    def __init__(self, reason: str, existing: str) -> None:
        super().__init__(reason, code="duplicate_patient")
        self.existing = existing


class Meaning(NamedTuple):
    text: str
    """Found anywhere in the error, whatever its case."""
    code: str
    kind: type[OutsideError]


MEANINGS = (
    Meaning("no longer available", "slot_taken", SlotTaken),
    Meaning("operatory not available", "slot_taken", SlotTaken),
    Meaning("configured for the requested slot", "type_not_allowed", Refused),
    Meaning("already exists - id=", "duplicate_patient", DuplicatePatient),
    Meaning("phone number is invalid", "invalid_phone", Refused),
    Meaning("not synced with the pms", "not_landed", OfficeOffline),
    Meaning("already cancelled", "already_cancelled", Refused),
    Meaning("missing parameter", "missing_parameter", Misconfigured),
    Meaning("blank values not allowed", "blank_parameter", Misconfigured),
    Meaning("provide all or none", "half_a_pair", Misconfigured),
    Meaning("don't have access", "no_access", NotAuthorized),
    Meaning("invalid credentials", "invalid_credentials", NotAuthorized),
)
_BY_STATUS: dict[int, type[Refused]] = {401: NotAuthorized, 403: NotAuthorized, 404: NotFound}


def refusal(call: str, status: int, errors: Sequence[str]) -> OutsideError:
    """The error for a call that was understood and not done: by its words, else by its status."""
    said = " ".join(errors)
    for meaning in MEANINGS:
        if meaning.text in said.casefold():
            return _error(meaning, f"{call}: {status} {meaning.code}", said)
    return _BY_STATUS.get(status, Refused)(f"{call}: {status}", code=str(status))


def _error(meaning: Meaning, reason: str, said: str) -> OutsideError:
    if issubclass(meaning.kind, DuplicatePatient):
        found = re.search(r"id=(\d+)", said, re.IGNORECASE)
        return DuplicatePatient(reason, found[1]) if found else Refused(reason, code=meaning.code)
    if issubclass(meaning.kind, Refused):
        return meaning.kind(reason, code=meaning.code)
    return OfficeOffline(reason, NOT_LANDED)
