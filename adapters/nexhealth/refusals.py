"""What NexHealth's error texts mean. NexHealth has no error codes, so its wording is all we can go by.

The wording comes from NexHealth's documents and from reports of those who use it. The texts themselves are never
passed on: they may quote what was sent.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from adapters.errors import Misconfigured, NotAuthorized, NotFound, OfficeOffline, OutsideError, Refused, SlotTaken

NOT_LANDED_RETRY_AFTER = timedelta(minutes=1)
"""When to try a change again that must wait until the write has landed. Every try costs a call."""


class DuplicatePatient(Refused):
    """The patient exists already. ``existing_id`` is the patient's id at NexHealth."""

    def __init__(self, reason: str, existing_id: str) -> None:
        super().__init__(reason, code="duplicate_patient")
        self.existing_id = existing_id


class Meaning(NamedTuple):
    text: str
    """Lowercase. Matches anywhere in the error, in any case."""
    code: str
    error: type[OutsideError]


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
_ERROR_BY_STATUS: dict[int, type[Refused]] = {401: NotAuthorized, 403: NotAuthorized, 404: NotFound}


def refusal(call_name: str, status: int, texts: Sequence[str]) -> OutsideError:
    """The error for a call that NexHealth understood and refused: by its texts, otherwise by its status."""
    text = " ".join(texts)
    for meaning in MEANINGS:
        if meaning.text in text.casefold():
            return _error(meaning, f"{call_name}: {status} {meaning.code}", text)
    return _ERROR_BY_STATUS.get(status, Refused)(f"{call_name}: {status}", code=str(status))


def _error(meaning: Meaning, reason: str, text: str) -> OutsideError:
    if issubclass(meaning.error, DuplicatePatient):
        match = re.search(r"id=(\d+)", text, re.IGNORECASE)
        return DuplicatePatient(reason, match[1]) if match else Refused(reason, code=meaning.code)
    if issubclass(meaning.error, Refused):
        return meaning.error(reason, code=meaning.code)
    return OfficeOffline(reason, NOT_LANDED_RETRY_AFTER)
